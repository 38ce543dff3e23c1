# prove_fuzz.bats - make fuzz and make lint find nothing in the solutions, and what is planted in them.
#
#     bats tests/prove_fuzz.bats
#
# Each test that breaks something works in a copy of its own.

setup() {
    cd "$BATS_TEST_DIRNAME/.." || return 1
}

fail() {
    printf 'EXPECTED  %s\nSEEN      %s\n' "$1" "$2" >&2
    return 1
}
says() { grep -qE -- "$1" <<<"$output" || fail "a line like: $1" "$output"; }
ends() { [[ $status == "$1" ]] || fail "exit status $1" "$status: $output"; }

copy_solutions() {
    git ls-files -z --cached --others --exclude-standard solutions | xargs -0 tar -cf - | tar -C "$BATS_TEST_TMPDIR" -xf -
    cd "$BATS_TEST_TMPDIR" || return 1
}

# plant FILE OLD NEW: one mistake in step 4 of the copy.
plant() {
    local text
    text=$(<"solutions/step4_client/$1")
    [[ $text == *"$2"* ]] || fail "'$2' in $1" "it is not there any more: plant another mistake"
    printf '%s\n' "${text/"$2"/"$3"}" >"solutions/step4_client/$1"
}

needs_libfuzzer() {
    echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
        clang -fsanitize=fuzzer -x c -o "$BATS_TEST_TMPDIR/try" - 2>/dev/null || skip "clang with libFuzzer is not installed"
}

# ---- fuzz

@test "fuzzing finds nothing in the line reader and the parsers" {
    needs_libfuzzer
    copy_solutions
    SEED=1 run solutions/prove/fuzz/run 7
    ends 0
    [[ $(grep -c ' none$' <<<"$output") == 7 ]] || fail "7 targets without a finding" "$output"
}

@test "fuzzing finds a bound that is off by one" {
    needs_libfuzzer
    copy_solutions
    plant line.c 'if (length > LINE_LONGEST || memchr' 'if (length > LINE_LONGEST + 1 || memchr'
    run solutions/prove/fuzz/run 2 lines
    ends 1
    says '^lines .* AddressSanitizer: stack-buffer-overflow'
}

@test "fuzzing finds a token that opens a second connection, and a port that is none" {
    needs_libfuzzer
    copy_solutions
    plant secondary.c '            expected[i].number = 0;' '            ;'
    plant client.c 'number > 65535' 'number > 65536'
    run solutions/prove/fuzz/run 4 visits answers
    ends 1
    says '^visits .* CLAIM is false'
    says '^answers .* CLAIM is false'
}

@test "fuzzing without libFuzzer says what to install" {
    CLANG=false run solutions/prove/fuzz/run 1
    ends 1
    says 'apt-get install'
}

# ---- lint

# lint CODE: runs tests/lint on a file with this code.
lint() {
    local tool
    for tool in gcc cppcheck clang-tidy shellcheck; do
        command -v $tool >/dev/null || skip "$tool is not installed"
    done
    printf '%b' "$1" >"$BATS_TEST_TMPDIR/file.c"
    run tests/lint "$BATS_TEST_TMPDIR/file.c"
}

@test "lint has nothing to say of a file that is right" {
    lint 'int twice(int number);\n\nint twice(int number)\n{\n    return 2 * number;\n}\n'
    ends 0
    says 'nothing to say about 1 C files'
}

@test "lint: gcc, cppcheck and clang-tidy each speak" {
    lint '#include <stdlib.h>\n#include <unistd.h>\nint *leak(void);\nvoid shut(int fd);
int *leak(void)\n{\n    int *a = malloc(8);\n    int *b = malloc(8);\n    if (a == NULL)\n        return NULL;\n    a[0] = 1;\n    return b;\n}
void shut(int fd)\n{\n    int none[2];\n    none[2] = fd;\n    if (fd);\n        close(none[2]);\n}\n'
    ends 1
    says 'Wanalyzer'
    says '\[arrayIndexOutOfBounds\]'
    says '\[bugprone-|\[clang-analyzer-'
}
