# step2.bats - step 2 seen from outside: ping and pong over a pair of named pipes.
#
#     LAB_DIR=solutions/step2_fifo bats tests/step2.bats
#
# Knows the contract and nothing else. Titles are claims. The words are explained in helpers.bash.

# shellcheck disable=SC2016,SC2030,SC2031  # $ for another shell; a variable set in a test is meant for that test

load helpers

# Both sides have counted 1, 2, ... N, each number once, and the principal says so.
expect_exchanges() {
    expect_equal "the principal's pings" "$(seq "$1")" "$(events principal ping | awk '{ print $4 }')"
    expect_equal "the secondary's pongs" "$(seq "$1")" "$(events secondary1 pong | awk '{ print $4 }')"
    expect_line "principal\\[[0-9]+\\] exchanges $1\$"
    expect_status 0
    expect_nothing_left
}

# So many exchanges that the program is in the midst of them while the test acts; -q, or the journal would be huge.
start_playing() {
    supervise_with -t 60000
    start principal -q -n 100000000
    eventually 10000 test -p "$OSPS_DIR/wdtube1" || fail "a pipe wdtube1 in the run directory" "none"
    eventually 10000 has_secondary_or_stands || fail "a child of the principal" "none"
    nap
}

has_secondary_or_stands() { has_secondary || stands_at_later_todo; }

# The child of the program; the journal may be too quiet to tell.
secondary_pid() { children_of "$PROGRAM_PID"; }
has_secondary() { [[ -n $(secondary_pid) ]]; }

@test "2.0.1 -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    run_to_end principal -h
    expect_status 0
    expect_line '[Uu]sage'
    expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
}

@test "2.0.2 wrong options and numbers are wrong usage: exit 2" {
    because "getopt(3) returns '?' for what it does not know; strtol(3) tells where it stopped, and overflow"
    local number
    for number in abc '' 5x 1.5 -1 99999999999999999999; do
        expect_wrong_usage principal -n "$number"
    done
    expect_wrong_usage principal -Z
    expect_wrong_usage principal -d
    expect_wrong_usage principal superfluous
}

@test "2.7.1 without an exchange it ends cleanly" {
    because "a word without its newline is no line (2.4); a wait that a signal interrupts (EINTR) has not failed (2.5); a loop that asks at its end runs once too often (2.7)"
    run_to_end principal -n 0
    expect_exchanges 0
}

@test "2.7.2 one exchange is one ping and one pong" {
    because "one too many or too few: who counts first, and when does the loop ask? None: is there a newline (2.4), was EINTR taken for an error (2.5)?"
    run_to_end principal -n 1
    expect_exchanges 1
}

@test "2.7.3 a thousand exchanges are counted alike on both sides" {
    because "a pipe carries bytes, not messages: one read(2) may bring half a line, or two: pipe(7)"
    run_to_end principal -n 1000
    expect_exchanges 1000
}

@test "2.7.4 twenty thousand exchanges are counted alike on both sides" {
    because "whoever waits for a line sleeps in read(2) or poll(2); a sleep in between costs thousands of sleeps"
    start principal -n 20000
    await_end 25000
    expect_exchanges 20000
    expect_well_formed_journal
}

