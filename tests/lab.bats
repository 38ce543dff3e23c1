# lab.bats - the students' side, tested: skeletons, the check's words, hints, a fresh step, the archive.
#
#     bats tests/lab.bats
#
# Each test works in a copy of the lab of its own, made from what is committed or about to be.

# shellcheck disable=SC2016  # $ for awk

STEPS=$(for id in $("$BATS_TEST_DIRNAME/steps"); do echo "$id:$("$BATS_TEST_DIRNAME/steps" directory "$id")"; done)

setup() {
    cd "$BATS_TEST_DIRNAME/.." || return 1
    ROOT=$PWD
}

# Runs a command as somebody who has just opened a terminal: nothing that bats or make has set or put in front of PATH.
afresh() {
    local clean_path
    clean_path=$(tr : '\n' <<<"$PATH" | grep -v 'libexec/bats-core$' | paste -sd:)
    env -i PATH="$clean_path" HOME="$BATS_TEST_TMPDIR" TMPDIR="$BATS_TEST_TMPDIR" "$@"
}

fail() {
    printf 'EXPECTED  %s\nSEEN      %s\n' "$1" "$2" >&2
    return 1
}

# says TEXT: what `run` has printed has it. An extended regular expression.
says() { grep -qE -- "$1" <<<"$output" || fail "a line like: $1" "$output"; }
says_not() { ! grep -qE -- "$1" <<<"$output" || fail "no line like: $1" "$output"; }

# ends STATUS: how the command of `run` ended.
ends() { [[ $status == "$1" ]] || fail "exit status $1" "$status: $output"; }

# The lab, without what was built, as a repository of its own.
copy_lab() {
    LAB=$BATS_TEST_TMPDIR/lab
    mkdir "$LAB"
    git ls-files -z --cached --others --exclude-standard | xargs -0 tar -cf - --ignore-failed-read 2>/dev/null | tar -C "$LAB" -xf -
    cd "$LAB" || return 1
    git init -q && git add -A && git -c user.name=test -c user.email=test@example.org commit -qm copy
}

unpack_archive() {
    copy_lab
    afresh make -s student >/dev/null
    mkdir "$BATS_TEST_TMPDIR/home"
    tar -C "$BATS_TEST_TMPDIR/home" -xzf build/osps-lab.tar.gz
    cd "$BATS_TEST_TMPDIR/home/osps-lab" || return 1
}

# gap TEXT: a file of a step with this in it.
gap() {
    printf '#include "x.h"\n%b' "$1" >"$BATS_TEST_TMPDIR/gap.c"
    run awk -v step=1 -f tests/skeleton.awk "$BATS_TEST_TMPDIR/gap.c"
}

# ---- skeletons

@test "the steps are in step with the solutions" {
    run tests/skeletons check
    ends 0
}

@test "a gap is opened in its own step, and closed in a later one" {
    gap '// TODO 1.1: do it\n// SOLUTION\nanswer();\n// STUB: todo("1.1");\n// END\nlast();\n'
    ends 0
    [[ $output == $'#include "x.h"\n#include "todo.h"\n// TODO 1.1: do it\ntodo("1.1");\nlast();' ]] || fail "an open gap" "$output"
    run awk -v step=2 -f tests/skeleton.awk "$BATS_TEST_TMPDIR/gap.c"
    [[ $output == $'#include "x.h"\nanswer();\nlast();' ]] || fail "a closed gap" "$output"
}

@test "marks that make no sense stop the build, with file and line" {
    local marks
    for marks in '// SOLUTION\n' '// STUB: x\n' '// END\n' '// TODO 1.1 no colon\n' '// TODO 1.1: a\nb();\n' \
        '// TODO 1.1: a\n// SOLUTION\n// STUB: todo("1.1");\n// END\n' '// TODO 1.1: a\n// SOLUTION\nb();\n// END\n' \
        '// TODO 1.1: a\n// SOLUTION\nb();\n// STUB: todo("1.2");\n// END\n' \
        '// TODO 1.1: a\n// SOLUTION\nb();\n// STUB: todo("1.1");\nc();\n// END\n' \
        '// TODO 1.1: a\n// SOLUTION\nb();\n// TODO 1.2: c\n' '// TODO 1.1: a\n// SOLUTION\nb();\n// STUB: todo("1.1");\n'; do
        gap "$marks"
        ends 1
        says 'gap\.c:[0-9]+: .'
    done
}

