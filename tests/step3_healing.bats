# step3_healing.bats - step 3 seen from outside: servers that die, freeze or get stuck are replaced.
#
#     LAB_DIR=solutions/step3_watchdog bats tests/step3_healing.bats
#
# Knows the contract and nothing else. Titles are claims. The words are explained in helpers.bash and step3.bash.
# A claim that holds for both policies is a function, and a test for each policy.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2046  # lists are to be words; step3.bash reads what a test sets

load helpers
load step3

# ---- one secondary

# The period is long: who waits for it is late.
replaces_a_dead_secondary() {
    because "SIGCHLD comes when a child dies; a wait that it interrupts must look for the dead at once. signal(7), waitpid(2)"
    PERIOD_MS=8000
    start_lab
    remember
    send KILL secondary2
    await_new " restarted secondary2\\[[0-9]+\\] was $(was secondary2)\$"
    expect_between "milliseconds from its last pong to its replacement" 0 $((INTERVAL_MS + JUST_AFTER_MS)) \
        $(($(ms_of ' restarted secondary2\[') - $(last_ms_of "secondary2\\[$(was secondary2)\\] pong")))
    await_playing $(secondaries)
    expect_kept principal secondary1 secondary3
    expect_whole
    stop_lab
}

@test "3.6.3 a secondary that died is replaced at once (delegated)" {
    replaces_a_dead_secondary
    expect_line "^$STAMP principal\\[$(was principal)\\] restarted secondary2\\["
}

@test "3.7.1 a secondary that died is replaced at once (direct)" {
    POLICY=direct
    replaces_a_dead_secondary
    expect_line "^$STAMP watchdog\\[[0-9]+\\] died secondary2\\[$(was secondary2)\\] signal 9\$"
}

# kills_the_frozen ROLE
kills_the_frozen() {
    because "a stopped process acts on no signal but SIGKILL and SIGCONT, and only its parent is sure whose pid it is. signal(7), kill(2)"
    PERIOD_MS=2000      # long: who acts only at the next probe is late
    start_lab
    remember
    send STOP "$1"
    eventually 5000 was_probed "$1" || fail "SIGUSR1 for $1 within a period" "none"
    await_new "^$STAMP watchdog\\[[0-9]+\\] frozen $1\\[$(was "$1")\\]\$" $((TIMEOUT_MS + PERIOD_MS / 2))
    [[ $1 == principal ]] || expect_no_line ' frozen principal'
    await_gone "$(was "$1")" $((PERIOD_MS / 2))
}

@test "3.5.1 a frozen secondary is named, and killed (delegated)" { kills_the_frozen secondary2; }
@test "3.5.2 a frozen secondary is named, and killed (direct)" { POLICY=direct kills_the_frozen secondary2; }
@test "3.5.3 a frozen principal is named, and killed" { kills_the_frozen principal; }

# If it has gone, that was so, too.
was_probed() { has_pending "${PID_BEFORE[$1]}" 10 || is_gone "${PID_BEFORE[$1]}"; }

# The timeout is short and the period long: who looks for answers only at the next probe is late.
replaces_a_frozen_secondary() {
    because "the timeout begins with the probe: its end is another moment to wake at than the next probe. sigtimedwait(2), poll(2)"
    PERIOD_MS=1500 TIMEOUT_MS=200
    local probed_ms
    start_lab
    remember
    send STOP secondary2
    eventually 3000 was_probed secondary2 || fail "SIGUSR1 for secondary2 within a period" "none"
    probed_ms=$(now_ms)
    await_new ' frozen secondary2\['
    expect_between "milliseconds from its probe until it is frozen" 0 $((TIMEOUT_MS + 2 * A_BUSY_MACHINE_MS)) \
        $(($(now_ms) - probed_ms))
    await_replaced secondary2
    expect_line "^$STAMP watchdog\\[[0-9]+\\] frozen secondary2\\[$(was secondary2)\\]\$"
    await " killed secondary2\\[$(was secondary2)\\]\$"
    expect_line " restarted secondary2\\[[0-9]+\\] was $(was secondary2)\$"
    expect_kept principal secondary1 secondary3
    expect_between "milliseconds from its last pong to its replacement" "$TIMEOUT_MS" \
        $((INTERVAL_MS + PERIOD_MS + TIMEOUT_MS + A_BUSY_MACHINE_MS)) \
        $(($(ms_of ' restarted secondary2\[') - $(last_ms_of "secondary2\\[$(was secondary2)\\] pong")))
    stop_lab
}

@test "3.6.4 a frozen secondary is found, killed and replaced in time (delegated)" { replaces_a_frozen_secondary; }
@test "3.7.2 a frozen secondary is found, killed and replaced in time (direct)" { POLICY=direct replaces_a_frozen_secondary; }

