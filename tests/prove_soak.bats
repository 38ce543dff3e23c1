# prove_soak.bats - make soak, on the final system and on broken ones.
#
#     LAB_DIR=solutions/step4_client bats tests/prove_soak.bats
#
# In its short mode: that it works, and that it fails when the system is broken. The words are
# explained in helpers.bash.

# shellcheck disable=SC2030,SC2031  # a variable set in a test is meant for that test

load helpers

setup_file() { make -s -C "$BATS_TEST_DIRNAME/../solutions/prove/soak"; }

# break_lab FILE SED-SCRIPT: a copy of the lab with one mistake, $BROKEN.
break_lab() {
    BROKEN=$BATS_TEST_TMPDIR/broken
    mkdir "$BROKEN"
    cp "$LAB_DIR"/*.[ch] "$LAB_DIR"/*.mk "$LAB_DIR"/Makefile "$BROKEN"
    sed -i "$2" "$BROKEN/$1"
    ! cmp -s "$LAB_DIR/$1" "$BROKEN/$1" || fail "a mistake in $1" "it is as it was: $2"
    make -s -C "$BROKEN" CFLAGS=-O0
}

# soak SECONDS DIRECTORY [OPTIONS...]: a short soak test; 663 is a seed that begins with servers that are stopped and let go.
soak() {
    supervise_with -t 60000
    start "$TESTS_DIR/../solutions/prove/soak/soak" -s "$1" -S 663 "${@:3}" "$2"
    await_end 60000
}

expect_missed() {
    expect_status 1
    expect_line "^(.*: )?$1.* MISSED\$"
    expect_nothing_left
}

@test "soak: the final system loses nothing under faults" {
    soak 3 "$LAB_DIR"
    expect_status 0
    expect_line '^All targets are met'
    expect_equal "standard error" "" "$(errors)"
    expect_nothing_left
}

@test "soak: a seed repeats the faults" {
    soak 1 "$LAB_DIR" -j "$BATS_TEST_TMPDIR/one"
    soak 1 "$LAB_DIR" -j "$BATS_TEST_TMPDIR/two"
    expect_equal "the first fault" "$(grep -m 1 '^soak: ' "$BATS_TEST_TMPDIR/one")" \
        "$(grep -m 1 '^soak: ' "$BATS_TEST_TMPDIR/two")"
}

@test "soak: a watchdog that does not wait long enough is caught in false kills" {
    break_lab watch.c 's/deadline_ms <= clock_ms()/deadline_ms - 450 <= clock_ms()/'
    soak 3 "$BROKEN"
    expect_missed 'false kills'
}

@test "soak: a server that does not close a connection is caught in its descriptors" {
    break_lab conn.c '/errtraitement %s/,/^}/s/conn_finish(conn)/conn->state = CONN_FREE/'
    soak 1 "$BROKEN"
    expect_missed 'more descriptors'
}

@test "soak: servers that outlive a watchdog that was killed are caught" {
    break_lab server.c 's/if (wanted\[POLL_LIFELINE\].revents != 0)/if (false)/'
    soak 1 "$BROKEN"
    expect_status 1
    expect_stderr 'a process of the last start is still alive'
    expect_nothing_left
}

@test "soak: interrupted, it leaves nothing" {
    start "$TESTS_DIR/../solutions/prove/soak/soak" "$LAB_DIR"
    await 'SEED='
    send INT "$PROGRAM_PID"
    await_end
    expect_status 130
    expect_nothing_left
}
