/* watch: what the watchdog knows of one server: whether it owes an answer, since when,
 * and how it ended. Nothing here sends a signal or kills; watchdog.c does.
 */
#ifndef WATCH_H
#define WATCH_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>

struct watch {
    struct slot *slot;
    int pid;               /* of the process that the rest is about; 0 for none */
    unsigned answered;     /* the latest probe that it had answered when we looked */
    int64_t deadline_ms;   /* it owes an answer until then; 0 when it owes none */
    bool was_prolonged;    /* the deadline */
};

void watch_init(struct watch *watch, struct slot *slot);

/* Looks at the table: notes answers, tells the journal of a death (`killed` if it was
 * condemned, else `died`), begins anew with a new process. The table remembers one death:
 * of several between two looks, only the last can be told. */
void watch_look(struct watch *watch, int timeout_ms);

/* A probe is about to be sent. */
void watch_probe(struct watch *watch, int timeout_ms);

/* True if the server has not answered in time and is not condemned yet. */
bool watch_is_overdue(const struct watch *watch);

/* The watchdog itself was late: it, and perhaps everything on this machine, stood still for a
 * while. The server gets as long again, once, for the answer that it owes. */
void watch_prolong(struct watch *watch, int timeout_ms);

/* The earlier of `until_ms` and the moment at which the server would be overdue. */
int64_t watch_wake_ms(const struct watch *watch, int64_t until_ms);

#endif
