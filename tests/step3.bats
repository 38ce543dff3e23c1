# step3.bats - step 3 seen from outside: a watchdog starts the servers, they play ping-pong, it probes them.
# What it does about servers that die or freeze: step3_healing.bats; how it all ends: step3_ending.bats.
#
#     LAB_DIR=solutions/step3_watchdog bats tests/step3.bats
#
# Knows the contract and nothing else. Titles are claims. The words are explained in helpers.bash and step3.bash.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2046  # lists are to be words; step3.bash reads what a test sets

load helpers
load step3

# What a healthy lab never says.
expect_no_harm() { expect_no_line '\] (frozen|killed|died|restarted) '; }

# ---- the command line

@test "3.0.1 -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    run_to_end watchdog -h
    expect_status 0
    expect_line '[Uu]sage'
    expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
}

@test "3.0.2 wrong options, numbers and policies are wrong usage: exit 2" {
    because "getopt(3) returns '?' for what it does not know; strtol(3) tells where it stopped, and overflow"
    local option number
    for option in -n -p -t -i; do
        for number in abc 5x -1 99999999999999999999; do
            expect_wrong_usage watchdog "$option" "$number"
        done
    done
    expect_wrong_usage watchdog -n ''
    expect_wrong_usage watchdog -n 65
    expect_wrong_usage watchdog -r both
    expect_wrong_usage watchdog -Z
    expect_wrong_usage watchdog -d
    expect_wrong_usage watchdog superfluous
}

@test "3.0.3 a run directory that is a link, or lets others in, is refused" {
    because "mkdir(2) fails with EEXIST for what is there already: whose is it, and who may write there? open(2), fstat(2)"
    mkdir -m 700 "$BATS_TEST_TMPDIR/target"
    ln -s target "$OSPS_DIR"
    expect_refusal watchdog
    expect_equal "files made behind the link" "" "$(ls -A "$BATS_TEST_TMPDIR/target")"
    rm "$OSPS_DIR"
    mkdir "$OSPS_DIR"
    chmod 750 "$OSPS_DIR"
    expect_refusal watchdog
}

@test "3.3.1 a second start says who holds the run directory, exits 1, and disturbs nothing" {
    because "a lock goes with its process, a file does not: fcntl(2), F_GETLK. And it must be taken before pipes are made anew"
    start_lab
    remember
    beside
    expect_refusal watchdog -n 1
    expect_stderr "(^|[^0-9])$(was watchdog)([^0-9]|\$)"
    look_at first
    mark
    await_playing $(secondaries)
    expect_kept $(servers)
    expect_whole
    stop_lab
}

# ---- who is there

# expect_family PARENT_OF_THE_SECONDARIES
expect_family() {
    local role parent
    parent=$(pid_of "$1")
    expect_equal "parent of the principal" "$PROGRAM_PID" "$(parent_of "$(pid_of principal)")"
    for role in $(secondaries); do
        expect_equal "parent of $role" "$parent" "$(parent_of "$(pid_of "$role")")"
        expect_line "^$STAMP $1\\[$parent\\] started $role\\[$(pid_of "$role")\\]\$"
    done
    expect_line "^$STAMP watchdog\\[$PROGRAM_PID\\] started principal\\[[0-9]+\\]\$"
}

# Until all are started, no matter what they do then.
start_servers() {
    local role
    start watchdog $(lab_options)
    for role in $(servers); do
        await " started $role\\["
    done
}

parent_of() { all_below | awk -v pid="$1" '$1 == pid { print $2 }'; }

@test "3.1.1 the watchdog starts the principal, which begins its life as its child" {
    because "fork(2) returns twice: in the child 0, and in the parent the child's pid"
    start watchdog $(lab_options)
    await "^$STAMP watchdog\\[$PROGRAM_PID\\] started principal\\[[0-9]+\\]\$"
    await "^$STAMP principal\\[$(pid_of principal)\\] start\$"
    expect_equal "parent of the principal" "$PROGRAM_PID" "$(parent_of "$(pid_of principal)")"
}