@test "a TODO that is missing, or there twice, stops the build" {
    copy_lab
    sed -i 's/TODO 1\.4:/TODO 1.3:/; s/todo("1\.4"/todo("1.3"/' solutions/step1_shm/secondary.c
    run afresh make skeletons
    [[ $status != 0 ]] || fail "a failure" "$output"
    says 'TODO 1\.[34] is missing, or there twice'
}

@test "untouched steps build without a warning" {
    local step compiler
    copy_lab
    for step in $STEPS; do
        for compiler in gcc clang; do
            command -v $compiler >/dev/null || continue
            run afresh make -s -C "${step#*:}" CC=$compiler CFLAGS_EXTRA=-Werror
            ends 0
        done
    done
}

@test "a stub says where it is, and exits 3" {
    copy_lab
    make -s -C step1_shm
    OSPS_DIR=$BATS_TEST_TMPDIR/run run step1_shm/principal
    ends 3
    says '^segment\.c:[0-9]+: TODO 1\.1 is still to write$'
}

@test "make skeletons does not overwrite work that is not committed, and says how to go on" {
    copy_lab
    echo '/* mine */' >>step3_watchdog/start.c
    run afresh make skeletons
    [[ $status != 0 ]] || fail "a refusal" "$output"
    says 'step3_watchdog/start\.c'
    says 'git stash'
    grep -q 'mine' step3_watchdog/start.c || fail "the work is still there" "it is gone"
    git stash push -qu -- step1_shm step2_fifo step3_watchdog step4_client
    run afresh make skeletons
    ends 0
}

@test "make skeletons goes on from what it wrote itself" {
    copy_lab
    local round
    for round in 1 2; do
        sed -i "1s/.*/\/* round $round *\//" solutions/step1_shm/clock.c
        afresh make -s modules >/dev/null
        run afresh make skeletons
        ends 0
        grep -q "round $round" step1_shm/clock.c step4_client/clock.c || fail "round $round in the steps" "it is not"
    done
    touch step1_shm/superfluous.c && git add -A && git -c user.name=t -c user.email=t@example.org commit -qm x
    run afresh make skeletons
    ends 0
    [[ ! -e step1_shm/superfluous.c ]] || fail "no file that no solution has" "it is still there"
}

@test "make skeletons loses no file with an odd name, an empty one, or what a link points to" {
    local file
    copy_lab
    for file in '*.c' 'my notes.c' ' clock.c' empty.c; do
        : >"step2_fifo/$file"
        run afresh make skeletons
        [[ $status != 0 ]] || fail "a refusal for $file" "$output"
        rm "step2_fifo/$file"
    done
    echo 'mine' >"$BATS_TEST_TMPDIR/elsewhere.c"
    ln -sf "$BATS_TEST_TMPDIR/elsewhere.c" step2_fifo/clock.c
    run afresh make skeletons
    [[ $status != 0 ]] || fail "a refusal for a link" "$output"
    [[ $(<"$BATS_TEST_TMPDIR/elsewhere.c") == mine ]] || fail "the file is as it was" "it is not"
}

# ---- what a student sees

seconds_of() {
    local before=$SECONDS
    afresh make "$1" >/dev/null 2>&1 || true
    echo $((SECONDS - before))
}

processes_for_each_processor() { awk -v processors="$(getconf _NPROCESSORS_ONLN)" '{ print int(1 + $1 / processors) }' /proc/loadavg; }

