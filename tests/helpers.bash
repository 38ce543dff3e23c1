# shellcheck shell=bash
# helpers.bash - the words that the lab's tests are written in. A test file says `load helpers`.
#
# $LAB_DIR is the directory under test, and the only parameter. Each test gets a run directory of its own,
# $OSPS_DIR (not made yet: the program makes it). Every program runs under ./supervise, which see: nothing
# outlives a test. Names written ROLE and EVENT below are extended regular expressions, MS are milliseconds.
#
# Starting
#   start PROGRAM ARGS...           run it in the background; PROGRAM is found in $LAB_DIR, else in $PATH
#   run_to_end PROGRAM ARGS...      start, and wait for its end
#   supervise_with OPTIONS...       options of ./supervise for the next start: -t DEADLINE_MS, -i INPUT, -g GRACE_MS
#   named NAME                      a name for the next start (default: first, second, third ...)
#   beside                          the next start shares the run directory with a program that holds it: what lies
#                                   in there is not the new one's fault
#   look_at NAME                    from here on, all words speak of that start (`start` looks at the new one)
#   $PROGRAM_PID                    the pid of the program started
#   journal, errors, report         the files: its standard output, its standard error, its supervisor's findings
#
# Waiting (each fails the test when the deadline passes; default 10000 MS)
#   await 'REGEX' [MS]              a line of the journal matches
#   await_count N 'REGEX' [MS]      N lines of it do
#   await_event ROLE EVENT [MS]     ROLE has written EVENT
#   mark                            remember how far the journal has come ...
#   await_new 'REGEX' [MS]          ... a line after the mark matches
#   await_end [MS]                  the program has ended, and all that was below it
#   await_gone PID [MS]             that process has ended
#   eventually MS COMMAND...        COMMAND succeeds at last (tried every 10 ms, then 20); fails without a word
#   nap                             10 ms
#   let_pass MS                     time, where nothing is to happen in it: the only case for it
#
# Looking
#   events ROLE EVENT               the lines of the journal in which ROLE tells EVENT
#   count_of ROLE EVENT             how many there are
#   pid_of ROLE                     the last one started or restarted; else the last that wrote a line
#   mode_of PATH                    its permissions, as 600
#   is_running PID                  it exists, and is no zombie
#   is_in_state LETTER PID          its state, as ps(1) has it: R, S, T, Z
#   is_ours PID                     it is below a supervisor of this test
#   all_below                       every such process: PID PARENT STATE COMMAND
#   children_of PID                 the pids of its children
#   pipes_among FILE...             those of them that are named pipes
#   segments_of PID                 the files of the segments /osps-* that it has mapped
#
# Acting
#   send SIGNAL ROLE|PID            only to what this test has started; fails for any other pid
#   send_group SIGNAL               to the program's process group, as Ctrl-C does
#   kill_everything                 SIGKILL to the program and all below it, at one stroke; what then lies
#                                   around stays for the next start to find
#
# Expecting (a failure shows the claim, what was expected and seen, `because`, journal, errors, findings)
#   because "TEXT"                  what is likely misunderstood, and where to read; printed on failure
#   expect_equal WHAT EXPECTED SEEN
#   expect_between WHAT LOW HIGH SEEN
#   expect_that WHAT COMMAND...     COMMAND succeeds
#   expect_line 'REGEX'             the journal has such a line
#   expect_no_line 'REGEX'          it has none
#   expect_stderr 'REGEX'           standard error has such a line
#   expect_no_output                nothing was written on standard output
#   expect_status N                 the program ended with this exit status
#   expect_ended                    it ended somehow, before its deadline
#   expect_nothing_left             the supervisor found nothing, and the program outlived its descendants
#   expect_all_gone_within MS       what outlived the program was gone by then (pipes, segments: not asked)
#   expect_no_zombie                no child stayed unwaited for
#   expect_well_formed_journal      every line is SECONDS ROLE[PID] EVENT ..., and no process's clock goes back
#   expect_wrong_usage PROGRAM ARGS...   run it: exit 2, usage on standard error, nothing on standard output
#   expect_refusal PROGRAM ARGS...       run it: exit 1, the reason on standard error, nothing left
#   fail EXPECTED SEEN              for whatever has no word
#
# Traps avoided here: bats waits for whoever holds its descriptor 3 or its stdout, and `&` gives a process that
# ignores SIGINT: ./supervise closes and resets all that. Pids in a journal may be nonsense: see `send`.

