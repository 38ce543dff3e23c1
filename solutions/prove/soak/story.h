/* story: what the watchdog's journal has told so far of each server, and whether it was right.
 *
 *     0.104233 secondary2[4711] start                        it is up
 *     1.204233 watchdog[4700] frozen secondary2[4711]        condemned: did it have a reason?
 *     1.206233 watchdog[4700] died secondary2[4711] signal 9    was it us?
 *
 * A kill is false unless we had stopped the server for as long as it may owe an answer, less what the
 * machine was late by and LATE_US, below which the watchdog, too, does not call itself late.
 */
#ifndef STORY_H
#define STORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PRINCIPAL, SECONDARIES = 6, SERVERS = 1 + SECONDARIES, /* secondary K has number K */
    PERIOD_MS = 200, TIMEOUT_MS = 500, WORK_MS = 20,       /* the watchdog's options */
    LATE_US = 20 * 1000
};

struct server {
    pid_t pid;           /* of the latest process that has begun; 0 for none */
    bool is_up;          /* and nothing has been told of its end, nor done for it */
    bool was_killed;     /* by us, or with its principal */
    int64_t up_us;
    int64_t stopped_us;  /* our SIGSTOP, and our SIGCONT; never: INT64_MAX */
    int64_t thawed_us;
};

struct story {
    struct server servers[SERVERS];
    struct server before[SERVERS]; /* the ones before those: the end of one may be told late */
    int64_t begin_us;              /* when the journal's clock began */
    int starts;
    int false_kills;
    int own_ends;                  /* servers that ended, and nobody had done them harm */
};

extern struct story story;

/* Another watchdog begins: no server yet. The counts go on. */
void story_begin(void);

/* The next line of its journal, which has just been read. */
void story_hear(const char *line);

/* True if all servers are up. */
bool story_is_whole(void);

/* When the youngest of them began. */
int64_t story_latest_start_us(void);

/* What was done to a server; with a principal that is killed, all go. */
void story_killed(int number);
void story_stopped(int number, int64_t at_us);
void story_thawed(int number, int64_t at_us);

/* principal, secondary1, ... */
const char *story_role(int number);

#endif
