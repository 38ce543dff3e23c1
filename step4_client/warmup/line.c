/* See line.h. */
#include "line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void line_reader_init(struct line_reader *reader, int fd)
{
    reader->fd = fd;
    reader->start = reader->end = 0;
}

static char *find_newline(const struct line_reader *reader)
{
    return memchr(reader->bytes + reader->start, '\n', reader->end - reader->start);
}

bool line_is_waiting(const struct line_reader *reader)
{
    return find_newline(reader) != NULL;
}

/* Stores the bytes up to `newline` and drops them from the reader. */
static enum line_status take_line(struct line_reader *reader, const char *newline,
                                  char line[LINE_ROOM])
{
    const char *begin = reader->bytes + reader->start;
    size_t length = (size_t)(newline - begin);

    reader->start += length + 1;
    if (length > 0 && begin[length - 1] == '\r')
        length--;
    if (length > LINE_LONGEST || memchr(begin, '\0', length) != NULL) {
        errno = length > LINE_LONGEST ? EMSGSIZE : EBADMSG;
        return LINE_ERROR;
    }
    memcpy(line, begin, length);
    line[length] = '\0';
    return LINE_READY;
}

/* Reads what fits behind the bytes that are there. Returns as read(2). */
static ssize_t read_more(struct line_reader *reader)
{
    ssize_t count;

    memmove(reader->bytes, reader->bytes + reader->start, reader->end - reader->start);
    reader->end -= reader->start;
    reader->start = 0;
    do
        count = read(reader->fd, reader->bytes + reader->end, sizeof reader->bytes - reader->end);
    while (count == -1 && errno == EINTR);
    if (count > 0)
        reader->end += (size_t)count;
    return count;
}

enum line_status line_read(struct line_reader *reader, char line[LINE_ROOM])
{
    char *newline = find_newline(reader);

    if (newline == NULL) {
        ssize_t count = read_more(reader);

        if (count == 0)
            return LINE_END;
        if (count == -1)
            return errno == EAGAIN || errno == EWOULDBLOCK ? LINE_NONE : LINE_ERROR;
        newline = find_newline(reader);
    }
    if (newline != NULL)
        return take_line(reader, newline, line);
    if (reader->end < sizeof reader->bytes)
        return LINE_NONE;
    errno = EMSGSIZE;
    return LINE_ERROR;
}

int line_write(int fd, const char *format, ...)
{
    char line[LINE_ROOM + 1];
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(line, LINE_ROOM, format, arguments);
    va_end(arguments);
    if (length < 0 || length > LINE_LONGEST) {
        errno = EMSGSIZE;
        return -1;
    }
    ssize_t written;

    line[length++] = '\n';
    do
        written = write(fd, line, (size_t)length);
    while (written == -1 && errno == EINTR);
    if (written >= 0 && written < length)
        errno = EAGAIN;
    return written == length ? 0 : -1;
}
