/* tcp: stream sockets over IPv4, all of them O_NONBLOCK. */
#ifndef TCP_H
#define TCP_H

#include <netinet/in.h>
#include <stdint.h>

/* A socket that listens on `address` (network byte order) and `port` (1 to 65535).
 * Returns it, or -1 with errno: EADDRINUSE when another program listens there. */
int tcp_listen(struct in_addr address, int port);

/* A connection to `address` and `port`. Returns it, or -1 with errno: ETIMEDOUT when the
 * other side has not answered by `deadline_ms`. */
int tcp_connect(struct in_addr address, int port, int64_t deadline_ms);

/* Sets O_NONBLOCK. Returns 0, or -1 with errno. */
int tcp_set_nonblocking(int fd);

#endif
