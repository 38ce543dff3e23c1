# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# system.bash - the system under attack: start it, look at it, stop it. See ../attack.sh.
#
# $wrapper, a list of words before the watchdog's, is how a scene gives it limits or another user.

port=2222               # of the principal; the secondaries have 2223 and 2224
other_port=3000         # of a second system, beside the first
address=127.$((64 + ($$ >> 16 & 63))).$(($$ >> 8 & 255)).$(($$ & 255))
dir='' run='' journal=''
watchdog=''             # its pid, while it runs
wrapper=()

now_ms() { REPLY=$((${EPOCHREALTIME/[.,]/} / 1000)); }
nap() { sleep 0.01; }

# eventually MS COMMAND...: until the command succeeds; fails if it does not in time.
eventually() {
    local deadline_ms
    now_ms
    deadline_ms=$((REPLY + $1))
    shift
    until "$@"; do
        now_ms
        ((REPLY < deadline_ms)) || return 1
        nap
    done
}

# in_background COMMAND...: in a process group of its own, so that all of it can be ended. Sets $job.
in_background() {
    set -m
    "$@" </dev/null &
    job=$!
    set +m
    jobs_begun+=("$job")
}
jobs_begun=()

# ---- the journal

told() { grep -qE "^[0-9.]+ $1" "$journal"; }
times_told() { grep -cE "^[0-9.]+ $1" "$journal"; }
pid_of() { sed -nE "s/^[0-9.]+ [^ ]+ (re)?started $1\\[([0-9]+)\\].*/\\2/p" "$journal" | tail -n 1; }
servers() { pid_of principal; pid_of secondary1; pid_of secondary2; }
is_up() { (($(times_told '[^ ]+ start$') >= 4)); }

# ---- processes

is_running() { [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == [!ZX]* ]]; }
is_over() { ! is_running "$1"; }

# of_directory PATH: the pids of those that were started with it as one of their arguments.
# shellcheck disable=SC2062  # no pattern, but files
of_directory() {
    printf '%s\n' "$1" | grep -lszxF --file=- /proc/[0-9]*/cmdline | sed 's|/proc/\([0-9]*\)/.*|\1|'
}
none_of_directory() { [[ -z $(of_directory "$1") ]]; }

descriptors() {
    local pid
    for pid in $(servers); do find "/proc/$pid/fd" -type l 2>/dev/null | wc -l; done | paste -sd' '
}
# No server holds a connection: state 01 of proc(5) is ESTABLISHED, 08 CLOSE_WAIT.
nobody_is_connected() {
    local a b c d
    IFS=. read -r a b c d <<<"$address"
    ! grep -qE "$(printf '^ *[0-9]+: %02X%02X%02X%02X:[0-9A-F]{4} [0-9A-F:]+ (01|08) ' "$d" "$c" "$b" "$a")" /proc/net/tcp
}
has_descriptors() { [[ $(descriptors) == "$1" ]]; }
# shellcheck disable=SC2046  # a list of files
memory_kb() { awk '$1 == "VmRSS:" { sum += $2 } END { print sum }' $(servers | sed 's|.*|/proc/&/status|'); }

# segment_of DIRECTORY: its name is made from the device and the inode.
segment_of() {
    local device inode
    read -r device inode <<<"$(stat -c '%d %i' "$1")"
    printf '/dev/shm/osps-%x-%x' "$device" "$inode"
}

# ---- the system

start_system() {
    rm -rf "$run"
    : >"$journal"
    in_background "${wrapper[@]}" "$lab/watchdog" -n 2 -p 500 -t 1000 -w 20 -a "$address" -P "$port" -d "$run" \
        >"$journal" 2>"$dir/errors"
    watchdog=$job
    eventually 5000 is_up || { echo "it did not start: $(tail -n 1 "$dir/errors")" >>"$dir/faults"; return 1; }
}

# Ends it, and notes in $dir/faults what is not as it should be.
stop_system() {
    local segment status
    segment=$(segment_of "$run" 2>/dev/null)
    kill -TERM "$watchdog" 2>/dev/null
    if eventually 3000 is_over "$watchdog"; then
        wait "$watchdog" 2>/dev/null
        status=$?
        [[ $status == 0 ]] || echo "it ended with status $status"
        eventually 1000 none_of_directory "$run" || echo "a process was left"
        [[ -z $(find "$run" -type p) ]] || echo "a pipe was left"
        [[ ! -e $segment ]] || echo "the segment was left"
    else
        echo "it did not end"
    fi >>"$dir/faults"
    watchdog=''
}

# ---- the honest client

# ask NUMBER: one request; prints how many milliseconds it took. Fails if it was not answered, which is told in $dir/unanswered.
ask() {
    local answer
    answer=$("$lab/client" -v -t 2000 -H "$address" -p "$port" "requetetype1 honest $1" 2>"$dir/client")
    if [[ $answer == "HONEST $1" ]]; then
        awk '/ from server: fintraitement$/ { ms = $1 * 1000 } END { printf "%.1f\n", ms }' "$dir/client"
    else
        echo 99999
        tail -n 1 "$dir/client" >>"$dir/unanswered"
        return 1
    fi
}

median() { sort -n "$1" | awk '{ ms[NR] = $1 } END { print ms[int((NR + 1) / 2)] }'; }
slowest() { sort -n "$1" | tail -n 1; }