disturbs_nobody_else() {
    because "a read(2) from a silent secondary makes the principal silent too: poll(2) asks all of them at once"
    PERIOD_MS=800 TIMEOUT_MS=250
    start_lab
    remember
    send STOP secondary2
    await_replaced secondary2
    await_playing $(secondaries)
    expect_kept principal secondary1 secondary3
    expect_no_line ' (frozen|killed) (principal|secondary[13])\['
    expect_between "longest silence of secondary1, in milliseconds" 0 400 "$(longest_silence_ms secondary1)"
    expect_between "longest silence of secondary3, in milliseconds" 0 400 "$(longest_silence_ms secondary3)"
    expect_history
}

# A mask that it inherited, for one, would make it deaf. What it is asked at its birth, it may have answered unasked.
keeps_a_replacement() {
    because "a child inherits the mask of who forks it: what is blocked in a handler, or around fork(2), stays blocked. sigprocmask(2)"
    start_lab
    remember
    send KILL secondary2
    await_replaced secondary2
    remember
    await_in_journal "four more status lines" -s "$MARK" -n 4 ' status ' "$DEFAULT_MS"
    expect_no_line ' frozen '
    expect_kept $(servers)
}

@test "3.6.11 a replacement answers its probes, too (delegated)" { keeps_a_replacement; }
@test "3.7.9 a replacement answers its probes, too (direct)" { POLICY=direct keeps_a_replacement; }

@test "3.6.5 while a secondary is frozen the others play on, and keep their processes (delegated)" { disturbs_nobody_else; }

@test "3.7.3 while a secondary is frozen the others play on, and keep their processes (direct)" {
    POLICY=direct
    disturbs_nobody_else
}

replaces_a_stuck_server() {
    because "a signal handler runs while the main loop is stuck: it must only note the probe, and the loop answer it. signal(7)"
    start_lab
    remember
    get_stuck "$1"
    await_new " frozen $1\\[$(was "$1")\\]"
    await_replaced "$1"
    [[ $1 == principal ]] || expect_kept principal secondary1 secondary3
    await_playing $(secondaries)
    expect_whole
    stop_lab
}

@test "3.6.6 a secondary in an endless loop answers no probe, and is replaced (delegated)" {
    replaces_a_stuck_server secondary2
}

@test "3.7.4 a secondary in an endless loop answers no probe, and is replaced (direct)" {
    POLICY=direct
    replaces_a_stuck_server secondary2
}

@test "3.8.1 a principal in an endless loop answers no probe, and is replaced (delegated)" {
    replaces_a_stuck_server principal
}

@test "3.8.2 a principal in an endless loop answers no probe, and is replaced (direct)" {
    POLICY=direct
    replaces_a_stuck_server principal
}

descriptors_of() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
has_as_many() { (($(descriptors_of "$1") <= $2)); }

# costs_no_descriptor PARENT: of the secondaries
costs_no_descriptor() {
    because "after fork(2) both have the pipe's ends: who keeps one that is the other's has one more for each replacement. close(2)"
    PERIOD_MS=8000      # no probe ends one meanwhile, whatever it would answer
    start_lab
    local parent before
    parent=$(pid_of "$1")
    before=$(descriptors_of "$parent")
    for _ in 1 2 3; do
        remember
        send KILL secondary2
        await_replaced secondary2
        await_playing secondary2
    done
    eventually 2000 has_as_many "$parent" "$before" || fail "$before descriptors in the $1, as before" "$(descriptors_of "$parent")"
}

@test "3.6.12 a replacement costs its parent no descriptor (delegated)" { costs_no_descriptor principal; }
@test "3.7.10 a replacement costs its parent no descriptor (direct)" { POLICY=direct costs_no_descriptor watchdog; }

# ---- the principal, and several at once

# replaces_all HOW...: HOW is a command that does the harm
replaces_all() {
    start_lab
    remember
    "$@"
    await_replaced $(servers)
    await_playing $(secondaries)
    expect_whole
    expect_history
    stop_lab
}

replaces_a_dead_principal() {
    because "the secondaries of a dead principal are orphans: who tells them to go? And its SIGCHLD comes at once, not when you probe. pipe(7), signal(7)"
    PERIOD_MS=20000     # who waits for it is too late
    replaces_all send KILL principal
    expect_line "^$STAMP watchdog\\[[0-9]+\\] died principal\\[$(was principal)\\] signal 9\$"
    expect_line "^$STAMP watchdog\\[[0-9]+\\] restarted principal\\[[0-9]+\\] was $(was principal)\$"
}

@test "3.8.3 a principal that died is replaced at once, and all its secondaries with it (delegated)" {
    replaces_a_dead_principal
}

