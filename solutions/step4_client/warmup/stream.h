/* stream: one direction of a relayed connection.
 *
 *     from --- read(2) ---> bytes[start..end) --- write(2) ---> to
 *
 * There is room for STREAM_ROOM bytes. When the reader is slow it is soon full; then nothing more
 * is read, and TCP holds the writer back. The end of `from` is passed on when all before it has
 * been written: shutdown(2) ends one direction, and the other goes on.
 */
#ifndef STREAM_H
#define STREAM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum { STREAM_ROOM = 16384 };

struct stream {
    int from;
    int to;         /* -1: what is read is thrown away */
    bool ended;     /* nothing more comes: the end of `from` was read, or `to` takes no more */
    bool done;      /* and that was passed on */
    size_t start;
    size_t end;
    unsigned long long passed; /* bytes written so far */
    char bytes[STREAM_ROOM];
};

/* Both sockets are O_NONBLOCK; `to` may be -1. */
void stream_init(struct stream *stream, int from, int to);

/* Reads and writes what goes without waiting, and stores in `wanted` what to wait for before the
 * next call: [0] that `from` has bytes, [1] that `to` has room; where it needs no waiting for,
 * the descriptor there is -1, which poll(2) leaves out. Returns 0, or -1 with errno. */
int stream_move(struct stream *stream, struct pollfd wanted[2]);

#endif