@test "2.7.5 no pong comes before its ping, no ping before the last pong" {
    because "each waits for the other's line before it goes on: that is the synchronisation"
    run_to_end principal -n 500
    local wrong
    wrong=$(awk '$3 == "ping" { pings = $4; if (pings > pongs + 2) print }
                 $3 == "pong" { pongs = $4; if (pongs > pings + 1) print }' "$OUT/stdout")
    expect_equal "lines too early" "" "$wrong"
}

@test "2.1.1 the pipes dwtube1 and wdtube1 are there while it runs, mode 0600" {
    because "mkfifo(3) makes the name, with a mode that the umask takes bits away from"
    umask 0
    start_playing
    local pipe
    for pipe in dwtube1 wdtube1; do
        expect_that "$pipe is a named pipe" test -p "$OSPS_DIR/$pipe"
        expect_equal "mode of $pipe" 600 "$(mode_of "$OSPS_DIR/$pipe")"
    done
    expect_equal "mode of the run directory" 700 "$(mode_of "$OSPS_DIR")"
}

# has_open PID PIPE: does it hold an end of this pipe?
has_open() { find "/proc/$1/fd" -lname "$OSPS_DIR/$2" 2>/dev/null | grep -q .; }
both_have_open() { has_open "$PROGRAM_PID" "$1" && has_open "$(secondary_pid)" "$1"; }

@test "2.2.1 principal and secondary have both opened both pipes" {
    because "an open(2) of a FIFO waits for the other side: two sides that open two pipes in different orders wait for each other. fifo(7)"
    start_playing
    local pipe
    for pipe in dwtube1 wdtube1; do
        eventually 5000 both_have_open "$pipe" || fail "an end of $pipe open in the principal, and one in the secondary" "not so"
    done
}

@test "2.3.1 the secondary comes to life, and is heard of" {
    because "the child goes on where fork(2) was called, with a copy of every descriptor: pipe(7), fork(2)"
    start principal -n 5
    await "^$STAMP secondary1\\[[0-9]+\\] "
}

@test "2.3.2 SIGINT and SIGHUP do not end the secondary" {
    because "signals_close() restores the default actions, which end a process; SIG_IGN has to come after it: signal(7), SIG_IGN in signal(2)"
    start principal -n 100000000
    await "^$STAMP secondary1\\[[0-9]+\\] "
    send STOP "$PROGRAM_PID"      # what the secondary does now, it does by itself
    local secondary signal
    secondary=$(secondary_pid)
    for signal in INT HUP; do
        send $signal "$secondary"
        let_pass 200
        expect_that "the secondary still runs after SIG$signal" is_running "$secondary"
    done
}

@test "2.4.1 the principal says ping" {
    because "a line is not a line without its newline, and one line is one write(2): pipe(7), PIPE_BUF"
    start principal -n 5
    await_event principal 'ping 1'
}

@test "2.1.2 a directory where a pipe should be: a message, exit 1, nothing left" {
    because "every call can fail: unlink(2) removes no directory, and mkfifo(3) then says EEXIST"
    mkdir -m 700 "$OSPS_DIR"
    mkdir -p "$OSPS_DIR/wdtube1/in the way"
    expect_refusal principal -n 2
}

@test "2.7.6 the secondary ends first, is waited for, and nothing is left" {
    because "a child that has ended stays a zombie until its parent calls waitpid(2), which also tells its status"
    run_to_end principal -n 3
    expect_line 'principal\[[0-9]+\] exchanges 3$'
    expect_status 0
    expect_nothing_left
}

@test "2.7.7 -q keeps what happens once, and drops ping and pong" {
    because "an option without a value has no colon in getopt(3)'s list"
    run_to_end principal -q -n 50
    expect_no_line '\] (ping|pong) '
    expect_line 'principal\[[0-9]+\] exchanges 50$'
    expect_status 0
}

@test "2.5.1 -d DIR comes before \$OSPS_DIR" {
    because "the command line is nearer to the user than the environment: see getenv(3) for what is not set"
    local other=$BATS_TEST_TMPDIR/other
    start principal -q -n 100000000 -d "$other"
    eventually 10000 test -p "$other/wdtube1" || fail "the pipes in the directory after -d" "$(ls "$other" 2>&1)"
    expect_that "no directory where OSPS_DIR says" test ! -e "$OSPS_DIR"
    send TERM "$PROGRAM_PID"
    await_end 5000
    expect_equal "pipes left" "" "$(find "$other" -type p)"
    expect_nothing_left
}

@test "2.5.2 SIGTERM ends both, and nothing is left" {
    because "a handler sets a flag; a read(2) that was interrupted says EINTR: that is the moment to look at it. signal(7)"
    start_playing
    send TERM "$PROGRAM_PID"
    await_end 5000
    expect_nothing_left
}

@test "2.5.3 Ctrl-C (SIGINT to both) ends both, and nothing is left" {
    because "the terminal sends SIGINT to the child too: it must not die before the principal says stop, or be missed"
    start_playing
    send_group INT
    await_end 5000
    expect_no_line ' reaped secondary1\[[0-9]+\] signal 2$'
    expect_nothing_left
}

@test "2.5.4 SIGTERM at any moment of the start leaves nothing" {
    because "an open(2) of a FIFO waits for the other side, for ever if that never comes: fifo(7), O_NONBLOCK"
    local attempt
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        start principal -q -n 100000000
        let_pass $((attempt % 3 * 10))
        send TERM "$PROGRAM_PID"
        await_end 5000
        expect_nothing_left
    done
}

@test "2.6.1 a secondary killed is noticed at once: a message, exit 1, nothing left" {
    because "a pipe ends when nobody has its writing end open: the principal, too, must close the end it does not use. pipe(7)"
    start_playing
    local secondary
    secondary=$(secondary_pid)
    # Stopped first, so that the principal waits for it, and is not about to write.
    send STOP "$secondary"
    eventually 2000 is_in_state T "$secondary" && eventually 2000 is_in_state S "$PROGRAM_PID" ||
        fail "a principal that waits for its secondary" "$(all_below)"
    send KILL "$secondary"
    await_end 2000
    expect_status 1
    expect_stderr '^principal: .'
    expect_nothing_left
}

@test "2.6.2 half a line is kept until the rest of it comes" {
    because "a pipe carries bytes, not messages: one read(2) may bring half a line. Keep it until its newline comes: pipe(7)"
    start principal -n 100000000
    eventually 10000 has_secondary_or_stands || fail "a child of the principal" "none"
    await_event principal 'ping 1'
    send STOP "$(secondary_pid)"    # from here on the pong is ours
    let_pass 200
    printf 'po' >"$OSPS_DIR/wdtube1"
    let_pass 200
    mark
    printf 'ng\n' >"$OSPS_DIR/wdtube1"
    await_new ' ping [0-9]+$'
}

@test "2.7.8 a principal killed: the secondary reads end of file and ends" {
    because "read(2) gives 0 only when every writing end is closed: has the secondary inherited one itself (2.3)? fifo(7)"
    supervise_with -g 3000
    start_playing
    send KILL "$PROGRAM_PID"
    await_end
    expect_all_gone_within 1000
}

@test "2.7.9 after kill -9 of everything the next start cleans up and works" {
    because "mkfifo(3) says EEXIST for a pipe that was left behind: unlink(2) it (2.1), once the run directory is surely yours"
    start_playing
    local segment
    segment=$(segments_of "$PROGRAM_PID")
    kill_everything
    run_to_end principal -n 100
    expect_exchanges 100
    [[ -z $segment ]] || expect_that "the old segment is gone: $segment" test ! -e "$segment"
}

@test "2.7.10 what lies in the run directory under a pipe's name does no harm" {
    because "a FIFO with old bytes, or a plain file, opens like a fresh pipe: remove it first (2.1). unlink(2), mkfifo(3)"
    mkdir -m 700 "$OSPS_DIR"
    mkfifo "$OSPS_DIR/dwtube1"
    echo "rubbish" >"$OSPS_DIR/wdtube1"
    run_to_end principal -n 100
    expect_exchanges 100
}

@test "2.7.11 a secondary that is stopped for a moment is waited for" {
    because "a stopped process is no dead one: its pipes stay open. signal(7): SIGSTOP, SIGCONT"
    start_playing
    send STOP "$(secondary_pid)"
    let_pass 300
    expect_that "the principal still runs" test ! -e "$OUT/report"
    send CONT "$(secondary_pid)"
    let_pass 100
    expect_that "it plays on" is_running "$(secondary_pid)"
    send TERM "$PROGRAM_PID"
    await_end 5000
    expect_nothing_left
}

@test "2.5.5 a secondary that stays stopped does not hold the principal for ever" {
    because "a read(2) on a silent pipe waits for ever; poll(2) takes a timeout. And a stopped process needs SIGKILL or SIGCONT"
    start_playing
    send STOP "$(secondary_pid)"
    await_end 12000
    expect_ended
    expect_nothing_left
}

@test "2.5.6 SIGTERM ends the principal even when its secondary is stopped" {
    because "a wait that SIGTERM interrupts says EINTR: no error. And a stopped process acts on SIGCONT, SIGKILL alone: signal(7)"
    start_playing
    send STOP "$(secondary_pid)"
    let_pass 200    # the principal surely waits now
    send TERM "$PROGRAM_PID"
    await_end 5000
    expect_line 'principal\[[0-9]+\] reaped secondary1\[[0-9]+\] (status|signal) [0-9]+$'
    expect_nothing_left
}

@test "2.5.7 SIGTERM leaves nothing even when the secondary is dead already" {
    because "who writes into a pipe that nobody reads gets SIGPIPE, which kills; ignored, it leaves write(2) to say EPIPE: pipe(7)"
    start_playing
    local secondary
    secondary=$(secondary_pid)
    send STOP "$PROGRAM_PID"
    send KILL "$secondary"
    await_gone "$secondary"
    send TERM "$PROGRAM_PID"
    send CONT "$PROGRAM_PID"
    await_end 5000
    expect_that "it was not killed by SIGPIPE" test "$(ending)" != "ended signal 13"
    expect_nothing_left
}

@test "2.7.12 a second start says who holds the run directory, exits 1, and disturbs nothing" {
    because "a file that exists proves nothing, its maker may be dead; a lock goes with its process: fcntl(2), F_GETLK"
    start_playing
    local holder
    holder=$PROGRAM_PID
    beside
    expect_refusal principal -n 5
    expect_stderr "(^|[^0-9])$holder([^0-9]|\$)"
    look_at first
    expect_that "its pipes are still there" test -p "$OSPS_DIR/dwtube1" -a -p "$OSPS_DIR/wdtube1"
    expect_that "the first one still runs" test ! -e "$OUT/report"
    send TERM "$holder"
    await_end 5000
    expect_nothing_left
}

@test "2.0.3 a run directory that is a link is refused, with a slash behind it too" {
    because "stat(2) follows a link, lstat(2) and O_NOFOLLOW do not; but \"link/\" is resolved all the same: path_resolution(7)"
    mkdir -m 700 "$BATS_TEST_TMPDIR/target"
    ln -s target "$OSPS_DIR"
    expect_refusal principal -n 2
    expect_refusal principal -n 2 -d "$OSPS_DIR/"
    expect_equal "files made behind the link" "" "$(ls -A "$BATS_TEST_TMPDIR/target")"
}

@test "2.0.4 a run directory that lets others in, is another's, or is none, is refused" {
    because "mkdir(2) fails with EEXIST for what is there already: a directory? yours? closed to others? fstat(2)"
    mkdir "$OSPS_DIR"
    chmod 755 "$OSPS_DIR"
    expect_refusal principal -n 2
    chmod 700 "$OSPS_DIR"
    [[ $(id -u) != 0 ]] || { chown 65534 "$OSPS_DIR" && expect_refusal principal -n 2; }
    touch "$BATS_TEST_TMPDIR/file"
    expect_refusal principal -n 2 -d "$BATS_TEST_TMPDIR/file"
    expect_refusal principal -n 2 -d "$BATS_TEST_TMPDIR/missing/run"
}

@test "2.7.13 a full disk behind standard output, or none at all, ends it in good order" {
    because "with descriptor 1 closed the next open(2) gets 1: then the journal is written into a pipe, or into the segment"
    run_to_end bash -c 'exec "$@" >/dev/full' - "$LAB_DIR/principal" -n 50
    expect_ended
    expect_nothing_left
    run_to_end bash -c 'exec "$@" >&-' - "$LAB_DIR/principal" -n 50
    expect_ended
    expect_nothing_left
}

@test "2.7.14 a start that fails half-way leaves nothing" {
    because "every call can fail, the sixth too: whatever the first five made must go. atexit(3), or one way out for all"
    local limit
    for limit in 4 5 6 7 8 9 10 11 12; do
        run_to_end bash -c 'ulimit -n "$1" && shift && exec "$@"' - "$limit" "$LAB_DIR/principal" -n 2
        expect_ended
        expect_nothing_left
    done
}
