#!/bin/sh
# demo: the final system, shown and checked in about 20 seconds.   make demo [PAUSE=1]
#
# Each scene says what it will do, does it, shows what was seen, and checks what it claims.
# The first claim that does not hold ends the demo, with exit status 1. Needs cc, sh,
# mktemp and POSIX utilities. Several may run at once, each in its run directory and ports.
#
# Times are measured on one clock, the journal's. The time of what is not in there, such as
# a kill of ours, is taken from the last line before it, so a delay never looks too short.
#
# shellcheck disable=SC2046,SC2086 # lists of pids and roles are to be split into words

period_ms=1000 timeout_ms=500 work_ms=400
late_ms=500         # what a busy machine may add
reading_s=2         # between two scenes, for the spectators
secondaries='secondary1 secondary2 secondary3'

here=$(cd "$(dirname "$0")" && pwd) || exit 1
lab=$here/step4_client
dir='' journal=''   # all our files are in dir, the run directory too
segment=none        # its name in /dev/shm
port=0              # of the principal; secondary K has port + K
children=''         # pids of our own, from `start` to `finish`
mark=1 claims=0     # the first line of the scene in the journal; the claims that held
struck_ms=0         # when we last sent a signal

# --- Speaking ---

bold='' green='' red='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    esc=$(printf '\033')
    bold="${esc}[1m" green="${esc}[1;32m" red="${esc}[1;31m" plain="${esc}[0m"
fi

say() { printf '     %s\n' "$@"; }
seconds() { printf '%d.%02d s' "$(($1 / 1000))" "$(($1 % 1000 / 10))"; }

# scene TITLE SENTENCE...
scene() {
    [ "$claims" -eq 0 ] || pause
    rule=$(printf '%76s' '' | tr ' ' '=')
    printf '\n%s%s\n  %s\n%s%s\n' "$bold" "$rule" "$1" "$rule" "$plain"
    shift
    printf '  %s\n' "$@"
    echo
    [ ! -f "$journal" ] || mark=$(($(wc -l <"$journal") + 1))
}

pause() {
    if [ -z "${PAUSE:-}" ]; then sleep "$reading_s"; return; fi
    printf '\n  [Enter] '
    read -r _ || echo
}

# claim TEXT COMMAND...: the text is true if the command succeeds.
claim() {
    text=$1
    shift
    if "$@"; then
        printf '  %sok%s   %s\n' "$green" "$plain" "$text"
        claims=$((claims + 1))
    else
        failed="${red}FAILED${plain}   this is not true: $text"
        printf '  %s\n' "$failed"
        for file in "$journal" "$dir"/*.err; do show_end_of "$file"; done
        printf '\n  %s\n' "$failed"
        exit 1
    fi
}

# Without what is there when all is well.
show_end_of() {
    end=$(grep -Ev ' status | (request|from server): ' "$1" | tail -n 15)
    [ -z "$end" ] || printf '\n  The end of %s:\n%s\n' "${1##*/}" "$end"
}

# --- Waiting ---

# POSIX promises whole seconds only, but nearly every sleep(1) knows fractions.
if sleep 0.01 2>/dev/null; then nap=0.05 naps_a_second=20; else nap=1 naps_a_second=1; fi

# await SECONDS COMMAND...: until the command succeeds; fails if it does not in time.
await() {
    naps=$(($1 * naps_a_second))
    shift
    until "$@"; do
        [ "$naps" -gt 0 ] || return 1
        naps=$((naps - 1))
        sleep "$nap"
    done
}

# --- The journal. PATTERN is what follows the time in a line of this scene ---

story() { tail -n +"$mark" "$journal" | grep -E "^[0-9.]+ ($1)"; }
told() { story "$1" >/dev/null; }
told_times() { [ "$(story "$2" | wc -l)" -eq "$1" ]; }
trim() { sed 's/^\([0-9]*\.[0-9][0-9][0-9]\)[0-9]*/     \1 /'; }
show() { story "$1" | trim; }
to_ms() { tail -n 1 "$@" | awk '{ printf "%d", $1 * 1000 }'; }
now() { to_ms "$journal"; }
first_ms() { story "$1" | head -n 1 | to_ms; }
last_ms() { story "$1" | to_ms; }

# pids_of ROLE...: of the latest process that had each role.
pids_of() {
    for role in "$@"; do
        sed -n "s/^[0-9.]* $role\[\([0-9]*\)\] start\$/\1/p" "$journal" | tail -n 1
    done
}
all_pids() { sed -n 's/^[0-9.]* [a-z0-9]*\[\([0-9]*\)\] .*/\1/p' "$journal" | sort -u; }

