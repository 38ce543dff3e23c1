# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# scene.bash - how a scene is played, judged and printed. See ../attack.sh.
#
# A scene is a function that says
#
#     tried TEXT; expected WORDS
#     needs_root                   is to be skipped for others
#     wrapper=(...)                where the system is to have limits
#     replaces=yes                 where servers are to be replaced
#     under_attack COMMAND...      starts the system, measures the client, and measures it again beside the attack
#
# The attack runs in the background and prints a line for each thing that it has seen: all of them have to be the expected
# words. What goes on and on ends when the client has had its 20 requests: `until_enough COMMAND...`. Where the attack takes
# longer than that, the client goes on asking. `ready`: from here on the client may come; `note TEXT`: a figure to print.

REQUESTS=20
held=0 failed=0 skipped=0

# However it ends: what we have started, and the directory.
clean_up() {
    trap '' INT TERM HUP PIPE
    local pid
    [[ -z $watchdog ]] || kill -TERM "$watchdog" 2>/dev/null
    [[ -z $watchdog ]] || eventually 2000 is_over "$watchdog"
    for pid in "${jobs_begun[@]}"; do
        end_job "$pid"
    done
    [[ -z $dir ]] || for pid in $(of_directory "$run") $(of_directory "$dir/prepared"); do
        kill -KILL "$pid" 2>/dev/null
    done
    # Only a broken system leaves them.
    for pid in "$run" "$dir/prepared"; do
        [[ ! -d $pid ]] || rm -f "$(segment_of "$pid")"
    done
    [[ -z $dir ]] || rm -rf "$dir"
}

# end_job PID: it, and its whole group. Those of the group that are not our children somebody else waits for: until that is
# done they have not gone.
end_job() {
    kill -KILL -- "-$1" 2>/dev/null
    wait "$1" 2>/dev/null
    eventually 1000 group_is_gone "$1"
}
group_is_gone() { ! kill -0 -- "-$1" 2>/dev/null; }

set_up() {
    [[ -x $peer && -x $lab/watchdog && -x $lab/client ]] || { echo 'attack: build first: make attack' >&2; exit 1; }
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP PIPE
    dir=$(mktemp -d "${TMPDIR:-/tmp}/osps-attack.XXXXXX") || exit 1
    chmod 711 "$dir"
    run=$dir/run journal=$dir/journal
}

# ---- what a scene says

tried() { TRIED=$1; }
expected() { EXPECTED=$1; }
needs_root() {
    [[ $(id -u) == 0 ]] && unshare -m true 2>/dev/null && return
    SKIPPED='skipped: only root can prepare it'
    return 1
}

note() { echo "$*" >"$dir/note"; }
ready() { : >"$dir/ready"; }
is_ready() { [[ -e $dir/ready ]] || is_over "$attacker"; }
is_enough() { [[ -e $dir/enough ]]; }
until_enough() {
    ready
    until is_enough; do "$@"; done
}

under_attack() {
    local descriptors_before count
    start_system || return
    for ((count = 1; count <= REQUESTS; count++)); do ask "$count" || break; done >"$dir/usual"
    eventually 2000 nobody_is_connected
    descriptors_before=$(descriptors)
    in_background "$@" >"$dir/seen" 2>"$dir/attack.err"
    attacker=$job
    eventually 10000 is_ready
    for ((count = 1; count <= REQUESTS; count++)); do ask "$count" || break; done >"$dir/times"
    : >"$dir/enough"
    while is_running "$attacker" && [[ ! -e $dir/unanswered ]]; do
        ((count++ < 3000)) || { echo 'the attack did not end' >>"$dir/faults"; break; }
        ask "$count" || break
    done >>"$dir/times"
    end_job "$attacker"
    look_for_harm "$descriptors_before"
    stop_system
}

look_for_harm() {
    local lines
    if [[ -z $replaces ]]; then
        lines=$(grep -m 1 -E ' (frozen|killed|died|restarted) ' "$journal") && echo "a server was lost: ${lines#* }"
    fi >>"$dir/faults"
    eventually 4000 has_descriptors "$1" || echo "descriptors: $1 before, $(descriptors) after" >>"$dir/faults"
}

# ---- the judgement

play() {
    rm -rf "${dir:?}"/*
    : >"$dir/seen" && : >"$dir/usual" && : >"$dir/times"
    TRIED=$1 EXPECTED='' SKIPPED='' wrapper=() replaces=''
    "$1"
    judge
    print_line
}

# The words seen, each once, with their number; and the figure.
what_was_seen() {
    local words
    words=$(sort "$dir/seen" | uniq -c | awk '{ n = $1; sub(/^ *[0-9]+ /, ""); printf "%s%s%s", comma, $0, (n > 1 ? " (" n ")" : ""); comma = ", " }')
    [[ ! -s $dir/note ]] || words+=": $(<"$dir/note")"
    echo "${words:-nothing}"
}

is_slow() { awk -v now="$1" -v usual="$2" 'BEGIN { exit !(now > 2 * usual) }'; }

judge() {
    local usual now
    [[ -z $SKIPPED ]] || return
    SEEN=$(what_was_seen)
    usual=$(median "$dir/usual") now=$(median "$dir/times")
    FIGURES=$(printf '%6s %6s %7s' "$usual" "$now" "$(slowest "$dir/times")")
    {
        [[ $(sort -u "$dir/seen") == "$EXPECTED" ]] || { echo 'not as expected'; tail -n 1 "$dir/attack.err"; }
        [[ ! -s $dir/unanswered ]] || echo "the honest client: $(head -n 1 "$dir/unanswered")"
        ! is_slow "${now:-99999}" "${usual:-1}" || echo 'the honest client had to wait'
    } >>"$dir/faults"
}

# ---- the table

print_row() { printf '%-47s %-28s %-46s %s\n' "$@"; }
print_head() {
    echo "The honest client's milliseconds: usual, beside the attack (medians), the slowest beside it."
    print_row TRIED EXPECTED SEEN ' USUAL  NOW    SLOWEST'
}

print_line() {
    if [[ -n $SKIPPED ]]; then
        print_row "$TRIED" "$EXPECTED" "$SKIPPED" ''
        ((++skipped))
    elif grep -q . "$dir/faults" 2>/dev/null; then
        print_row "$TRIED" "$EXPECTED" "$SEEN" "$FIGURES  FAILED"
        grep . "$dir/faults" | sed 's/^/    /'
        ((++failed))
    else
        print_row "$TRIED" "$EXPECTED" "$SEEN" "$FIGURES"
        ((++held))
    fi
}

print_sum() { echo "$held as expected, $failed not, $skipped skipped"; }
