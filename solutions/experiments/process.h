/* process: the children of an experiment, and what the system says of a process. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* After fork(2). The parent says note_child(), which dies if there is none; what is noted is
 * ended with us. The child says begin_child() first: signals end it again, nothing is left to
 * it to clean up, and it cannot live for longer than half a minute. */
void note_child(pid_t pid);
void begin_child(void);

/* Waits for a child for at most `limit_ms`, returns its wait status; dies if it does not end. */
int await_child(pid_t pid, int limit_ms);

/* Ends all that are noted, those too that are stopped; the experiment's end calls it. */
void end_children(void);

/* The state of a process as ps(1) has it: R, S, T, Z; 0 where there is no such process. */
char state_of(pid_t pid);
bool is_zombie(pid_t pid);
bool is_stopped(pid_t pid);
bool is_gone(pid_t pid);
pid_t parent_of(pid_t pid);

/* What ps(1) says of the processes; `other` is 0 where there is one only. */
void show_ps(pid_t pid, pid_t other);

#endif
