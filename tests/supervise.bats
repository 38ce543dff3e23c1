# supervise.bats - what the tests stand on: the supervisor sees what rude programs do, and ends it; a failure explains.
#
#     bats tests/supervise.bats

# shellcheck disable=SC2016  # $ for another shell

export LAB_DIR=$BATS_TEST_DIRNAME
load helpers

expect_report() { grep -qE "$1" "$OUT/report" || fail "a line of the report like: $1" "$(report)"; }
expect_no_report_of() { ! grep -qE "$1" "$OUT/report" || fail "no line of the report like: $1" "$(report)"; }

exit_code_of_supervisor() {
    local code=0
    wait "${SUPERVISORS[${OUT##*/}]}" || code=$?
    expect_equal "the supervisor's exit code" "$1" "$code"
}

expect_ending() { expect_equal "the kind of ending" "$1" "$(kind_of_ending "${OUT##*/}")"; }

@test "an exit status is reported and passed on" {
    start rude status 7
    exit_code_of_supervisor 7
    expect_status 7
    expect_ending 'ended with status 7'
    expect_nothing_left
}

@test "a death by signal is reported and passed on" {
    start rude crash
    exit_code_of_supervisor 139
    expect_report '^ended signal 11$'
    expect_ending 'crashed, signal 11 (SEGV)'
}

@test "a program that cannot be run is reported" {
    echo '#!/no/such/interpreter' >"$BATS_TEST_TMPDIR/broken"
    chmod +x "$BATS_TEST_TMPDIR/broken"
    start "$BATS_TEST_TMPDIR/broken"
    exit_code_of_supervisor 127
    expect_stderr 'No such file'
}

@test "a program begins with default signals, three descriptors and a session of its own" {
    run_to_end grep -E '^Sig(Blk|Ign)' /proc/self/status
    # Of 1 to 31: the two or three after that are libc's own, which nobody can set.
    expect_equal "signals blocked and ignored" "SigBlk: 0 SigIgn: 0" \
        "$(journal | while read -r name mask; do printf '%s %x ' "$name" $((0x$mask & 0x7fffffff)); done | xargs)"
    run_to_end ls /proc/self/fd
    expect_equal "descriptors (3 is ls's own)" "0 1 2 3" "$(journal | xargs)"
    run_to_end cut -d' ' -f1,5,6 /proc/self/stat
    expect_equal "pid, process group, session" "$PROGRAM_PID $PROGRAM_PID $PROGRAM_PID" "$(journal)"
}

@test "standard input is empty, or the file asked for" {
    run_to_end cat
    expect_no_output
    supervise_with -i "$BATS_TEST_FILENAME"
    run_to_end cat
    expect_line '^# supervise.bats'
}

@test "a zombie that lasts is reported, with its parent" {
    run_to_end rude zombie 1500
    expect_report "^zombie [0-9]+ $PROGRAM_PID [0-9]{4}\$"
    expect_report '^orphan [0-9]+ zombie after$'
}

@test "a zombie of a moment is no finding" {
    run_to_end bash -c 'true & read -r -t 0.1 _ <> <(:); wait'
    expect_nothing_left
}

@test "a zombie whose parent is stopped is the fault of nobody" {
    start rude zombie 600
    send STOP "$PROGRAM_PID"
    let_pass 1600
    send CONT "$PROGRAM_PID"
    await_end
    expect_no_zombie
}

@test "a child in a session of its own that stays is reported and killed" {
    supervise_with -g 200
    run_to_end rude child 100000
    expect_report '^orphan [0-9]+ alive after$'
    expect_report '^leftover process [0-9]+ .*rude child 100000$'
    expect_that "the kind of ending tells it" grep -q '^left a process behind: .*rude child 100000$' <(kind_of_ending first)
    expect_that "the child has been killed" is_gone "$(sed -n 's/^leftover process \([0-9]*\).*/\1/p' "$OUT/report")"
}

@test "a child that goes by itself in time is an orphan, but not left over" {
    run_to_end rude child 200
    expect_report '^gone [0-9]+ [12][0-9]{2}$'
    expect_no_report_of leftover
    expect_all_gone_within 500
}

@test "a daemon, orphaned while the program runs, is found" {
    supervise_with -g 100
    run_to_end rude daemon 300
    expect_report '^orphan [0-9]+ alive before$'
    expect_report '^leftover process '
}

@test "a stopped child that stays is reported and killed" {
    supervise_with -g 200
    run_to_end rude stopped
    expect_report '^leftover process '
}

@test "a program that ignores every signal is ended at the deadline" {
    supervise_with -t 300
    start rude deaf
    await '^deaf$'
    send TERM "$PROGRAM_PID"
    exit_code_of_supervisor 124
    expect_report '^ended hang$'
    expect_report "^hung $PROGRAM_PID S .*rude deaf\$"
}

@test "an endless loop is ended at the deadline" {
    supervise_with -t 300
    run_to_end rude busy
    expect_report '^ended hang$'
    expect_report '^hung [0-9]+ R '
    expect_ending 'hung: still running at its deadline'
}

@test "output without end is cut off" {
    run_to_end rude babble
    expect_report '^ended signal 25$'
    expect_between "bytes written" 1 $((16 << 20)) "$(wc -c <"$OUT/stdout")"
    expect_ending 'wrote without end'
    expect_between "characters of a failure report" 1 20000 "$(explain expected seen | wc -c)"
}

@test "output without end is ended at the deadline if its limit is ignored, and does not stay on the disk" {
    supervise_with -t 500
    run_to_end rude babble-on
    expect_report '^ended hang$'
    expect_ending 'wrote without end'
    expect_equal "bytes written" $((16 << 20)) "$(wc -c <"$OUT/stdout")"
    teardown
    expect_equal "bytes kept" 0 "$(wc -c <"$OUT/stdout")"
}

@test "memory without end is ended" {
    run_to_end rude eat
    expect_report '^too much memory [0-9]+ MB$'
    expect_ending 'too much memory'
    expect_equal "what is below the supervisor" "" "$(all_below)"
}

@test "files without end are ended before they fill the disk" {
    [[ -r /proc/self/io && $(stat -fc %T "$BATS_TEST_TMPDIR") != tmpfs ]] || skip "the kernel does not count what is written here"
    run_to_end rude fill
    expect_report '^too much written [0-9]+ MB$'
    expect_ending 'too much written'
    teardown
    expect_between "MB that stay on the disk" 0 16 "$(du -sm "$OSPS_DIR" | cut -f1)"
}

@test "forking without end, in sessions of its own, is ended" {
    run_to_end rude breed
    expect_report '^too many processes [0-9]+$'
    expect_ending 'too many processes'
    expect_equal "what is below the supervisor" "" "$(all_below)"
}

@test "forking without end is ended when the program itself has ended, too" {
    supervise_with -g 6000
    run_to_end rude orphans
    expect_report '^ended status 0$'
    expect_report '^too many processes [0-9]+$'
}

@test "when a program kills or stops its supervisor all ends, and the words notice at once" {
    local number pids said before_s
    for number in 9 19; do
        before_s=$SECONDS
        start rude parent "$number"
        await '^deaf$'
        pids=$(all_below | cut -d' ' -f1)
        expect_equal "processes" 2 "$(wc -l <<<"$pids")"
        said=$(await 'no such line' 2>&1) && fail "await fails" "it did not"
        expect_between "seconds it took" 0 4 $((SECONDS - before_s))
        expect_that "it says why" grep -q 'ENDING .*killed or stopped the supervisor' <<<"$said"
        for pid in $pids; do
            expect_that "process $pid has ended" is_gone "$pid"
        done
        ! expect_supervised 2>/dev/null || fail "the test fails" "it does not"
        echo 'ended signal 9' >"$OUT/report"
    done
}

@test "a program that kills its supervisor leaves no segment either" {
    start bash -c '"$1/rude" segment /rude-$2 & sleep 0.1; kill -KILL $PPID; wait' - "$TESTS_DIR" $$
    await_end
    expect_report '^ended unsupervised$'
    expect_report "^leftover segment /rude-$$\$"
    echo 'ended signal 9' >"$OUT/report"
    expect_that "it is removed" test ! -e "/dev/shm/rude-$$"
}

@test "signals to the supervisor from what is below it tell it nothing" {
    run_to_end rude answer
    expect_report '^ended status 0$'
    expect_report '^gone [0-9]+ [0-9]+$'
    expect_no_report_of 'interrupted|leftover'
}

@test "a program that signals everybody is ended, and nobody is signalled" {
    grep -q '^Seccomp:' /proc/self/status || skip "this kernel has no filters"
    run_to_end rude everybody
    expect_report '^ended signal 31$'
    expect_that "the kind of ending tells it" grep -q '^signalled pid -1' <(kind_of_ending first)
}

@test "closing every descriptor hides nothing" {
    supervise_with -g 100
    run_to_end rude closed
    expect_report '^leftover process '
}

@test "a pipe left in the run directory is reported and removed" {
    mkdir "$OSPS_DIR"
    run_to_end rude pipe "$OSPS_DIR/dwtube1"
    expect_report "^leftover pipe $OSPS_DIR/dwtube1\$"
    expect_that "it is removed" test ! -e "$OSPS_DIR/dwtube1"
}

@test "a segment left is reported and removed, whatever its name" {
    local name
    for name in /osps-rude-$$ /rude-$$; do
        run_to_end rude segment "$name"
        expect_report "^leftover segment $name\$"
        expect_that "it is removed" test ! -e "/dev/shm$name"
    done
}

@test "a semaphore left is reported and removed" {
    run_to_end rude semaphore "/rude-$$"
    expect_report "^leftover segment /sem.rude-$$\$"
    expect_that "it is removed" test ! -e "/dev/shm/sem.rude-$$"
}

@test "a new file in /dev/shm that nobody below has mapped is left alone" {
    start rude sleep 300
    touch "/dev/shm/rude-$$"
    await_end
    expect_nothing_left
    rm "/dev/shm/rude-$$"
}

@test "a System V segment left is reported and removed, one of others is left alone" {
    local foreign
    start rude sleep 300
    foreign=$(ipcmk -M 4096 | grep -oE '[0-9]+$')
    await_end
    expect_nothing_left
    run_to_end rude sysv
    expect_equal "what is left over" "leftover segment sysv $(journal)" "$(grep leftover "$OUT/report")"
    expect_equal "segments with its number" 0 "$(awk -v id="$(journal)" '$2 == id' /proc/sysvipc/shm | wc -l)"
    ipcrm -m "$foreign"
}

@test "a segment that was there before, or that others use, is left alone" {
    local foreign=/osps-rude-$$-foreign
    start rude sleep 600
    named other
    start rude segment "$foreign"
    await '^mapped$'
    kill_everything
    expect_report "^leftover segment $foreign\$"
    look_at first
    await_end
    expect_nothing_left
    run_to_end rude sleep 10
    expect_nothing_left
    expect_that "it is still there" test -e "/dev/shm$foreign"
    kill -TERM "${SUPERVISORS[other]}"
    expect_that "it is gone when the test is over" eventually 5000 test ! -e "/dev/shm$foreign"
}

@test "what kill_everything leaves stays for the next start" {
    mkdir "$OSPS_DIR"
    start bash -c 'mkfifo "$OSPS_DIR/dwtube1"; echo made; setsid tail -f /dev/null & wait'
    await '^made$'
    kill_everything
    expect_report '^ended signal 9$'
    expect_report '^leftover pipe '
    expect_that "the pipe is still there" test -p "$OSPS_DIR/dwtube1"
    expect_equal "what is below the supervisor" "" "$(all_below)"
}

@test "the supervisor ends everything when its parent disappears" {
    bash -c '"$1/supervise" -d "$2" -- "$1/rude" deaf & wait' - "$TESTS_DIR" "$BATS_TEST_TMPDIR/out" 3>&- &
    local parent=$!
    eventually 5000 test -e "$BATS_TEST_TMPDIR/out/pid"
    kill -KILL "$parent"
    wait "$parent" || true
    eventually 5000 test -e "$BATS_TEST_TMPDIR/out/report"
    expect_equal "the report" "ended signal 9 interrupted" "$(xargs <"$BATS_TEST_TMPDIR/out/report")"
}

@test "send refuses pids that are not below a supervisor of the test" {
    start rude sleep 300
    local pid
    for pid in 1 0 -1 $$ 999999999; do
        ! send TERM "$pid" 2>/dev/null || fail "no signal sent to $pid" "it was sent"
    done
    await_end
    expect_status 0
}

@test "await says at once when the program has ended without the line" {
    run_to_end rude sleep 0
    local before_s=$SECONDS said
    said=$(await 'no such line' 60000 2>&1) && fail "await fails" "it did not"
    expect_between "seconds it took" 0 5 $((SECONDS - before_s))
    expect_that "it says why" grep -q 'ended without it' <<<"$said"
}

@test "a failed expectation shows claim, expectation, what was seen, a hint, journal, errors, findings" {
    because "the hint"
    run_to_end bash -c 'echo the journal; echo the errors >&2; mkdir "$OSPS_DIR"; mkfifo "$OSPS_DIR/pipe"'
    local said part
    said=$(expect_status 3 2>&1) && fail "expect_status fails" "it did not"
    for part in "$BATS_TEST_DESCRIPTION" "exit status 3" "ended status 0" "the hint" "the journal" "the errors" "leftover pipe"; do
        expect_that "it shows: $part" grep -qF "$part" <<<"$said"
    done
}

@test "a gap and a sanitizer's report are told as such; of an end in good order nothing is said" {
    run_to_end bash -c 'echo start.c:45: TODO 3.2 is still to write >&2; exit 3'
    expect_ending 'start.c:45: TODO 3.2 is still to write'
    run_to_end bash -c 'exec >&2; echo "==1==ERROR: AddressSanitizer: SEGV"; echo "    #0 in here"; seq 99
        echo "SUMMARY: AddressSanitizer: SEGV start.c:45 in here"; exit 1'
    expect_ending 'AddressSanitizer: SEGV start.c:45 in here'
    expect_that "it is shown where" grep -q '#0 in here' <<<"$(explain expected seen)"
    : >"$OUT/stderr"
    run_to_end rude sleep 0
    expect_ending ''
    start rude sleep 5000
    expect_ending ''
}
