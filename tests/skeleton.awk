# skeleton.awk - writes one file of a step's skeleton: the gaps of this step opened, the ideas of earlier ones in place.
#
#     awk -v step=3 [-v first=1 -v last=99] -f skeleton.awk solutions/step3_watchdog/server.c
#
# A gap in the solution, which stays valid C:
#
#     // TODO 3.2: what is to be written here,       kept in the skeleton where the gap is open
#     // in as many lines as it takes
#     // SOLUTION
#     ...                                            the code, left out there
#     // STUB: todo("3.2", this, that);              stands there instead: one line or more
#     // END
#
# Gaps of other steps, and of this one outside of first..last, are closed: the code stays, the marks go. A file
# with an open gap gets an #include of todo.h behind its own. Marks that make no sense: FILE:LINE: why, and exit 1.

function complain(why) {
    printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
    failed = 1
    exit 1
}

function out(text) { lines[++count] = text }

BEGIN {
    OUTSIDE = 0; TEXT = 1; CODE = 2; STUBS = 3
    state = OUTSIDE
    if (last == "") { first = 1; last = 999 }
}

/^[ \t]*\/\/ ?TODO/ {
    if (state != OUTSIDE) complain("TODO inside of TODO " number ": END is missing before it")
    if ($0 !~ /^[ \t]*\/\/ TODO [1-9]w?\.[1-9][0-9]*: ./) complain("a gap begins with `// TODO STEP.NUMBER: what is to be written`")
    number = $3
    sub(/:$/, "", number)
    split(number, part, ".")
    open = part[1] == step && part[2] >= first + 0 && part[2] <= last + 0
    if (open) opened = 1
    if (open) out($0)
    state = TEXT
    stubs = 0
    next
}

/^[ \t]*\/\/ ?SOLUTION/ {
    if (state != TEXT) complain("SOLUTION that no TODO line stands before")
    state = CODE
    code = 0
    next
}

/^[ \t]*\/\/ ?STUB/ {
    if (state != CODE && state != STUBS) complain("STUB that no SOLUTION stands before")
    if ($0 !~ /^[ \t]*\/\/ STUB: ./) complain("a stub is written `// STUB: code`")
    if (code == 0) complain("TODO " number " has no solution")
    state = STUBS
    if (index($0, "todo(\"" number "\"")) stubs++
    if (open) { sub(/\/\/ STUB: /, ""); out($0) }
    next
}

/^[ \t]*\/\/ ?END *$/ {
    if (state == OUTSIDE) complain("END that no TODO line stands before")
    if (state != STUBS) complain("TODO " number " has no STUB")
    if (stubs != 1) complain("the stub of TODO " number " does not call todo(\"" number "\") once")
    state = OUTSIDE
    next
}

state == TEXT {
    if ($0 !~ /^[ \t]*\/\/ /) complain("SOLUTION is missing after TODO " number)
    if (open) out($0)
    next
}

state == CODE {
    code++
    if (!open) out($0)
    next
}

state == STUBS { complain("code after the STUB of TODO " number ": END is missing") }

/^#include "/ { include = count + 1 }

{ out($0) }

END {
    if (failed) exit 1
    if (state != OUTSIDE) complain("TODO " number " has no END")
    if (opened && !include) complain("a file with a gap needs an #include \"...\" of its own")
    for (i = 1; i <= count; i++) {
        print lines[i]
        if (opened && i == include) print "#include \"todo.h\""
    }
}
