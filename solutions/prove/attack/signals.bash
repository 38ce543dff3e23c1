# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# signals.bash - signals from a process that is no server. See ../attack.sh, scene.bash.

# flood_signals 'SIGNAL PID...'...: each line, thousands of times.
flood_signals() {
    local begun_ms count=0
    now_ms
    begun_ms=$REPLY
    until_enough send_thousand "$@"
    now_ms
    echo 'nobody killed'
    note "$((count / (REPLY - begun_ms + 1))) thousand a second"
}

send_thousand() {
    local line number pids
    for line; do
        read -r number pids <<<"$line"
        # shellcheck disable=SC2086
        set -- $pids
        for ((i = 0; i < 1000; i += $#)); do kill -s "$number" "$@" || return; done
        count=$((count + i))
    done
}

signals_to_watchdog() {
    tried 'SIGUSR2, SIGUSR1, SIGCHLD to the watchdog'
    expected 'nobody killed'
    under_attack flood_watchdog
}
flood_watchdog() { flood_signals "USR2 $watchdog" "USR1 $watchdog" "CHLD $watchdog"; }

signals_to_servers() {
    tried 'SIGUSR1, SIGUSR2, SIGCHLD to all servers'
    expected 'nobody killed'
    under_attack flood_servers
}
flood_servers() {
    local pids
    pids=$(servers | paste -sd' ')
    flood_signals "USR1 $pids" "USR2 $pids" "CHLD $pids"
}

signals_for_the_frozen() {
    tried 'SIGUSR2 in the name of a frozen server'
    expected 'found and replaced'
    replaces=yes
    under_attack answer_for_the_frozen
}

answer_for_the_frozen() {
    local begun_ms frozen
    ready
    frozen=$(pid_of secondary1)
    kill -STOP "$frozen"
    now_ms
    begun_ms=$REPLY
    until told "[^ ]+ restarted secondary1.* was $frozen" || ((REPLY > begun_ms + 5000)); do
        for ((i = 0; i < 2000; i++)); do kill -USR2 "$watchdog"; done
        now_ms
    done
    if told "watchdog.* frozen secondary1.$frozen" && told "[^ ]+ restarted secondary1.* was $frozen"; then
        echo 'found and replaced'
    fi
    note "after $((REPLY - begun_ms)) ms"
}

signals_of_others() {
    tried 'another user: signals, pipes, segment'
    expected 'nothing permitted'
    needs_root || return
    under_attack until_enough be_another
}

# Every one of these lines has to fail.
be_another() {
    local target
    target="$(pid_of principal) $run $(segment_of "$run")"
    # shellcheck disable=SC2086,SC2016
    setpriv --reuid $((200000 + $$ % 100000)) --clear-groups bash -c '
        for number in USR1 USR2 STOP KILL; do kill -s $number $1 && echo "a signal went"; done
        ls "$2" && echo "the directory was read"
        echo "requetetype1 1 0123456789abcdef" >>"$2/dwtube1" && echo "the pipe was written"
        cat "$3" && echo "the segment was read"
        : >>"$3" && echo "the segment was opened"
        echo "nothing permitted"' - $target 2>/dev/null | head -n 1
}
