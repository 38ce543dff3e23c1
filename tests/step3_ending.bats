# step3_ending.bats - step 3 seen from outside: how it ends, in order or not, and what is left then.
#
#     LAB_DIR=solutions/step3_watchdog bats tests/step3_ending.bats
#
# Knows the contract and nothing else. Titles are claims. The words are explained in helpers.bash and step3.bash.
# A claim that holds for both policies is a function, and a test for each policy.
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2046  # lists are to be words; step3.bash reads what a test sets

load helpers
load step3

# No server lost its parent: each was waited for before its parent ended.
expect_no_orphan() { expect_equal "processes whose parent ended first" "" "$(grep '^orphan' "$OUT/report")"; }
watchdog_lines() { sed -nE "s/^$STAMP watchdog\\[[0-9]+\\] ([a-z]+).*/\\1/p" "$OUT/stdout"; }

# ---- in order

# ends_in_order SIGNAL
ends_in_order() {
    because "the first in is the last out: who ends before its children leaves orphans, and nobody waits for them. waitpid(2)"
    TIMEOUT_MS=1500 PERIOD_MS=2000      # enough for them to end by themselves, on any machine
    start_lab
    end_lab "$1"
    expect_nothing_left
    expect_no_orphan
    expect_equal "the watchdog's first and last line" "start exit" "$(watchdog_lines | sed -n '1p;$p' | paste -sd' ')"
}

@test "3.9.2 SIGTERM to the watchdog ends all in order (delegated)" { ends_in_order TERM; }
@test "3.9.3 SIGTERM to the watchdog ends all in order (direct)" { POLICY=direct ends_in_order TERM; }
@test "3.9.4 SIGINT to the watchdog ends all in order" { ends_in_order INT; }

ends_on_ctrl_c() {
    because "the terminal sends SIGINT to the whole foreground group: is a server that goes then one that died? setpgid(2)"
    start_lab
    send_group INT
    await_end
    expect_status 0
    expect_nothing_survives
}

@test "3.9.5 Ctrl-C (SIGINT to the group) ends all in order (delegated)" { ends_on_ctrl_c; }
@test "3.9.6 Ctrl-C (SIGINT to the group) ends all in order (direct)" { POLICY=direct ends_on_ctrl_c; }

@test "3.9.7 sixty-four secondaries end in order" {
    because "wait for all of them at the same time, not for one after the other: waitpid(2) WNOHANG, SIGCHLD"
    N=64 PERIOD_MS=4000 TIMEOUT_MS=4000 INTERVAL_MS=200
    start_lab
    stop_lab
    expect_no_orphan
}

# ends_in_time_without ROLE...: they are stopped. The period is so long that nobody finds them frozen before.
ends_in_time_without() {
    because "a stopped process acts on SIGTERM only after SIGCONT, on SIGKILL at once; waitpid(2) waits for ever. signal(7)"
    PERIOD_MS=8000 TIMEOUT_MS=400
    start_lab
    remember
    strike STOP "$@"
    stop_lab
}

@test "3.9.8 SIGTERM ends all in time when a secondary is frozen (delegated)" { ends_in_time_without secondary2; }
@test "3.9.9 SIGTERM ends all in time when a secondary is frozen (direct)" { POLICY=direct ends_in_time_without secondary2; }
@test "3.9.10 SIGTERM ends all in time when the principal is frozen (delegated)" { ends_in_time_without principal; }
@test "3.9.11 SIGTERM ends all in time when the principal is frozen (direct)" { POLICY=direct ends_in_time_without principal; }
@test "3.9.12 SIGTERM ends all in time when all are frozen (delegated)" { ends_in_time_without $(servers); }
@test "3.9.13 SIGTERM ends all in time when all are frozen (direct)" { POLICY=direct ends_in_time_without $(servers); }

