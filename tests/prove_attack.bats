# prove_attack.bats - solutions/prove/attack.sh: some of its scenes on the system in $LAB_DIR, and on wrong ones.
#
#     LAB_DIR=solutions/step4_client bats tests/prove_attack.bats
#
# The whole of it is `make attack`.

# shellcheck disable=SC2030,SC2031  # a variable set in a test is meant for that test

load helpers

ATTACK=$TESTS_DIR/../solutions/prove/attack.sh

# mutant NAME: the system with that mistake, built. Sets $LAB.
mutant() {
    export LAB=$BATS_TEST_TMPDIR/mutant
    mkdir "$LAB"
    cp "$LAB_DIR"/*.[ch] "$LAB_DIR"/*.mk "$LAB_DIR/Makefile" "$LAB"
    (cd "$LAB" && git apply "$TESTS_DIR/mutants/step4/$1.patch" && make -s) || fail "mutant $1 to be built" "it is not"
}

attack() {
    supervise_with -t 180000
    named attack
    beside
    start "$ATTACK" "$@"
    await_end 180000
}

@test "attack: the system holds against tokens shown twice, cut requests, a crowd, a link, control characters" {
    export LAB=$LAB_DIR
    attack tokens_old crowds_cut crowds_silent rundir_link journal_pipe
    expect_line '^5 as expected, 0 not'
    expect_status 0
    expect_nothing_left
}

@test "attack: a token that opens twice is found" {
    mutant token_twice
    attack tokens_old
    expect_line 'opened.*FAILED'
    expect_status 1
}

@test "attack: a server that waits for the rest of a line is found" {
    mutant slow_client_blocks
    attack crowds_slow
    expect_line 'FAILED$'
    expect_line 'a server was lost: |the honest client: '
    expect_status 1
}

@test "attack: a leak of descriptors is found" {
    mutant descriptor_leak
    attack tokens_wrong
    expect_line 'descriptors: '
    expect_status 1
}

@test "attack: interrupted in the middle, it leaves nothing" {
    export LAB=$LAB_DIR
    named attack
    supervise_with -t 60000
    beside
    start "$ATTACK" crowds_slow
    eventually 10000 eval 'all_below | grep -q watchdog' || fail "the system under attack" "it did not start"
    let_pass 1500
    send_group INT
    await_end
    expect_nothing_left
}
