# shellcheck shell=bash
# step4.bash - further words, for the tests of step 4. A test file says `load helpers`, `load step3`, `load tcp`, `load step4`.
#
# The lab is described by N, POLICY, PERIOD_MS, TIMEOUT_MS, as in step3.bash, and by WORK_MS and PORT. Of step 3's
# words, start_lab, stop_lab, remember, was, await_replaced, now_ms serve here too.
#
# The servers and the clients under test
#   start_lab [OPTIONS...]          start the watchdog, wait until principal and secondaries listen
#   the_lab                         from here on, all words speak of it
#   ask OPTIONS... REQUEST...       run the client to its end; from here on, all words speak of it
#   start_asking ...                the same, without waiting for its end
#   start_crowd COUNT ...           so many of the client at the same time, as one program whose exit status
#                                   is the number of those that failed
#   expect_answers [LINE...]        exit 0, these results and nothing else, nothing on standard error
#   expect_unanswered               exit 1, no result, a message
#   expect_still_served             the client asks once, without a retry, and is answered
#   requests_in_journal EVENT       the NUMBERs of the requests that the journal tells EVENT of
#   memory_kb_of PID
#
#   request_place NAME [TYPE]       dial, ask, and hear a $PLACE (a port) and a $TOKEN; the connection stays open
#
# The scripted peer, see peer.c
#   talk ACTION...                  play the script to its end; all of it must go as written
#   start_talk ACTION...            the same, in the background
#   fake_servers ACTION...          it listens on PORT and PORT + 1 and goes on with the script
#   expect_played                   the script came to its end

PORT=2222
N=1
WORK_MS=20

# ---- servers and clients

lab_options() { echo "-n $N -p $PERIOD_MS -t $TIMEOUT_MS -r $POLICY -w $WORK_MS -a $ADDRESS -P $PORT"; }

start_lab() {
    # shellcheck disable=SC2046
    start watchdog $(lab_options) "$@"
    LAB=${STARTS[-1]}
    await_lab
}

the_lab() { look_at "$LAB"; }

await_lab() {
    local role port
    for role in $(servers); do
        await " started $role\\[[0-9]+\\]"
    done
    for ((port = PORT; port <= PORT + N; port++)); do
        eventually "$DEFAULT_MS" is_open "$port" || fail "somebody to listen on $ADDRESS port $port" "connection refused"
    done
}

start_asking() {
    beside
    start client -H "$ADDRESS" -p "$PORT" "$@"
}

ask() { start_asking "$@" && await_end; }

start_crowd() {
    local count=$1
    shift
    beside
    # Not bash: its processes are large, and cost ten times as much to make.
    # shellcheck disable=SC2016
    start sh -c '
        count=$1 failures=0 pids=
        shift
        while [ "$count" -gt 0 ]; do "$@" & pids="$pids $!" count=$((count - 1)); done
        for pid in $pids; do wait "$pid" || failures=$((failures + 1)); done
        exit $((failures > 99 ? 99 : failures))' - "$count" "$LAB_DIR/client" -H "$ADDRESS" -p "$PORT" "$@"
}

expect_answers() {
    expect_equal "results" "$(printf '%s\n' "$@")" "$(<"$OUT/stdout")"
    expect_status 0
    [[ ! -s $OUT/stderr ]] || expect_equal "standard error" "" "$(errors)"
    expect_no_process_left
}

expect_unanswered() {
    ! stands_at_later_todo || return 0
    expect_status 1
    expect_no_output
    expect_stderr '^client: .'
    expect_no_process_left
}

# A client makes neither pipes nor segments: those of others are not asked for.
expect_no_process_left() {
    local findings
    has_findings || return 0
    findings=$(grep -E '^(leftover process|zombie|orphan)' "$OUT/report") || return 0
    fail "no process left behind" "$findings"
}

expect_still_served() {
    talk "connect $ADDRESS $PORT" 'send requetetype1\n' expect-place close "connect $ADDRESS %p" \
        'send %t are you there?\n' 'expect ^debut' 'expect ^resultat ARE YOU THERE\?$' 'expect ^fin' expect-end
    the_lab
}

requests_in_journal() { events '(principal|secondary[0-9]+)' "$1" | awk '{ print $4 }' | sort -nu; }
memory_kb_of() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"; }

request_place() {
    dial "$1"
    say "$1" "${2:-requetetype1}\\n"
    hear "$1" '^[0-9]+ [^ ]+$'
    # shellcheck disable=SC2034  # for the tests
    PLACE=${HEARD% *} TOKEN=${HEARD#* }
}

# ---- the scripted peer

talk() {
    local said
    said=$("$TESTS_DIR/peer" "$@" 2>&1 3>&-) || fail "the other side keeps to the protocol" "${said##*$'\n'}"
}

start_talk() {
    beside
    start "$TESTS_DIR/peer" "$@"
}

fake_servers() {
    named fake
    start_talk "listen $ADDRESS $PORT" "listen $ADDRESS $((PORT + 1))" "$@"
    await_count 2 '^listening$'
}

expect_played() {
    look_at fake
    await_end
    expect_status 0
}
