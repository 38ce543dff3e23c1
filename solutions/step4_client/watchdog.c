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
 * What there is to see is in the table (table.h), what it means for one server in watch.c,
 * and what is done about it in servers.c.
 */
#include "clock.h"
#include "journal.h"
#include "lab.h"
#include "servers.h"
#include "waiting.h"
#include "watch.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Woken later than this, it was not only the servers that stood still. */
enum { LATE_MS = 20 };

static struct lab lab;
static sigset_t signals;
static struct watch watches[1 + MAX_SECONDARIES];
static int64_t next_probe_ms;

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

static void probe_if_due(void)
{
    if (clock_ms() < next_probe_ms)
        return;
    // TODO 3.4: note when the next probe is due, a period from now. tell_status(). Then probe all
    // servers, the principal (number 0) too: first each one's watch and the table must know of the
    // probe (watch_probe()), and only then does one signal tell the whole group to look
    // (servers_probe()). Why in this order?
    // SOLUTION
    next_probe_ms = clock_ms() + lab.period_ms;
    tell_status();
    for (int number = 0; number <= lab.secondaries; number++)
        watch_probe(&watches[number], lab.timeout_ms);
    servers_probe();
    // STUB: todo("3.4", lab, watches, tell_status);
    // END
}

static void condemn(struct watch *watch, int number)
{
    journal("frozen %s[%d]", watch->slot->role, watch->pid);
    atomic_store(&watch->slot->condemned, watch->pid);
    servers_kill(number);
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
    int64_t wake = servers_wake_ms(next_probe_ms);

    for (int number = 0; number <= lab.secondaries; number++)
        wake = watch_wake_ms(&watches[number], wake);
    return wake;
}

static void prolong_deadlines(void)
{
    for (int number = 0; number <= lab.secondaries; number++)
        watch_prolong(&watches[number], lab.timeout_ms);
}

/* Returns when a person wants the lab to stop. */
static void keep_alive(void)
{
    for (;;) {
        int64_t deadline_ms;
        int signal_number;

        servers_start_due();
        look_at_table(); /* for those that have just been started */
        deadline_ms = wake_ms();
        signal_number = wait_for_signal(&signals, deadline_ms);
        if (signal_number == -1)
            die("wait for a signal");
        if (signal_number == SIGTERM || signal_number == SIGINT || signal_number == SIGHUP)
            return;
        if (signal_number == SIGCHLD)
            servers_reap();
        look_at_table(); /* for what the signal meant */
        if (clock_ms() > deadline_ms + LATE_MS)
            prolong_deadlines();
        probe_if_due();
        condemn_overdue();
    }
}

/* Whichever way the watchdog ends, except by SIGKILL. */
static void clean_up(void)
{
    /* exit(3) runs this in a child as well, where it would take the parent's things. */
    if (getpid() != lab.watchdog_pid)
        return;
    servers_bury();
    lab_close(&lab);
}

static void set_up(void)
{
    /* SIGUSR1 is for the servers; sent to all of the name, it must not kill the watchdog. */
    static const int wanted[] = { SIGCHLD, SIGUSR1, SIGUSR2, SIGINT, SIGTERM, SIGHUP, 0 };

    /* Before anything is made, so that no signal can end the process in between. */
    if (block_signals(&signals, wanted) == -1)
        die("block signals");
    if (atexit(clean_up) != 0)
        diex("register the clean-up: no memory");
    lab_open(&lab);
    servers_init(&lab, &signals);
    for (int number = 0; number <= lab.secondaries; number++)
        watch_init(&watches[number], &lab.table->slot[number]);
    next_probe_ms = clock_ms() + lab.period_ms;
}

int main(int argc, char *argv[])
{
    lab_parse(&lab, argc, argv);
    journal_init("watchdog", lab.quiet);
    set_up();
    journal("start");
    keep_alive();
    servers_stop();
    journal("exit");
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
