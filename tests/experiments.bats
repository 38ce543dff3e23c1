# experiments.bats - each experiment shows what it claims, leaves nothing, and fails where its claim does not hold.
#
#     LAB_DIR=solutions/experiments bats tests/experiments.bats
#
# An experiment is made wrong by a change of its source, in a copy: then it has to say so, and its exit status is 1.

load helpers

setup_file() {
    # What an experiment of 3a or 3b makes lies there.
    export TMPDIR=$BATS_FILE_TMPDIR/tmp
    mkdir "$TMPDIR"
}

A_BUSY_MACHINE=4    # so many times as long as alone an experiment may take there

# An experiment that cannot be made beside so much other work says so, and shows nothing: then once more, and once more.
run_experiment() {
    local _
    for _ in 1 2 3; do
        supervise_with -t 90000
        start "experiment_$1"
        await_end 90000
        grep -q 'this machine has too much to do now$' "$OUT/stderr" || break
    done
}

# shows NAME: the experiment, which ends well. Its words are the journal.
shows() {
    run_experiment "$1"
    expect_status 0
    expect_no_line FAILED
    expect_line 'What it should show'
    expect_nothing_left
    expect_equal "files left" "" "$(ls "$TMPDIR")"
    expect_between "seconds" 0 $((15 * A_BUSY_MACHINE)) "$(seconds_taken)"
}

# The supervisor's files: the first is made at the start, the last at the end.
seconds_taken() { echo $(($(stat -c %Y "$OUT/report") - $(stat -c %Y "$OUT/pid"))); }

# number 'REGEX': what the first match of REGEX has in its brackets.
number() { [[ $(journal) =~ $1 ]] && echo "${BASH_REMATCH[1]}"; }

# is_caught NAME FILE SED 'REGEX': with FILE changed by SED, the experiment says that this claim does not hold.
is_caught() {
    local copy=$BATS_TEST_TMPDIR/solutions/experiments
    mkdir -p "$copy"
    cp -p "$LAB_DIR"/* "$LAB_DIR/.flags" "$copy"
    ln -s "$(cd "$LAB_DIR/../step3_watchdog" && pwd)" "$copy/../step3_watchdog"
    sed -i "$3" "$copy/$2"
    ! cmp -s "$LAB_DIR/$2" "$copy/$2" || fail "$2 is changed by $3" "it is not"
    make -s -C "$copy" "experiment_$1" >&2
    LAB_DIR=$copy run_experiment "$1"
    expect_line "FAILED .*$4"
    expect_status 1
    expect_equal "files left" "" "$(ls "$TMPDIR")"
}

# ---- what each shows

@test "1a: who knows a name attaches, and memory with a name survives kill -9" {
    shows 1a
    expect_line '^ +anonymous mmap +reads 42 +reads 0 +reads 0 +-?[0-4] MiB +works '
    expect_line '^ +POSIX shm_open +reads 42 +reads 42 +reads 42 +1[2-9] MiB +File exists '
    expect_line '^ +System V shmget +reads 42 +reads 42 +reads 42 +1[2-9] MiB +File exists '
}

@test "1b: additions are lost, and not one with an atomic" {
    shows 1b
    expect_between "additions lost" 1 10000000000 "$(number 'synchronisation ([0-9]+) additions were lost')"
    expect_line '^ +atomic_fetch_add +10000000 +20000000 +0 '
}

@test "2b: a zombie in ps, that goes when waited for, or when its parent ends" {
    shows 2b
    local child parent
    child=$(number 'The child ([0-9]+) has called')
    parent=$(number 'Its parent, ([0-9]+), has not')
    expect_line "(^ *$child +$parent +Z|parent $parent, state Z)"
    expect_equal "times that it stands in ps" 1 "$(journal | grep -cE "^ *$child +$parent|parent $parent, state Z")"
    expect_line "ok +the zombie has gone, [0-9.]+ ms after its parent's end"
}

@test "3a: a hundred deaths and a hundred freezes, under both policies, with an idle and a busy principal" {
    shows 3a
    # principal blow policy minimum median percentile, the first two where they change
    local rows
    rows=$(journal | awk '/^ +(idle|busy)? .*(direct|delegated) +[0-9.]+ +[0-9.]+ +[0-9.]+$/ { print $(NF-3), $(NF-2), $(NF-1), $NF }')
    expect_equal "rows" 8 "$(wc -l <<<"$rows")"
    expect_equal "rows in which minimum, median and percentile are in order" 8 "$(awk '$2 <= $3 && $3 <= $4' <<<"$rows" | wc -l)"
    expect_equal "freezes with a median above the time-out, 500" 4 "$(sed -n '3,4p; 7,8p' <<<"$rows" | awk '$3 > 500' | wc -l)"
    expect_equal "deaths with a median below it" 4 "$(sed -n '1,2p; 5,6p' <<<"$rows" | awk '$3 < 500' | wc -l)"
    expect_equal "a busy principal: delegated is slower" yes "$(sed -n '5,6p' <<<"$rows" | awk '{ m[$1] = $3 } END { print (m["delegated"] > m["direct"] ? "yes" : "no") }')"
}

@test "3b: orders to a frozen server are written, never read, until their writer hangs" {
    shows 3b
    local orders
    orders=$(number '([0-9]+) orders of 8 bytes fit')
    expect_between "orders that fit" 64 10000000 "$orders"
    expect_equal "bytes" $((8 * orders)) "$(number 'bytes fit, ([0-9]+) bytes')"
    expect_line 'restarted secondary1\[[0-9]+\] was [0-9]+'
    expect_line 'ok +the writer [0-9]+ hangs in write'
}

@test "3c: SIGCHLD tells of end, stop and continuation; of 64 SIGUSR2 few arrive" {
    shows 3c
    expect_line '_exit\(3\) .*CLD_EXITED, si_status 3; waitpid: WIFEXITED, status 3'
    expect_line 'kill -STOP .*CLD_STOPPED, .*WIFSTOPPED'
    expect_line 'kill -CONT .*CLD_CONTINUED, .*WIFCONTINUED'
    expect_line 'kill -KILL .*CLD_KILLED, si_status 9; waitpid: WIFSIGNALED, signal 9'
    expect_between "SIGUSR2 that arrived" 1 63 "$(number 'SIGUSR2\) +64 sent, +([0-9]+) arrived')"
    expect_line 'SIGRTMIN\) +64 sent, 64 arrived'
    expect_line 'in a pipe +64 sent, 64 arrived'
    expect_line 'counted in memory +64$'
}

@test "4: a port in TIME_WAIT, with and without SO_REUSEADDR; a listening socket that survives its server" {
    shows 4
    expect_line 'neither; the client closes first .* listens$'
    expect_line 'neither; the server closes first .* TIME_WAIT +Address already in use$'
    expect_line 'both; the server closes first .* TIME_WAIT +listens$'
    expect_line 'a client hears: Connection refused'
    expect_between "ms that the client waited" 500 15000 "$(number 'after ([0-9]+) ms in all')"
}

# ---- each fails where its claim does not hold

@test "1a fails where a stranger cannot attach" {
    is_caught 1a kinds.c 's/make_posix, look_posix/make_posix, look_anonymous/; s/^static int look_posix/int look_posix(void);\nint look_posix/' \
        'POSIX shm_open: who knows the name attaches'
}

@test "1b fails where nothing is lost" {
    is_caught 1b experiment_1b.c 's/atomic_store_explicit(&shared->counter, value + 1, .*/(void)(value + atomic_fetch_add(\&shared->counter, 1));/' \
        'without synchronisation 0 additions'
}

