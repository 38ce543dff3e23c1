/* principal: plays ping-pong with every secondary, and under `delegated` keeps them alive.
 *
 * Forked by the watchdog. One poll(2) for everything: lines from the wdtubes, signals, the
 * watchdog's end, the time of the next ping. It never waits for one secondary alone, so
 * one that is frozen holds up nobody, and does not make the principal look frozen.
 *
 * SIGUSR1 says "look": for a probe to answer, for a secondary that the watchdog condemned
 * (`delegated`: it is our child, so its pid is certain), for one that the watchdog has
 * replaced (`direct`).
 */
#include "principal.h"

#include "child.h"
#include "clock.h"
#include "fifo.h"
#include "journal.h"
#include "line.h"
#include "secondary.h"
#include "server.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* How long a process that was sent SIGKILL may take to be gone, before it is sent again. */
enum { KILL_MS = 100 };

/* One secondary, as seen from here. */
struct peer {
    struct child child;        /* used under `delegated` only */
    struct channel channel;    /* in is -1 while not connected */
    struct line_reader reader;
    int generation;            /* of the secondary that we are or were connected to */
    bool awaiting_pong;
    int64_t next_ping_ms;
    int pings;
};

static struct lab *lab;
static struct peer peers[1 + MAX_SECONDARIES]; /* peers[K] is secondary K */

static bool is_connected(const struct peer *peer)
{
    return peer->channel.in != -1;
}

/* Closes our ends for a newborn secondary, which has its own. */
static void shed(void)
{
    signals_close();
    for (int number = 1; number <= lab->secondaries; number++)
        channel_close(&peers[number].channel);
}

/* Opens our ends if there is a secondary that we are not connected to. The other ends are
 * open before its pid is in the table. If it dies or is replaced meanwhile, its parent
 * will tell us to look again; had we opened one pipe of the old and one of the new, the
 * new one sees end of file and is replaced once more. */
static void connect_peer(int number)
{
    struct peer *peer = &peers[number];
    struct slot *slot = &lab->table->slot[number];
    int generation = atomic_load(&slot->generation);
    struct channel opened;

    if (atomic_load(&slot->pid) == 0 || generation == peer->generation)
        return;
    if (fifo_open_principal_side(&opened, lab->rundir.fd, number) == -1) {
        if (errno == ENXIO || errno == ENOENT)
            return; /* dying, or about to be replaced */
        warn("open the pipes of secondary%d", number);
    }
    channel_close(&peer->channel);
    peer->channel = opened;
    line_reader_open(&peer->reader, peer->channel.in);
    peer->generation = generation;
    peer->awaiting_pong = false;
    peer->next_ping_ms = clock_ms();
}

static void start_due_secondaries(void)
{
    for (int number = 1; number <= lab->secondaries; number++) {
        struct child *child = &peers[number].child;
        pid_t pid;

        if (!child_is_due(child, clock_ms()))
            continue;
        pid = secondary_start(lab, number, 0, shed);
        if (pid == -1) {
            warn("start secondary%d", number);
            child_postpone(child);
            continue;
        }
        child_started(child, pid);
        connect_peer(number);
        server_notify(lab);
    }
}

/* One SIGCHLD may stand for several deaths, so it asks until no one is left to reap. */
static void reap_secondaries(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int number = 1; number <= lab->secondaries; number++)
            if (peers[number].child.pid == pid) {
                channel_close(&peers[number].channel);
                child_died(&peers[number].child, status);
            }
    server_notify(lab);
}

static void kill_condemned(void)
{
    for (int number = 1; number <= lab->secondaries; number++) {
        pid_t pid = peers[number].child.pid;

        if (pid != 0 && atomic_load(&lab->table->slot[number].condemned) == (int)pid)
            (void)kill(pid, SIGKILL);
    }
}

/* The pipe has failed: its secondary has died, or is not worth talking to. Its parent
 * will replace it. */
static void disconnect(struct peer *peer)
{
    channel_close(&peer->channel);
}

static void send_ping(struct peer *peer, int number)
{
    if (line_write(peer->channel.out, "ping") == -1) {
        disconnect(peer);
        return;
    }
    peer->awaiting_pong = true;
    peer->next_ping_ms = clock_ms() + lab->interval_ms;
    journal_often("ping %d %s", ++peer->pings, lab->table->slot[number].role);
}

