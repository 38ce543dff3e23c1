/*
 * sysv.h - the segments of System V that a program under test leaves behind.
 *
 * Used by supervise.c. They have no name that could tell whose they are, but the kernel notes who made them.
 */
#ifndef SYSV_H
#define SYSV_H

#include "proctree.h"

/* Before the start: what is there already is not ours. */
void sysv_remember(void);

/* At every look: these are our processes. The program itself may be too quick to be seen by a look. */
void sysv_note_processes(const struct proc_tree *tree);
void sysv_note_process(pid_t pid);

/* Once nobody is left below: a line for each segment left, `leftover segment sysv ID`. */
void sysv_report(FILE *report, const struct proc_tree *tree);

/* After the report: remove what it tells of. */
void sysv_remove_reported(void);

#endif