# --- Processes ---

# describe PID: its parent, state and arguments. A zombie has no arguments any more.
describe() {
    if [ -d /proc/self ]; then
        awk '/^State:/ { state = $2 } /^PPid:/ { printf "%s %s ", $2, state }' "/proc/$1/status"
        tr '\0' ' ' <"/proc/$1/cmdline"
    else
        ps -o ppid= -o stat= -o args= -p "$1" | sed 's/^ *//'
    fi 2>/dev/null
}
parent_of() { describe "$1" | awk '{ print $1 }'; }
has_state() { [ "$(state_of "$2")" = "$1" ]; }
state_of() { describe "$1" | awk '{ print substr($2, 1, 1) }'; }
parents_of() { for pid in $(pids_of "$@"); do parent_of "$pid"; done | sort -u; }

# Of our system, that is: by now the pid may be somebody else's.
is_alive() { case "$(describe "$1")" in *" -d $dir/run "*) ;; *) return 1 ;; esac; }
all_alive() { for pid in "$@"; do is_alive "$pid" || return 1; done; }
none_alive() { for pid in "$@"; do ! is_alive "$pid" || return 1; done; }

# strike SIGNAL PID: if it is of our system. Sets $struck_ms.
strike() {
    is_alive "$2" || return
    struck_ms=$(now)
    kill "-$1" "$2" && say "\$ kill -$1 $2"
}

# True when a child of ours has: a zombie until we wait for it.
has_ended() { case "$(describe "$1")" in "$$ Z"*) ;; "$$ "*) return 1 ;; esac; }

# start NAME COMMAND...: in the background, writing NAME.out and NAME.err. Sets $child.
start() {
    name=$1
    shift
    : >"$dir/$name.out"; : >"$dir/$name.err"    # the child may be late to make them
    "$@" >"$dir/$name.out" 2>"$dir/$name.err" &
    child=$!
    children="$children $child"
}

# finish PID...: waits for their ends; returns 0, or the exit status of one that failed.
finish() {
    result=0
    for child in "$@"; do
        await 20 has_ended "$child" || return 1
        wait "$child" || result=$?
        children=$(for pid in $children; do [ "$pid" = "$child" ] || echo "$pid"; done)
    done
    return "$result"
}

# However the demo ends.
clean_up() {
    trap '' INT TERM HUP PIPE
    children="$children $!"         # in case that `start` was interrupted
    for child in $children; do has_ended "$child" || kill "$child" 2>/dev/null; done
    for child in $children; do await 3 has_ended "$child" || kill -KILL "$child" 2>/dev/null; done
    if [ -f "$journal" ]; then
        for pid in $(all_pids); do ! is_alive "$pid" || kill -KILL "$pid" 2>/dev/null; done
    fi
    rm -f "/dev/shm/$segment"       # only a broken system leaves it
    [ -z "$dir" ] || rm -rf "$dir"
}

# --- The system and its clients ---

four_started() { told_times 4 '(principal|secondary).* start$'; }
four_started_or_none() { four_started || has_ended "$watchdog"; }

# Its ports are below 32768, where those of outgoing connections begin.
start_system() {
    port=$((10000 + $$ % 2000 * 10))
    for _ in 1 2 3 4 5; do
        start watchdog "$lab/watchdog" -d "$dir/run" -n 3 -p "$period_ms" -t "$timeout_ms" \
            -w "$work_ms" -P "$port"
        watchdog=$child
        await 5 four_started_or_none && four_started && return
        grep -q 'listen on port' "$dir/watchdog.err" || break
        finish "$watchdog"
        port=$((port + 10))
    done
    return 1
}

# client NAME REQUEST...: NAME.out has the answers, NAME.err the client's own journal.
client() {
    client_name=$1
    shift
    start "$client_name" "$lab/client" -v -p "$port" -t 3000 -r 20 "$@"
}

# three_clients NAME REQUEST...: NAME1, NAME2 and NAME3. Sets $clients to their pids.
three_clients() {
    three=$1 clients=''
    shift
    for i in 1 2 3; do
        client "$three$i" "$@"
        clients="$clients $child"
    done
}
count_answers() { cat "$dir/$1"*.out | wc -l | tr -d ' '; }

tubes() { find "$dir/run" -type p -name '*tube*' | sed 's|.*/||' | sort | tr '\n' ' '; }

