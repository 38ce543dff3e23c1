/* watchdog: starts the principal, asks every server whether it is alive, heals.
 *
 * The first process of the lab, parent of the principal, and under `direct` of the
 * secondaries too. It waits for signals only, so they stay blocked and sigtimedwait(2)
 * takes them one at a time (waiting.h):
 *
 *     SIGCHLD            a child of ours has died: replace it at once
 *     SIGUSR2            a server has answered a probe, or changed the table: look
 *     nothing, in time   send the next probe, or find a server that has not answered
 *     SIGTERM, SIGINT, SIGHUP    an orderly stop
 *
 * All servers are in one process group, led by the principal. The principal is our child,
 * so until we reap it the number of the group cannot become anybody else's: to signal the
 * group is safe, where the pid of a grandchild could be a stranger's by now. A frozen
 * secondary under `delegated` is therefore killed by its parent, on our order.
 */
#include "child.h"
#include "clock.h"
#include "journal.h"
#include "lab.h"
#include "principal.h"
#include "signals.h"
#include "start.h"
#include "waiting.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long processes that were sent SIGKILL may take to be gone. */
enum { BURIAL_MS = 5000 };

static struct lab lab;
static sigset_t signals;
static struct watch watches[1 + MAX_SECONDARIES];
static struct child children[1 + MAX_SECONDARIES]; /* secondaries: under `direct` only */
static int64_t next_probe_ms;

static pid_t principal_pid(void)
{
    return children[PRINCIPAL].pid;
}

/* Starting */

static void shed_nothing(void)
{
}

static void start_principal(void)
{
    sigset_t before;
    pid_t pid;

    lifeline_close(&lab.lifeline);
    if (lifeline_open(&lab.lifeline) == -1)
        die("make the lifeline");
    if (signals_hold(&before) == -1)
        die("hold signals back");
    pid = fork();
    if (pid == 0) {
        if (setpgid(0, 0) == -1)
            die("lead a process group");
        exit(principal_run(&lab));
    }
    if (signals_let_go(&before) == -1)
        die("let signals go");
    if (pid == -1) {
        warn("fork the principal");
        child_postpone(&children[PRINCIPAL]);
        return;
    }
    /* Here too: the group must be there before we first signal it. */
    (void)setpgid(pid, pid);
    child_started(&children[PRINCIPAL], pid);
}

