/* net: addresses by name, and sockets that wait unless told not to: the warm-ups' share of the work. */
#ifndef NET_H
#define NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    DEFAULT_PORT = 8080,
    LONGEST_TIMEOUT_MS = 24 * 60 * 60 * 1000, /* that a person may ask for */
    NET_NAME_ROOM = 24 /* "255.255.255.255:65535" */
};

/* The port (1 to 65535) that `text` names in decimal digits, or -1. */
int net_parse_port(const char *text);

/* The address of `host`, a name or a dotted address, with `port`. Returns false after a message
 * on standard error. */
bool net_find(struct sockaddr_in *address, const char *host, int port);

/* Stores in `name` what `address` is called in messages, as 127.0.0.1:40312. */
void net_name(const struct sockaddr_in *address, char name[NET_NAME_ROOM]);

/* A TCP socket that listens on `port` (1 to 65535) of `host`, a name or a dotted address of
 * this machine. It can have the port at once when an earlier owner has just ended.
 * Returns it, or -1 after a message on standard error. */
int net_listen(const char *host, int port);

/* The next client of `listener`, and in `peer` its address and port, as 127.0.0.1:40312.
 * Waits for one. Returns its socket, or -1 with errno: a client that is gone before it was
 * accepted, or a lack of descriptors, is the end of that client and not of the server. */
int net_accept(int listener, char peer[NET_NAME_ROOM]);

/* A connection to `port` of `host`, for which it waits `timeout_ms` at most.
 * Returns it, or -1 after a message on standard error. */
int net_connect(const char *host, int port, int timeout_ms);

/* From here on read(2), write(2) and accept(2) do not wait. Returns 0, or -1 with errno. */
int net_set_nonblocking(int fd);

/* Reads from `fd`, which is O_NONBLOCK, once, and throws it away: there may be more. Returns true if
 * nothing will come: it has ended, or failed. For a side that is not listened to any more: to close(2)
 * with bytes unread would be a reset, which can take from it what it was told last. */
bool net_discard(int fd);

/* Writes all `count` bytes, in as many write(2)s as it takes. Returns 0, or -1 with errno. */
int net_write_all(int fd, const void *bytes, size_t count);

#endif