# The segments that any process of the system sees, by their names in /dev/shm.
segments() {
    for pid in $(all_pids); do
        sed -n 's|.* /dev/shm\(/osps-[^ ]*\).*|\1|p' "/proc/$pid/maps"
    done
}

nobody_listens() {
    for k in 0 1 2 3; do
        "$lab/client" -r 0 -p $((port + k)) requetetype2 >/dev/null 2>"$dir/knock.err" && return 1
        grep -q 'refused' "$dir/knock.err" || return 1
    done
}

# show_process INDENTED_ROLE PORT
show_process() {
    pid=$(pids_of ${1##* })
    printf '     %7s %7s  %-5s  %-20s %s\n' \
        "$pid" "$(parent_of "$pid")" "$(state_of "$pid")" "$1" "$2"
}

# --- The scenes ---

show_start() {
    [ -n "${PAUSE:-}" ] || echo '  (make demo PAUSE=1 waits for Enter between the scenes)'
    scene '0. Start' 'The watchdog starts the principal, which starts three secondaries.' \
        'Two named pipes lead to each secondary and back; all share a table in memory.'
    claim 'the system is up' start_system
    say '    PID  PARENT  STATE  ROLE                 PORT'
    show_process watchdog -
    show_process '  principal' "$port"
    for k in 1 2 3; do show_process "    secondary$k" $((port + k)); done
    echo
    say "pipes: $(tubes)"
    claim 'the principal is a child of the watchdog' [ "$(parents_of principal)" = "$watchdog" ]
    claim 'the secondaries are children of the principal' \
        [ "$(parents_of $secondaries)" = "$(pids_of principal)" ]
    claim 'there is a pair of pipes for each secondary' [ "$(tubes | wc -w)" -eq 6 ]
    if [ -r /proc/self/maps ]; then
        segment=$(segments | sort -u)
        claim "all five see the segment $segment" [ "$(segments | grep -cx "$segment")" -eq 5 ]
    fi
}

show_parallel_service() {
    scene '1. Requests are served in parallel' \
        "Three clients at once, two requests each. A request is $(seconds $work_ms) of work," \
        "so one after another the six would take $(seconds $((6 * work_ms)))." \
        'A secondary says debuttraitement when it begins, fintraitement when it ends.'
    three_clients parallel 'requetetype1 hello' 'requetetype1 goodbye'
    finish $clients
    await 2 told_times 6 'principal.* fintraitement'
    show 'principal.* (debut|fin)traitement'
    took=$(($(last_ms 'principal.* fintraitement') - $(first_ms 'principal.* debuttraitement')))
    claim 'all six were answered' [ "$(count_answers parallel)" -eq 6 ]
    claim "six requests took $(seconds $took), not $(seconds $((6 * work_ms)))" \
        [ "$took" -lt $((5 * work_ms)) ]
}

show_frozen_secondary() {
    scene '2. A frozen secondary is found, killed and replaced' \
        "Each $(seconds $period_ms) the watchdog asks every server whether it is alive. One that" \
        "has not answered after $(seconds $timeout_ms) is frozen. While three clients send six" \
        'requests each, we stop secondary2 in the middle of its work.'
    victim=$(pids_of secondary2)
    others=$(pids_of principal secondary1 secondary3)
    replacement="principal.* restarted secondary2.* was $victim"
    set -- 'requetetype1 are you there'
    three_clients stream "$1" "$1" "$1" "$1" "$1" "$1"
    await 5 told 'principal.* debuttraitement .* secondary2'
    strike STOP "$victim"
    claim 'secondary2 is stopped (state T)' await 2 has_state T "$victim"
    await 10 told "$replacement"
    show '.* (frozen|killed|died|delayed|restarted) '
    claim 'it was found, killed and replaced' told "$replacement"
    healed_ms=$(last_ms "$replacement")
    took=$((healed_ms - struck_ms)) limit=$((period_ms + timeout_ms))
    claim "that took $(seconds $took) (limit: $(seconds $((limit + late_ms))))" \
        [ "$took" -le $((limit + late_ms)) ]
    claim 'all other servers are still the same' all_alive $others
    meanwhile=$(story 'principal.* fintraitement' | awk -v from="$struck_ms" -v to="$healed_ms" \
        '$1 * 1000 > from && $1 * 1000 < to { n++ } END { print n + 0 }')
    claim "meanwhile the others answered $meanwhile requests" [ "$meanwhile" -gt 0 ]
    claim 'no client had to give up' finish $clients
    claim 'all 18 requests were answered' [ "$(count_answers stream)" -eq 18 ]
}

show_killed_principal() {
    scene '3. The principal is killed in the middle of a request' \
        'Its secondaries have to go with it; the watchdog starts everything anew.' \
        'The client loses its connection, and asks again.'
    principal=$(pids_of principal)
    old="$principal $(pids_of $secondaries)"
    client patient 'requetetype1 are you still there'
    await 5 grep -q debuttraitement "$dir/patient.err"
    strike KILL "$principal"
    finish "$child"
    patience=$?
    await 5 four_started
    show '.* (frozen|killed|died|delayed|restarted) '
    echo
    say 'What the client saw (on its own clock):'
    trim <"$dir/patient.err" | sed 's/client.[0-9]*. //'
    took=$(($(last_ms '.* restarted') - struck_ms))
    new=$(pids_of principal $secondaries)
    claim 'four new servers are there' all_alive $new
    claim "healing took $(seconds $took) (limit: $(seconds $late_ms))" [ "$took" -le "$late_ms" ]
    claim 'the four old ones are gone' none_alive $old
    claim 'the client lost its first answer' grep -q 'failed: ' "$dir/patient.err"
    claim 'but got one in the end (exit status 0)' [ "$patience" -eq 0 ]
}

show_babbling_client() {
    scene '4. A babbling client' \
        'It keeps 15 connections open, and says nothing, half a line, a line without' \
        'end, garbage, or a guessed token. Beside it, an honest client is served.'
    set -- 'requetetype1 one' 'requetetype1 two' 'requetetype1 three'
    client alone "$@"
    finish "$child"
    alone_ms=$(to_ms "$dir/alone.err")
    start babble "$dir/babble" "$port"
    babbler=$child
    await 5 grep -q babbling "$dir/babble.out"
    client beside "$@"
    finish "$child"
    beside_ms=$(to_ms "$dir/beside.err")
    kill "$babbler"
    finish "$babbler"
    sed '1d; s/^/     /' "$dir/babble.out"
    claim 'endless lines, garbage and guessed tokens were refused' [ "$(grep -c errtraitement "$dir/babble.out")" -eq 3 ]
    claim 'the honest client was answered' [ "$(count_answers beside)" -eq 3 ]
    claim "three requests took $(seconds $beside_ms); without the babbler, $(seconds $alone_ms)" \
        [ "$beside_ms" -lt $((alone_ms + late_ms)) ]
    claim 'no server froze or died' told_times 0 '.* (frozen|died) '
}

show_orderly_stop() {
    scene '5. An orderly stop' \
        'A last client asks the servers how they have been. Then SIGTERM tells the' \
        'watchdog to end the secondaries, the principal, and itself.'
    say '$ client requetetype2' "$("$lab/client" -p "$port" requetetype2)"
    await 2 told 'principal.* fintraitement'
    strike TERM "$watchdog"
    finish "$watchdog"
    ended=$?
    show '.* exit$'
    order=$(story '.* exit$' | sed 's/^[^ ]* \([a-z]*\).*/\1/' | tr '\n' ' ')
    claim 'they ended in the right order' \
        [ "$order" = 'secondary secondary secondary principal watchdog ' ]
    took=$(($(last_ms 'watchdog.* exit') - struck_ms)) limit=$((timeout_ms + 200))
    claim "the stop took $(seconds $took) (limit: $(seconds $limit))" [ "$took" -le "$limit" ]
    claim "the watchdog's exit status is $ended" [ "$ended" -eq 0 ]
}

show_what_is_left() {
    scene '6. What is left' \
        'We look for every process that the journal names, and for all they made.'
    everyone=$(all_pids)
    claim "of $(echo $everyone | wc -w | tr -d ' ') processes, none is left" none_alive $everyone
    claim 'no pipe is left in the run directory' [ -z "$(find "$dir/run" -type p)" ]
    claim "the shared memory $segment is gone" [ ! -e "/dev/shm/$segment" ]
    claim "nobody listens on the ports $port to $((port + 3))" nobody_listens
}

# --- Table of contents ---

set_up() {
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP PIPE
    dir=$(mktemp -d "${TMPDIR:-/tmp}/osps-demo.XXXXXX") || exit 1
    journal=$dir/watchdog.out
    ${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -o "$dir/babble" "$here/babble.c" || exit 1
}

main() {
    set_up
    show_start
    show_parallel_service
    show_frozen_secondary
    show_killed_principal
    show_babbling_client
    show_orderly_stop
    show_what_is_left
    printf '\n  %sAll %d claims held.%s\n\n' "$green" "$claims" "$plain"
}

main
