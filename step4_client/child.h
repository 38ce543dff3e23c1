/* child: what a parent notes of a server that it has to keep alive.
 *
 * The watchdog keeps one for the principal (and under `direct` for every secondary), the
 * principal under `delegated` for every secondary. A server that dies is started again at
 * once, unless it has just done so twice already: what dies at birth would otherwise be
 * forked without end.
 */
#ifndef CHILD_H
#define CHILD_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    QUICK_DEATH_MS = 500,    /* a server that dies sooner than this died at birth */
    QUICK_DEATHS = 3,        /* so many of them running, and the next start is delayed */
    FIRST_DELAY_MS = 100,    /* doubled by each further one, */
    LONGEST_DELAY_MS = 5000, /* up to this */
    FORK_RETRY_MS = 500      /* when the system has no room for another process */
};

struct child {
    struct slot *slot;
    pid_t pid;             /* 0 while there is none; a pid that is not reaped yet is ours */
    int64_t started_ms;
    int64_t start_due_ms;  /* while there is none: when to start it */
    int quick_deaths;      /* running */
};

/* A child that is to be started now. */
void child_init(struct child *child, struct slot *slot);

/* True when it is time to start it. */
bool child_is_due(const struct child *child, int64_t now_ms);

/* It was forked and is process `pid`. Tells the table and the journal. */
void child_started(struct child *child, pid_t pid);

/* It was reaped, with the wait status `status`. Tells the table, and the journal if the
 * next start is delayed. */
void child_died(struct child *child, int status);

/* It was reaped after the principal had died and taken it along: that is nothing that a
 * delay would heal. Tells the table. */
void child_taken_along(struct child *child, int status);

/* It could not be forked: it is to be tried again after FORK_RETRY_MS. */
void child_postpone(struct child *child);

/* The earlier of `until_ms` and the moment at which the child is to be started. */
int64_t child_wake_ms(const struct child *child, int64_t until_ms);

#endif
