# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# journal.bash - attacks on who reads the journal: text that would forge lines of it, or drive the reader's terminal.
# See ../attack.sh, scene.bash.

# Clear the screen, set the title, go back to the beginning of the line, the same by a control of 8 bits, rub out, bell.
controls=$'\e[2J\e]0;forged\a\r9.9 watchdog[1] forged\302\2332J\177\b'

# True if all lines are as they should be, and none is forged.
is_clean() {
    ! LC_ALL=C tr -d '\n' <"$journal" | LC_ALL=C grep -q '[[:cntrl:]]' && ! grep -qE '^[0-9.]+ watchdog\[1\]' "$journal" &&
        ! LC_ALL=C grep -q $'\302[\200-\237]' "$journal" &&
        ! grep -qvE '^[0-9]+\.[0-9]+ (watchdog|principal|secondary[0-9]+)\[[0-9]+\] [a-z]' "$journal"
}
tell_clean() { if is_clean; then echo 'no trace of it'; else echo 'the journal is spoilt'; fi; }

journal_requests() {
    tried 'control characters in requests, tokens, texts'
    expected 'no trace of it'
    under_attack until_enough send_controls
}

send_controls() {
    get_place
    "$peer" "connect $address $port" "send requetetype1 $controls\\n" expect-place \
        "connect $address $port" "send $controls\\n" 'expect ^errtraitement' \
        "connect $address $((port + 1))" "send $controls hello\\n" 'expect ^errtraitement' \
        "connect $address $PLACE" "send $TOKEN $controls\\n" 'expect ^debut' 'expect ^resultat' 'expect ^fin' >"$dir/controls" 2>&1 ||
        tail -n 1 "$dir/controls"
    tell_clean
}

# Our own user's pipes: a line there is told in the journal.
journal_pipe() {
    tried 'control characters in wdtube1'
    expected 'no trace of it'
    under_attack until_enough write_controls
}

write_controls() {
    printf 'fintraitement %s\n' "$controls" >>"$run/wdtube1"
    eventually 2000 grep -q 'fintraitement .*secondary1' "$journal"
    tell_clean
}
