# step1.bats - step 1 seen from outside: a counter in shared memory, a principal that writes, a secondary that reads.
#
#     LAB_DIR=solutions/step1_shm bats tests/step1.bats
#
# Knows the contract and nothing else. Titles are claims. The words are explained in helpers.bash.

# shellcheck disable=SC2016,SC2030,SC2031  # $ for another shell; a variable set in a test is meant for that test

load helpers

# The numbers K of `EVENT K` that ROLE told, on one line.
numbers() { events "$1" "$2" | awk '{ printf "%s%s", gap, $4; gap = " " }'; }

@test "1.0.1 -h prints the usage on standard output and exits 0" {
    because "a usage that was asked for is the result, not an error: stdout and 0, see EXIT STATUS in any man page"
    run_to_end principal -h
    expect_status 0
    expect_line '[Uu]sage'
    expect_equal "bytes on standard error" 0 "$(errors | wc -c)"
}

@test "1.0.2 an unknown option or a superfluous word is wrong usage: exit 2" {
    because "getopt() returns '?' for an unknown letter and leaves the words after the options at optind: getopt(3)"
    expect_wrong_usage principal -Z
    expect_wrong_usage principal -n
    expect_wrong_usage principal superfluous
    expect_wrong_usage principal -n 5 superfluous
}

@test "1.0.3 a number that is none, or out of range, is wrong usage: exit 2" {
    because "atoi() finds a number in anything; strtol() tells where it stopped (endptr) and overflow (errno): strtol(3)"
    local number
    for number in abc '' 5x 1.5 -1 99999999999999999999; do
        expect_wrong_usage principal -n "$number"
    done
    expect_wrong_usage principal -i abc
    expect_wrong_usage principal -i -1
}

@test "1.3.1 every line of the journal is whole, and its clock starts at 0 and never goes back" {
    because "stdio keeps lines back and copies them at fork(); one write(2) is one line. CLOCK_MONOTONIC: clock_gettime(2)"
    run_to_end principal -n 200 -i 2
    expect_well_formed_journal
    expect_equal "lines with the principal's start" 1 "$(count_of principal start)"
    expect_between "seconds of the first line" 0 5 "$(head -n 1 "$OUT/stdout" | cut -d. -f1)"
}

@test "1.3.2 the principal writes 1 to ROUNDS, each once" {
    because "count the rounds, not the intervals between them"
    run_to_end principal -n 12 -i 10
    expect_equal "numbers written" "$(seq -s ' ' 12)" "$(numbers principal write)"
    expect_status 0
}

@test "1.4.1 the secondary reads what the principal wrote, and sees it change" {
    because "after fork() both have a copy of every variable; only a MAP_SHARED mapping is common: mmap(2), fork(2)"
    run_to_end principal -n 40 -i 20
    local reads
    reads=$(events secondary1 read | awk '{ print $4 }')
    expect_equal "numbers read" "$(sort -n <<<"$reads")" "$reads"
    expect_between "last number read" 1 40 "$(tail -n 1 <<<"$reads")"
    expect_between "different numbers read" 3 41 "$(uniq <<<"$reads" | wc -l)"
}

@test "1.4.2 the secondary is never ahead of the principal" {
    because "the segment starts with 0 (ftruncate(2) fills with zeros), and the secondary only ever reads it"
    run_to_end principal -n 20 -i 40
    local ahead
    ahead=$(awk '$3 == "write" { written = $4 } $3 == "read" && $4 > written + 1' "$OUT/stdout")
    expect_equal "numbers read before they were written" "" "$ahead"
    because "the secondary looks once an interval; a loop without a wait takes a whole processor: sigtimedwait(2)"
    expect_between "times that it looked" 1 60 "$(count_of secondary1 read)"
}

@test "1.3.3 one number is written each interval" {
    because "an interval is a wait between two numbers, in milliseconds: nanosleep(2), sigtimedwait(2)"
    run_to_end principal -n 4 -i 200
    local apart_ms
    apart_ms=$(awk '$3 == "write" { if (!first) first = $1; last = $1 } END { print int((last - first) * 1000) }' "$OUT/stdout")
    expect_between "milliseconds from the first number to the fourth" 450 5000 "$apart_ms"
}

@test "1.3.4 an interval of more than a second lasts as long" {
    because "a struct timespec is seconds and nanoseconds: with a second or more in tv_nsec the wait fails (EINVAL). nanosleep(2)"
    start principal -n 2 -i 1100
    await_event principal 'write 2'
    local apart_ms
    apart_ms=$(awk '$3 == "write" { if (!first) first = $1; last = $1 } END { print int((last - first) * 1000) }' "$OUT/stdout")
    expect_between "milliseconds from the first number to the second" 1000 6000 "$apart_ms"
}


