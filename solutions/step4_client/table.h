/* table: what the shared memory holds about every server.
 *
 * Signals do not queue: of sixty-four SIGUSR2 that come at once, one may be all that is
 * received. So a signal here only says "look", and the table says what there is to see.
 *
 * There is no lock: a process killed while it holds one would keep it for ever. Instead
 * each field has one writer at a time, named beside it, and is atomic. "Parent" is who
 * forked the server: the watchdog, or for a secondary under `delegated` the principal;
 * when a principal has died, the watchdog writes in its place.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { PRINCIPAL = 0, MAX_SECONDARIES = 64 }; /* secondary K has number K */

enum server_state { SERVER_ABSENT, SERVER_RUNNING, SERVER_FROZEN };

struct slot {
    char role[16];               /* watchdog, before the first fork */
    atomic_int pid;              /* parent; 0 while there is none */
    atomic_int generation;       /* parent: how many have been started; 1 for the first */
    atomic_int last_pid;         /* parent: the last one that died, 0 if none has */
    atomic_int last_status;      /* parent: how, as waitpid(2) told; set before last_pid */
    atomic_int condemned;        /* watchdog: the pid that it wants killed; parent: 0 instead,
                                    when a new process has that pid */
    atomic_uint probes_sent;     /* watchdog */
    atomic_uint probes_answered; /* the server itself: the latest probe that it has seen */
    atomic_int clients;          /* the secondary: how many it is serving or has waiting */
    atomic_llong requests_done;  /* the secondary, going on from the one before it */
};

struct table {
    int64_t started_ms;          /* watchdog, before the first fork */
    atomic_llong last_request;   /* principal: the number of the latest one */
    struct slot slot[1 + MAX_SECONDARIES];
};

/* Writes the roles into a table that is all zero. */
void table_init(struct table *table);

/* What the fields say of the server. */
enum server_state slot_state(const struct slot *slot);

/* How often the server was replaced. */
int slot_restarts(const struct slot *slot);

/* For the parent: the server now is process `pid`. Tells the journal. */
void slot_started(struct slot *slot, pid_t pid);

/* For the parent: the server died, with the wait status `status`. */
void slot_died(struct slot *slot, int status);

#endif