@test "an untouched step scores 0, in less than ten seconds, and says what is next" {
    local step number target seconds
    copy_lab
    afresh make -s -C tests
    for step in $STEPS; do
        number=${step%%:*}
        target=check-step${number/w/-warmup}
        run afresh make "$target"
        [[ $status != 0 ]] || fail "a failure" "$output"
        says ": 0 of [1-9][0-9]*\$"
        says "  $number\\.1 .* next: ${step#*:}/[a-z_]+\\.c:[0-9]+\$"
        says "  $number\\.2 .* waits for $number\\.1\$"
        says "Next: write TODO $number\\.1 in "
        seconds=$(seconds_of "$target")
        # Where each processor has several to serve it takes so many times longer.
        ((seconds < 10 * $(processes_for_each_processor))) || fail "less than 10 seconds" "$seconds"
    done
}

@test "a step that does not compile says so, with the compiler's first words" {
    copy_lab
    sed -i 's/todo("1.1".*/return oops;/' step1_shm/segment.c
    run afresh make check-step1
    [[ $status != 0 ]] || fail "a failure" "$output"
    says 'step1_shm does not compile'
    says "segment\\.c:[0-9]+.*oops"
}

@test "a warning of the compiler is shown by each check, until the source has changed" {
    copy_lab
    echo 'static int useless;' >>step1_shm/segment.c
    run afresh make check-step1
    says '^The compiler warns:$'
    run afresh make check-step1 ONLY=1.0
    says 'segment\.c:[0-9]+.*useless'
    sed -i '$d' step1_shm/segment.c
    run afresh make check-step1
    says_not 'useless'
}

@test "a mistake: the claim, what was seen, what to think of, the command that repeats it, and a hint" {
    copy_lab
    cp solutions/step1_shm/*.c step1_shm
    sed -i 's/round <= options->rounds/round < options->rounds/' step1_shm/principal.c
    run afresh make check-step1
    [[ $status != 0 ]] || fail "a failure" "$output"
    says '^FAILED    1\.3\.2 '
    says 'EXPECTED  numbers written: 1 2 3'
    says 'SEEN      1 2 3'
    says 'THINK OF  count the rounds'
    says 'step 1: [34] of 5$'
    says 'make check-step1 ONLY=1\.3\.2$'
    run afresh make check-step1 ONLY=1.3.2
    [[ $status != 0 ]] || fail "a failure" "$output"
    says '0 of 1 tests pass'
    run afresh make hint-step1
    says '^1\.3 .*'
    says 'Hint 1 of 2'
    run afresh make hint-step1
    says 'Hint 2 of 2'
}

@test "a step anywhere is checked: a directory with odd letters, a pipe called like a source" {
    local elsewhere="$BATS_TEST_TMPDIR/her step's: 1"
    copy_lab
    cp -R step1_shm "$elsewhere"
    mkfifo "$elsewhere/pipe.c"
    run afresh timeout 60 make check-step1 "DIR=$elsewhere"
    says '^step 1: 0 of 5$'
    says "Next: write TODO 1\\.1 in .*/her step's: 1/segment\\.c:[0-9]+\$"
    cp -R step1_shm mine
    run afresh make check-step1 DIR=mine
    says '^step 1: 0 of 5$'
    [[ ! -e build/state/step1 ]] || fail "no state of step 1, whose directory was not checked" "$(<build/state/step1)"
}

# report FAILING: what a check of step 2 says when the tests of these TODOs fail, one for each.
report() {
    local number
    run awk -v step=2 -v directory=step2_fifo -v gaps=/dev/null -v todos=tests/step2.todos -v own=step2_fifo \
        -v before="$BATS_TEST_TMPDIR/state" -v state="$BATS_TEST_TMPDIR/next" -f tests/report.awk < <(
        echo 1..7
        for number in 1 2 3 4 5 6 7; do
            [[ $number == [$1] ]] && printf 'not '
            echo "ok $number 2.$number.1 a claim"
        done
    )
    mv "$BATS_TEST_TMPDIR/next" "$BATS_TEST_TMPDIR/state"
}

@test "a TODO that was ok is suspected last: a late mistake makes tests of early ones fail" {
    report 17
    says '^FAILED    2\.1\.1 '
    report 7
    says 'mend TODO 2\.7,'
    says_not 'before'
    for _ in one two; do
        report 127
        says '^FAILED    2\.7\.1 '
        says 'mend TODO 2\.7,'
        says 'Ok before this: +2\.1 2\.2\.'
    done
    report 3
    says 'mend TODO 2\.3,'
    says 'It was ok before'
}