@test "3.8.4 a principal that died is replaced at once, and all its secondaries with it (direct)" {
    POLICY=direct
    replaces_a_dead_principal
}

replaces_a_frozen_principal() {
    because "secondaries that wait for a frozen principal are not frozen, they answer; only SIGKILL ends a stopped process: signal(7)"
    replaces_all send STOP principal
    expect_line "^$STAMP watchdog\\[[0-9]+\\] frozen principal\\[$(was principal)\\]\$"
    expect_line "^$STAMP watchdog\\[[0-9]+\\] killed principal\\[$(was principal)\\]\$"
    expect_no_line ' frozen secondary'
}

@test "3.8.5 a frozen principal is replaced, and all its secondaries with it (delegated)" { replaces_a_frozen_principal; }

@test "3.8.6 a frozen principal is replaced, and all its secondaries with it (direct)" {
    POLICY=direct
    replaces_a_frozen_principal
}

kill_the_principal_of_a_frozen_secondary() {
    send STOP secondary2
    send KILL principal
}

takes_a_frozen_secondary_along() {
    because "a stopped process notices no end of file, and no SIGTERM. Whom does kill(2) reach with a negative pid?"
    PERIOD_MS=8000
    replaces_all kill_the_principal_of_a_frozen_secondary
}

@test "3.8.7 a frozen secondary does not outlive its principal (delegated)" { takes_a_frozen_secondary_along; }
@test "3.8.8 a frozen secondary does not outlive its principal (direct)" { POLICY=direct takes_a_frozen_secondary_along; }

@test "3.8.9 all killed at one stroke, all are replaced (delegated)" {
    because "one SIGCHLD may stand for several deaths: ask waitpid(2) with WNOHANG as long as it returns a pid; 0 is none yet, -1 (ECHILD) no child"
    replaces_all strike KILL $(servers)
}

@test "3.8.10 all killed at one stroke, all are replaced (direct)" {
    because "one SIGCHLD may stand for several deaths: ask waitpid(2) with WNOHANG as long as it returns a pid; 0 is none yet, -1 (ECHILD) no child"
    POLICY=direct
    replaces_all strike KILL $(servers)
}

@test "3.8.11 all frozen at one stroke, all are replaced (delegated)" {
    because "a frozen principal cannot replace its secondaries: who is to be healed first? And who tells the others? kill(2)"
    replaces_all strike STOP $(servers)
}

@test "3.8.12 all frozen at one stroke, all are replaced (direct)" {
    because "while you wait for one of them, the others are frozen too: whose deadline is next? poll(2), sigtimedwait(2)"
    POLICY=direct
    replaces_all strike STOP $(servers)
}

# Their parent is stopped meanwhile: when it goes on, it is sure to find one SIGCHLD for eight deaths.
replaces_eight_for_one_sigchld() {
    because "one SIGCHLD may stand for several deaths: ask waitpid(2) with WNOHANG as long as it returns a pid; 0 is none yet, -1 (ECHILD) no child"
    N=8 PERIOD_MS=8000
    start_lab
    remember
    strike STOP "$1"
    strike KILL $(secondaries)
    strike CONT "$1"
    await_replaced $(secondaries)
    await_playing $(secondaries)
    expect_kept principal
    stop_lab
}

@test "3.6.7 eight secondaries die while their parent sleeps: all are replaced (delegated)" {
    replaces_eight_for_one_sigchld principal
}

@test "3.7.5 eight secondaries die while their parent sleeps: all are replaced (direct)" {
    POLICY=direct
    replaces_eight_for_one_sigchld watchdog
}

replaces_who_was_told_to_end() {
    because "a server that ended in good order is missing all the same: its parent's SIGCHLD does not ask why. WIFEXITED, wait(2)"
    start_lab
    remember
    send TERM secondary1
    await_replaced secondary1
    remember
    send TERM principal
    await_replaced $(servers)
    await_playing $(secondaries)
    expect_whole
    stop_lab
}

@test "3.8.13 a server that was sent SIGTERM is replaced (delegated)" { replaces_who_was_told_to_end; }
@test "3.8.14 a server that was sent SIGTERM is replaced (direct)" { POLICY=direct replaces_who_was_told_to_end; }

survives_a_bad_day() {
    because "what the one before has left (names, descriptors, zombies, a pid in the table) piles up: unlink(2), close(2), waitpid(2)"
    local role
    start_lab
    for role in secondary1 principal secondary3 secondary1 principal; do
        remember
        send KILL "$role"
        await_replaced "$role"
        await_playing $(secondaries)
    done
    expect_whole
    expect_history
    stop_lab
}

