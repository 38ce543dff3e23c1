/* outgoing: what is still to be written to a client that does not take it now.
 *
 * A write(2) to a socket that is O_NONBLOCK takes what fits into the kernel's buffer: all, a
 * part, nothing (EAGAIN). The rest is kept here until poll(2) says POLLOUT. There is a bound:
 * a client that never reads must not fill our memory.
 */
#ifndef OUTGOING_H
#define OUTGOING_H

#include <stdbool.h>
#include <stddef.h>

enum { OUTGOING_ROOM = 256 * 1024 };

struct outgoing {
    size_t start; /* bytes[start..end) are still to be written */
    size_t end;
    char bytes[OUTGOING_ROOM];
};

void outgoing_init(struct outgoing *outgoing);

/* Adds a line and its newline. Returns 0, or -1 with errno ENOBUFS if there is no room:
 * then nothing is added. */
int outgoing_add(struct outgoing *outgoing, const char *line);

/* True if something is still to be written. */
bool outgoing_is_waiting(const struct outgoing *outgoing);

/* Writes as much as `fd`, which is O_NONBLOCK, takes now. Returns 0, or -1 with errno. */
int outgoing_write(struct outgoing *outgoing, int fd);

#endif