@test "a Makefile that does not end, or leaves something running, is ended" {
    copy_lab
    printf 'x := $(shell sleep 1234.5)\n' >>step1_shm/Makefile
    run afresh env BUILD_LIMIT_S=1 timeout 60 make check-step1
    [[ $status != 0 && $status != 124 ]] || fail "a failure" "$status"
    says 'does not come to an end'
    ! pgrep -f 'sleep 1234\.5' || fail "nothing left running" "sleep"
    [[ -z $(ls -d build/run.* 2>/dev/null) ]] || fail "nothing left in build" "$(ls build)"
}

@test "a gap is a call of todo(), not what a comment or a string says" {
    copy_lab
    cat >"$BATS_TEST_TMPDIR/a b.c" <<'END'
// todo("1.1");
/* todo("1.2"); /* todo("1.3"); */ todo("1.4", x); /*
todo("1.5"); */ puts("/* todo(\"1.6\")"); do_todo("1.7"); todo("2.1");
    if (x) todo("1.10");
    puts("//"); todo("1.9");
END
    run tests/gaps "$BATS_TEST_TMPDIR" 1
    [[ $output == "1.4 $BATS_TEST_TMPDIR/a b.c:2
1.9 $BATS_TEST_TMPDIR/a b.c:5
1.10 $BATS_TEST_TMPDIR/a b.c:4" ]] || fail "the gaps 1.4, 1.9, 1.10" "$output"
}

@test "to say that one stands at a later gap is no excuse for a wrong end" {
    copy_lab
    cp solutions/step1_shm/*.[ch] step1_shm
    sed -i 's|return status == 0 && .*|fprintf(stderr, "x: TODO 1.9 is still to write\\n"); return 7;|; 1i #include <stdio.h>' step1_shm/principal.c
    printf '/*\n    todo("9.9");\n*/\nstatic void todo(const char *n) { (void)n; }\nvoid f(void); void f(void) { todo("9.9"); }\n' >>step1_shm/clock.c
    run afresh make check-step1 ONLY=1.3
    [[ $status != 0 ]] || fail "a failure" "$output"
    says 'EXPECTED  exit status 0'
}

@test "make progress shows all steps, and what has changed since" {
    copy_lab
    afresh make check-step1 >/dev/null 2>&1 || true
    run afresh make progress
    says 'step1_shm .* 0 of 5   next: TODO 1\.1$'
    says 'step4_client .* 0 of 9   not checked yet'
    cp solutions/step1_shm/*.c step1_shm
    run afresh make progress
    says 'step1_shm .* changed since'
    afresh make check-step1 >/dev/null 2>&1
    run afresh make progress
    says 'step1_shm .*5 of 5   complete$'
}

# todos_in REGEX FILE...: the numbers that REGEX finds in its brackets, in order, each once.
todos_in() {
    local regex=$1
    shift
    sed -nE "s|^$regex.*|\\1|p" "$@" | sort -t. -u -k2n | paste -sd' '
}

# has WHAT SEEN: the step's todos are there, and no others. Uses $todos.
has() { [[ $2 == "$todos" ]] || fail "$1 of these TODOs: $todos" "$2"; }

@test "each TODO has a title and two hints, a section in the handout, and tests; and there are none of others" {
    local step n name todos
    for step in $STEPS; do
        n=${step%%:*}
        step=${step#*:}
        todos=$(todos_in " *// TODO ($n\.[0-9]+):" "solutions/$step"/*.c)
        name=step${n/w/_warmup}
        has "titles in tests/$name.todos" "$(todos_in 'TODO ([0-9w.]+) .' "tests/$name.todos")"
        has "two hints in tests/$name.todos for each" "$(awk '/^TODO/ { todo = $2 } /^HINT ./ { print todo }' "tests/$name.todos" |
            uniq -c | sed -n 's/^ *2 //p' | paste -sd' ')"
        has "sections in $step/README.md" "$(todos_in "#.* TODO ($n\.[0-9]+)" "$step/README.md")"
        has "tests in tests/$name*.bats" "$(todos_in "@test \"($n\.[1-9][0-9]*)\." "tests/$name"*.bats)"
    done
}

