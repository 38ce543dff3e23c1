/* See conn.h. */
#include "conn.h"

#include "clock.h"
#include "journal.h"
#include "tcp.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SILENCE_MS = 300, /* who has been silent longer may lose its place to another */
    DRAIN_MS = 1000,  /* how long a client may take to close after the last word */
    PAUSE_MS = 100    /* before the next try when no descriptor is left */
};

/* poll(2) refuses more places than the process may have descriptors. */
static int choose_limit(int reserved)
{
    long most = sysconf(_SC_OPEN_MAX);

    if (most == -1 || most - reserved > MAX_CONNS)
        return MAX_CONNS;
    return most > reserved ? (int)(most - reserved) : 1;
}

void conns_init(struct conns *conns, int listener, int reserved)
{
    conns->limit = choose_limit(reserved);
    conns->listener = listener;
    conns->pause_until_ms = 0;
    conns->used = 0;
}

void conn_set_state(struct conn *conn, enum conn_state state)
{
    conn->state = state;
    conn->since_ms = clock_ms();
}

void conn_close(struct conn *conn)
{
    if (conn->state == CONN_FREE)
        return;
    (void)close(conn->fd);
    conn->state = CONN_FREE;
}

void conn_finish(struct conn *conn)
{
    if (shutdown(conn->fd, SHUT_WR) == -1)
        conn_close(conn);
    else
        conn_set_state(conn, CONN_DRAINING);
}

void conn_refuse(struct conn *conn, const char *reason)
{
    if (line_write(conn->fd, "errtraitement %s", reason) == -1)
        conn_close(conn);
    else
        conn_finish(conn);
}

static void drain(struct conn *conn)
{
    char bytes[4096];
    ssize_t count = read(conn->fd, bytes, sizeof bytes);

    if (count == 0 || (count == -1 && errno != EAGAIN && errno != EINTR))
        conn_close(conn);
}

/* With few places there is little patience: so the listen queue moves on as fast as with many, and
 * a hundred silent ones in it keep nobody out for long. */
static int patience_ms(const struct conns *conns)
{
    return SILENCE_MS * conns->limit / MAX_CONNS;
}

/* Who may lose its place: never served before ever served, then the longest silent. */
static struct conn *find_silent(struct conns *conns)
{
    int64_t limit_ms = clock_ms() - patience_ms(conns);
    struct conn *found = NULL;

    for (int i = 0; i < conns->used; i++) {
        struct conn *conn = &conns->conn[i];

        if ((conn->state != CONN_READING && conn->state != CONN_DRAINING)
            || conn->since_ms > limit_ms)
            continue;
        if (found == NULL || conn->was_served < found->was_served
            || (conn->was_served == found->was_served && conn->since_ms < found->since_ms))
            found = conn;
    }
    return found;
}

/* A place for one more client: a free one, or that of somebody silent. NULL if there is
 * none: then clients wait in the listen queue. */
static struct conn *find_place(struct conns *conns)
{
    for (int i = 0; i < conns->limit; i++)
        if (conns->conn[i].state == CONN_FREE)
            return &conns->conn[i];
    return find_silent(conns);
}

static void take_place(struct conns *conns, struct conn *conn, int fd)
{
    conn_close(conn);
    if (conns->used <= conn - conns->conn)
        conns->used = (int)(conn - conns->conn) + 1;
    conn->fd = fd;
    conn->was_served = false;
    line_reader_init(&conn->reader, fd);
    conn_set_state(conn, CONN_READING);
}

/* No descriptor is left, perhaps. poll(2) would go on to say that a client is waiting, so
 * it is not asked for a while; and one who is silent makes room. */
static void pause_accepting(struct conns *conns)
{
    struct conn *silent = find_silent(conns);

    warn("accept a client");
    if (silent != NULL)
        conn_close(silent);
    conns->pause_until_ms = clock_ms() + PAUSE_MS;
}

static void admit(struct conns *conns, struct conn *place, int fd)
{
    if (tcp_set_nonblocking(fd) == -1) {
        warn("set a client's connection to not block");
        (void)close(fd);
        return;
    }
    take_place(conns, place, fd);
}

