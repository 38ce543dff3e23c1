/* See lifeline.h. */
#include "lifeline.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int lifeline_open(struct lifeline *lifeline)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == -1)
        return -1;
    lifeline->watchdog_end = ends[0];
    lifeline->server_end = ends[1];
    return 0;
}

static void close_if_open(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

void lifeline_become_server(struct lifeline *lifeline)
{
    close_if_open(&lifeline->watchdog_end);
}

bool lifeline_await_last(struct lifeline *lifeline, int64_t deadline_ms)
{
    struct pollfd last = { .fd = lifeline->watchdog_end, .events = POLLIN };
    int answer;

    close_if_open(&lifeline->server_end);
    do
        answer = poll(&last, 1, clock_left_ms(deadline_ms));
    while (answer == -1 && errno == EINTR);
    return answer == 1;
}

void lifeline_close(struct lifeline *lifeline)
{
    close_if_open(&lifeline->watchdog_end);
    close_if_open(&lifeline->server_end);
}