@test "2b fails where the status of the zombie is another" {
    is_caught 2b experiment_2b.c 's/_exit(3);/_exit(4);/' 'the status was kept'
}

@test "3a fails where the policy makes no difference" {
    is_caught 3a experiment_3a.c 's/policy_name\[policy\], NULL/policy_name[DIRECT], NULL/' 'a busy principal'
}

@test "3b fails where the writer does not hang" {
    is_caught 3b experiment_3b.c 's/open_tube(0)/open_tube(O_NONBLOCK)/' 'the writer [0-9]+ hangs'
}

@test "3c fails where an answer is not counted" {
    is_caught 3c experiment_3c.c 's/(void)atomic_fetch_add(&shared->answers, 1);/if (number > 0) &/' 'what is counted in shared memory'
}

@test "4 fails where SO_REUSEADDR is forgotten" {
    is_caught 4 experiment_4.c 's/"both; the server closes first", true,/"both; the server closes first", false,/' \
        'with SO_REUSEADDR a port in TIME_WAIT'
}

# ---- what they have in common

@test "-h is the usage, an unknown option and an operand are wrong usage" {
    run_to_end experiment_2b -h
    expect_status 0
    expect_line '^usage: experiment_2b'
    expect_wrong_usage experiment_2b -x
    expect_wrong_usage experiment_2b now
}

@test "Ctrl-C in the middle leaves no process, no memory, no file" {
    supervise_with -t 60000
    start experiment_3a
    await 'idle +killed' 40000
    send_group INT
    await_end
    expect_status 130
    expect_nothing_left
    expect_equal "files left" "" "$(ls "$TMPDIR")"
}

@test "SIGTERM to the experiment alone, while a server is frozen and a writer hangs: neither does that" {
    start experiment_3b
    await 'C\. A writer'
    send TERM "$PROGRAM_PID"
    await_end
    expect_status 143
    expect_nothing_left
    expect_equal "files left" "" "$(ls "$TMPDIR")"
}
