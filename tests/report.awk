# report.awk - reads the results of a check (TAP, from bats) and says what they mean to the reader.
#
# Called by tests/run with -v step, directory, own (the directory that is the student's), gaps (a file: NUMBER FILE:LINE of
# each TODO that is still to write), todos (a file: lines `TODO 3.2 FILE: what it is about`), only, before (the state that the
# last check has left, or empty), and state (a file to write, see the end). Tests whose titles do not begin with a TODO's number
# are just counted.
#
# A mistake in a late TODO makes tests of earlier ones fail. So a TODO that was ok once is suspected last.

BEGIN {
    target = "step" step
    sub(/w/, "-warmup", target)
    while ((getline line < gaps) > 0) {
        split(line, part, " ")
        split(part[1], number, ".")
        gap[number[2] + 0] = substr(line, length(part[1]) + 2)
        if (next_gap == "") next_gap = number[2] + 0
    }
    while (step != "" && (getline line < todos) > 0)
        if (line ~ /^TODO /) {
            split(line, part, " ")
            split(part[2], number, ".")
            todo_count = number[2] + 0
            sub(/^TODO [0-9w.]* /, "", line)
            about[todo_count] = line
        }
    about[0] = "what is given: options, run directory"
    while (before != "" && (getline line < before) > 0)
        if (line ~ /^ok /)
            for (i = split(line, part, " "); i > 1; i--) was_ok[part[i] + 0] = 1
}

function quoted(name) { return name ~ /[^A-Za-z0-9_.\/~+-]/ ? "\047" name "\047" : name }

function finish_dots() { if (dots) print ""; dots = 0 }
function dot(mark) { printf "%s", mark; fflush(); if (++dots == 72) finish_dots() }

# `ok 12 3.4.2 title`, `not ok 12 3.4.2 title`, `ok 12 title # skip why`
/^(not )?ok [0-9]/ {
    failed = $1 == "not"
    title = $0
    sub(/^(not )?ok [0-9]+ /, "", title)
    split(title, number, /[. ]/)
    todo = number[1] == step && number[2] ~ /^[0-9]+$/ && step != "" ? number[2] + 0 : -1
    run[todo]++
    total++
    if (failed) {
        wrong[todo]++
        wrong_count++
        split(title, part, " ")
        id = part[1]
        # A place in order: 3.10.2 is behind 3.9.3, and what is given comes first.
        order = todo * 1000 + number[3] + (todo in was_ok ? 1000000 : 0)
        failure[wrong_count] = title
        if (first_order == "" || order < first_order) { first_order = order; first = wrong_count; first_id = id; first_todo = todo }
    } else if (title ~ / # skip/)
        skipped++
    dot(failed ? "F" : ".")
    next
}

/^1\.\.[0-9]+$/ { planned = substr($0, 4) + 0; next }

# What bats adds of its own: where in the test file. Not for the reader of a result.
/^# \((from function|in test file)/ { where = 1 }
where { if ($0 ~ /failed( with status [0-9]+)?$/) where = 0; next }

/^# / && failed { detail[wrong_count] = detail[wrong_count] "  " substr($0, 3) "\n"; next }
/^bats ended with status 1$/ || /^# bats warning/ { next }
{ finish_dots(); print }

function line_of(number,    id, name) {
    id = step "." number
    name = sprintf("%-65s", sprintf("  %s  %s ", id, substr(about[number], 1, 60 - length(id))))
    if (wrong[number]) return name sprintf("%d of %d tests fail", wrong[number], run[number])
    if (number in gap && number == next_gap) return name "next: " gap[number]
    if (number in gap) return name "waits for " step "." next_gap
    if (next_gap != "" && number > next_gap && !run[number]) return name "waits for " step "." next_gap
    if (run[number]) return name "ok"
    return name "not run"
}

function print_todos(    i) {
    for (i = 0; i <= todo_count; i++) {
        if (i > 0 && run[i] && !wrong[i] && !(i in gap)) done++
        if (only == "") print line_of(i)
    }
    if (only == "") print ""
}

function print_failures(    i) {
    print "FAILED    " failure[first]
    printf "%s", detail[first]
    print ""
    if (wrong_count > 1 && wrong_count <= 13) print "Failed too:"
    if (wrong_count > 13) print "Failed too, " wrong_count - 1 " of them, the first ones being:"
    for (i = 1; i <= wrong_count && i <= 13; i++) if (i != first) print "    " failure[i]
    if (wrong_count > 1) print ""
}

# About the TODOs that fail now and did not before.
function print_suspicion(    i, list) {
    for (i = 1; i <= todo_count; i++) if (wrong[i] && i in was_ok) list = list " " step "." i
    if (list == "") return
    if (first_todo in was_ok) print "  It was ok before:  look at what you have changed since."
    else print "  Ok before this:  " list ". What fails there now may come from TODO " step "." first_todo "."
}

# The TODOs that are ok, or were: not those that are gaps (again).
function ok_so_far(    i, list) {
    for (i = 1; i <= todo_count; i++) if (!(i in gap) && (i in was_ok || run[i] && !wrong[i])) list = list " " i
    return list
}

END {
    finish_dots()
    print ""
    if (todo_count) print_todos()
    if (wrong_count) print_failures()
    complete = total > 0 && total == planned && !wrong_count && next_gap == "" && only == ""
    if (total + 0 < planned) print "Only " total + 0 " of " planned " tests were run."
    if (only != "" && total == 0)
        print "No test is called " only "."
    else if (!todo_count || only != "") {
        print total - wrong_count " of " total " tests pass" (skipped ? " (" skipped " of them could not be run here)" : "") "."
        if (total > 0 && total == planned && !wrong_count) complete = 1
    } else
        print (step ~ /w/ ? "warm-up of step " step + 0 : "step " step) ": " done + 0 " of " todo_count (complete ? ". All is done." : "")
    if (wrong_count && todo_count) {
        print "  Next: " (first_todo == 0 ? "what was given, and does not work any more. A fresh step: make reset-" target : "mend TODO " step "." first_todo ", " about[first_todo])
        print "  This test alone:  make check-" target (directory ~ /^(\.\/)?solutions\// ? " SOLUTION=1" : directory != own ? " DIR=" quoted(directory) : "") " ONLY=" first_id
        print_suspicion()
        if (first_todo > 0 && directory == own && only == "") print "  A hint:           make hint-" target
    } else if (next_gap != "" && todo_count && total) {
        print "  Next: write TODO " step "." next_gap " in " gap[next_gap] (directory != own ? "" : ". See " directory "/README.md, section TODO " step "." next_gap ".")
        if (directory == own && only == "") print "  A hint:           make hint-" target
    }
    # For `make hint-stepN` and `make progress`.
    print step, done + 0, todo_count + 0 > state
    print (wrong_count ? step "." first_todo : next_gap != "" ? step "." next_gap : "-"), (first_id == "" ? "-" : first_id) > state
    print "ok" ok_so_far() > state
    if (complete) print "complete" > state
}