@test "1.3.5 a principal that was stopped for a moment (Ctrl-Z, fg) goes on" {
    because "a stop and its continuation interrupt a wait: EINTR is no failure, the wait begins again. signal(7)"
    start principal -n 10 -i 100
    await_event principal 'write 2'
    send STOP "$PROGRAM_PID"
    eventually 5000 is_in_state T "$PROGRAM_PID" || fail "the principal stopped" "it is not"
    send CONT "$PROGRAM_PID"
    await_end
    expect_equal "numbers written" "$(seq -s ' ' 10)" "$(numbers principal write)"
    expect_status 0
}

has_child() { [[ $(children_of "$1") =~ ^[0-9]+$ ]]; }
has_segment() { [[ -n $(segments_of "$1") ]]; }

@test "1.1.1 the principal has mapped a segment named /osps-..., mode 0600" {
    because "shm_open(3) takes the mode, and the umask takes bits away from it, never adds any; mmap(2) makes it memory"
    umask 0
    start principal -n 1000 -i 20
    eventually 5000 has_segment "$PROGRAM_PID" || fail "a segment /osps-... in the principal's memory" "none"
    local segment
    segment=$(segments_of "$PROGRAM_PID")
    expect_that "it is mapped to be shared" grep -q 'rw-s .*/dev/shm/osps-' "/proc/$PROGRAM_PID/maps"
    [[ $segment == *' (deleted)' ]] || expect_equal "its mode" 600 "$(mode_of "$segment")"
}

@test "1.1.2 an old segment that lets others in is not used again" {
    because "O_CREAT alone opens what is there, whoever made it, with its mode and its content; O_EXCL wants it new: shm_open(3)"
    umask 077
    start principal -n 1000 -i 20
    eventually 5000 has_segment "$PROGRAM_PID" || fail "a segment /osps-... in the principal's memory" "none"
    local segment
    segment=$(segments_of "$PROGRAM_PID")
    kill_everything
    [[ ! -e $segment ]] || chmod 666 "$segment"
    start principal -n 1000 -i 20
    eventually 5000 has_segment "$PROGRAM_PID" || fail "a segment in the memory of the next principal" "none"
    segment=$(segments_of "$PROGRAM_PID")
    [[ $segment == *' (deleted)' ]] || expect_equal "its mode" 600 "$(mode_of "$segment")"
}

# Files, segments too, can have no byte; standard error, a file here, goes through a pipe.
no_bytes='trap "" XFSZ; { ulimit -f 0 && exec "$@"; } 2>&1 >/dev/null | cat >&2; exit "${PIPESTATUS[0]}"'

@test "1.1.3 a segment that cannot be given its size: a message, exit 1, and nothing left" {
    because "a segment that was made, but got no bytes or was not mapped, must go with the program: shm_unlink(3), ftruncate(2)"
    start bash -c "$no_bytes" - "$LAB_DIR/principal" -n 2 -i 10
    eventually 10000 test -e "$OUT/report" || fail "the program ends" "it does not"
    expect_status 1
    expect_stderr '^principal: .'
    expect_nothing_left
}

@test "1.2.1 the secondary is a child of the principal, and has mapped the same segment" {
    because "fork(2) returns twice: 0 in the child, the child's pid in the parent; the child inherits the mapping"
    start principal -n 1000 -i 20
    eventually 5000 has_child "$PROGRAM_PID" || fail "a child of the principal" "none"
    local secondary
    secondary=$(children_of "$PROGRAM_PID")
    eventually 5000 has_segment "$secondary" || fail "a segment /osps-... in the secondary's memory" "none"
    expect_equal "the secondary's segment" "$(segments_of "$PROGRAM_PID")" "$(segments_of "$secondary")"
}

@test "1.2.2 the child becomes the secondary, and is heard of" {
    because "both go on where fork(2) was called: it returns 0 in the child, which is to be sent its own way, and not the parent"
    start principal -n 1000 -i 20
    await "^$STAMP secondary1\\[[0-9]+\\] "
    expect_no_line "principal\\[$(children_of "$PROGRAM_PID")\\] "
    expect_no_line "secondary1\\[$PROGRAM_PID\\] "
}

@test "1.0.4 the run directory is made with mode 0700, whatever the umask" {
    because "mkdir(2) takes the mode; made first and chmod-ed later, it is open to others in between"
    umask 0
    start principal -n 1000 -i 20
    eventually 5000 test -d "$OSPS_DIR" || fail "a run directory" "none"
    expect_equal "mode of the run directory" 700 "$(mode_of "$OSPS_DIR")"
}

