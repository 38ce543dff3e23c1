/* See servers.h. */
#include "servers.h"

#include "child.h"
#include "clock.h"
#include "journal.h"
#include "principal.h"
#include "signals.h"
#include "start.h"
#include "waiting.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long processes that were sent SIGKILL may take to be gone. */
enum { BURIAL_MS = 5000 };

static struct lab *lab;
static const sigset_t *signals;
static struct child children[1 + MAX_SECONDARIES]; /* secondaries: under `direct` only */

static pid_t principal_pid(void)
{
    return children[PRINCIPAL].pid;
}

void servers_init(struct lab *the_lab, const sigset_t *the_signals)
{
    lab = the_lab;
    signals = the_signals;
    for (int number = 0; number <= lab->secondaries; number++)
        child_init(&children[number], &lab->table->slot[number]);
}

/* Starting */

static void shed_nothing(void)
{
}

static _Noreturn void become_principal(void)
{
    journal_set_role(lab->table->slot[PRINCIPAL].role, 0);
    if (setpgid(0, 0) == -1)
        die("lead a process group");
    exit(principal_run(lab));
}

static void fork_principal(void)
{
    struct child *child = &children[PRINCIPAL];

    // TODO 3.1: fork. The child becomes the principal, which puts itself into a process group of its
    // own; the parent puts it there too, for nobody knows which of the two runs first, and the group
    // must be there before it is signalled. Tell child_started(). Where there can be no child: warn(),
    // and child_postpone(), so that it is tried again later.
    // SOLUTION
    pid_t pid = fork();

    if (pid == 0)
        become_principal();
    if (pid == -1) {
        warn("fork the principal");
        child_postpone(child);
        return;
    }
    (void)setpgid(pid, pid);
    child_started(child, pid);
    // STUB: todo("3.1", child, become_principal);
    // END
}

static void start_principal(void)
{
    sigset_t before;

    lifeline_close(&lab->lifeline);
    if (lifeline_open(&lab->lifeline) == -1)
        die("make the lifeline");
    if (signals_hold(&before) == -1)
        die("hold signals back");
    fork_principal();
    if (signals_let_go(&before) == -1)
        die("let signals go");
}

static void start_child_secondary(int number)
{
    pid_t pid = start_secondary(lab, number, principal_pid(), shed_nothing);

    if (pid == -1) {
        warn("start secondary%d", number);
        child_postpone(&children[number]);
        return;
    }
    (void)setpgid(pid, principal_pid());
    child_started(&children[number], pid);
    /* Look: there is a secondary to connect to. */
    (void)kill(principal_pid(), SIGUSR1);
}

void servers_start_due(void)
{
    if (child_is_due(&children[PRINCIPAL], clock_ms()))
        start_principal();
    /* The secondaries join the principal's group: no principal, no secondaries. */
    if (lab->policy == DELEGATED || principal_pid() == 0)
        return;
    for (int number = 1; number <= lab->secondaries; number++)
        if (child_is_due(&children[number], clock_ms()))
            start_child_secondary(number);
}

int64_t servers_wake_ms(int64_t until_ms)
{
    until_ms = child_wake_ms(&children[PRINCIPAL], until_ms);
    if (lab->policy == DIRECT && principal_pid() != 0)
        for (int number = 1; number <= lab->secondaries; number++)
            until_ms = child_wake_ms(&children[number], until_ms);
    return until_ms;
}

/* Dying */

/* Reaps a child that has died or was sent SIGKILL. Returns its wait status. No die() here:
 * the clean-up at exit(3) comes by, and must not call exit(3) again. */
static int await_death(const struct child *child)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) == -1)
        if (errno != EINTR) {
            warn("wait for %s[%ld]", child->slot->role, (long)child->pid);
            break;
        }
    return status;
}

/* Under `direct` we reap the secondaries; under `delegated` the principal did, or, when it
 * has died, the system does, and the table is ours to put right. */
static void bury_secondary_of_dead_principal(int number)
{
    struct child *child = &children[number];

    if (child->pid != 0)
        child_taken_along(child, await_death(child));
    else if (atomic_load(&child->slot->pid) != 0)
        slot_died(child->slot, 0);
}

/* The principal has ended, or hangs and is to end, and takes all its secondaries with it:
 * returns when none of them is left. Its group is signalled before it is reaped. */
static void bury_principal(void)
{
    struct child *child = &children[PRINCIPAL];

    for (int number = 1; number <= lab->secondaries; number++) {
        struct slot *slot = &lab->table->slot[number];

        atomic_store(&slot->condemned, atomic_load(&slot->pid));
    }
    // TODO 3.8: kill the principal's whole group: which number has it, and until when is it certain
    // that no stranger has it? Then wait for the principal (await_death()), and tell child_died() how
    // it ended. Then wait until the last of its secondaries has gone: lifeline_await_last() wants to
    // know until which moment, which is BURIAL_MS from now (clock_ms()). If they have not gone by
    // then, warnx().
    // SOLUTION
    (void)kill(-principal_pid(), SIGKILL);
    child_died(child, await_death(child));
    if (!lifeline_await_last(&lab->lifeline, clock_ms() + BURIAL_MS))
        warnx("bury the principal's secondaries: not gone %d ms after SIGKILL", BURIAL_MS);
    // STUB: todo("3.8", child, await_death);
    // END
    for (int number = 1; number <= lab->secondaries; number++)
        bury_secondary_of_dead_principal(number);
}

