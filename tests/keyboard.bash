# shellcheck shell=bash
# keyboard.bash - further words, for programs that people type to. A test file says `load helpers`, `load keyboard`.
#
#   start_typing NAME PROGRAM ARGS...   start it with a keyboard of its own; from here on, all words speak of it
#   type_to NAME TEXT                   type, as printf's %b; whole lines or not
#   end_typing NAME                     Ctrl-D

declare -gA KEYBOARDS=()

# Open for reading and writing: so nobody waits for the other side. The supervisor closes its copy.
start_typing() {
    local name=$1 keys=$BATS_TEST_TMPDIR/keys-$1 fd
    shift
    mkfifo "$keys"
    exec {fd}<>"$keys"
    KEYBOARDS[$name]=$fd
    named "$name"
    supervise_with -i "$keys"
    start "$@"
}

type_to() { printf '%b' "$2" >&"${KEYBOARDS[$1]}"; }

end_typing() {
    local fd=${KEYBOARDS[$1]}
    exec {fd}>&-
    unset "KEYBOARDS[$1]"
}
