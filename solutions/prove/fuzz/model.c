/* See model.h. */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_PATTERNS = 8 };

void claim_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: CLAIM is false: %s\n", file, line, condition);
    abort();
}

enum line_status model_line(struct stream *stream, char line[LINE_ROOM], int *why)
{
    const uint8_t *begin = stream->bytes;
    const uint8_t *newline = stream->size > 0 ? memchr(begin, '\n', stream->size) : NULL;
    size_t length = newline != NULL ? (size_t)(newline - begin) : stream->size;

    *why = 0;
    /* Without an end it is half a line, until it has no room even with "\r\n". */
    if (newline == NULL && length < LINE_LONGEST + 2)
        return LINE_END;
    if (length > 0 && begin[length - 1] == '\r')
        length--;
    if (newline == NULL || length > LINE_LONGEST)
        *why = EMSGSIZE;
    else if (length > 0 && memchr(begin, '\0', length) != NULL)
        *why = EBADMSG;
    if (*why != 0)
        return LINE_ERROR;
    take_text(begin, length, line);
    stream->size -= (size_t)(newline + 1 - begin);
    stream->bytes = newline + 1;
    return LINE_READY;
}

/* Compiled once each: `pattern` is a string constant, known by its address. */
bool matches(const char *line, const char *pattern)
{
    static struct {
        const char *pattern;
        regex_t compiled;
    } known[MAX_PATTERNS];
    int i = 0;

    while (i < MAX_PATTERNS - 1 && known[i].pattern != NULL && known[i].pattern != pattern)
        i++;
    if (known[i].pattern == NULL) {
        CLAIM(regcomp(&known[i].compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0);
        known[i].pattern = pattern;
    }
    CLAIM(known[i].pattern == pattern);
    return regexec(&known[i].compiled, line, 0, NULL, 0) == 0;
}

void take_text(const uint8_t *bytes, size_t size, char line[LINE_ROOM])
{
    size_t length = 0;

    while (length < size && length < LINE_LONGEST && bytes[length] != '\n' && bytes[length] != '\0') {
        line[length] = (char)bytes[length];
        length++;
    }
    line[length] = '\0';
}

void connect_stream(int ends[2], const struct stream *stream)
{
    CLAIM(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CLAIM(fcntl(ends[0], F_SETFL, O_NONBLOCK) != -1);
    CLAIM(write(ends[1], stream->bytes, stream->size) == (ssize_t)stream->size);
    CLAIM(shutdown(ends[1], SHUT_WR) == 0);
}