TESTS_DIR=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
LAB_DIR=$(cd "${LAB_DIR:?say which directory is under test: LAB_DIR=solutions/step1_shm}" && pwd) || exit 1
DEFAULT_MS=10000
STAMP='[0-9]+\.[0-9]+'          # SECONDS at the start of a journal line

# ---- before and after each test

setup() {
    export OSPS_DIR=$BATS_TEST_TMPDIR/run
    trace_test_files_only
    set_todo
    BECAUSE=''
    STARTS=()                   # names, in order
    OUT=''
    declare -gA SUPERVISORS=()  # name: pid of its supervisor
    reset_next_start
    MARK=0
    [[ -p $BATS_FILE_TMPDIR/never ]] || mkfifo "$BATS_FILE_TMPDIR/never"
    exec {NEVER}<>"$BATS_FILE_TMPDIR/never"
    if ((EPOCHSECONDS > ${CHECK_UNTIL:-EPOCHSECONDS})); then
        fail "the whole check is done in ${LIMIT_S:-400} seconds" "it is not: tests that fail take long. Mend the first ones"
    fi
}

# bats notes the place of every command, in a trap, which took a third of a check's processor time. The commands of the test files
# are enough to say where a test has failed; those of our words need not be noted.
trace_test_files_only() {
    local noting
    noting=$(trap -p DEBUG)
    [[ $noting == "trap -- '"*"' DEBUG" ]] || return 0
    noting=${noting#"trap -- '"}
    # shellcheck disable=SC2064  # what it was now
    trap "[[ \$BASH_SOURCE == *.bash ]] || ${noting%"' DEBUG"}" DEBUG
}

# ---- steps that are not complete yet

# The TODO that this test is about is the beginning of its title. A skeleton's todo.h reads it. Which gaps there are ($HAS_GAPS:
# their numbers, one a line) is asked once for a file of tests.
set_todo() {
    unset OSPS_TODO
    HAS_GAPS=''
    [[ $BATS_TEST_DESCRIPTION =~ ^[0-9]w?\.[0-9]+ ]] || return 0
    export OSPS_TODO=${BASH_REMATCH[0]}
    local gaps=$BATS_FILE_TMPDIR/gaps-${OSPS_TODO%.*}
    [[ -e $gaps ]] || "$TESTS_DIR/gaps" "$LAB_DIR" "${OSPS_TODO%.*}" | sed 's/ .*//' >"$gaps"
    read -r -d '' HAS_GAPS <"$gaps" || true
}

speaks_of_gaps() { [[ -n $HAS_GAPS && -s $OUT/stderr ]] && grep -q ' is still to write$' "$OUT/stderr"; }

# The TODOs before, at or behind the one of this test (-le, -gt) that processes of this start have come to. Only those that are
# gaps indeed: saying so is not enough.
reached_todos() {
    local number
    head -c 1000000 "$OUT/stderr" | sed -n 's/.*: TODO \([0-9]w*\.[0-9]*\) is still to write$/\1/p' | grep -xF "$HAS_GAPS" |
        sort -u -t. -k2n | while read -r number; do
        ! test "${number#*.}" "$1" "${OSPS_TODO#*.}" || echo "$number"
    done
}

# True if a process stands at a gap of a later TODO: the program has done its part for this test, and the words about
# how it ends have nothing to say.
stands_at_later_todo() { speaks_of_gaps && [[ -n $(reached_todos -gt) ]]; }

# No use to wait for more.
has_reached_gap() { speaks_of_gaps && [[ -n $(reached_todos -le) ]]; }

# The first process of it, which all others end with.
program_stands() { grep -q "^process $PROGRAM_PID stands at" "$OUT/stderr"; }

expect_no_gap() {
    [[ -n $HAS_GAPS ]] || return 0
    local name
    for name in "${STARTS[@]}"; do
        look_at "$name"
        ! has_reached_gap || fail "TODO $OSPS_TODO, and all before it, is written" "TODO $(reached_todos -le | head -n 1) is not" || return 1
    done
}

# A supervisor told to end ends all that is below it first. Each is our child, so no pid is a stranger's.
teardown() {
    local name result=0
    for name in "${STARTS[@]}"; do
        supervisor_is_done "$name" || kill -TERM "${SUPERVISORS[$name]}" 2>/dev/null || true
        wait "${SUPERVISORS[$name]}" 2>/dev/null || true
    done
    exec {NEVER}>&-
    # A test that has failed has been explained.
    [[ -z ${BATS_TEST_COMPLETED:-} ]] || { expect_no_gap && expect_supervised && expect_no_sanitizer_report; } || result=1
    empty_big_files
    return $result
}

# bats keeps the directories of all tests until the last has ended. A file of several names may be somebody else's.
empty_big_files() {
    find "$BATS_TEST_TMPDIR" -xdev -type f -size +1M -links 1 -exec truncate -s 0 {} + 2>/dev/null || true
}

expect_supervised() {
    local name
    for name in "${STARTS[@]}"; do
        look_at "$name"
        [[ ! -e $OUT/report ]] || ! ended "unsupervised" ||
            fail "the program leaves its supervisor alone" "the supervisor was killed or stopped" || return 1
    done
}

SANITIZER='runtime error:|ERROR: (Address|Leak|UndefinedBehavior)Sanitizer'

# Of a program built with SAN=1, whatever the test was about.
expect_no_sanitizer_report() {
    local name reports
    for name in "${STARTS[@]}"; do
        look_at "$name"
        [[ -s $OUT/stderr ]] || continue
        reports=$(grep -ahE -m 3 "$SANITIZER" "$OUT/stderr") || continue
        because "the sanitizer's report is below: its first line says what, the line that begins #0 says where"
        fail "no word from a sanitizer" "$reports" || return 1
    done
}

# After kill_everything the supervisor waits for us, see there.
supervisor_is_done() { [[ -e $BATS_TEST_TMPDIR/$1/report && ! -e $BATS_TEST_TMPDIR/$1/killed ]]; }

# ---- starting

reset_next_start() {
    NEXT_NAME=''
    NEXT_RUN_DIR=yes
    NEXT_OPTIONS=()
}

supervise_with() { NEXT_OPTIONS+=("$@"); }
named() { NEXT_NAME=$1; }
beside() { NEXT_RUN_DIR=''; }

default_name() {
    local names=(first second third fourth fifth sixth seventh eighth)
    REPLY=${names[${#STARTS[@]}]:-start${#STARTS[@]}}
}

program_path() {
    REPLY=$LAB_DIR/$1
    [[ -x $REPLY ]] || REPLY=$(type -P "$1") ||
        fail "a program called $1, built in the directory under test" "there is none in $LAB_DIR"
}

start() {
    local name=$NEXT_NAME
    [[ -n $name ]] || { default_name && name=$REPLY; }
    program_path "$1" || return 1
    shift
    OUT=$BATS_TEST_TMPDIR/$name
    [[ ! -e $OUT ]] || fail "no other start named $name" "there is one" || return 1
    "$TESTS_DIR/supervise" ${NEXT_OPTIONS[@]+"${NEXT_OPTIONS[@]}"} -d "$OUT" ${NEXT_RUN_DIR:+-r "$OSPS_DIR"} \
        -- "$REPLY" "$@" </dev/null >"$OUT-trouble" 2>&1 3>&- &
    SUPERVISORS[$name]=$!
    STARTS+=("$name")
    reset_next_start
    eventually "$DEFAULT_MS" has_started_or_not || true
    look_at "$name"
    [[ -n $PROGRAM_PID ]] || fail "the program starts" "$(<"$OUT-trouble")"
}

has_started_or_not() { [[ -e $OUT/pid || -s $OUT-trouble ]]; }

run_to_end() { start "$@" && await_end "$DEFAULT_MS"; }
look_at() {
    OUT=$BATS_TEST_TMPDIR/$1
    { read -r PROGRAM_PID <"$OUT/pid"; } 2>/dev/null || PROGRAM_PID=''
}
journal() { cat "$OUT/stdout"; }
errors() { cat "$OUT/stderr"; }
report() { cat "$OUT/report"; }

# ---- waiting

nap() { read -r -t 0.01 -u "$NEVER" || true; }

now_us() { REPLY=${EPOCHREALTIME/[.,]/}; }

# Asks the clock, and does not count its naps: where a machine is busy, a nap is long.
eventually() {
    local deadline_us naps=0
    now_us
    deadline_us=$((REPLY + $1 * 1000))
    shift
    until "$@"; do
        now_us
        ((REPLY < deadline_us)) || return 1
        ((++naps % 16 != 0)) || ! has_reached_gap || return 1
        nap
        ((naps < 32)) || nap    # what takes long already may take a little longer, and leave the processor to others
    done
}

let_pass() {
    local deadline_us
    now_us
    deadline_us=$((REPLY + $1 * 1000))
    while now_us && ((REPLY < deadline_us)); do
        nap
    done
}

# await_in_journal WHAT [OPTIONS...] REGEX MS
await_in_journal() {
    local what=$1 result=0
    shift
    "$TESTS_DIR/await" -e "$OUT/report" ${HAS_GAPS:+-g "$OUT/stderr"} "${@:1:$#-2}" "$OUT/stdout" "${@: -2}" \
        >/dev/null || result=$?
    case $result in
    0) ;;
    2) fail "$what" "the program ended without it" ;;
    3) fail "$what" "TODO $(reached_todos -le | head -n 1) is still to write" ;;
    *) fail "$what" "not within ${*: -1} ms" ;;
    esac
}

