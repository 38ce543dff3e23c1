/* See server.h. */
#include "server.h"

#include "clock.h"
#include "journal.h"
#include "signals.h"
#include "todo.h"

#include <errno.h>
#include <signal.h>

static int signals_fd;

void server_notify(const struct lab *lab)
{
    /* The watchdog is no child of ours, so its pid could be another process's once it has
     * ended; but then the lifeline ends us within this turn of the loop, and it takes
     * thousands of new processes to use up the other numbers. */
    (void)kill(lab->watchdog_pid, SIGUSR2);
}

/* The probe that is in the table now, not one for each SIGUSR1 received: several may have
 * come as one. First the answer, then the signal that says "look". */
static void answer_probe(const struct lab *lab, int number)
{
    struct slot *slot = &lab->table->slot[number];

    atomic_store(&slot->probes_answered, atomic_load(&slot->probes_sent));
    server_notify(lab);
}

void server_begin(struct lab *lab, int number, const int signals[])
{
    lifeline_become_server(&lab->lifeline);
    /* SIGHUP keeps its deadly default. The kernel sends it, and SIGCONT, to a process
     * group with stopped members when the last parent outside of it (the watchdog) dies:
     * so even a stopped server does not outlive the watchdog. One case is left: all are
     * stopped, and the process that inherits them is of the same session, such as a shell
     * that is process 1 of a container. */
    (void)signal(SIGHUP, SIG_DFL);
    /* SIGTTOU would stop whoever writes to a terminal from the background, as servers do,
     * where `stty tostop` is set. SIGUSR2 is for the watchdog; sent to all of the name, it
     * must not kill a server. */
    (void)signal(SIGTTOU, SIG_IGN);
    (void)signal(SIGUSR2, SIG_IGN);
    signals_fd = signals_open(signals);
    if (signals_fd == -1 || signals_let_all_go() == -1)
        die("catch signals");
    journal("start");
    /* A probe sent before this process was there to get the signal. */
    answer_probe(lab, number);
}

void server_poll(const struct lab *lab, struct pollfd wanted[], nfds_t count, int64_t wake_ms)
{
    wanted[POLL_SIGNALS] = (struct pollfd){ .fd = signals_fd, .events = POLLIN };
    wanted[POLL_LIFELINE] = (struct pollfd){ .fd = lab->lifeline.server_end, .events = POLLIN };
    if (poll(wanted, count, clock_left_ms(wake_ms)) != -1)
        return;
    if (errno != EINTR)
        die("wait for events");
    for (nfds_t i = 0; i < count; i++)
        wanted[i].revents = 0;
}

bool server_attend(const struct lab *lab, int number, const struct pollfd wanted[])
{
    // TODO 3.3: if the lifeline has something to say, the watchdog has ended: kill the whole group,
    // which is all servers, since one that hangs cannot notice it itself. Empty the signals' pipe if
    // it has something. If SIGUSR1 has come, answer_probe(). Return false if SIGTERM has.
    todo("3.3", lab, number, wanted);
}
