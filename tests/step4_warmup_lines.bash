# shellcheck shell=bash
# step4_warmup_lines.bash - further words, for the warm-ups in which people talk: programs with a keyboard. A test file says
# `load helpers`, `load keyboard`, `load tcp`, `load step4_warmup_lines`.
#
# Besides /dev/tcp (tcp.bash), the programs are each other's peers.
#   start_server NAME PROGRAM ARGS...   start it on $ADDRESS, port $PORT, with a keyboard; wait until it listens
#   await_message REGEX [MS]            a line of standard error matches
#   await_messages N REGEX [MS]         N lines of it do
#   await_client [N]                    the server has accepted its Nth client (line_server, turn_chat, talk: they say so)
#   is_listening                        somebody listens on $ADDRESS, port $PORT; asked without connecting

# shellcheck disable=SC2034  # for tcp.bash
PORT=8080

start_server() {
    start_typing "$1" "$2" -a "$ADDRESS" -p "$PORT" "${@:3}"
    await "listening on $ADDRESS:$PORT\$"
}

count_messages() { (($(grep -cE "$2" "$OUT/stderr") >= $1)); }
await_messages() {
    eventually "${3:-$DEFAULT_MS}" count_messages "$1" "$2" ||
        fail "on standard error, $1 lines like: $2" "$(grep -cE "$2" "$OUT/stderr") in ${3:-$DEFAULT_MS} ms"
}
await_message() { await_messages 1 "$@"; }
await_client() { await_messages "${1:-1}" '127\.[0-9.]+:[0-9]+$'; }

# As proc(5) has it: the address in the machine's byte order, 0A for LISTEN.
is_listening() {
    local a b c d
    IFS=. read -r a b c d <<<"$ADDRESS"
    grep -q "$(printf ': %02X%02X%02X%02X:%04X [0-9A-F:]* 0A' "$d" "$c" "$b" "$a" "$PORT")" /proc/net/tcp
}