@test "handouts show the place of a gap as it is when all before it are written" {
    local step todo place skeleton wrong=''
    for step in $STEPS; do
        while read -r todo place; do
            skeleton=$BATS_TEST_TMPDIR/$todo
            [[ -d $skeleton ]] || tests/skeletons make "${step%%:*}" "$skeleton" "${todo#*.}"
            (cd "$skeleton" && grep -n "^ *todo(\"$todo\"" ./*.c) | grep -q "^\./$place:" ||
                wrong+="${step#*:}/README.md: TODO $todo is not at $place "
        done < <(sed -nE -e 's/^ *([0-9]w?\.[0-9]+) .* next: .*\/([a-z_]+\.c:[0-9]+).*/\1 \2/p' \
            -e 's/^.*write TODO ([0-9w.]+) in .*\/([a-z_]+\.c:[0-9]+)\..*/\1 \2/p' \
            -e 's/^ *([a-z_]+\.c:[0-9]+): TODO ([0-9w.]+) is still.*/\2 \1/p' "${step#*:}/README.md")
    done
    [[ -z $wrong ]] || fail "each at its place" "$wrong"
}

@test "hints, handouts and gaps speak of functions that the step has" {
    local step name unknown
    for step in $STEPS; do
        name=step${step%%:*}
        unknown=$({ cat "tests/${name/w/_warmup}.todos" "${step#*:}/README.md"; grep -h '^ *// ' "solutions/${step#*:}"/*.c; } |
            grep -oE '\b[a-z]+_[a-z_]+\(\)' | sort -u | while read -r name; do
            grep -qwF "${name%()}" "solutions/${step#*:}"/*.[ch] || echo "$name"
        done)
        [[ -z $unknown ]] || fail "functions of ${step#*:}" "$unknown"
    done
}

# ---- the archive

@test "the students' archive has everything but the answers" {
    unpack_archive
    [[ ! -e solutions && ! -e tests/mutants && ! -e tests/others ]] || fail "no solutions, mutants, others" "$(ls . tests)"
    [[ $(ls) == $'Makefile\nREADME.md\nstep1_shm\nstep2_fifo\nstep3_watchdog\nstep4_client\ntests' ]] || fail "the steps and the tests" "$(ls)"
    ! grep -rlE '^ *// (SOLUTION|STUB)' . || fail "no marks of the solutions" "some"
    run afresh make
    ends 0
    local target
    for target in demo experiment-1a check check-mutants student skeletons modules; do
        run afresh make $target
        [[ $status != 0 ]] || fail "no make $target" "$output"
        says 'needs the solutions, which only instructors have'
    done
    run afresh make help
    says_not 'make student'
}

@test "from the archive alone: step 1 is at 0, and with the solution in it, full" {
    unpack_archive
    run afresh make check-step1
    says '^step 1: 0 of 5$'
    cp "$ROOT"/solutions/step1_shm/*.[ch] step1_shm
    run afresh make check-step1
    ends 0
    says '^step 1: 5 of 5'
}

@test "make reset-step1 gives a fresh step, and keeps the old one aside" {
    unpack_archive
    echo '/* my work */' >>step1_shm/segment.c
    run afresh make reset-step1
    ends 0
    diff -r step1_shm .fresh/step1_shm || fail "a fresh step" "another one"
    grep -q 'my work' .aside/step1_shm.*/segment.c || fail "the old work in .aside" "it is not"
}

@test "make reset-step1 again in the same second, or with no step there, loses nothing" {
    local word
    unpack_archive
    for word in one two three; do
        echo "/* $word */" >step1_shm/mine.c
        afresh make -s reset-step1
    done
    [[ $(cat .aside/step1_shm.*/mine.c | sort | paste -sd' ') == '/* one */ /* three */ /* two */' ]] || fail "all three" "$(ls .aside)"
    rm -r step1_shm
    run afresh make reset-step1
    ends 0
    diff -r step1_shm .fresh/step1_shm || fail "a fresh step" "another one"
}