@test "3.2.1 delegated: the watchdog starts the principal, the principal the secondaries" {
    because "who forks is the parent, and only the parent is told of a death and can wait for it: fork(2), waitpid(2)"
    start_servers
    expect_family principal
    expect_whole
}

@test "3.2.2 direct: the watchdog starts them all" {
    because "who forks is the parent, and only the parent is told of a death and can wait for it: fork(2), waitpid(2)"
    POLICY=direct
    start_servers
    expect_family watchdog
    expect_whole
}

@test "3.3.2 without options there is one secondary, and it is delegated" {
    because "an option that was not given leaves its variable at its default: set it before getopt(3)"
    start watchdog
    await_event secondary1 'pong 2'
    N=1
    expect_family principal
    expect_whole
}

@test "3.2.3 sixty-four secondaries play, each over two pipes of mode 0600" {
    because "a pipe's name holds its number: dwtube1 to dwtube64. The umask takes bits away from mkfifo(3)'s mode, never adds any"
    umask 0
    N=64 INTERVAL_MS=200
    PERIOD_MS=8000
    start_lab
    expect_whole
    expect_equal "pipes of another mode" "" "$(find "$OSPS_DIR" -type p ! -perm 600)"
    expect_equal "mode of the run directory" 700 "$(mode_of "$OSPS_DIR")"
}

@test "3.2.4 all have mapped one segment, named /osps-..., mode 0600" {
    because "a mapping made before fork(2) is inherited; shm_open(3) takes the mode, and the umask takes bits away from it"
    umask 0
    PERIOD_MS=8000
    start_lab
    local segment role
    segment=$(segments_of "$PROGRAM_PID")
    expect_equal "segments that the watchdog has mapped" 1 "$(grep -c . <<<"$segment")"
    for role in $(servers); do
        expect_equal "the segment of $role" "$segment" "$(segments_of "$(pid_of "$role")")"
    done
    [[ $segment == *' (deleted)' ]] || expect_equal "its mode" 600 "$(mode_of "$segment")"
}

@test "3.4.1 a status line each period names every process" {
    because "a signal ends a wait early: how much of the period is left then? sigtimedwait(2), poll(2), clock_gettime(2)"
    start_lab
    remember
    local role all=''
    for role in watchdog $(servers); do
        all+=" ${role}[$(was "$role")]"
    done
    await_in_journal "5 status lines" -s "$MARK" -n 5 "^$STAMP watchdog\\[[0-9]+\\] status " "$DEFAULT_MS"
    expect_equal "who is in them" "status$all" "$(since_mark | grep -o 'status .*' | sort -u)"
    expect_between "milliseconds from the first to the fifth" $((4 * PERIOD_MS - 100)) $((4 * PERIOD_MS + 600)) \
        $(($(last_ms_of ' status ') - $(ms_of ' status ')))
}

@test "3.3.3 there is one exchange an interval with each secondary, and none is lost" {
    because "when the next ping is due is kept for each secondary, not once for all: poll(2) wakes for many reasons"
    INTERVAL_MS=100
    start_lab
    local role
    for role in $(secondaries); do
        await_event "$role" 'pong 12'
        expect_between "milliseconds from pong 2 to pong 12 of $role" 700 3000 \
            $(($(ms_of "$role.* pong 12\$") - $(ms_of "$role.* pong 2\$")))
    done
    expect_history
    expect_well_formed_journal
}

@test "3.9.1 -q keeps what happens once in a process's life" {
    because "ping, pong and status come again and again; start, started, restarted and exit do not"
    start watchdog -q $(lab_options)
    await " started secondary$N\\["
    mark
    send KILL secondary1
    await_new ' restarted secondary1\['
    let_pass 700
    stop_lab
    expect_no_line '\] (ping|pong|status)( |$)'
    expect_equal "the watchdog's start and exit" "start exit" \
        "$(grep -oE "^$STAMP watchdog\\[$PROGRAM_PID\\] (start|exit)\$" "$OUT/stdout" | cut -d' ' -f3 | paste -sd' ')"
}

# ---- probes

