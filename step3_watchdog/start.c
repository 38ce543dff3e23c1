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
#include "todo.h"

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
    todo("3.2", lab, number, group, &channel, &before, become_secondary, shed);
}
