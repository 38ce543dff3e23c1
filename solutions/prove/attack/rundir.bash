# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# rundir.bash - a run directory that somebody has prepared: a second system is started in it, beside the first.
# See ../attack.sh, scene.bash.
#
# `prepare COMMAND...` makes $prepared; $precious is a file of its owner's that is not to be touched. Then the system is
# started there, again and again: it refuses with a message, or serves.

# start_there [WRAPPER...]: prints what came of it.
# shellcheck disable=SC2119,SC2120  # the wrapper is optional
start_there() {
    local second status
    "$@" "$lab/watchdog" -n 1 -w 1 -a "$address" -P "$other_port" -d "$prepared" >"$dir/second" 2>"$dir/said" &
    second=$!
    eventually 5000 has_begun_or_ended || { echo 'neither served nor ended'; return; }
    if is_running "$second"; then
        if [[ $("$lab/client" -H "$address" -p "$other_port" 'requetetype1 hello' 2>&1) == HELLO ]]; then echo served; else echo 'not served'; fi
        kill -TERM $second
    elif grep -q '^watchdog: .*:' "$dir/said"; then
        echo refused
        note "$(sed -n '1s/.*: \([^;,(]*\).*/\1/p' "$dir/said")"
    fi
    wait $second
    status=$?
    [[ $status == 0 || $status == 1 ]] || echo "ended with status $status"
    none_of_directory "$prepared" || echo 'left a process'
    [[ $(<"$precious") == precious ]] || echo 'wrote into a file of ours'
}
has_begun_or_ended() { is_over "$second" || (($(grep -cE ' start$' "$dir/second") >= 3)); }

# try_prepared COMMAND...: prepares it anew each time.
try_prepared() {
    prepared=$dir/prepared precious=$dir/precious
    until_enough prepare_and_start "$@"
}

prepare_and_start() {
    rm -rf "$prepared" "$dir/target"
    echo precious >"$precious"
    "$@"
    # shellcheck disable=SC2119
    start_there | sort -u
}

rundir_link() {
    tried 'run directory: a link to another'
    expected refused
    under_attack try_prepared make_link
}
make_link() { mkdir -m 700 "$dir/target" && ln -s target "$prepared"; }

rundir_foreign() {
    tried "run directory: somebody else's"
    expected refused
    needs_root || return
    under_attack try_prepared make_foreign
}
make_foreign() { mkdir -m 700 "$prepared" && chown 65534 "$prepared"; }

rundir_open() {
    tried 'run directory: others may write in it'
    expected refused
    under_attack try_prepared make_open
}
make_open() { mkdir -m 777 "$prepared" && chmod 777 "$prepared"; }

# Somebody holds both ends of them, and has written an order into one.
rundir_pipes() {
    tried 'pipes of the names, held open, lines in them'
    expected served
    under_attack try_prepared make_pipes
}
make_pipes() {
    mkdir -m 700 "$prepared" && mkfifo -m 600 "$prepared"/{dwtube1,wdtube1}
    exec 8<>"$prepared/dwtube1" 9<>"$prepared/wdtube1"
    echo 'requetetype1 1 0123456789abcdef' >&8
    echo 'fintraitement 1' >&9
}

rundir_files() {
    tried "links of the pipes' names to a file of ours"
    expected served
    under_attack try_prepared make_links
}
make_links() { mkdir -m 700 "$prepared" && ln -s "$precious" "$prepared/dwtube1" && ln "$precious" "$prepared/wdtube1"; }

rundir_lock() {
    tried 'a link to a file of ours: lock'
    expected refused
    under_attack try_prepared make_lock_link
}
make_lock_link() { mkdir -m 700 "$prepared" && ln -s "$precious" "$prepared/lock"; }

rundir_alive() {
    tried 'a file, a link, a directory: alive'
    expected refused
    under_attack try_prepared make_alive
}
make_alive() {
    mkdir -m 700 "$prepared"
    case $((tries++ % 3)) in
    0) cp "$precious" "$prepared/alive" ;;
    1) ln -s "$precious" "$prepared/alive" ;;
    2) mkdir "$prepared/alive" ;;
    esac
}
tries=0

rundir_segment() {
    tried 'a segment of the name; a link of the name'
    expected served
    under_attack try_prepared make_segment
}
make_segment() {
    mkdir -m 700 "$prepared"
    if ((tries++ % 2)); then
        ln -sf "$precious" "$(segment_of "$prepared")"
    else
        rm -f "$(segment_of "$prepared")"
        head -c 100000 /dev/urandom >"$(segment_of "$prepared")"
    fi
}

# As a user to whom it does not belong.
rundir_foreign_segment() {
    tried "somebody else's segment of the name"
    expected refused
    needs_root || return
    under_attack try_foreign_segment
}
try_foreign_segment() {
    local user=$((200000 + $$ % 100000))
    prepared=$dir/prepared precious=$dir/precious
    echo precious >"$precious"
    mkdir -m 700 "$prepared" && chown $user "$prepared"
    echo theirs >"$(segment_of "$prepared")"
    lend_program
    lab=$dir/bin until_enough start_there setpriv --reuid $user --clear-groups
    rm -f "$(segment_of "$prepared")"
}

# Another user may not be let into the directory where the program is.
lend_program() { mkdir -p "$dir/bin" && cp "$lab/watchdog" "$lab/client" "$dir/bin"; }
