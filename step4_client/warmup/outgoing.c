/* See outgoing.h. */
#include "outgoing.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void outgoing_init(struct outgoing *outgoing)
{
    outgoing->start = outgoing->end = 0;
}

bool outgoing_is_waiting(const struct outgoing *outgoing)
{
    return outgoing->start < outgoing->end;
}

int outgoing_add(struct outgoing *outgoing, const char *line)
{
    size_t length = strlen(line);

    if (OUTGOING_ROOM - outgoing->end <= length && outgoing->start > 0) {
        memmove(outgoing->bytes, outgoing->bytes + outgoing->start, outgoing->end - outgoing->start);
        outgoing->end -= outgoing->start;
        outgoing->start = 0;
    }
    if (OUTGOING_ROOM - outgoing->end <= length) {
        errno = ENOBUFS;
        return -1;
    }
    memcpy(outgoing->bytes + outgoing->end, line, length);
    outgoing->bytes[outgoing->end + length] = '\n';
    outgoing->end += length + 1;
    return 0;
}

int outgoing_write(struct outgoing *outgoing, int fd)
{
    while (outgoing_is_waiting(outgoing)) {
        ssize_t written = write(fd, outgoing->bytes + outgoing->start,
                                outgoing->end - outgoing->start);

        if (written == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (written == -1 && errno != EINTR)
            return -1;
        if (written > 0)
            outgoing->start += (size_t)written;
    }
    outgoing_init(outgoing);
    return 0;
}
