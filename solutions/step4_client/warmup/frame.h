/* frame: the protocol of remote_server and remote, in binary.
 *
 *     4 bytes    4 bytes    `length` bytes
 *     kind       length     content             all numbers in network byte order: most significant
 *                                               byte first, whatever the machine's own order is
 *
 * The client sends a request and reads its reply, then perhaps the next; the client ends it.
 *
 *     kind of request   content                         content of the reply, if its kind is FRAME_DONE
 *     FRAME_DATE        none                            the server's date, as 2026-11-25T10:50:00Z
 *     FRAME_BLOCK       8 bytes offset, 4 bytes count,  the bytes of the file from the offset on; fewer
 *                       path                            than `count` where the file ends, none behind it
 *     FRAME_RUN         program and arguments, each     4 bytes exit status, or 128 + signal; then
 *                       with a '\0' behind it           what it has written, errors too
 *
 * A reply of kind FRAME_FAILED has the reason in words. A frame whose length is above FRAME_LONGEST,
 * or that is shorter than it says, is no frame: the connection ends.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdint.h>

enum { FRAME_LONGEST = 65536 };

enum frame_kind {
    FRAME_DATE = 1,
    FRAME_BLOCK = 2,
    FRAME_RUN = 3,
    FRAME_DONE = 100,
    FRAME_FAILED = 101
};

struct frame {
    uint32_t kind;
    uint32_t length;
    uint32_t header[2]; /* both, in network byte order; right before the content, to go with it */
    char content[FRAME_LONGEST + 1]; /* a '\0' has room behind it */
};

/* Both work on an O_NONBLOCK socket, and wait until `deadline_ms` at most. frame_read() returns
 * 1 for a frame, 0 if the other side has ended instead, or -1 with errno: EMSGSIZE for a frame that
 * is too long, EBADMSG for one that ends too early, ETIMEDOUT. frame_write() returns 0, or -1. */
int frame_read(int fd, int64_t deadline_ms, struct frame *frame);
int frame_write(int fd, int64_t deadline_ms, struct frame *frame);

/* Numbers within a content: `bytes` has 4 of them. */
void frame_put_number(char *bytes, uint32_t number);
uint32_t frame_get_number(const char *bytes);

#endif