# ends_in_time_with_stuck ROLE...
ends_in_time_with_stuck() {
    because "a stuck main loop never sees the flag that a SIGTERM handler sets; how long do you wait for it? signal(7)"
    PERIOD_MS=8000 TIMEOUT_MS=600
    local role
    start_lab
    for role; do
        get_stuck "$role"
    done
    end_lab
    sed -i '/^zombie /d' "$OUT/report"      # a stuck principal waits for nobody: that is no fault of this program
    expect_nothing_survives
}

@test "3.9.14 SIGTERM ends all in time when one of each kind is in an endless loop (delegated)" {
    ends_in_time_with_stuck principal secondary2
}

@test "3.9.15 SIGTERM ends all in time when one of each kind is in an endless loop (direct)" {
    POLICY=direct
    ends_in_time_with_stuck principal secondary2
}

# A stuck secondary takes its time to end: so one can see who waits for it.
ends_secondaries_first() {
    because "a principal that ends while a secondary works leaves it alone with half a line: who waits for whom? waitpid(2)"
    PERIOD_MS=8000 TIMEOUT_MS=600
    local end_ms
    start_lab
    remember
    get_stuck secondary2
    send TERM "$PROGRAM_PID"
    end_ms=$(($(now_ms) + DEFAULT_MS))
    while is_running "$(was secondary2)"; do
        (($(now_ms) < end_ms)) || fail "secondary2 ends, or is killed" "it still runs after $DEFAULT_MS ms"
        ! is_gone "$(was principal)" || is_gone "$(was secondary2)" || fail "secondary2 ends before the principal" "it still runs"
        nap
    done
    await_end
    expect_status 0
    expect_nothing_survives
}

@test "3.9.16 the secondaries end before the principal (delegated)" { ends_secondaries_first; }
@test "3.9.17 the secondaries end before the principal (direct)" { POLICY=direct ends_secondaries_first; }

@test "3.9.18 a second SIGTERM or SIGINT during the stop does no harm" {
    because "while you stop, the same signals can come again: a stop that has begun only goes on. sigaction(2)"
    PERIOD_MS=8000 TIMEOUT_MS=600
    start_lab
    get_stuck secondary2
    local watchdog
    watchdog=$PROGRAM_PID
    send TERM "$watchdog"
    kill -s TERM "$watchdog" && kill -s INT "$watchdog"     # at once: soon it will have ended
    await_end
    expect_status 0
    expect_nothing_survives
}

ends_at_any_moment() {
    because "between making a thing and being ready to remove it there is a gap: block the signals first, sigprocmask(2)"
    N=64
    local pause_ms
    for pause_ms in 0 0 10 20 40; do
        start watchdog $(lab_options)
        let_pass "$pause_ms"
        kill -s TERM "$PROGRAM_PID" || fail "a watchdog that starts" "it has ended already"
        await_end
        expect_nothing_survives
    done
}

@test "3.9.19 SIGTERM at any moment of the start leaves nothing (delegated)" { ends_at_any_moment; }
@test "3.9.20 SIGTERM at any moment of the start leaves nothing (direct)" { POLICY=direct ends_at_any_moment; }

# timeout(1) is quicker with its signal than we are.
@test "3.9.21 SIGTERM in the first milliseconds leaves nothing" {
    because "a signal that comes before its handler is there ends the process as it stands: what was made by then? sigprocmask(2)"
    local tenths_ms
    for tenths_ms in {2..30..2} 100 1000; do    # the last ones for a slow machine
        start timeout --foreground -s TERM "$(printf '0.%04d' "$tenths_ms")" "$LAB_DIR/watchdog" $(lab_options)
        await_end
        expect_nothing_survives
    done
}

@test "3.9.22 SIGTERM while a server is being replaced leaves nothing" {
    because "a server that dies during the stop is not replaced any more, and a delay before a restart does not delay the end"
    start_lab
    keep_killing secondary1 400
    send KILL principal
    stop_lab
}