await() { await_in_journal "a line like: $1" "$1" "${2:-$DEFAULT_MS}"; }
await_count() { await_in_journal "$1 lines like: $2" -n "$1" "$2" "${3:-$DEFAULT_MS}"; }
await_event() { await "^$STAMP $1\\[[0-9]+\\] $2( |\$)" "${3:-$DEFAULT_MS}"; }
mark() { MARK=$(wc -c <"$OUT/stdout"); }
await_new() { await_in_journal "a new line like: $1" -s "$MARK" "$1" "${2:-$DEFAULT_MS}"; }

has_ended() { [[ -e $OUT/report ]]; }
has_ended_or_stands() { has_ended || { [[ -n $HAS_GAPS ]] && program_stands; }; }

# await_ending CONDITION MS
await_ending() {
    if ! eventually "$2" "$1" && ! has_ended; then
        ! has_reached_gap || fail "the program ends" "TODO $(reached_todos -le | head -n 1) is still to write" || return 1
        fail "the program ends" "it still runs after $2 ms: $(all_below | head -n 5)"
    fi
}

await_end() {
    await_ending has_ended_or_stands "${1:-$DEFAULT_MS}" || return 1
    ! supervisor_is_done "${OUT##*/}" || wait "${SUPERVISORS[${OUT##*/}]}" 2>/dev/null || true
}

