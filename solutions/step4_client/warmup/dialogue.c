/* See dialogue.h. */
#include "dialogue.h"

#include "clock.h"
#include "journal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 100 };

/* There is nothing to undo: the kernel closes what we have open. _exit(2) may be called in a
 * handler, exit(3) may not. */
static void end_well(int number)
{
    (void)number;
    /* A journal that cannot be written ends us, too: see journal.h. */
    _exit(journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS);
}

void dialogue_end_on_signals(void)
{
    struct sigaction action = { .sa_handler = end_well };

    (void)sigemptyset(&action.sa_mask);
    if (sigaction(SIGINT, &action, NULL) == -1 || sigaction(SIGTERM, &action, NULL) == -1)
        die("catch signals");
}

void dialogue_announce(const struct side *side)
{
    char line[LINE_ROOM];

    (void)snprintf(line, sizeof line, "listening on %s:%d", side->host, side->port);
    dialogue_print(line);
}

int dialogue_accept(int listener, char peer[NET_NAME_ROOM])
{
    int fd;

    while ((fd = net_accept(listener, peer)) == -1) {
        warn("accept a client");
        /* Without descriptors the next try would fail at once, and the next. */
        (void)poll(NULL, 0, PAUSE_MS);
    }
    return fd;
}

static int await_client(const struct side *side)
{
    char peer[NET_NAME_ROOM];
    int listener = net_listen(side->host, side->port);
    int fd;

    if (listener == -1)
        exit(EXIT_FAILURE);
    dialogue_announce(side);
    fd = dialogue_accept(listener, peer);
    (void)close(listener);
    warnx("client %s", peer);
    return fd;
}

int dialogue_open(const struct side *side, int timeout_ms)
{
    int fd;

    if (side->listens)
        return await_client(side);
    fd = net_connect(side->host, side->port, timeout_ms);
    if (fd == -1)
        exit(EXIT_FAILURE);
    return fd;
}

void dialogue_print(const char *line)
{
    char bytes[LINE_ROOM];
    size_t length = strlen(line);

    for (size_t i = 0; i < length; i++)
        bytes[i] = is_control(line, i) && line[i] != '\t' ? '?' : line[i];
    bytes[length] = '\n';
    if (net_write_all(STDOUT_FILENO, bytes, length + 1) == -1)
        die("write on standard output");
}

enum line_status dialogue_await(struct line_reader *reader, int timeout_ms, char line[LINE_ROOM])
{
    int64_t deadline_ms = clock_ms() + timeout_ms;
    struct pollfd readable = { .fd = reader->fd, .events = POLLIN };
    enum line_status status = LINE_NONE;

    while (status == LINE_NONE) {
        int ready = line_is_waiting(reader) ? 1 : poll(&readable, 1, clock_left_ms(deadline_ms));

        if (ready == -1 && errno != EINTR)
            return LINE_ERROR;
        if (ready > 0)
            status = line_read(reader, line);
        if (status == LINE_NONE && clock_ms() >= deadline_ms)
            return LINE_NONE;
    }
    return status;
}

bool dialogue_has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK) <= 0;
}