static bool principal_has_ended(void)
{
    siginfo_t info = { .si_pid = 0 };

    return principal_pid() != 0
        && waitid(P_PID, (id_t)principal_pid(), &info, WEXITED | WNOHANG | WNOWAIT) == 0
        && info.si_pid == principal_pid();
}

/* One SIGCHLD may stand for several deaths, so every child is asked. By its own pid, and
 * not as waitpid(-1): that could reap the principal before its group is signalled. */
void servers_reap(void)
{
    if (principal_has_ended())
        bury_principal();
    // TODO 3.7: under `direct` the secondaries are our children too. Ask each of them that there is
    // whether it has ended, without waiting, and tell child_died() of those that have, and how.
    // SOLUTION
    for (int number = 1; number <= lab->secondaries; number++) {
        struct child *child = &children[number];
        int status;

        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child_died(child, status);
    }
    // STUB: todo("3.7", lab, children);
    // END
}

/* Probing and killing */

void servers_probe(void)
{
    if (principal_pid() != 0)
        (void)kill(-principal_pid(), SIGUSR1);
}

void servers_kill(int number)
{
    pid_t pid = principal_pid();

    /* kill(0) would be for the watchdog's own group. */
    if (pid == 0 || (lab->policy == DIRECT && children[number].pid == 0))
        return;
    // TODO 3.5: the principal is killed together with its group. A secondary is killed by its parent:
    // under `direct` that is us; under `delegated` it is the principal, which will find in the table
    // whom we condemned as soon as SIGUSR1 tells it to look.
    // SOLUTION
    if (number == PRINCIPAL)
        (void)kill(-pid, SIGKILL);
    else if (lab->policy == DIRECT)
        (void)kill(children[number].pid, SIGKILL);
    else
        (void)kill(pid, SIGUSR1);
    // STUB: todo("3.5", number, pid, lab, children);
    // END
}

/* Stopping */

static bool secondaries_have_ended(void)
{
    for (int number = 1; number <= lab->secondaries; number++)
        if (children[number].pid != 0)
            return false;
    return true;
}

static void signal_secondaries(int signal_number)
{
    for (int number = 1; number <= lab->secondaries; number++)
        if (children[number].pid != 0)
            (void)kill(children[number].pid, signal_number);
}

static void reap_stopped_secondaries(void)
{
    int status;

    for (int number = 1; number <= lab->secondaries; number++) {
        struct child *child = &children[number];

        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child_taken_along(child, status);
    }
}

/* Waits until `has_ended` or `deadline_ms`; reaps secondaries of ours meanwhile. */
static bool await_end(bool (*has_ended)(void), int64_t deadline_ms)
{
    for (;;) {
        int signal_number;

        reap_stopped_secondaries();
        if (has_ended())
            return true;
        signal_number = wait_for_signal(signals, deadline_ms);
        if (signal_number == -1)
            die("wait for a signal");
        if (signal_number == 0)
            return false;
    }
}

/* Secondaries before principal. A server that hangs is killed: the secondaries after half of the
 * timeout, the principal (which under `delegated` stops its own) after the whole of it. */
void servers_stop(void)
{
    int64_t deadline_ms = clock_ms() + lab->timeout_ms;

    // TODO 3.9: first the secondaries that are ours (there are some under `direct` only): SIGTERM to
    // each, and SIGCONT, without which a stopped process would not hear it. They have half of the
    // timeout (await_end(), secondaries_have_ended()); those that hang are killed, and awaited too.
    // Then the principal's group in the same way, if there is a principal: it has until deadline_ms
    // (principal_has_ended()). bury_principal(), below, ends what is left.
    // SOLUTION
    signal_secondaries(SIGTERM);
    signal_secondaries(SIGCONT);
    if (!await_end(secondaries_have_ended, deadline_ms - lab->timeout_ms / 2)) {
        signal_secondaries(SIGKILL);
        (void)await_end(secondaries_have_ended, clock_ms() + BURIAL_MS);
    }
    if (principal_pid() != 0) {
        (void)kill(-principal_pid(), SIGTERM);
        (void)kill(-principal_pid(), SIGCONT);
        (void)await_end(principal_has_ended, deadline_ms);
    }
    // STUB: todo("3.9", deadline_ms, signal_secondaries, await_end, secondaries_have_ended,
    // STUB:      principal_has_ended);
    // END
    if (principal_pid() != 0)
        bury_principal();
}

void servers_bury(void)
{
    if (principal_pid() != 0)
        bury_principal();
}
