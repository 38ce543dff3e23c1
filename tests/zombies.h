/*
 * zombies.h - finds the zombies that last: children that ended and that their parent does not wait for.
 *
 * Used by supervise.c, at every look at the process tree.
 */
#ifndef ZOMBIES_H
#define ZOMBIES_H

#include "proctree.h"

/* Follow the zombies below `supervisor` (its own children are its own business). Once one that lasted
 * too long is gone, the line `zombie PID PARENT MS` goes to `findings`. */
void zombies_watch(const struct proc_tree *tree, pid_t supervisor, long long now_ms, FILE *findings);

/* The program has ended: no zombie can last longer. */
void zombies_finish(FILE *findings);

#endif
