# memory.bats - valgrind watches a run of a step, its orderly end included, and has nothing to say.
#
#     LAB_DIR=solutions/step3_watchdog bats tests/memory.bats
#
# Every process of the run is watched: memory that is read before it is written, or lost, and
# descriptors that are still open at the end. Skipped where valgrind is not installed.

load helpers
load tcp
load step4

# Starts a program of the step below valgrind, whose words go to standard error.
start_watched() {
    command -v valgrind >/dev/null || skip "valgrind is not installed"
    [[ -z ${SAN:-} ]] || skip "valgrind cannot watch a program built with SAN=1"
    start valgrind -q --trace-children=yes --track-fds=yes --leak-check=full "$LAB_DIR/$1" "${@:2}"
}

expect_silence() {
    because "valgrind's words stand on standard error; a descriptor that is still open at exit counts: valgrind(1)"
    await_end
    expect_status 0
    expect_equal "words on standard error" "" "$(errors | head -n 20)"
}

watch_principal() {
    start_watched principal "$@"
    expect_silence
}

# A watchdog with two secondaries: a start, a request where it serves any, a probe, a stop.
watch_watchdog() {
    start_watched watchdog -n 2 -p 1500 -t 5000 "$@"
    await "started secondary2"
    if [[ -x $LAB_DIR/client ]]; then
        named client
        beside
        start_watched client -H "$ADDRESS" -t 10000 'requetetype1 hello' requetetype2
        expect_silence
        look_at first
    fi
    await_event watchdog status
    send TERM "$PROGRAM_PID"
    expect_silence
}

@test "valgrind has nothing to say about a run of this step" {
    case ${LAB_DIR##*/} in
    step1_*) watch_principal -n 5 -i 20 ;;
    step2_*) watch_principal -n 50 ;;
    step3_*) watch_watchdog -i 100 ;;
    step4_*) watch_watchdog -a "$ADDRESS" -w 50 ;;
    *) fail "a directory called stepN_..." "$LAB_DIR" ;;
    esac
}

@test "nor under the other policy" {
    case ${LAB_DIR##*/} in
    step3_*) watch_watchdog -r direct -i 100 ;;
    step4_*) watch_watchdog -r direct -a "$ADDRESS" -w 50 ;;
    *) skip "this step has no policy" ;;
    esac
}