@test "1.5.1 the secondary ends first, is waited for, and nothing is left" {
    because "a child that has ended stays a zombie until its parent calls waitpid(2), which also tells its status"
    run_to_end principal -n 5 -i 20
    local secondary
    secondary=$(pid_of secondary1)
    expect_line "principal\\[$PROGRAM_PID\\] reaped secondary1\\[$secondary\\] (status|signal) [0-9]+\$"
    expect_equal "the secondary's lines after it was reaped" "" "$(sed '1,/ reaped /d' "$OUT/stdout" | grep secondary1)"
    expect_equal "the last line's event" "exit" "$(tail -n 1 "$OUT/stdout" | cut -d' ' -f3)"
    expect_status 0
    expect_nothing_left
}

@test "1.5.2 SIGTERM ends both, and nothing is left" {
    because "a signal whose action was not changed ends the process without any cleaning up: signal(7), sigaction(2)"
    start principal -n 1000 -i 50
    await_event secondary1 read
    send TERM principal
    await_end 5000
    expect_nothing_left
}

@test "1.5.3 Ctrl-C (SIGINT to both) ends both, and nothing is left" {
    because "the terminal sends SIGINT to the whole foreground group, the child too: termios(3) ISIG, setpgid(2)"
    start principal -n 1000 -i 50
    await_event secondary1 read
    send_group INT
    await_end 5000
    expect_nothing_left
}

@test "1.5.4 SIGTERM at any moment of the start leaves nothing" {
    because "between making a thing and being ready to remove it there is a gap: block the signals first, sigprocmask(2)"
    local attempt
    for attempt in 1 2 3 4 5 6 7 8 9 10; do
        start principal -n 1000 -i 50
        let_pass $((attempt % 3 * 10))
        send TERM "$PROGRAM_PID"
        await_end 5000
        expect_nothing_left
    done
}

@test "1.5.5 a secondary killed: a message, exit 1, and nothing is left" {
    because "SIGCHLD tells that a child has ended, waitpid(2) which and how: WIFSIGNALED, WTERMSIG"
    start principal -n 1000 -i 50
    await_event secondary1 read
    local secondary
    secondary=$(pid_of secondary1)
    send KILL "$secondary"
    await_end 5000
    expect_status 1
    expect_stderr '^principal: .'
    expect_line "principal\\[[0-9]+\\] reaped secondary1\\[$secondary\\] signal 9\$"
    expect_nothing_left
}

@test "1.4.3 a principal killed: the secondary does not go on alone" {
    because "SIGKILL leaves no time for a last word; but an orphan's getppid(2) changes, and pipes end"
    supervise_with -g 3000
    start principal -n 1000 -i 50
    await_event secondary1 read
    send KILL principal
    await_end
    expect_all_gone_within 2000
}

@test "1.5.14 a SIGCHLD that has come for nothing does not hold the principal" {
    because "SIGCHLD is a hint: waitpid(2) without WNOHANG waits for a child that may live long"
    start principal -n 1000 -i 20
    await_event secondary1 read
    local last
    last=$(numbers principal write | awk '{ print $NF }')
    send CHLD principal
    await "write $((last + 10))\$"
}

@test "1.5.15 to end the secondary is to signal it alone, not its whole process group" {
    because "kill(2) with pid 0 signals every process of the group, and waitpid(2) takes 0 too: who notes fork(2)'s result (1.2)?"
    run_to_end bash -c 'trap "echo A bystander gets SIGTERM >&2" TERM; "$@"' - "$LAB_DIR/principal" -n 3 -i 20
    expect_equal "signals to others" "" "$(errors | grep bystander)"
    expect_line 'reaped secondary1\[[1-9][0-9]*\] '
}

@test "1.5.6 after kill -9 of everything the next start cleans up and counts from 1" {
    because "what a killed run left must be found again: by a name that the next run knows too. shm_open(3), O_EXCL, shm_unlink(3)"
    start principal -n 1000 -i 5
    await_event principal 'write 60'
    local segment
    segment=$(segments_of "$PROGRAM_PID")
    kill_everything
    run_to_end principal -n 5 -i 20
    expect_status 0
    expect_nothing_left
    expect_between "last number read" 1 5 "$(numbers secondary1 read | awk '{ print $NF }')"
    expect_that "the old segment is gone: $segment" test ! -e "$segment"
}

