# shellcheck shell=bash
# step4.bash - further words, for the tests of step 4. A test file says `load helpers`, `load step3`, `load step4`.
#
# $ADDRESS is the test's own loopback address, made from the pid of its shell (and $ADDRESS_BLOCK, where pids are not unique):
# so tests that run side by side may use the same ports. $OTHER_ADDRESS is one where nobody listens.
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
# The protocol, spoken by the shell itself through /dev/tcp; NAME is a name for the connection
#   dial NAME [PORT]                connect; without a port, to the principal
#   say NAME TEXT                   as printf's %b: with \n, \r
#   hear NAME REGEX [MS]            the next line matches, and is $HEARD
#   hear_end NAME                   end of file
#   hang_up NAME
#   request_place NAME [TYPE]       dial, ask, and hear a $PLACE (a port) and a $TOKEN; the connection stays open
#   is_open PORT [ADDRESS]          somebody listens there
#
# The scripted peer, see peer.c
#   talk ACTION...                  play the script to its end; all of it must go as written
#   start_talk ACTION...            the same, in the background
#   fake_servers ACTION...          it listens on PORT and PORT + 1 and goes on with the script
#   expect_played                   the script came to its end

PORT=2222
N=1
WORK_MS=20
ANSWER_MS=10000         # an answer that is not late by itself, on a machine that has more to do

BLOCK=$((${ADDRESS_BLOCK:-$$ >> 16} & 63))
ADDRESS=127.$((64 + BLOCK)).$(($$ >> 8 & 255)).$(($$ & 255))
# shellcheck disable=SC2034  # for the tests
OTHER_ADDRESS=127.$((128 + BLOCK)).$(($$ >> 8 & 255)).$(($$ & 255))

# ---- servers and clients

lab_options() { echo "-n $N -p $PERIOD_MS -t $TIMEOUT_MS -r $POLICY -w $WORK_MS -a $ADDRESS -P $PORT"; }

start_lab() {
    # shellcheck disable=SC2046
    start watchdog $(lab_options) "$@"
    LAB=${STARTS[-1]}
    await_lab
}

the_lab() { look_at "$LAB"; }

is_open() { (exec 2>/dev/null && : <>"/dev/tcp/${2:-$ADDRESS}/$1"); }

await_lab() {
    local role port
    for role in $(servers); do
        await " started $role\\[[0-9]+\\]"
    done
    for port in $(seq "$PORT" $((PORT + N))); do
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
    # shellcheck disable=SC2016
    start bash -c '
        count=$1 failures=0 pids=()
        shift
        for ((i = 0; i < count; i++)); do "$@" & pids+=($!); done
        for pid in "${pids[@]}"; do wait "$pid" || failures=$((failures + 1)); done
        exit $((failures > 99 ? 99 : failures))' - "$count" "$LAB_DIR/client" -H "$ADDRESS" -p "$PORT" "$@"
}

expect_answers() {
    expect_equal "results" "$(printf '%s\n' "$@")" "$(journal)"
    expect_status 0
    expect_equal "standard error" "" "$(errors)"
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

# ---- /dev/tcp

declare -gA LINES=()

dial() {
    local port=${2:-$PORT} fd
    # shellcheck disable=SC1083
    { exec {fd}<>"/dev/tcp/$ADDRESS/$port"; } 2>/dev/null || fail "to connect to $ADDRESS port $port" "refused" || return 1
    LINES[$1]=$fd
}

# In a shell of its own: who writes to a connection that has ended dies of SIGPIPE.
say() { (printf '%b' "$2" >&"${LINES[$1]}") 2>/dev/null || fail "the server takes what we say" "the connection has ended"; }

hear() {
    local result=0 ms=${3:-$ANSWER_MS}
    HEARD=''
    IFS= read -r -t "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))" -u "${LINES[$1]}" HEARD || result=$?
    ((result <= 128)) || fail "a line like: $2" "none in $ms ms" || return 1
    ((result == 0)) || fail "a line like: $2" "the end of the connection${HEARD:+, after half a line: $HEARD}" || return 1
    [[ $HEARD =~ $2 ]] || fail "a line like: $2" "$HEARD"
}

hear_end() {
    local result=0 rest
    IFS= read -r -t $((ANSWER_MS / 1000)) -u "${LINES[$1]}" rest || result=$?
    [[ $result == 1 && -z $rest ]] || fail "the end of the connection" "${rest:-nothing in $ANSWER_MS ms}"
}

hang_up() {
    local fd=${LINES[$1]}
    exec {fd}>&-
    unset "LINES[$1]"
}

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