is_gone() { ! is_running "$1"; }
await_gone() {
    eventually "${2:-$DEFAULT_MS}" is_gone "$1" || fail "process $1 ends" "it still runs after ${2:-$DEFAULT_MS} ms"
}

# ---- looking

event_regex() { echo "^$STAMP $1\\[[0-9]+\\] $2( |\$)"; }
events() { grep -E "$(event_regex "$1" "$2")" "$OUT/stdout" || true; }
count_of() { grep -cE "$(event_regex "$1" "$2")" "$OUT/stdout" || true; }

pid_of() {
    awk -v role="^($1)[[][0-9]+[]]\$" '
        $2 ~ role { name = $2 }
        ($3 == "started" || $3 == "restarted") && $4 ~ role { started = $4 }
        END {
            split(started != "" ? started : name, parts, /[][]/)
            print parts[2]
            exit parts[2] == ""
        }' "$OUT/stdout" || fail "a $1 in the journal" "none"
}

mode_of() { stat -c %a "$1"; }

# state_of PID: its letter in STATE, or nothing. One read brings the whole of this file, so it is of one moment; and no process is
# made for it, because this is asked again and again.
state_of() {
    STATE=''
    { read -rN 512 STATE <"/proc/$1/stat"; } 2>/dev/null || true
    STATE=${STATE##*) }
    STATE=${STATE:0:1}
}

is_in_state() { state_of "$2" && [[ $STATE == "$1" ]]; }
is_running() { state_of "$1" && [[ $STATE == [!ZX] ]]; }

all_below() { "$TESTS_DIR/below" "${SUPERVISORS[@]}"; }
is_ours() { "$TESTS_DIR/below" -o "$1" "${SUPERVISORS[@]}"; }
children_of() { "$TESTS_DIR/below" -c "$1" "${SUPERVISORS[@]}"; }

pipes_among() {
    local file
    for file; do
        [[ ! -p $file ]] || echo "$file"
    done
}

segments_of() { sed -n 's|.* \(/dev/shm/osps-.*\)|\1|p' "/proc/$1/maps" 2>/dev/null | sort -u; }

# ---- acting

send() {
    local pid=$2
    [[ $pid =~ ^[0-9]+$ ]] || pid=$(pid_of "$2") || return 1
    is_ours "$pid" ||
        fail "$2 to be a process of the program, to send it SIG$1" "pid $pid is none" || return 1
    kill -s "$1" "$pid"
}

send_group() { kill -s "$1" -- "-$PROGRAM_PID"; }

kill_everything() {
    touch "$OUT/killed"
    kill -s USR1 "${SUPERVISORS[${OUT##*/}]}"
    # Who stands at a gap has to go, too: the next start comes into the same directory.
    await_ending has_ended "$DEFAULT_MS"
}

# ---- expecting

because() { BECAUSE=$*; }

# Not more than a screen, even if it is one line, and nothing that a terminal would obey.
show() {
    local title=$1 lines
    lines=$(tail -c 4000 "$2" 2>/dev/null | tail -n 15 | tr -d '\000-\010\013-\037\177') || true
    [[ -z $lines ]] || printf '%s\n%s\n' "--- $title" "$lines"
}

# The beginning of it: the end is the sanitizer's own memory.
show_sanitizer_report() {
    local lines
    lines=$(grep -a -m 1 -A 8 -E "$SANITIZER" "$2" 2>/dev/null) || return 0
    printf '%s\n%s\n' "--- $1" "$lines"
}

# What kind of failure it was, apart from a wrong answer. Nothing for a healthy start, or one that the test still runs.
kind_of_ending() {
    local dir=$BATS_TEST_TMPDIR/$1 said how number
    [[ -e $dir/report && ! -e $dir/killed ]] || return 0
    read -r _ how number <"$dir/report"
    said=$(last_words "$dir/stderr")
    [[ -n $said ]] || said=$(finding_in_words '^too (many processes|much memory|much written).*/too \1' "$dir/report")
    [[ -n $said ]] || grep -q '^interrupted' "$dir/report" || said=$(ending_in_words "$dir" "$how" "$number")
    [[ -n $said ]] || said=$(finding_in_words '^leftover (process|pipe|segment) (.*)/left a \1 behind: \2' "$dir/report")
    [[ -z $said ]] || echo "$said"
}

# Of a sanitizer, or of a gap.
last_words() {
    sed -nE -e 's/^SUMMARY: (.*Sanitizer: .*)/\1/p' -e '/ runtime error: /p' -e '/: TODO [0-9w.]+ is still to write$/p' "$1" |
        head -n 1
}

finding_in_words() { sed -nE "s/$1/p" "$2" | head -n 1; }

# ending_in_words DIRECTORY HOW NUMBER: as the report's first line has them
ending_in_words() {
    case $2 in
    hang) wrote_without_end "$1" || echo "hung: still running at its deadline" ;;
    unsupervised) echo "killed or stopped the supervisor, its parent here: see getppid(2)" ;;
    signal) signal_in_words "$3" ;;
    status) [[ $3 == 0 ]] || echo "ended with status $3" ;;
    esac
}

