/*
 * wire.h - connections, the lines that come by them and the bytes that go; every waiting has a deadline.
 *
 * What cannot be done ends the script (script.h), unless a return value says otherwise.
 */
#ifndef WIRE_H
#define WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

enum { MAX_LINE = 4096 };

struct conn {
    int fd;
    int port;                   /* of the listener it came by; 0 for one we have opened */
    size_t count;               /* bytes read and not yet taken */
    char bytes[MAX_LINE];
};

struct listener {
    int fd;                     /* -1: for the connections that we have opened, port 0 */
    int port;
};

enum hearing { HEARD, ENDED, TOO_LATE };

extern long deadline_ms;        /* of one waiting */
extern struct conn *current;    /* NULL if there is none */

long long now_ms(void);
void sleep_ms(long milliseconds);
bool await_ready(int fd, short events, long long until_ms);     /* false at the deadline */

int try_connect(const struct sockaddr_in *address);             /* a descriptor, or -1 with errno */
struct conn *open_conn(const struct sockaddr_in *address);
struct conn *the_current(void);
void drop_conn(struct conn *conn);

void listen_at(const struct sockaddr_in *address);
const struct listener *find_listener(long port);
struct conn *accept_from(const struct listener *listener);

/* Tells a line on our standard output, as all that are heard. */
void tell_line(const char *line);

enum hearing hear(struct conn *conn, char line[MAX_LINE]);
void hear_or_fail(struct conn *conn, char line[MAX_LINE]);

/* The next line on any connection of that listener, new or known. Returns which; who has left is dropped. */
struct conn *hear_any(const struct listener *listener, char line[MAX_LINE]);

/* Reads what is there. Returns false when the connection has ended, by end of file or by reset. */
bool read_more(struct conn *conn);

/* Returns how many bytes went: less than `length` if the other side has gone, or takes no more until then. */
size_t send_bytes(struct conn *conn, const char *bytes, size_t length, long long until_ms);
void send_all(struct conn *conn, const char *bytes, size_t length);

#endif
