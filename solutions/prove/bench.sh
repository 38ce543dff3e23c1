#!/bin/bash
# bench.sh: measures the reference, beside measures of the same run, and says which targets are met. `make bench` runs it.
#
#     bench.sh [PART...]       ping heal requests memory checks; all of them by default
#
# Each figure is also a line in build/bench.csv: PART,WHAT,FIGURE,UNIT. Exit status 0 when every target is met. On a machine that
# has other things to do the figures are those of both.

cd "$(dirname "$0")/../.." || exit 1
bench=solutions/prove/bench
lab=$(mktemp -d) || exit 1
address=127.$((64 + ($$ >> 16))).$(($$ >> 8 & 255)).$(($$ & 255))
csv=build/bench.csv
missed=0
server=

stop_server() {
    [[ -z $server ]] || { kill "$server" && wait "$server"; } 2>/dev/null
    server=
}
trap 'stop_server; rm -rf "$lab"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

record() { echo "$1,$2,$3,$4" >>"$csv"; }

# target TEXT CONDITION...: the condition is for awk.
target() {
    local verdict=met
    awk "BEGIN { exit !($2) }" || verdict=missed missed=$((missed + 1))
    printf '    target: %-60s %s\n\n' "$1" "$verdict"
}

divide() { awk "BEGIN { printf \"%.2f\", $1 / $2 }"; }
median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# await TEXT FILE: until the file has the text.
await() {
    local until_us=$(($(now_us) + 10000000))
    until grep -q "$1" "$2"; do
        (($(now_us) < until_us)) || { echo "bench: there is no '$1' in $2" >&2; exit 1; }
        read -r -t 0.02 <>"$lab/never"
    done
}
mkfifo "$lab/never"

# ---- ping-pong

step2_rate() {
    local before_us
    before_us=$(now_us)
    OSPS_DIR=$lab/run taskset -c 0 solutions/step2_fifo/principal -q -n "$1" >/dev/null || exit 1
    echo $(($1 * 1000000 / ($(now_us) - before_us)))
}

bench_ping() {
    local count=300000 bare step2 round
    for round in 1 2 3 4 5; do
        taskset -c 0 "$bench/bare_pingpong" $count "$lab" >>"$lab/bare" || exit 1
        step2_rate $count >>"$lab/step2"
    done
    bare=$(median <"$lab/bare") step2=$(median <"$lab/step2")
    echo "Ping-pong over two FIFOs, both processes on one processor (median of $round times $count)"
    printf '    %-28s %8d round trips a second\n' 'read and write, bare' "$bare" 'step 2' "$step2"
    record ping bare "$bare" 1/s
    record ping step2 "$step2" 1/s
    target 'step 2 at least 0.9 of the bare loop' "$step2 / $bare >= 0.9" | sed "s/loop /loop: $(divide "$step2" "$bare")/"
}

# ---- healing

bench_heal() {
    local policy signal figures worst=0
    echo 'From a blow to the replacement, of 100 blows each, -p 200 -t 100 (milliseconds)'
    printf '    %-22s %8s %8s %8s %8s\n' '' minimum median '99 %' maximum
    for policy in direct delegated; do
        for signal in KILL STOP; do
            figures=$("$bench/heal" solutions/step3_watchdog/watchdog "$lab/run" $policy $signal 100) || exit 1
            # shellcheck disable=SC2086
            printf '    %-10s SIG%-8s %8s %8s %8s %8s\n' $policy $signal $figures
            # shellcheck disable=SC2086
            set -- $figures
            record heal "$policy $signal median" "$2" ms
            record heal "$policy $signal 99%" "$3" ms
            [[ $signal != KILL ]] || worst=$(printf '%s\n' "$worst" "$2" | sort -g | tail -n 1)
        done
    done
    target 'after a death within 1 ms (median)' "$worst <= 1"
}

# ---- requests