# As much as the supervisor lets it write in one file, or more.
wrote_without_end() {
    [[ -n $(find "$1" -maxdepth 1 -type f -size +16777215c) ]] && echo "wrote without end"
}

signal_in_words() {
    local name step='' more=''
    [[ -z ${OSPS_TODO:-} ]] || step=${OSPS_TODO%.*} more="; make check-step${step/w/-warmup} SAN=1 says where"
    name=$(kill -l "$1")
    case $name in
    SEGV | BUS | FPE | ILL | ABRT) echo "crashed, signal $1 ($name)$more" ;;
    XFSZ) echo "wrote without end" ;;
    SYS) echo "signalled pid -1, which is everybody: a pid that was never set, or that a failed fork returned" ;;
    *) echo "ended by signal $1 ($name)" ;;
    esac
}

# On standard error, because a word that fails may stand in $(...).
fail() {
    explain "$@" >&2
    return 1
}

explain() {
    local name seen=${2:-nothing}
    printf 'CLAIM     %s\nEXPECTED  %s\nSEEN      %s\n' "$BATS_TEST_DESCRIPTION" "$1" "${seen:0:3000}"
    for name in "${STARTS[@]}"; do
        kind_of_ending "$name" | sed "s/^/ENDING    $(whose "$name")/"
    done
    [[ -z $BECAUSE ]] || printf 'THINK OF  %s\n' "$BECAUSE"
    for name in "${STARTS[@]}"; do
        show_sanitizer_report "$(whose "$name")the sanitizer" "$BATS_TEST_TMPDIR/$name/stderr"
        show "$(whose "$name")last lines of its journal" "$BATS_TEST_TMPDIR/$name/stdout"
        show "$(whose "$name")last lines of standard error" "$BATS_TEST_TMPDIR/$name/stderr"
        show "$(whose "$name")the supervisor's findings" "$BATS_TEST_TMPDIR/$name/report"
        show "$(whose "$name")the supervisor's own trouble" "$BATS_TEST_TMPDIR/$name-trouble"
    done
}

