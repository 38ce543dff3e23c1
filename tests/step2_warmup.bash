# shellcheck shell=bash
# step2_warmup.bash - further words, for the tests of step 2's warm-ups. A test file says `load helpers`,
# `load keyboard`, `load step2_warmup`.
#
#   start_server PROGRAM ARGS...    named `server`; waits until it has announced its pipe, which is $FIFO from then on
#   start_client NAME PROGRAM ARGS...    named NAME, with $FIFO and then ARGS; it has a keyboard (keyboard.bash)
#   pipes                           the named pipes in $PIPES, where all programs make theirs
#   expect_pipes N                  at last there are N of them
#   await_errors N                  at last the program has written N lines on standard error
#
# The test plays a part itself:
#   open_box NAME                   a named pipe of the test's, ${BOX[NAME]}, that it reads and writes
#   close_box NAME
#   read_line NAME                  the next line in it is $HEARD
#   record KIND PID NAME TEXT       a message as message.h has it: 512 bytes, on standard output
#   post KIND PID NAME TEXT         the same, into $FIFO, with one write
#   take NAME                       the next message in a box: $KIND, $FROM, $TEXT
#   expect_message NAME KIND FROM TEXT   it is this one

declare -gA BOX=() BOX_FD=()
JOIN=1 TEXT_KIND=2 LEAVE=3 WELCOME=4 REFUSED=5
# shellcheck disable=SC2034  # for the tests
readonly JOIN TEXT_KIND LEAVE WELCOME REFUSED

make_pipes_directory() {
    PIPES=$BATS_TEST_TMPDIR/pipes
    mkdir -p "$PIPES"
}

start_server() {
    local program=$1
    shift
    make_pipes_directory
    named server
    start "$program" -d "$PIPES" "$@"
    await '^Fifo created: /'
    FIFO=$(sed -n 's/^Fifo created: //p' "$OUT/stdout")
}

start_client() {
    local name=$1 program=$2
    shift 2
    make_pipes_directory
    start_typing "$name" "$program" -d "$PIPES" "$FIFO" "$@"
}

pipes() { pipes_among "$PIPES"/* "$PIPES"/.*; }
has_pipes() { [[ $(pipes | wc -l) == "$1" ]]; }
expect_pipes() { eventually "$DEFAULT_MS" has_pipes "$1" || fail "$1 named pipes in the directory" "$(pipes)"; }

has_errors() { (($(grep -vc ' TODO ' "$OUT/stderr") >= $1)); }
await_errors() { eventually "$DEFAULT_MS" has_errors "$1" || fail "$1 messages on standard error" "$(errors)"; }

# Opened for both, so that neither open waits, and nobody meets an end of file.
open_box() {
    local fd
    BOX[$1]=$BATS_TEST_TMPDIR/box-$1
    mkfifo "${BOX[$1]}"
    exec {fd}<>"${BOX[$1]}"
    BOX_FD[$1]=$fd
}

close_box() {
    local fd=${BOX_FD[$1]}
    exec {fd}>&-
    unset "BOX_FD[$1]"
}

read_line() {
    HEARD=''
    IFS= read -r -t 10 -u "${BOX_FD[$1]}" HEARD || fail "a line in the pipe" "${HEARD:-nothing in 10 s}"
}

bytes_of_number() {
    local bytes
    printf -v bytes '\\x%x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
    printf '%b' "$bytes"
}

# padded SIZE TEXT: with zero bytes
padded() {
    local LC_ALL=C
    printf '%s' "$2"
    head -c $(($1 - ${#2})) /dev/zero
}

record() {
    bytes_of_number "$1"
    bytes_of_number "$2"
    padded 24 "$3"
    padded 480 "$4"
}

# <> and not >: who opens the writing end alone would wait for ever if the server has gone.
post_file() { cat "$1" 1<>"$FIFO"; }
post() {
    record "$@" >"$BATS_TEST_TMPDIR/record"
    post_file "$BATS_TEST_TMPDIR/record"
}

take() {
    local file=$BATS_TEST_TMPDIR/taken
    timeout 10 head -c 512 <&"${BOX_FD[$1]}" >"$file" || fail "a message in the pipe of $1" "none in 10 s" || return 1
    KIND=$(od -An -td4 -N4 "$file" | tr -d ' ')
    FROM=$(tail -c +9 "$file" | head -c 24 | tr -d '\000')
    TEXT=$(tail -c +33 "$file" | tr -d '\000')
}

expect_message() {
    take "$1"
    expect_equal "the message that $1 gets: kind, from, text" "$2|$3|$4" "$KIND|$FROM|$TEXT"
}