start_system() { # SECONDARIES
    rm -rf "$lab/run"
    solutions/step4_client/watchdog -q -n "$1" -w 0 -a "$address" -P 2222 -d "$lab/run" >"$lab/journal" 2>&1 &
    server=$!
    await "started secondary$1\\[" "$lab/journal"
}

start_minimal() {
    "$bench/minimal_server" "$address" 2222 &
    server=$!
    until (exec 2>/dev/null && : <>"/dev/tcp/$address/2223"); do
        kill -0 "$server" || exit 1
    done
}

# One line of the table: its name and the rates for each number of clients.
measure_requests() { # NAME
    local clients rate failed
    printf '    %-24s' "$1"
    for clients in 1 4 16 64 256; do
        { read -r rate && read -r failed; } < <("$bench/load" "$address" 2222 $clients 2000)
        printf ' %8d' "$rate"
        ((failed == 0)) || printf '(%d failed)' "$failed"
        record requests "$1 with $clients clients" "$rate" 1/s
        echo "$rate" >>"$lab/${1%% *}"
    done
    echo
    stop_server
}

bench_requests() {
    local secondaries worst fall
    echo 'Requests a second of two processes that play so many clients, no work time'
    printf '    %-24s %8d %8d %8d %8d %8d\n' clients 1 4 16 64 256
    start_minimal
    measure_requests 'minimal server'
    for secondaries in 1 4 16 64; do
        start_system $secondaries
        measure_requests "$secondaries secondaries"
    done
    worst=$(paste "$lab/minimal" "$lab/1" | awk '{ ratio = $2 / $1; if (least == "" || ratio < least) least = ratio } END { printf "%.2f", least }')
    fall=$(awk 'NR == 3 { few = $1 } NR == 5 { printf "%.2f", $1 / few }' "$lab/1")
    target "one secondary: at least 0.5 of the minimal server: $worst" "$worst >= 0.5"
    target "256 clients: at least 0.8 of 16 clients: $fall" "$fall >= 0.8"
}

# ---- memory

# kB, resident and proportional, of the process with that pid.
memory_of() { awk '/^Rss:/ { rss = $2 } /^Pss:/ { pss = $2 } END { print rss, pss }' "/proc/$1/smaps_rollup"; }

bench_memory() {
    local role pid rss pss most=0
    start_system 3
    echo 'Memory (kB)                resident  proportional'
    while read -r role pid; do
        read -r rss pss < <(memory_of "$pid")
        printf '    %-20s %10d %13d\n' "$role" "$rss" "$pss"
        record memory "$role resident" "$rss" kB
        record memory "$role proportional" "$pss" kB
        [[ $role == watchdog ]] || ((pss <= most)) || most=$pss
    done < <(echo "watchdog $server"; sed -nE 's/.* started ([a-z0-9]+)\[([0-9]+)\].*/\1 \2/p' "$lab/journal")
    stop_server
    target "under 300 kB proportional for each server: $most" "$most < 300"
}

# ---- checks

bench_checks() {
    local step before
    echo 'make check-stepN SOLUTION=1 (seconds)'
    for step in 1 2-warmup 2 3 4-warmup 4; do
        before=$SECONDS
        make -s "check-step$step" SOLUTION=1 >"$lab/check" 2>&1 || { tail -n 30 "$lab/check"; missed=$((missed + 1)); }
        printf '    step%-12s %6d\n' "$step" $((SECONDS - before))
        record checks "step$step" $((SECONDS - before)) s
    done
}

make -s -C "$bench" && mkdir -p build && : >"$csv" || exit 1
echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(getconf _NPROCESSORS_ONLN) processors, Linux $(uname -r)"
echo
for part in "${@:-ping}" $([[ $# -gt 0 ]] || echo heal requests memory checks); do
    "bench_$part" || exit 1
done
echo "All figures: $csv"
[[ $missed == 0 ]] || { echo "$missed missed"; exit 1; }
