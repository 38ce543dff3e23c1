/* census: who lives below us, as /proc shows it: copies, zombies, descriptors, memory. */
#ifndef CENSUS_H
#define CENSUS_H

#include <stdbool.h>
#include <sys/types.h>

struct census {
    long looks;
    int copies;   /* looks at which there were more servers than there may be */
    int zombies;  /* that lasted longer than ZOMBIE_MS */
};

enum { ZOMBIE_MS = 1500 /* longer than a frozen parent takes to be replaced */ };

extern struct census census;

/* Looks for copies and zombies. `is_other(pid)` tells who below us is no server. */
void census_look(bool (*is_other)(pid_t pid));

/* How many processes there are below us. */
int census_count(void);

/* True if `pid` is below `ancestor` in the latest picture. Pids come back, so one from a journal could be
 * a stranger's by now. */
void census_take_picture(void);
bool census_is_below(pid_t pid, pid_t ancestor);

/* What a process has. -1 if it has gone. */
int census_descriptors(pid_t pid);
long census_resident_kb(pid_t pid);

/* Sends SIGKILL to all that is below us. */
void census_kill_all(void);

#endif