# Where the test has started one program there is no doubt.
whose() { ((${#STARTS[@]} == 1)) || echo "$1 start: "; }

expect_equal() { [[ $3 == "$2" ]] || fail "$1: $2" "${3:-nothing}"; }

expect_between() {
    [[ $4 =~ ^-?[0-9]+$ ]] && (($2 <= $4 && $4 <= $3)) && return 0
    fail "$1: from $2 to $3" "${4:-nothing}"
}

expect_that() {
    local what=$1
    shift
    "$@" || fail "$what" "it is not so"
}

expect_line() { grep -qE "$1" "$OUT/stdout" || fail "a journal line like: $1" "none"; }

expect_no_line() {
    local lines
    lines=$(grep -m 3 -E "$1" "$OUT/stdout") || return 0
    fail "no journal line like: $1" "$lines"
}

expect_stderr() { grep -qE "$1" "$OUT/stderr" || fail "a message on standard error like: $1" "$(errors)"; }
expect_no_output() { [[ ! -s $OUT/stdout ]] || fail "nothing on standard output" "$(head -n 5 "$OUT/stdout")"; }
ending() { head -n 1 "$OUT/report"; }
ended() {
    local line
    read -r line <"$OUT/report"
    [[ $line == "ended $1" ]]
}
has_findings() {
    local lines
    mapfile -t lines <"$OUT/report"
    ((${#lines[@]} > 1))
}
expect_status() { stands_at_later_todo || ended "status $1" || fail "exit status $1" "$(ending)"; }
expect_ended() { stands_at_later_todo || ! ended "hang" || fail "the program ends by itself" "it had to be killed"; }

# Orphans of a process that was killed on the way are no fault if they have gone before the program.
expect_nothing_left() {
    local findings
    ! stands_at_later_todo && has_findings || return 0
    findings=$(sed -e 1d -e '/^orphan .* before$/d' -e '/^gone /d' "$OUT/report")
    [[ -z $findings ]] || fail "nothing left behind, no zombie, no child outliving the program" "$findings"
}

expect_all_gone_within() {
    local findings
    findings=$(awk -v limit="$1" '/^leftover process|^hung/ || (/^gone/ && $3 > limit)' "$OUT/report")
    [[ -z $findings ]] || fail "every process gone $1 ms after the program" "$findings"
}

expect_no_zombie() { ! grep -q '^zombie' "$OUT/report" || fail "every child that ended waited for" "$(grep '^zombie' "$OUT/report")"; }

expect_well_formed_journal() {
    local wrong line="^$STAMP (watchdog|principal|secondary[0-9]+|client)\\[[0-9]+\\] [a-z][a-z0-9]*( .*)?\$"
    wrong=$(grep -m 3 -vE "$line" "$OUT/stdout" || true)
    [[ -z $wrong ]] || fail "SECONDS ROLE[PID] EVENT ARGUMENTS on every line of the journal" "$wrong" || return 1
    wrong=$(awk '$1 + 0 < last[$2] { print } { last[$2] = $1 + 0 }' "$OUT/stdout")
    [[ -z $wrong ]] || fail "SECONDS that never go back within a process" "$wrong"
}

expect_wrong_usage() {
    run_to_end "$@"
    expect_status 2
    expect_stderr '[Uu]sage'
    expect_no_output
    expect_nothing_left
}

expect_refusal() {
    run_to_end "$@"
    expect_status 1
    expect_stderr "^$1: ."
    expect_nothing_left
}
