/* lab: what every process of one start has in common: the options, the run directory,
 * the table, the lifeline. Filled by the watchdog, inherited by fork(2), not changed by
 * the servers except to close what they do not need.
 */
#ifndef LAB_H
#define LAB_H

#include "lifeline.h"
#include "rundir.h"
#include "segment.h"
#include "table.h"

#include <stdbool.h>
#include <sys/types.h>

/* Who starts the secondaries, and starts them again. */
enum policy { DELEGATED, DIRECT };

struct lab {
    int secondaries;
    int period_ms;
    int timeout_ms;
    enum policy policy;
    int interval_ms;
    const char *directory;    /* NULL: choose */
    bool quiet;

    struct rundir rundir;
    struct segment segment;
    struct table *table;      /* in the segment */
    struct lifeline lifeline; /* of the principal that is alive, and its secondaries */
    pid_t watchdog_pid;
};

/* Reads the command line; does not return from -h or wrong usage. */
void lab_parse(struct lab *lab, int argc, char *argv[]);

/* For the watchdog: takes the run directory, makes the table. Dies on failure;
 * lab_close() then undoes what was done so far. */
void lab_open(struct lab *lab);

/* For the watchdog, when every server has ended: removes all that has a name. */
void lab_close(struct lab *lab);

/* For a server about to end: closes what it inherited. */
void lab_leave(struct lab *lab);

#endif