static void start_own_secondary(int number)
{
    pid_t pid = start_secondary(&lab, number, principal_pid(), shed_nothing);

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

static void start_due_servers(void)
{
    if (child_is_due(&children[PRINCIPAL], clock_ms()))
        start_principal();
    /* The secondaries join the principal's group: no principal, no secondaries. */
    if (lab.policy == DELEGATED || principal_pid() == 0)
        return;
    for (int number = 1; number <= lab.secondaries; number++)
        if (child_is_due(&children[number], clock_ms()))
            start_own_secondary(number);
}

/* Ending */

/* Under `direct` we reap the secondaries; under `delegated` the principal did, or, when it
 * has died, the system does, and the table is ours to put right. */
static void bury_secondary_of_dead_principal(int number)
{
    struct child *child = &children[number];
    int status;

    if (child->pid != 0) {
        while (waitpid(child->pid, &status, 0) == -1 && errno == EINTR)
            continue;
        child_taken_along(child, status);
    } else if (atomic_load(&child->slot->pid) != 0)
        slot_died(child->slot, 0);
}

/* The principal has ended, or hangs and is to end, and takes all its secondaries with it:
 * returns when none of them is left. Its group is signalled before it is reaped. */
static void bury_principal(void)
{
    pid_t pid = principal_pid();
    int status;

    for (int number = 1; number <= lab.secondaries; number++) {
        struct slot *slot = &lab.table->slot[number];

        atomic_store(&slot->condemned, atomic_load(&slot->pid));
    }
    (void)kill(-pid, SIGKILL);
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            die("wait for principal[%ld]", (long)pid);
    child_died(&children[PRINCIPAL], status);
    if (!lifeline_await_last(&lab.lifeline, clock_ms() + BURIAL_MS))
        warnx("bury the principal's secondaries: not gone %d ms after SIGKILL", BURIAL_MS);
    for (int number = 1; number <= lab.secondaries; number++)
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
static void reap_children(void)
{
    int status;

    if (principal_has_ended())
        bury_principal();
    for (int number = 1; number <= lab.secondaries; number++) {
        struct child *child = &children[number];

        if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
            child_died(child, status);
    }
}

/* Watching */

static void look_at_table(void)
{
    for (int number = 0; number <= lab.secondaries; number++)
        watch_look(&watches[number], lab.timeout_ms);
}

static void tell_status(void)
{
    char line[2048];
    size_t length = 0;

    for (int number = 0; number <= lab.secondaries; number++) {
        const struct watch *watch = &watches[number];
        char pid[16] = "-";

        if (watch->pid != 0)
            (void)snprintf(pid, sizeof pid, "%d", watch->pid);
        length += (size_t)snprintf(line + length, sizeof line - length, " %s[%s]",
                                   watch->slot->role, pid);
    }
    journal_often("status watchdog[%ld]%s", (long)getpid(), line);
}

/* First the table says which probe it is, then one signal to the group says "look". */
static void probe_if_due(void)
{
    if (clock_ms() < next_probe_ms)
        return;
    next_probe_ms = clock_ms() + lab.period_ms;
    tell_status();
    for (int number = 0; number <= lab.secondaries; number++)
        watch_probe(&watches[number], lab.timeout_ms);
    if (principal_pid() != 0)
        (void)kill(-principal_pid(), SIGUSR1);
}

/* Kills a server that has not answered; its parent will be told by SIGCHLD. */
static void condemn(struct watch *watch, int number)
{
    journal("frozen %s[%d]", watch->slot->role, watch->pid);
    atomic_store(&watch->slot->condemned, watch->pid);
    if (number == PRINCIPAL)
        (void)kill(-principal_pid(), SIGKILL);
    else if (lab.policy == DIRECT)
        (void)kill(children[number].pid, SIGKILL);
    else
        (void)kill(principal_pid(), SIGUSR1);
}

static void condemn_overdue(void)
{
    for (int number = 0; number <= lab.secondaries; number++)
        if (watch_is_overdue(&watches[number])) {
            condemn(&watches[number], number);
            if (number == PRINCIPAL)
                return; /* the secondaries go with it */
        }
}

static int64_t wake_ms(void)
{
    int64_t wake = next_probe_ms;

    for (int number = 0; number <= lab.secondaries; number++) {
        wake = watch_wake_ms(&watches[number], wake);
        if (number == PRINCIPAL || (lab.policy == DIRECT && principal_pid() != 0))
            wake = child_wake_ms(&children[number], wake);
    }
    return wake;
}

/* Returns when a person wants the lab to stop. */
static void keep_alive(void)
{
    for (;;) {
        int signal_number;

        start_due_servers();
        look_at_table();
        signal_number = wait_for_signal(&signals, wake_ms());
        if (signal_number == -1)
            die("wait for a signal");
        if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGHUP)
            return;
        if (signal_number == SIGCHLD)
            reap_children();
        look_at_table();
        probe_if_due();
        condemn_overdue();
    }
}

/* Stopping */

static bool secondaries_have_ended(void)
{
    for (int number = 1; number <= lab.secondaries; number++)
        if (children[number].pid != 0)
            return false;
    return true;
}

static void signal_secondaries(int signal_number)
{
    for (int number = 1; number <= lab.secondaries; number++)
        if (children[number].pid != 0)
            (void)kill(children[number].pid, signal_number);
}

/* Waits until `has_ended` or `deadline_ms`; reaps secondaries of ours meanwhile. */
static bool await_end(bool (*has_ended)(void), int64_t deadline_ms)
{
    while (!has_ended()) {
        int signal_number = wait_for_signal(&signals, deadline_ms);

        if (signal_number == -1)
            die("wait for a signal");
        if (signal_number == 0)
            return false;
        for (int number = 1; number <= lab.secondaries; number++)
            if (children[number].pid != 0
                && waitpid(children[number].pid, NULL, WNOHANG) == children[number].pid)
                children[number].pid = 0;
    }
    return true;
}

/* Secondaries before principal. Who hangs is killed: the secondaries after half of the
 * timeout, the principal (which under `delegated` stops its own) after the whole of it.
 * SIGCONT, because a stopped process acts on SIGTERM only when it goes on. */
static void stop_servers(void)
{
    int64_t deadline_ms = clock_ms() + lab.timeout_ms;

    signal_secondaries(SIGTERM);
    signal_secondaries(SIGCONT);
    if (!await_end(secondaries_have_ended, deadline_ms - lab.timeout_ms / 2)) {
        signal_secondaries(SIGKILL);
        (void)await_end(secondaries_have_ended, clock_ms() + BURIAL_MS);
    }
    if (principal_pid() == 0)
        return;
    (void)kill(-principal_pid(), SIGTERM);
    (void)kill(-principal_pid(), SIGCONT);
    (void)await_end(principal_has_ended, deadline_ms);
    bury_principal();
}

/* Whichever way the watchdog ends, but by SIGKILL. */
static void clean_up(void)
{
    /* exit(3) runs this in a child as well, where it would take the parent's things. */
    if (getpid() != lab.watchdog_pid)
        return;
    if (principal_pid() != 0)
        bury_principal();
    lab_close(&lab);
}

static void set_up(void)
{
    static const int wanted[] = { SIGCHLD, SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGHUP, 0 };

    /* Before anything is made, so that no signal can end the process in between. */
    if (block_signals(&signals, wanted) == -1)
        die("block signals");
    if (atexit(clean_up) != 0)
        diex("register the clean-up: no memory");
    lab_open(&lab);
    for (int number = 0; number <= lab.secondaries; number++) {
        watch_open(&watches[number], &lab.table->slot[number]);
        child_open(&children[number], &lab.table->slot[number]);
    }
    next_probe_ms = clock_ms() + lab.period_ms;
}

int main(int argc, char *argv[])
{
    lab_parse(&lab, argc, argv);
    journal_open("watchdog", lab.quiet);
    set_up();
    journal("start");
    keep_alive();
    stop_servers();
    journal("exit");
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
