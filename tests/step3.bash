# shellcheck shell=bash disable=SC2046  # lists of options and of roles are to be words
# step3.bash - further words, for the tests of step 3. A test file says `load helpers` and then `load step3`.
#
# The lab under test is described by these; a test that wants others sets them before `start_lab`:

N=3
POLICY=delegated
PERIOD_MS=300
TIMEOUT_MS=250
INTERVAL_MS=50

# Starting and stopping
#   start_lab [OPTIONS...]          start the watchdog, wait until every secondary has answered a ping
#   end_lab [SIGNAL]                tell it to end: exit 0, in the timeout plus 200 ms
#   stop_lab [SIGNAL]               the same, and nothing is left
#   expect_nothing_survives         as expect_nothing_left; but a principal that was killed has waited for nobody, and
#                                   when the supervisor finds its secondaries dead, it may be after the watchdog's end
#   secondaries, servers            the roles: `secondary1 secondary2 ...`; these and `principal`
#   lab_pids                        ROLE PID of the watchdog and each server, as the journal tells
#
# Doing harm
#   remember                        note all pids, and the mark, for the words below
#   was ROLE                        its pid when it was noted
#   strike SIGNAL ROLE...           that signal to all of them at one stroke
#   get_stuck ROLE                  an endless loop for its main loop (skips the test where ptrace(2) is forbidden)
#   keep_killing ROLE MS            SIGKILL, each time it is back
#
# Healing, since `remember`
#   await_replaced ROLE...          each has a new process; the old one is gone
#   await_playing ROLE...           each has, in its latest process, answered three pings
#   expect_kept ROLE...             each is the same process as before, and runs
#   expect_whole                    watchdog and servers and nobody else; one pair of pipes for each secondary
#   expect_history                  `restarted X was Y`: Y is always who was there before; pongs without a gap
#   ms_of 'REGEX'                   when the first line like that was written
#   last_ms_of 'REGEX'              when the last one was
#   has_pending PID NUMBER          the signal with that number has been sent to that process, which has not taken it yet
#   longest_silence_ms ROLE         the longest time between two of its pongs

A_BUSY_MACHINE_MS=400   # what everything may take longer on a machine that has more to do
JUST_AFTER_MS=500       # "at once" there

lab_options() { echo "-n $N -p $PERIOD_MS -t $TIMEOUT_MS -r $POLICY -i $INTERVAL_MS"; }
secondaries() {
    local i
    for ((i = 1; i <= N; i++)); do echo "secondary$i"; done
}
servers() { echo principal; secondaries; }
now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# ---- starting and stopping

start_lab() {
    start watchdog $(lab_options) "$@"
    await_lab
}

await_lab() {
    local role
    for role in $(secondaries); do
        await_event "$role" pong
    done
}

stop_lab() {
    end_lab "$@"
    expect_nothing_survives
}

expect_nothing_survives() {
    ! stands_at_later_todo || return 0
    has_findings || return 0
    # A process that is about to end has closed its descriptors some time before it is a zombie.
    awk 'NR == FNR { if ($1 == "gone" && $3 <= 100) gone[$2] = 1; next }
         !($1 == "orphan" && $4 == "after" && ($3 == "zombie" || gone[$2]))' "$OUT/report" "$OUT/report" >"$OUT/report.left"
    mv "$OUT/report.left" "$OUT/report"
    expect_nothing_left
}

end_lab() {
    local signal=${1:-TERM} before_ms
    is_ours "$PROGRAM_PID" || fail "the watchdog runs, to be sent SIG$signal" "it does not" || return 1
    before_ms=$(now_ms)
    kill -s "$signal" "$PROGRAM_PID"
    await_end
    ! stands_at_later_todo || return 0
    expect_between "milliseconds from SIG$signal to the end" 0 $((TIMEOUT_MS + 200 + A_BUSY_MACHINE_MS)) \
        $(($(ended_ms) - before_ms))
    expect_status 0
}

# When the supervisor has written its report: no matter when we come to read it.
ended_ms() {
    local seconds
    seconds=$(stat -c %.3Y "$OUT/report")
    echo "${seconds/[.,]/}"
}

lab_pids() {
    echo "watchdog $PROGRAM_PID"
    awk '$3 == "started" || $3 == "restarted" {
             split($4, name, /[][]/)
             if (!(name[1] in pid)) roles[++count] = name[1]
             pid[name[1]] = name[2]
         }
         END { for (i = 1; i <= count; i++) print roles[i], pid[roles[i]] }' "$OUT/stdout"
}

# ---- doing harm

declare -gA PID_BEFORE

remember() {
    local role pid
    while read -r role pid; do
        PID_BEFORE[$role]=$pid
    done < <(lab_pids)
    mark
}

was() { echo "${PID_BEFORE[$1]}"; }

