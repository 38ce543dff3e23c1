/* line: lines of text over a pipe or a socket.
 *
 * A read(2) returns what is there: half a line, or three of them. So what has come is
 * kept until a newline completes it. The descriptor is O_NONBLOCK, and whoever reads
 * has asked poll(2) first: nobody waits here.
 */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stddef.h>

/* The longest line, newline not counted, and room for it with its final '\0'. */
enum { LINE_LONGEST = 512, LINE_ROOM = LINE_LONGEST + 1 };

enum line_status {
    LINE_READY,    /* a whole line was stored */
    LINE_NONE,     /* no whole line yet: poll(2), then ask again */
    LINE_END,      /* end of file; half a line before it is no line, and dropped */
    LINE_ERROR     /* errno tells: EMSGSIZE for a line too long, EBADMSG for a zero byte */
};

struct line_reader {
    int fd;
    size_t start;  /* bytes[start..end) has been read and not yet returned */
    size_t end;
    char bytes[LINE_ROOM + 1]; /* a longest line with "\r\n" */
};

/* Begins to read lines from `fd`, forgetting what was read before. */
void line_reader_init(struct line_reader *reader, int fd);

/* Stores the next line in `line`, without its "\n" or "\r\n". Calls read(2) at most once
 * unless it is interrupted. Each line is handed out alone: after LINE_READY ask again
 * before you poll(2), which knows nothing of what was already read. */
enum line_status line_read(struct line_reader *reader, char line[LINE_ROOM]);

/* True if line_read() would return a line without a read(2). */
bool line_is_waiting(const struct line_reader *reader);

/* Writes one line, the newline added, in one write(2): up to PIPE_BUF bytes (at least
 * 512) reach a pipe whole or not at all. Returns 0, or -1 with errno: EAGAIN if it does
 * not fit now (on a socket a part may then have gone), EPIPE if nobody reads any more,
 * EMSGSIZE if it is longer than LINE_LONGEST. */
int line_write(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