static void accept_clients(struct conns *conns)
{
    struct conn *place;

    // TODO 4.2: as long as there is a place for a client (find_place()), accept the next one from
    // conns->listener, and admit() it. Stop when nobody is left in the queue (EAGAIN), or who was
    // there has gone again (ECONNABORTED), or a signal came: that is no failure. For any other one,
    // pause_accepting(), and stop.
    // SOLUTION
    while ((place = find_place(conns)) != NULL) {
        int fd = accept(conns->listener, NULL, NULL);

        if (fd == -1) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                pause_accepting(conns);
            return;
        }
        admit(conns, place, fd);
    }
    // STUB: todo("4.2", conns, &place, pause_accepting, admit);
    // END
}

static short events_of(const struct conn *conn)
{
    /* No more is read from a client that is waiting for us; if it has shut down its
     * writing side, as nc does at the end of its input, it still wants its answer. */
    return conn->state == CONN_READING || conn->state == CONN_DRAINING ? POLLIN : 0;
}

static bool has_line_waiting(const struct conn *conn)
{
    return conn->state == CONN_READING && line_is_waiting(&conn->reader);
}

static bool may_accept(struct conns *conns)
{
    return clock_ms() >= conns->pause_until_ms && find_place(conns) != NULL;
}

int conns_watch(struct conns *conns, struct pollfd wanted[])
{
    wanted[0] = (struct pollfd){ .fd = may_accept(conns) ? conns->listener : -1,
                                 .events = POLLIN };
    for (int i = 0; i < conns->used; i++) {
        const struct conn *conn = &conns->conn[i];

        wanted[1 + i] = (struct pollfd){ .fd = conn->state == CONN_FREE ? -1 : conn->fd,
                                         .events = events_of(conn) };
    }
    return 1 + conns->used;
}

int64_t conns_wake_ms(struct conns *conns, int64_t until_ms)
{
    /* Somebody may have been silent for long enough by then. */
    if (!may_accept(conns) && until_ms > clock_ms() + patience_ms(conns))
        until_ms = clock_ms() + patience_ms(conns);
    for (int i = 0; i < conns->used; i++) {
        const struct conn *conn = &conns->conn[i];

        if (has_line_waiting(conn))
            return clock_ms();
        if (conn->state == CONN_DRAINING && conn->since_ms + DRAIN_MS < until_ms)
            until_ms = conn->since_ms + DRAIN_MS;
    }
    return until_ms;
}

bool conns_is_readable(const struct conns *conns, const struct pollfd wanted[], int index)
{
    return conns->conn[index].state == CONN_READING
        && (wanted[1 + index].revents != 0 || has_line_waiting(&conns->conn[index]));
}

bool conns_is_lost(const struct conns *conns, const struct pollfd wanted[], int index)
{
    const struct conn *conn = &conns->conn[index];

    return (conn->state == CONN_WAITING || conn->state == CONN_WORKING)
        && wanted[1 + index].revents != 0;
}

void conns_attend(struct conns *conns, const struct pollfd wanted[])
{
    int watched = conns->used;

    for (int i = 0; i < watched; i++) {
        struct conn *conn = &conns->conn[i];

        if (conn->state == CONN_DRAINING && conn->since_ms + DRAIN_MS <= clock_ms())
            conn_close(conn);
        else if (conn->state == CONN_DRAINING && wanted[1 + i].revents != 0)
            drain(conn);
    }
    while (conns->used > 0 && conns->conn[conns->used - 1].state == CONN_FREE)
        conns->used--;
    if (wanted[0].revents != 0)
        accept_clients(conns);
}

bool conn_read(struct conn *conn, char line[LINE_ROOM])
{
    switch (line_read(&conn->reader, line)) {
    case LINE_READY:
        return true;
    case LINE_NONE:
        return false;
    case LINE_END:
        conn_close(conn);
        return false;
    case LINE_ERROR:
        if (errno == EMSGSIZE || errno == EBADMSG)
            conn_refuse(conn, "line too long, or not text");
        else
            conn_close(conn);
    }
    return false;
}

struct conn *conns_find_oldest_waiting(struct conns *conns)
{
    struct conn *oldest = NULL;

    for (int i = 0; i < conns->used; i++) {
        struct conn *conn = &conns->conn[i];

        if (conn->state == CONN_WAITING
            && (oldest == NULL || conn->request.number < oldest->request.number))
            oldest = conn;
    }
    return oldest;
}

void conns_close(struct conns *conns)
{
    for (int i = 0; i < MAX_CONNS; i++)
        conn_close(&conns->conn[i]);
}
