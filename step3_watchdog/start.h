#ifndef START_H
#define START_H

#include "lab.h"

/* For the parent of the secondaries: makes new pipes for secondary `number`, which nobody
 * has written to, forks it, and puts it into the process group `group` (0: the parent's).
 * `shed` closes in the child what belongs to the parent alone.
 * Returns its pid, or -1 with errno. */
pid_t start_secondary(struct lab *lab, int number, pid_t group, void (*shed)(void));

#endif
