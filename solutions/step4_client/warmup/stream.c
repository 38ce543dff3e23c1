/* See stream.h. */
#include "stream.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void stream_init(struct stream *stream, int from, int to)
{
    stream->from = from;
    stream->to = to;
    stream->ended = stream->done = false;
    stream->start = stream->end = 0;
    stream->passed = 0;
}

static bool has_room(const struct stream *stream)
{
    return !stream->ended && stream->end < sizeof stream->bytes;
}

static bool has_bytes(const struct stream *stream)
{
    return stream->start < stream->end;
}

static bool must_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Reads once, if there is room. */
static int fill(struct stream *stream)
{
    ssize_t count;

    if (!has_room(stream))
        return 0;
    count = read(stream->from, stream->bytes + stream->end, sizeof stream->bytes - stream->end);
    if (count == -1)
        return must_wait() ? 0 : -1;
    stream->ended = count == 0;
    stream->end += (size_t)count;
    return 0;
}

/* Writes once, if there is something to write. Whoever has closed the connection may have said
 * something before: that is the other direction's business, which goes on. */
static int drain(struct stream *stream)
{
    ssize_t count;

    if (stream->to == -1)
        stream->start = stream->end = 0;
    if (!has_bytes(stream))
        return 0;
    count = write(stream->to, stream->bytes + stream->start, stream->end - stream->start);
    if (count == -1 && (errno == EPIPE || errno == ECONNRESET)) {
        stream->ended = true;
        stream->start = stream->end;
    } else if (count == -1) {
        return must_wait() ? 0 : -1;
    } else {
        stream->start += (size_t)count;
        stream->passed += (unsigned long long)count;
    }
    if (!has_bytes(stream))
        stream->start = stream->end = 0;
    return 0;
}

int stream_move(struct stream *stream, struct pollfd wanted[2])
{
    wanted[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
    wanted[1] = (struct pollfd){ .fd = -1, .events = POLLOUT };
    // TODO 4w.14: read once and write once: fill() and drain() do it where it makes sense, and return -1
    // for a failure: then return -1, too, else 0. If the end was read (stream->ended) and no byte is left
    // (has_bytes()), pass the end on, once: end our writing side of stream->to with shutdown(2), which
    // fails where nobody is there any more (no matter), and note that in stream->done. Then say what to wait for: while there is room (has_room()), for
    // stream->from in wanted[0].fd; while there are bytes, for stream->to in wanted[1].fd. No more
    // than that: what nobody acts on wakes poll(2) again and again.
    // SOLUTION
    if (fill(stream) == -1 || drain(stream) == -1)
        return -1;
    if (stream->ended && !has_bytes(stream) && !stream->done) {
        (void)shutdown(stream->to, SHUT_WR); /* fails only where the connection has ended anyway */
        stream->done = true;
    }
    if (has_room(stream))
        wanted[0].fd = stream->from;
    if (has_bytes(stream))
        wanted[1].fd = stream->to;
    return 0;
    // STUB: todo("4w.14", stream, wanted, fill, drain, has_room, has_bytes);
    // END
}