# The shell that starts it is of its group, as yours may be. The sixth early death is answered with a long delay.
@test "3.9.34 SIGTERM while there is no principal ends it, and signals nobody else" {
    because "-0 is 0, and 0 is the caller's own group: whose group is signalled when there is no principal? kill(2)"
    start bash -c 'trap "exit 42" TERM; "$@"; exit' - "$LAB_DIR/watchdog" $(lab_options)
    await_event "secondary$N" pong
    local round killed=''
    for round in {1..6}; do
        eventually "$DEFAULT_MS" has_another_principal "$killed" || fail "a principal after the one that was killed" "none"
        killed=$(pid_of principal)
        mark
        send KILL "$killed"
        await_new " died principal\\[$killed\\]"
    done
    send TERM "$(pid_of watchdog)"
    await_end
    expect_status 0
    expect_nothing_survives
}

has_another_principal() { [[ $(pid_of principal) != "$1" ]]; }

# ---- the watchdog is killed

# goes_with_its_watchdog HOW ROLE...: HOW is a word that is done to each of these before
goes_with_its_watchdog() {
    because "nobody is told of a parent's death. But what becomes of a pipe that only it held open, and of an orphaned group? pipe(7), _exit(2)"
    supervise_with -g 3000
    PERIOD_MS=8000
    local how=$1 role
    shift
    start_lab
    for role; do
        $how "$role"
    done
    send KILL "$PROGRAM_PID"
    await_end
    expect_all_gone_within 1300
}

@test "3.3.4 the watchdog killed: every server is gone within a second (delegated)" { goes_with_its_watchdog true; }

@test "3.3.5 the watchdog killed: every server is gone within a second (direct)" {
    POLICY=direct
    goes_with_its_watchdog true
}

@test "3.3.6 the watchdog killed: a stopped secondary goes too (delegated)" { goes_with_its_watchdog "send STOP" secondary2; }

@test "3.3.7 the watchdog killed: a stopped secondary goes too (direct)" {
    POLICY=direct
    goes_with_its_watchdog "send STOP" secondary2
}

@test "3.3.8 the watchdog killed: a stopped principal goes too (delegated)" { goes_with_its_watchdog "send STOP" principal; }

@test "3.3.9 the watchdog killed: a stopped principal goes too (direct)" {
    POLICY=direct
    goes_with_its_watchdog "send STOP" principal
}

@test "3.3.10 the watchdog killed: all go, were they all stopped (delegated)" {
    goes_with_its_watchdog "send STOP" $(servers)
}

@test "3.3.11 the watchdog killed: all go, were they all stopped (direct)" {
    POLICY=direct
    goes_with_its_watchdog "send STOP" $(servers)
}

@test "3.3.12 the watchdog killed: a secondary in an endless loop goes too (delegated)" {
    goes_with_its_watchdog get_stuck secondary2
}

@test "3.3.13 the watchdog killed: a secondary in an endless loop goes too (direct)" {
    POLICY=direct
    goes_with_its_watchdog get_stuck secondary2
}

# ---- the next start

works_after() {
    because "what a killed run has left must be found again; and whose is it, once the lock is yours? shm_unlink(3), fcntl(2)"
    start_lab
    local segment
    segment=$(segments_of "$PROGRAM_PID")
    "$@"
    start_lab
    expect_whole
    stop_lab
    [[ ! -e $segment ]] || { rm "$segment" && fail "the segment of the start before is gone" "$segment was there"; }
}

kill_the_watchdog() {
    send KILL "$PROGRAM_PID"
    await_end
}

@test "3.9.23 after the watchdog was killed the next start cleans up and works" {
    beside      # else its supervisor would clean up
    works_after kill_the_watchdog
}

@test "3.9.24 after kill -9 of everything the next start cleans up and works (delegated)" { works_after kill_everything; }

@test "3.9.25 after kill -9 of everything the next start cleans up and works (direct)" {
    POLICY=direct
    works_after kill_everything
}

# ---- what it needs is missing

# It ends by itself, with a message, or it does not; then SIGTERM ends it.
expect_bounded_end() {
    if eventually "$1" test -e "$OUT/report"; then
        await_end
        expect_status 1
        expect_stderr '^[a-z0-9]+: .'
    else
        kill -s TERM "$PROGRAM_PID" 2>/dev/null || true   # it may have ended just now
        await_end
        expect_ended
    fi
    expect_nothing_survives
}