@test "3.8.15 after a bad day all is as at the beginning (delegated)" { survives_a_bad_day; }
@test "3.8.16 after a bad day all is as at the beginning (direct)" { POLICY=direct survives_a_bad_day; }

# ---- what is left in the pipes

ignores_old_pings() {
    because "a FIFO keeps its bytes as long as anybody has it open, even for writing only: fifo(7), pipe(7)"
    PERIOD_MS=8000 INTERVAL_MS=150
    start_lab
    remember
    send STOP secondary1
    printf 'ping\n%.0s' {1..100} 1<>"$OSPS_DIR/dwtube1"
    send KILL secondary1
    await_replaced secondary1
    await_playing secondary1
    expect_between "pongs of the new one so far" 3 12 "$(since_mark | grep -c "secondary1\\[$(pid_of secondary1)\\] pong ")"
}

@test "3.6.8 a replacement does not answer pings that were meant for the one before (delegated)" { ignores_old_pings; }

@test "3.7.6 a replacement does not answer pings that were meant for the one before (direct)" {
    POLICY=direct
    ignores_old_pings
}

# ignores_half_lines VICTIM
ignores_half_lines() {
    because "half a line can stay in the pipe, and in the reader's buffer: what becomes of both when the writer is replaced? pipe(7)"
    PERIOD_MS=8000
    start_lab
    remember
    send STOP secondary1
    send STOP "$1"
    printf pi 1<>"$OSPS_DIR/dwtube1"
    printf po 1<>"$OSPS_DIR/wdtube1"
    send KILL "$1"
    await_replaced "$1" secondary1
    await_playing secondary1
}

@test "3.6.9 half a line that a killed secondary left spoils nothing (delegated)" { ignores_half_lines secondary1; }

@test "3.7.7 half a line that a killed secondary left spoils nothing (direct)" {
    POLICY=direct
    ignores_half_lines secondary1
}

@test "3.8.17 half a line that a killed principal left spoils nothing" { ignores_half_lines principal; }

# ---- crash loops

# What the first delay is, is not said. But few restarts fit into the time if each delay is twice the one before,
# and the last gap between two restarts is much longer than the third before it.
expect_growing_delay() {
    local gaps
    expect_between "restarts of $1" 3 16 "$(grep -c " restarted $1\\[" "$OUT/stdout")"
    gaps=$(grep " restarted $1\\[" "$OUT/stdout" | awk 'NR > 1 { printf " %d", ($1 - last) * 1000 } { last = $1 }')
    expect_that "growing gaps between restarts (milliseconds:$gaps)" \
        awk -v gaps="$gaps" 'BEGIN { n = split(gaps, gap, " "); exit !(n >= 2 && gap[n] > 1.8 * gap[n > 3 ? n - 3 : 1]) }'
}

# Where the watchdog is the parent, it tells both the death and the restart.
expect_doubling_delay() {
    local delays
    delays=$(awk -v role="$1" '{ split($4, name, /[][]/) } name[1] != role { next }
        $3 == "died" { died[name[2]] = $1 }
        $3 == "restarted" { printf " %d", ($1 - died[$6]) * 1000 }' "$OUT/stdout")
    expect_that "two restarts at once, then delays that double (milliseconds:$delays)" \
        awk -v delays="$delays" -v soon="$JUST_AFTER_MS" 'BEGIN {
            n = split(delays, delay, " ")
            wrong = n < 3 || delay[1] > soon || delay[2] > soon
            for (i = 3; i < n; i++) wrong += delay[i + 1] < 1.7 * delay[i] - 100
            exit wrong > 0 }'
}

slows_a_crash_loop_down() {
    because "what dies at birth dies again: wait, and twice as long each time. But who sleeps meanwhile serves nobody: poll(2)"
    start_lab
    remember
    keep_killing secondary2 2500
    expect_growing_delay secondary2
    expect_kept principal secondary1 secondary3
    expect_between "longest silence of secondary1, in milliseconds" 0 400 "$(longest_silence_ms secondary1)"
    expect_no_line ' frozen '
    stop_lab
}

@test "3.6.10 a secondary that dies at birth is restarted with a growing delay, the others go on (delegated)" {
    slows_a_crash_loop_down
}

@test "3.7.8 a secondary that dies at birth is restarted with a growing delay, the others go on (direct)" {
    POLICY=direct
    slows_a_crash_loop_down
    expect_doubling_delay secondary2
}

@test "3.8.18 a principal that dies at birth is restarted with a growing delay" {
    because "what dies at birth dies again: wait, and twice as long each time. But the watchdog stays awake: sigtimedwait(2)"
    start_lab
    keep_killing principal 2500
    expect_growing_delay principal
    expect_doubling_delay principal
    stop_lab
}
