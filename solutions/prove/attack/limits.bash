# shellcheck shell=bash disable=SC2034,SC2154  # variables of the other parts
# limits.bash - no descriptor, no process, no room on the disk is left. See ../attack.sh, scene.bash.

limits_descriptors() {
    tried 'ulimit -n 32, 100 silent connections a port'
    expected 'served beside them'
    wrapper=(prlimit --nofile=32)
    under_attack hold_crowd 100
}

# One process too many for their user: the principal may not fork, until that one has gone.
limits_fork() {
    local user=$((200000 + $$ % 100000))
    tried 'ulimit -u reached when one has died'
    expected 'told, healed later'
    needs_root || return
    replaces=yes
    lend_program
    wrapper=(setpriv --reuid "$user" --clear-groups)
    mkdir -p "$dir/home" && chown "$user" "$dir/home"
    run=$dir/home/run lab=$dir/bin under_attack refuse_fork "$user"
}

refuse_fork() {
    local hog
    setpriv --reuid "$1" --clear-groups sleep 30 &
    hog=$!
    setpriv --reuid "$1" --clear-groups prlimit --pid "$(pid_of principal)" --nproc=4
    kill_first_secondary
    kill $hog
    tell_healed
}

# $dead is its pid.
kill_first_secondary() {
    dead=$(pid_of secondary1)
    ready
    kill -KILL "$dead"
    eventually 3000 was_refused_twice || echo 'no message'
    ! told "[^ ]+ restarted secondary1.* was $dead" || echo 'it was not refused'
}

was_refused_twice() { (($(grep -c 'start secondary1: ' "$dir/errors") >= 2)); }

tell_healed() {
    if eventually 3000 told "[^ ]+ restarted secondary1.* was $dead"; then
        echo 'told, healed later'
    fi
}

# A small file system of its own, seen by the system alone, for the run directory: it is gone with the last process.
limits_disk_pipes() {
    tried 'no room for new pipes of a replacement'
    expected 'told, healed later'
    needs_root || return
    replaces=yes
    # shellcheck disable=SC2016
    wrapper=(unshare -m sh -c 'mkdir -p "$0" && mount -t tmpfs -o mode=700,nr_inodes=12 small "$0" && exec "$@"' "$run")
    under_attack fill_run_directory
}

# While we hold the old pipes, removing their names makes no room.
fill_run_directory() {
    local there=/proc/$watchdog/root$run
    exec 8<>"$there/dwtube1" 9<>"$there/wdtube1"
    fill_with_files "$there" 2>/dev/null
    kill_first_secondary
    exec 8>&- 9>&-
    tell_healed
}
fill_with_files() { for ((i = 0; i < 100; i++)); do : >"$1/full.$i" || return 0; done; }

limits_disk_start() {
    tried 'no room in the run directory at the start'
    expected refused
    needs_root || return
    under_attack try_full_directory
}
try_full_directory() {
    prepared=$dir/prepared precious=$dir/precious
    echo precious >"$precious"
    mkdir -m 700 "$prepared"
    # shellcheck disable=SC2016
    until_enough start_there unshare -m sh -c 'mount -t tmpfs -o mode=700,nr_inodes=2 small "$0" && exec "$@"' "$prepared"
}

limits_segment() {
    tried 'no room for the segment (ulimit -f)'
    expected refused
    under_attack try_small_files
}
try_small_files() {
    prepared=$dir/prepared precious=$dir/precious
    echo precious >"$precious"
    until_enough start_there prlimit --fsize=1024
}
