/* See token.h. */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* POSIX.1-2008 names no source of chance; every system has this one. */
static int source = -1;

int token_open(void)
{
    source = open("/dev/urandom", O_RDONLY);
    return source == -1 ? -1 : 0;
}

int token_make(char token[TOKEN_ROOM])
{
    unsigned char bytes[TOKEN_BYTES];
    ssize_t count;

    do
        count = read(source, bytes, sizeof bytes);
    while (count == -1 && errno == EINTR);
    if (count != (ssize_t)sizeof bytes)
        return -1;
    for (int i = 0; i < TOKEN_BYTES; i++)
        (void)snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

void token_close(void)
{
    if (source != -1)
        (void)close(source);
    source = -1;
}
