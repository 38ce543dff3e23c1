# shellcheck shell=bash
# tcp.bash - further words, for tests that speak TCP by the shell itself, through its /dev/tcp. A test file says
# `load helpers`, `load tcp`.
#
# $ADDRESS is the test's own loopback address, made from the pid of its shell: so tests that run side by side may use the same
# ports. (Below tests/separate pids are not unique, but there each has a network of its own.) $OTHER_ADDRESS is one where nobody
# listens.
#
# NAME is a name for the connection:
#   dial NAME [PORT]                connect; without a port, to $PORT
#   say NAME TEXT                   as printf's %b: with \n, \r
#   hear NAME REGEX [MS]            the next line matches, and is $HEARD
#   hear_end NAME                   end of file
#   hang_up NAME
#   is_open PORT [ADDRESS]          somebody listens there
#   play ACTION...                  peer.c with a script, where the shell cannot: to its end, and all must go as written

ANSWER_MS=10000         # an answer that is not late by itself, on a machine that has more to do

BLOCK=$(($$ >> 16 & 63))
ADDRESS=127.$((64 + BLOCK)).$(($$ >> 8 & 255)).$(($$ & 255))
# shellcheck disable=SC2034  # for the tests
OTHER_ADDRESS=127.$((128 + BLOCK)).$(($$ >> 8 & 255)).$(($$ & 255))

is_open() {
    local fd
    # shellcheck disable=SC1083
    { exec {fd}<>"/dev/tcp/${2:-$ADDRESS}/$1"; } 2>/dev/null && exec {fd}>&-
}

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
    local result=0 ms=${3:-$ANSWER_MS} seconds
    HEARD=''
    printf -v seconds '%d.%03d' $((ms / 1000)) $((ms % 1000))
    IFS= read -r -t "$seconds" -u "${LINES[$1]}" HEARD || result=$?
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

play() {
    local said
    said=$("$TESTS_DIR/peer" "$@" 2>&1 3>&-) || fail "the other side hears what it should" "${said##*$'\n'}"
}
