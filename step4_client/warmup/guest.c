/* See guest.h. */
#include "guest.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the kernel keeps for one guest, in place of some megabytes: there is a buffer of our own. */
enum { KERNEL_BYTES = 16 * 1024 };

static int set_up_socket(int fd)
{
    int size = KERNEL_BYTES;

    if (net_set_nonblocking(fd) == -1)
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void discard(struct guest *guest)
{
    int saved_errno = errno;

    if (guest->fd != -1)
        (void)close(guest->fd);
    free(guest);
    errno = saved_errno;
}

struct guest *guest_accept(int listener)
{
    struct guest *guest = malloc(sizeof *guest);

    if (guest == NULL)
        return NULL;
    guest->fd = net_accept(listener, guest->name);
    if (guest->fd == -1 || set_up_socket(guest->fd) == -1) {
        discard(guest);
        return NULL;
    }
    line_reader_init(&guest->reader, guest->fd);
    outgoing_init(&guest->outgoing);
    guest->farewell_ms = 0;
    return guest;
}
