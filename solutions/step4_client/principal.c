/* principal: sends each client to a secondary, and under `delegated` keeps those alive
 * (peers.c).
 *
 * Forked by the watchdog. One poll(2) for everything: clients, lines from the wdtubes,
 * signals, the watchdog's end. It never waits for one secondary or client alone, so one
 * that is frozen holds up nobody, and does not make the principal look frozen.
 *
 * A client's request gets a number and a token. It is written into the secondary's dwtube
 * first, then the client is told where to go: by the time that it comes, it is expected.
 *
 * SIGUSR1 says "look": for a probe to answer, for a secondary that the watchdog condemned
 * (`delegated`: it is our child, so its pid is certain), for one that the watchdog has
 * replaced (`direct`).
 */
#include "principal.h"

#include "clock.h"
#include "conn.h"
#include "journal.h"
#include "line.h"
#include "peers.h"
#include "request.h"
#include "server.h"
#include "signals.h"
#include "token.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

enum {
    DESCRIPTORS = 24,    /* how many a principal needs for itself, amply counted */
    ON_THE_WAY_MS = 100  /* a client that was sent to a secondary is there by then */
};

static struct lab *lab;
static struct conns conns;
static int latest; /* the secondary that the latest request was passed on to */
static int64_t passed_ms[1 + MAX_SECONDARIES]; /* when the latest one was, to each */

/* Closes what is ours alone, for a newborn secondary, and at the end. A client whose
 * connection was kept open in there would never see the end of it. */
static void shed(void)
{
    signals_close();
    peers_close();
    conns_close(&conns);
    token_close();
}

/* Tells the journal how a request goes, in the secondary's words. */
static void read_peer(int number)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&peers[number].reader, line)) == LINE_READY)
        journal_often("%s secondary%d", line, number);
    if (status != LINE_NONE)
        peer_disconnect(&peers[number]);
}

/* How busy a secondary is: its clients, and one that is on the way to it. One that owes the
 * watchdog an answer may be frozen: it is taken if there is no other. */
static int load_of(int number)
{
    const struct slot *slot = &lab->table->slot[number];
    int load = atomic_load(&slot->clients);

    if (clock_ms() < passed_ms[number] + ON_THE_WAY_MS)
        load++;
    if (atomic_load(&slot->probes_answered) != atomic_load(&slot->probes_sent))
        load += MAX_CONNS;
    return load;
}

/* The least busy secondary that is connected and not `refused`; of several, the next in turn
 * after the one before. Returns its number, 0 if there is none. */
static int choose_secondary(const bool refused[])
{
    int chosen = 0;

    for (int i = 1; i <= lab->secondaries; i++) {
        int number = (latest - 1 + i) % lab->secondaries + 1;

        if (peer_is_connected(&peers[number]) && !refused[number]
            && (chosen == 0 || load_of(number) < load_of(chosen)))
            chosen = number;
    }
    return chosen;
}

/* Passes the request on to a secondary. Returns its number, 0 if no one can take it now. */
static int pass_on(const struct request *request)
{
    bool refused[1 + MAX_SECONDARIES] = { false };
    int number;

    while ((number = choose_secondary(refused)) != 0) {
        struct peer *peer = &peers[number];

        if (line_write(peer->channel.out, "%s %lld %s", request_word(request->type),
                       request->number, request->token) == 0)
            return number;
        /* EAGAIN: its pipe is full, it has not read for thousands of lines. That may pass;
         * if it does not, the watchdog will see to it. */
        refused[number] = true;
        if (errno != EAGAIN)
            peer_disconnect(peer);
    }
    return 0;
}

