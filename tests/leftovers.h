/*
 * leftovers.h - the pipes and shared memory segments that a program under test leaves behind.
 *
 * Used by supervise.c. Another run by the same user may make segments at the same time: one that a
 * process outside our tree is seen to use is foreign, and neither reported nor removed.
 */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include "proctree.h"

/* Before the start: what is there already is not ours. */
void segments_remember(void);

/* Now and then: notice new segments and whose they are. Cheap when there is nothing new. */
void segments_watch(const struct proc_tree *tree, long long now_ms);

/* At once. */
void segments_look(const struct proc_tree *tree);

/* Before everything is killed: have what is ours mapped ourselves, so that to the supervisors of other runs it
 * is in use, and foreign. Later: remove what the next start of the program under test has not. */
void segments_hold(const struct proc_tree *tree);
void segments_remove_held(void);

/* At the end: one line for each thing left, `leftover segment NAME`, `leftover pipe PATH`.
 * Unless `keep`, what is reported is removed. */
void segments_report(FILE *report, const struct proc_tree *tree, bool keep);
void pipes_report(FILE *report, const char *run_dir, bool keep);

#endif