@test "1.5.7 a secondary that is stopped does not stop the principal from ending" {
    because "a stopped process acts on SIGTERM only after SIGCONT, on SIGKILL at once: signal(7); and waitpid(2) waits for ever"
    start principal -n 20 -i 20
    await_event secondary1 read
    send STOP secondary1
    await_end
    expect_ended
    expect_nothing_left
}

@test "1.5.8 SIGTERM ends the principal even when its secondary is stopped" {
    because "a stopped process acts on SIGTERM only after SIGCONT, on SIGKILL at once: signal(7)"
    start principal -n 1000 -i 20
    await_event secondary1 read
    send STOP secondary1
    send TERM principal
    await_end 5000
    expect_nothing_left
}

@test "1.5.9 a second start says who holds the run directory, exits 1, and disturbs nothing" {
    because "a file that exists proves nothing, its maker may be dead; a lock goes with its process: fcntl(2), F_GETLK"
    start principal -n 1000 -i 20
    await_event secondary1 read
    local holder segment
    holder=$PROGRAM_PID
    segment=$(segments_of "$holder")
    beside
    expect_refusal principal -n 5 -i 20
    expect_stderr "(^|[^0-9])$holder([^0-9]|\$)"
    look_at first
    mark
    await_new 'write'
    await_new 'read'
    expect_equal "the first one's segment" "$segment" "$(segments_of "$holder")"
    send TERM principal
    await_end 5000
}

@test "1.0.5 a run directory that is a link is refused, with a slash behind it too" {
    because "stat(2) follows a link, lstat(2) and O_NOFOLLOW do not; but \"link/\" is resolved all the same: path_resolution(7)"
    mkdir -m 700 "$BATS_TEST_TMPDIR/target"
    ln -s target "$OSPS_DIR"
    expect_refusal principal -n 2 -i 10
    OSPS_DIR+=/
    expect_refusal principal -n 2 -i 10
    expect_equal "files made behind the link" "" "$(ls -A "$BATS_TEST_TMPDIR/target")"
}

@test "1.0.6 a run directory that lets others in is refused, and left as it is" {
    because "mkdir(2) fails with EEXIST for a directory that is there already: who made it, with which mode? fstat(2)"
    local mode
    for mode in 755 710 701; do
        mkdir -p "$OSPS_DIR"
        chmod "$mode" "$OSPS_DIR"
        expect_refusal principal -n 2 -i 10
        expect_equal "its mode" "$mode" "$(mode_of "$OSPS_DIR")"
    done
}

@test "1.0.7 a run directory that belongs to somebody else is refused" {
    because "in /tmp anybody may have made that name before you: compare st_uid with geteuid(2), see stat(2)"
    [[ $(id -u) == 0 ]] || skip "only root can give a directory away"
    mkdir -m 700 "$OSPS_DIR"
    chown 65534 "$OSPS_DIR"
    expect_refusal principal -n 2 -i 10
}

@test "1.0.8 a run directory that is a file, or that cannot be made, is refused" {
    because "every call can fail, and errno says why: mkdir(2), open(2) with O_DIRECTORY"
    touch "$OSPS_DIR"
    expect_refusal principal -n 2 -i 10
    OSPS_DIR=$BATS_TEST_TMPDIR/missing/run
    expect_refusal principal -n 2 -i 10
}

@test "1.5.10 a full disk behind standard output ends it in good order" {
    because "write(2) can fail (ENOSPC): the journal is lost then, but not the duty to clean up"
    run_to_end bash -c 'exec "$@" >/dev/full' - "$LAB_DIR/principal" -n 5 -i 20
    expect_ended
    expect_nothing_left
}

@test "1.5.11 a closed standard output ends it in good order" {
    because "with descriptor 1 closed, the next open(2) gets 1, and the journal goes into whatever that is"
    run_to_end bash -c 'exec "$@" >&-' - "$LAB_DIR/principal" -n 5 -i 20
    expect_ended
    expect_nothing_left
}

@test "1.5.12 a start that fails half-way leaves nothing" {
    because "every call can fail, the sixth too: whatever the first five made must go. atexit(3), or one way out for all"
    local limit
    for limit in 4 5 6 7 8 9; do
        run_to_end bash -c 'ulimit -n "$1" && shift && exec "$@"' - "$limit" "$LAB_DIR/principal" -n 2 -i 10
        expect_ended
        expect_nothing_left
    done
}

@test "1.5.13 an interval of nothing is served, or refused as wrong usage" {
    because "a loop that waits only while there is time left never looks at a signal when there is none: sigtimedwait(2)"
    run_to_end principal -n 5 -i 0
    [[ $(ending) == "ended status 2" ]] || expect_status 0
    expect_nothing_left
}