strike() {
    local signal=$1 role pid pids=()
    shift
    for role; do
        pid=${PID_BEFORE[$role]}
        is_ours "$pid" || fail "$role runs" "there is no process $pid" || return 1
        pids+=("$pid")
    done
    kill -s "$signal" "${pids[@]}" 2>/dev/null || true      # the first one's death may already be the end of the others
}

get_stuck() {
    local pid result=0
    pid=$(pid_of "$1")
    is_ours "$pid" || fail "$1 runs" "there is no process $pid"
    "$TESTS_DIR/derail" "$pid" || result=$?
    [[ $result != 2 ]] || skip "ptrace(2) is not permitted here"
    expect_equal "exit status of derail" 0 "$result"
}

# With as few processes as can be between two blows: what these take is no delay of the program's.
keep_killing() {
    local pid line left_ms end_us deaths=0 MARK
    pid=$(pid_of "$1") && mark || return 1
    now_us
    end_us=$((REPLY + $2 * 1000))
    while now_us && left_ms=$(((end_us - REPLY) / 1000)) && ((left_ms > 0)); do
        send KILL "$pid" || return 1
        deaths=$((deaths + 1))
        line=$("$TESTS_DIR/await" -s "$MARK" -n "$deaths" "$OUT/stdout" " restarted $1\\[" "$left_ms") || return 0
        [[ $line =~ \ restarted\ $1\[([0-9]+)\] ]] && pid=${BASH_REMATCH[1]}
    done
}

# ---- healing

since_mark() { tail -c "+$((MARK + 1))" "$OUT/stdout"; }

await_replaced() {
    local role
    for role; do
        await_new "^$STAMP (watchdog|principal)\\[[0-9]+\\] (re)?started $role\\[[0-9]+\\]"
        await_gone "${PID_BEFORE[$role]}" "$JUST_AFTER_MS"
    done
}

# Not for long: it may have got a new process meanwhile.
plays() {
    local pid
    pid=$(pid_of "$1") &&
        "$TESTS_DIR/await" -s "$MARK" -n 3 "$OUT/stdout" "^$STAMP $1\\[$pid\\] pong " 300 >/dev/null
}

await_playing() {
    local role
    for role; do
        eventually "$DEFAULT_MS" plays "$role" ||
            fail "three more pongs of $role" "$(since_mark | grep -c " $role\\[$(pid_of "$role")\\] pong ")"
    done
}

expect_kept() {
    local role
    for role; do
        expect_equal "pid of $role, as before" "${PID_BEFORE[$role]}" "$(pid_of "$role")"
        expect_that "$role runs" is_running "${PID_BEFORE[$role]}"
    done
}

lab_pipes() { pipes_among "$OSPS_DIR"/dwtube* "$OSPS_DIR"/wdtube*; }

is_whole() {
    local role pid rest
    local -A missing=()
    while read -r role pid; do missing[$pid]=$role; done < <(lab_pids)
    ((${#missing[@]} == N + 2)) || return 1
    while read -r pid rest; do
        [[ -v missing[$pid] ]] || return 1
        unset "missing[$pid]"
    done < <(all_below)
    [[ ${#missing[@]} == 0 ]]
}

expect_whole() {
    local k
    eventually 2000 is_whole || fail "just these $((N + 2)) processes: $(lab_pids | paste -sd' ')" "$(all_below)"
    for ((k = 1; k <= N; k++)); do
        [[ -p $OSPS_DIR/dwtube$k && -p $OSPS_DIR/wdtube$k ]] || fail "pipes dwtube$k and wdtube$k" "$(lab_pipes)" || return 1
    done
    expect_equal "number of pipes" $((2 * N)) "$(lab_pipes | wc -l)"
}

expect_history() {
    expect_equal "restarted lines that name another pid than the one before" "" "$(awk '
        $3 != "started" && $3 != "restarted" { next }
        { split($4, name, /[][]/); role = name[1]; pid = name[2] }
        pid != last[role] { before[role] = last[role]; last[role] = pid }
        $3 == "restarted" && $6 != before[role]' "$OUT/stdout")"
    expect_equal "pongs that do not follow the number before" "" \
        "$(awk '$3 == "pong" { if ($2 in last && $4 != last[$2] + 1) print; last[$2] = $4 }' "$OUT/stdout")"
}

ms_of() { since_mark | grep -m 1 -E "$1" | awk '{ printf "%d", $1 * 1000 }'; }
last_ms_of() { grep -E "$1" "$OUT/stdout" | tail -n 1 | awk '{ printf "%d", $1 * 1000 }'; }

has_pending() {
    local status=''
    { read -r -d '' status <"/proc/$1/status"; } 2>/dev/null || true
    [[ $status =~ ShdPnd:[[:blank:]]([0-9a-f]+) ]] && (((16#${BASH_REMATCH[1]} >> ($2 - 1)) & 1))
}

longest_silence_ms() {
    since_mark | awk -v role="^$1\\\\[" '
        $2 ~ role && $3 == "pong" { if (last != "" && $1 - last > longest) longest = $1 - last; last = $1 }
        END { printf "%d", longest * 1000 }'
}