static void read_peer(struct peer *peer)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&peer->reader, line)) == LINE_READY)
        if (strcmp(line, "pong") == 0)
            peer->awaiting_pong = false;
    if (status != LINE_NONE)
        disconnect(peer);
}

/* Sends the pings that are due. Returns when the next one is. */
static int64_t send_due_pings(int64_t until_ms)
{
    for (int number = 1; number <= lab->secondaries; number++) {
        struct peer *peer = &peers[number];

        if (!is_connected(peer) || peer->awaiting_pong)
            continue;
        if (peer->next_ping_ms <= clock_ms())
            send_ping(peer, number);
        else if (peer->next_ping_ms < until_ms)
            until_ms = peer->next_ping_ms;
    }
    return until_ms;
}

/* Starts and connects what there is to, and returns when to wake at the latest. */
static int64_t look_after_secondaries(void)
{
    int64_t wake_ms = clock_ms() + 60 * 1000;

    if (lab->policy == DELEGATED) {
        if (signals_take(SIGCHLD))
            reap_secondaries();
        kill_condemned();
        start_due_secondaries();
        for (int number = 1; number <= lab->secondaries; number++)
            wake_ms = child_wake_ms(&peers[number].child, wake_ms);
    }
    for (int number = 1; number <= lab->secondaries; number++)
        connect_peer(number);
    return send_due_pings(wake_ms);
}

static void serve(void)
{
    struct pollfd wanted[SERVER_SLOTS + MAX_SECONDARIES];
    nfds_t count = (nfds_t)(SERVER_SLOTS + lab->secondaries);

    do {
        int64_t wake_ms = look_after_secondaries();

        server_watch(lab, wanted);
        for (int number = 1; number <= lab->secondaries; number++)
            wanted[SERVER_SLOTS + number - 1] =
                (struct pollfd){ .fd = peers[number].channel.in, .events = POLLIN };
        if (poll(wanted, count, clock_left_ms(wake_ms)) == -1) {
            if (errno != EINTR)
                die("wait for events");
            continue;
        }
        for (int number = 1; number <= lab->secondaries; number++)
            if (wanted[SERVER_SLOTS + number - 1].revents != 0)
                read_peer(&peers[number]);
    } while (server_attend(lab, PRINCIPAL, wanted));
}

static int count_children(void)
{
    int count = 0;

    for (int number = 1; number <= lab->secondaries; number++)
        if (peers[number].child.pid != 0)
            count++;
    return count;
}

static void signal_children(int signal_number)
{
    for (int number = 1; number <= lab->secondaries; number++)
        if (peers[number].child.pid != 0)
            (void)kill(peers[number].child.pid, signal_number);
}

/* Under `delegated` the secondaries end before the principal. What has not ended in half
 * of the timeout hangs and is killed: the watchdog allows us the whole of it. */
static void stop_secondaries(void)
{
    int64_t deadline_ms = clock_ms() + lab->timeout_ms / 2;
    struct pollfd wanted[SERVER_SLOTS];

    signal_children(SIGTERM);
    signal_children(SIGCONT);
    reap_secondaries();
    while (count_children() > 0) {
        if (clock_ms() >= deadline_ms) {
            signal_children(SIGKILL);
            deadline_ms = clock_ms() + KILL_MS;
        }
        server_watch(lab, wanted);
        if (poll(wanted, SERVER_SLOTS, clock_left_ms(deadline_ms)) > 0)
            (void)server_attend(lab, PRINCIPAL, wanted);
        reap_secondaries();
    }
}

int principal_run(struct lab *the_lab)
{
    static const int signals[] = { SIGUSR1, SIGTERM, SIGCHLD, 0 };

    lab = the_lab;
    server_begin(lab, PRINCIPAL, signals);
    for (int number = 1; number <= lab->secondaries; number++) {
        child_open(&peers[number].child, &lab->table->slot[number]);
        peers[number].channel = (struct channel){ -1, -1 };
    }
    serve();
    stop_secondaries();
    journal("exit");
    shed();
    lab_leave(lab);
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
