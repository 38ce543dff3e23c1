/* See peers.h. */
#include "peers.h"

#include "clock.h"
#include "journal.h"
#include "server.h"
#include "signals.h"
#include "start.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    KILL_MS = 100,        /* a process that was sent SIGKILL may take so long to be gone */
    RETRY_MS = 200        /* until the next try to connect to a secondary */
};

struct peer peers[1 + MAX_SECONDARIES];

static struct lab *lab;
static void (*shed_parent)(void);

void peers_init(struct lab *the_lab, void (*shed)(void))
{
    lab = the_lab;
    shed_parent = shed;
    for (int number = 1; number <= MAX_SECONDARIES; number++) {
        child_init(&peers[number].child, &lab->table->slot[number]);
        peers[number].channel = (struct channel){ -1, -1 };
    }
}

bool peer_is_connected(const struct peer *peer)
{
    return peer->channel.in != -1;
}

void peer_disconnect(struct peer *peer)
{
    channel_close(&peer->channel);
}

void peers_close(void)
{
    for (int number = 1; number <= MAX_SECONDARIES; number++)
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

    if (atomic_load(&slot->pid) == 0 || generation == peer->generation
        || clock_ms() < peer->retry_ms)
        return;
    if (fifo_open_principal_side(&opened, lab->rundir.fd, number) == -1) {
        /* These two: it is dying, or about to be replaced. */
        if (errno != ENXIO && errno != ENOENT)
            warn("open the pipes of secondary%d", number);
        peer->retry_ms = clock_ms() + RETRY_MS;
        return;
    }
    channel_close(&peer->channel);
    peer->channel = opened;
    line_reader_init(&peer->reader, peer->channel.in);
    peer->generation = generation;
}

static void start_due_secondaries(void)
{
    for (int number = 1; number <= lab->secondaries; number++) {
        struct child *child = &peers[number].child;
        pid_t pid;

        if (!child_is_due(child, clock_ms()))
            continue;
        pid = start_secondary(lab, number, 0, shed_parent);
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
                peer_disconnect(&peers[number]);
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

int64_t peers_look_after(void)
{
    int64_t wake_ms = clock_ms() + LONGEST_WAIT_MS;

    if (lab->policy == DELEGATED) {
        if (signals_take(SIGCHLD))
            reap_secondaries();
        kill_condemned();
        start_due_secondaries();
        for (int number = 1; number <= lab->secondaries; number++)
            wake_ms = child_wake_ms(&peers[number].child, wake_ms);
    }
    for (int number = 1; number <= lab->secondaries; number++) {
        connect_peer(number);
        if (peers[number].retry_ms > clock_ms() && peers[number].retry_ms < wake_ms)
            wake_ms = peers[number].retry_ms;
    }
    return wake_ms;
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

void peers_stop(void)
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
        server_poll(lab, wanted, SERVER_SLOTS, deadline_ms);
        (void)server_attend(lab, PRINCIPAL, wanted);
        reap_secondaries();
    }
}
