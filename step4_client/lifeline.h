/* lifeline: how watchdog and servers learn of each other's end, however it comes.
 *
 * A pair of connected sockets. The watchdog alone holds one end, every server inherits
 * the other, and nothing is ever sent. When the watchdog ends, even by SIGKILL, each
 * server sees end of file. When the last server has ended, the watchdog sees it. No pid
 * is asked, which might be somebody else's by now, and no zombie is mistaken for alive.
 */
#ifndef LIFELINE_H
#define LIFELINE_H

#include <stdbool.h>
#include <stdint.h>

struct lifeline {
    int watchdog_end; /* -1 where not open */
    int server_end;
};

/* For the watchdog, before it forks the servers. Returns 0, or -1 with errno. */
int lifeline_open(struct lifeline *lifeline);

/* For a server, first of all: as long as it held the watchdog's end too, nobody would
 * ever see the watchdog's end of file. */
void lifeline_become_server(struct lifeline *lifeline);

/* For the watchdog: waits until the last server has ended. It must not fork another one
 * on this lifeline. Returns false if there still is one at `deadline_ms`. */
bool lifeline_await_last(struct lifeline *lifeline, int64_t deadline_ms);

/* Closes the ends that are open. */
void lifeline_close(struct lifeline *lifeline);

#endif
