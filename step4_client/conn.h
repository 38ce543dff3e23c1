/* conn: the connections of clients to one server, principal or secondary.
 *
 * Nobody here waits for a client: every socket is O_NONBLOCK and poll(2) tells which one
 * has something. A client that has nothing to say, says it slowly or says too much costs
 * a place in this table, and when the table is full the one that has kept it longest without
 * saying what it wants loses it to the next in the listen queue. Who is being served, or is
 * waiting for it, keeps its place.
 */
#ifndef CONN_H
#define CONN_H

#include "line.h"
#include "request.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

enum { MAX_CONNS = 256, CONN_SLOTS = 1 + MAX_CONNS /* places in poll(2): with the listener */ };

enum conn_state {
    CONN_FREE,     /* 0 */
    CONN_READING,  /* the client is to speak */
    CONN_WAITING,  /* it has: its request is to be passed on, or worked on */
    CONN_WORKING,  /* its request is being worked on */
    CONN_DRAINING  /* all is said: what it still sends is thrown away, until it closes */
};

struct conn {
    enum conn_state state;
    int fd;
    int64_t since_ms;            /* of the state */
    bool was_served;             /* here it has said before what it wants: it loses its place
                                    after all those who never have */
    struct request request;      /* from CONN_WAITING on */
    char text[LINE_ROOM];
    struct line_reader reader;
};

struct conns {
    int listener;                /* -1 for none */
    int64_t pause_until_ms;      /* no descriptor was left for another connection */
    int limit;                   /* how many places there are, MAX_CONNS at most */
    int used;                    /* places at and above this one are free */
    struct conn conn[MAX_CONNS];
};

/* No connection yet; they come in by the socket `listener`. The places must be zero, as static ones
 * are: to write into each would cost each server all of their pages. Where the process may not have
 * many descriptors, `reserved` of them are left for other uses. */
void conns_init(struct conns *conns, int listener, int reserved);

/* Fills in places for poll(2), CONN_SLOTS at most. Returns how many. */
int conns_watch(struct conns *conns, struct pollfd wanted[]);

/* The earlier of `until_ms` and the moment at which there is something to do here. */
int64_t conns_wake_ms(struct conns *conns, int64_t until_ms);

/* After poll(2), true if connection `index`, from 0 to conns->used - 1, is CONN_READING and
 * has something to read, by poll(2) or in its reader. */
bool conns_is_readable(const struct conns *conns, const struct pollfd wanted[], int index);

/* After poll(2), true if the client of connection `index` was waiting for us and is gone
 * for good. To shut down the writing side only is not to be gone. */
bool conns_is_lost(const struct conns *conns, const struct pollfd wanted[], int index);

/* After poll(2) and the two questions above: gets rid of who is to go, and accepts who is
 * in the listen queue. */
void conns_attend(struct conns *conns, const struct pollfd wanted[]);

/* For a connection that is readable: stores its next line and returns true. Else the line is
 * not complete yet, or the connection has ended or was refused, which is all done here. */
bool conn_read(struct conn *conn, char line[LINE_ROOM]);

/* Of those CONN_WAITING, the one whose request has the lowest number; NULL for none. */
struct conn *conns_find_oldest_waiting(struct conns *conns);

void conn_set_state(struct conn *conn, enum conn_state state);

/* Says goodbye: what was written reaches the client, which would not be sure if the socket
 * were closed with bytes of the client's unread (the kernel then resets the connection). */
void conn_finish(struct conn *conn);

/* Writes `errtraitement REASON`, and finishes. */
void conn_refuse(struct conn *conn, const char *reason);

void conn_close(struct conn *conn);

/* Closes all connections. The listener is the caller's. */
void conns_close(struct conns *conns);

#endif
