#!/usr/bin/env bash
# attack: what an unfriendly person on the same machine can try against the final system.   make attack [ONLY='tokens rundir']
#
#     attack.sh [WORD...]      all scenes; or only those whose names begin with a WORD (they are listed at the end)
#
# Each scene starts the system anew, measures an honest client alone and then beside the attack, and prints one line:
# what was tried, what is expected, what was seen. Exit status 0 only if in every scene
#
#     - what was seen is what was expected,
#     - the honest client was answered each time, in no more than twice its usual time (median of 20 requests or more,
#       each by a client process of its own, with a connection of its own to either server),
#     - no server was killed that was not to be killed, none has kept a descriptor,
#     - the system ended in order, and left nothing.
#
# The attackers are scripts for ../../tests/peer, connections of the shell itself (/dev/tcp), and kill(1). Linux: it looks
# into /proc. What only root can prepare (another user, a full disk) is skipped for others, and said so. All is in one
# temporary directory and on a loopback address made from our pid. LAB: the directory of the watchdog and the client.
#
# Who has the same user as the servers can also kill them or write into their pipes; no program is safe from its owner.
# What is tried here in the owner's name is what may come by mistake, or by a script that means another process.

# shellcheck disable=SC2034,SC2154  # variables of the parts

here=$(cd "$(dirname "$0")" && pwd) || exit 1
lab=$(cd "${LAB:-$here/../step4_client}" && pwd) || exit 1
peer=$(cd "$here/../../tests" && pwd)/peer || exit 1

for part in system scene tokens crowds rundir journal signals limits; do
    # shellcheck source=/dev/null
    . "$here/attack/$part.bash" || exit 1
done

SCENES=(
    tokens_wrong tokens_old tokens_of_the_dead tokens_guessed tokens_stolen tokens_elsewhere tokens_hoarded
    crowds_silent crowds_slow crowds_endless crowds_cut crowds_deaf
    rundir_link rundir_foreign rundir_open rundir_pipes rundir_files rundir_lock rundir_alive rundir_segment rundir_foreign_segment
    journal_requests journal_pipe
    signals_to_watchdog signals_to_servers signals_for_the_frozen signals_of_others
    limits_descriptors limits_fork limits_disk_pipes limits_disk_start limits_segment
)

is_wanted() {
    local word
    (($# > 1)) || return 0
    for word in "${@:2}"; do
        [[ $1 != "$word"* ]] || return 0
    done
    return 1
}

main() {
    local scene
    set_up
    print_head
    for scene in "${SCENES[@]}"; do
        ! is_wanted "$scene" "$@" || play "$scene"
    done
    print_sum
    ((failed == 0 && held > 0))
}

main "$@"