@test "3.4.2 a probe is a SIGUSR1, its answer a SIGUSR2" {
    because "what is sent to a stopped process stays pending, SigPnd in proc(5): so one can see what was sent. signal(7)"
    PERIOD_MS=1000 TIMEOUT_MS=1000
    start_lab
    local role principal secondary
    principal=$(pid_of principal) secondary=$(pid_of secondary1)
    for role in $principal $secondary; do
        send STOP "$role"
        eventually 2500 has_pending "$role" 10 || fail "SIGUSR1 for a server within a period" "none"
        send STOP "$PROGRAM_PID"
        # One that is stopped, but has not run since, would still take a SIGUSR2 first.
        eventually 2000 is_in_state T "$PROGRAM_PID" || fail "the watchdog stopped" "it is not"
        send CONT "$role"
        eventually 2000 has_pending "$PROGRAM_PID" 12 || fail "SIGUSR2 for the watchdog, from a server that was probed" "none"
        send CONT "$PROGRAM_PID"
    done
}

@test "3.4.3 sixty-four servers that answer at the same moment are all counted" {
    because "standard signals do not queue: of many SIGUSR2 that come at once one is delivered. What can it say, then? signal(7)"
    N=64 PERIOD_MS=800 TIMEOUT_MS=700 INTERVAL_MS=800
    start_lab
    await_count 4 "^$STAMP watchdog\\[[0-9]+\\] status "
    expect_no_harm
    stop_lab
}

@test "3.6.1 any number of SIGUSR2 from elsewhere saves no frozen server" {
    because "a signal says 'look', and anybody may send it: who has answered must be written where only that server writes it"
    start_lab
    remember
    send STOP secondary2
    flood_until_frozen() { kill -s USR2 "$PROGRAM_PID" && grep -q ' frozen secondary2\[' "$OUT/stdout"; }
    eventually 3000 flood_until_frozen || fail "frozen secondary2[$(was secondary2)]" "no such line"
    await_replaced secondary2
    expect_kept principal secondary1 secondary3
}

@test "3.6.2 any number of SIGUSR1 from elsewhere harms no server, and none counts as an answer later" {
    because "SIGUSR1 says 'look', too: what is answered is the latest probe, not each signal. signal(7)"
    start_lab
    remember
    strike USR1 principal secondary2
    local flood
    for flood in {1..40}; do
        kill -s USR1 "$(was principal)" "$(was secondary2)"
        nap
    done
    expect_kept $(servers)
    send STOP secondary2
    await_new ' frozen secondary2\[' $((PERIOD_MS + TIMEOUT_MS + JUST_AFTER_MS))
    await_replaced secondary2
    expect_kept principal secondary1 secondary3
}

@test "3.4.5 a watchdog that was stopped for a while does not make up for the probes that it missed" {
    because "the next probe is due a period from now. Reckoned from the last date, the missed ones come in a burst: who answers those?"
    start_lab
    send STOP "$PROGRAM_PID"
    let_pass $((6 * PERIOD_MS))
    mark
    send CONT "$PROGRAM_PID"
    await_in_journal "three more probes" -s "$MARK" -n 3 ' status ' "$DEFAULT_MS"
    expect_between "milliseconds from the first of three probes to the third" "$PERIOD_MS" 10000 \
        "$(since_mark | awk '$3 == "status" && ++count <= 3 { at[count] = $1 } END { printf "%d", (at[3] - at[1]) * 1000 }')"
}

@test "3.4.4 a server that answers late, but within the timeout, is left alone" {
    because "the timeout begins with the probe; until it is over nobody is frozen, however many probes have followed"
    TIMEOUT_MS=3000     # longer than the period: the next probe is no deadline
    start_lab
    remember
    strike STOP principal secondary1
    eventually 2000 has_pending "$(was secondary1)" 10 || fail "SIGUSR1 for a server within a period" "none"
    let_pass $((2 * PERIOD_MS))
    strike CONT principal secondary1
    mark
    await_in_journal "another two status lines" -s "$MARK" -n 2 ' status ' "$DEFAULT_MS"
    expect_no_harm
}