few_descriptors_are_no_trap() {
    because "every open(2), pipe(2), socket(2) can fail with EMFILE, half-way through a start too: what was made by then?"
    N=4
    local limit
    for limit in 6 8 10 12 16 20; do
        start bash -c 'ulimit -n "$0" && exec "$@"' "$limit" "$LAB_DIR/watchdog" $(lab_options)
        expect_bounded_end 200
    done
}

@test "3.9.26 with too few descriptors it ends with a message, or heals, and leaves nothing (delegated)" {
    few_descriptors_are_no_trap
}

@test "3.9.27 with too few descriptors it ends with a message, or heals, and leaves nothing (direct)" {
    POLICY=direct
    few_descriptors_are_no_trap
}

pipe_in_the_way() {
    because "unlink(2) removes no directory, and mkfifo(3) then says EEXIST: no server, but a message, and still an end"
    mkdir -m 700 "$OSPS_DIR"
    mkdir -p "$OSPS_DIR/dwtube1/not-empty"
    start watchdog $(lab_options)
    eventually 5000 grep -qE '^[a-z0-9]+: .' "$OUT/stderr" || fail "a message on standard error" "none"
    expect_bounded_end 300
}

@test "3.9.28 a directory where a pipe should be: a message, and nothing is left (delegated)" { pipe_in_the_way; }
@test "3.9.29 a directory where a pipe should be: a message, and nothing is left (direct)" { POLICY=direct pipe_in_the_way; }

@test "3.9.30 a full disk behind standard output, or none at all, leaves nothing in the end" {
    because "write(2) can fail; and with descriptor 1 closed the next open(2) gets 1: then the journal is written into a pipe"
    local redirection
    for redirection in '>/dev/full' '>&-'; do
        start bash -c "exec \"\$0\" \"\$@\" $redirection" "$LAB_DIR/watchdog" $(lab_options)
        expect_bounded_end 600
    done
}

@test "3.9.31 nobody reads the journal any more: it still ends, and leaves nothing" {
    because "a write(2) to a pipe without a reader is SIGPIPE, a sudden death; ignored, write says EPIPE. signal(7), pipe(7)"
    local reader
    mkfifo "$BATS_TEST_TMPDIR/journal"
    exec {reader}<>"$BATS_TEST_TMPDIR/journal"
    start bash -c 'exec "$@" >"$0"' "$BATS_TEST_TMPDIR/journal" "$LAB_DIR/watchdog" $(lab_options)
    eventually 5000 test -p "$OSPS_DIR/wdtube$N" || fail "a pipe wdtube$N in the run directory" "none"
    exec {reader}<&-
    expect_bounded_end 600
}

@test "3.9.33 a full standard output that nobody reads: SIGTERM still ends it, and leaves nothing" {
    because "a write(2) to a pipe that is full waits for its reader, for ever perhaps: ask poll(2) before, and drop a line. pipe(7)"
    local reader
    mkfifo "$BATS_TEST_TMPDIR/journal"
    exec {reader}<>"$BATS_TEST_TMPDIR/journal"
    start bash -c 'exec "$@" >"$0"' "$BATS_TEST_TMPDIR/journal" "$LAB_DIR/watchdog" $(lab_options)
    eventually 5000 test -p "$OSPS_DIR/wdtube$N" || fail "a pipe wdtube$N in the run directory" "none"
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/journal" bs=4096 oflag=nonblock conv=notrunc 2>/dev/null || true  # until it is full
    let_pass $((2 * PERIOD_MS))
    kill -s TERM "$PROGRAM_PID"
    await_end
    expect_ended
    expect_nothing_survives
    exec {reader}<&-
}

@test "3.9.32 what a larger lab left when it was killed is cleaned up by a smaller one" {
    because "the pipes that lie there may be more than the ones you make: think of -n 3, kill -9, -n 1. unlink(2)"
    start_lab
    kill_everything
    N=1 start_lab
    N=1 stop_lab
    expect_equal "pipes left" "" "$(lab_pipes)"
}
