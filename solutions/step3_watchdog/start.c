/* start: how a secondary comes to be, by whoever is its parent: the principal (policy
 * `delegated`) or the watchdog (`direct`).
 *
 * What the child inherits and must not keep: the parent's descriptors (while it held the
 * end of a pipe or a connection, nobody would see end of file), and the parent's handlers
 * and signal mask (a blocked SIGUSR1 would stay blocked). Signals are held back until it
 * has its own handlers: by default SIGUSR1 kills, and the group is probed at any moment.
 */
#include "start.h"

#include "fifo.h"
#include "journal.h"
#include "secondary.h"
#include "signals.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static _Noreturn void become_secondary(struct lab *lab, int number, pid_t group,
                                       struct channel *channel, void (*shed)(void))
{
    int status;

    journal_set_role(lab->table->slot[number].role, 0);
    if (group != 0 && setpgid(0, group) == -1)
        die("join the principal's process group");
    shed();
    status = secondary_run(lab, number, channel);
    channel_close(channel);
    lab_leave(lab);
    exit(status);
}

pid_t start_secondary(struct lab *lab, int number, pid_t group, void (*shed)(void))
{
    struct channel channel;
    sigset_t before;

    // TODO 3.2: make a new pair of pipes and open the secondary's side of it; if that fails, so do
    // you. Only then hold signals back, fork, and in the parent let them go again (signals_hold(),
    // signals_let_go(); die() if they fail): the child is to let them go later, by itself. The child
    // becomes the secondary. The parent closes the secondary's ends of the pipes, also if there is
    // no child, and returns the pid, or -1 with fork's errno.
    // SOLUTION
    int fork_errno;
    pid_t pid;

    if (fifo_make_pair(lab->rundir.fd, number) == -1
        || fifo_open_secondary_side(&channel, lab->rundir.fd, number) == -1)
        return -1;
    if (signals_hold(&before) == -1)
        die("hold signals back");
    pid = fork();
    if (pid == 0)
        become_secondary(lab, number, group, &channel, shed);
    fork_errno = errno;
    channel_close(&channel);
    if (signals_let_go(&before) == -1)
        die("let signals go");
    errno = fork_errno;
    return pid;
    // STUB: todo("3.2", lab, number, group, &channel, &before, become_secondary, shed);
    // END
}
