/* guest: a client of the chat: its socket, half its next line, and what it has not taken yet. */
#ifndef GUEST_H
#define GUEST_H

#include "line.h"
#include "net.h"
#include "outgoing.h"

#include <stdint.h>

struct guest {
    int fd; /* O_NONBLOCK. -1: has left, and is freed before the next turn */
    int64_t farewell_ms; /* not 0: it was refused, and is read until then, so that it hears why */
    char name[NET_NAME_ROOM];
    struct line_reader reader;
    struct outgoing outgoing;
};

/* The next client of `listener`, to be given to free(3) when it has left. Returns NULL with
 * errno if there is none: EAGAIN if `listener` is O_NONBLOCK and nobody waits there. */
struct guest *guest_accept(int listener);

#endif