/* Returns false if the request has to wait for a secondary to come back. */
static bool dispatch(struct conn *conn)
{
    // TODO 4.3: pass the request on to a secondary (pass_on()); if none can take it, return false.
    // Only then is the client told where to go: why? Note which secondary it was in `latest`, and
    // when in passed_ms[]. Tell the journal `TYPE NUMBER secondaryK` (request_word() knows the type).
    // The client has now been served once (was_served), and may speak again (CONN_READING): write
    // it the line `PORT TOKEN`, PORT being that of the secondary. If that fails, it has gone: close.
    // SOLUTION
    int number = pass_on(&conn->request);

    if (number == 0)
        return false;
    latest = number;
    passed_ms[number] = clock_ms();
    journal_often("%s %lld secondary%d", request_word(conn->request.type), conn->request.number,
                  number);
    conn->was_served = true;
    conn_set_state(conn, CONN_READING);
    if (line_write(conn->fd, "%d %s", lab->port + number, conn->request.token) == -1)
        conn_close(conn);
    return true;
    // STUB: todo("4.3", conn, pass_on, latest, passed_ms, lab);
    // END
}

/* The requests that wait, the oldest first. */
static void dispatch_waiting(void)
{
    struct conn *oldest;

    while ((oldest = conns_find_oldest_waiting(&conns)) != NULL && dispatch(oldest)) {
        /* The next one. */
    }
}

static void take_request(struct conn *conn, const char *line)
{
    struct request *request = &conn->request;

    request->type = request_type_of(line);
    if (request->type == REQUEST_UNKNOWN) {
        if (line_write(conn->fd, "errtraitement unknown request") == -1)
            conn_close(conn);
        return;
    }
    request->number = atomic_fetch_add(&lab->table->last_request, 1) + 1;
    if (token_make(request->token) == -1)
        die("make a token");
    conn_set_state(conn, CONN_WAITING);
}

static void read_client(struct conn *conn)
{
    char line[LINE_ROOM];

    if (conn_read(conn, line))
        take_request(conn, line);
}

static void attend_clients(const struct pollfd wanted[])
{
    for (int i = 0; i < conns.used; i++) {
        if (conns_is_lost(&conns, wanted, i))
            conn_close(&conns.conn[i]);
        else if (conns_is_readable(&conns, wanted, i))
            read_client(&conns.conn[i]);
    }
    conns_attend(&conns, wanted);
}

static void serve(void)
{
    static struct pollfd wanted[SERVER_SLOTS + MAX_SECONDARIES + CONN_SLOTS];
    struct pollfd *from_peers = &wanted[SERVER_SLOTS - 1]; /* [K]: from secondary K */
    struct pollfd *from_clients = &wanted[SERVER_SLOTS + lab->secondaries];

    do {
        int64_t wake_ms = peers_look_after();
        nfds_t count = (nfds_t)(SERVER_SLOTS + lab->secondaries);

        dispatch_waiting();
        for (int number = 1; number <= lab->secondaries; number++)
            from_peers[number] = (struct pollfd){ .fd = peers[number].channel.in,
                                                  .events = POLLIN };
        count += (nfds_t)conns_watch(&conns, from_clients);
        server_poll(lab, wanted, count, conns_wake_ms(&conns, wake_ms));
        for (int number = 1; number <= lab->secondaries; number++)
            if (from_peers[number].revents != 0)
                read_peer(number);
        attend_clients(from_clients);
    } while (server_attend(lab, PRINCIPAL, wanted));
}

int principal_run(struct lab *the_lab)
{
    static const int signals[] = { SIGUSR1, SIGTERM, SIGCHLD, 0 };

    lab = the_lab;
    server_begin(lab, PRINCIPAL, signals);
    if (lab->policy == DIRECT)
        lab_keep_listener(lab, PRINCIPAL);
    if (token_open() == -1)
        die("open the source of tokens");
    /* Of descriptors, a secondary costs two pipes' ends and a listening socket. */
    conns_init(&conns, lab->listeners[PRINCIPAL], DESCRIPTORS + 3 * lab->secondaries);
    peers_init(lab, shed);
    serve();
    peers_stop();
    journal("exit");
    shed();
    lab_leave(lab);
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
