/* spawn: another program as a child, with pipes, that does not outlive us. */
#ifndef SPAWN_H
#define SPAWN_H

#include <sys/types.h>

/* From here on, whatever below us loses its parent becomes our child (Linux): so nothing that is left
 * can hide. */
void spawn_adopt_orphans(void);

/* A pipe that programs do not inherit. Dies on failure. */
void spawn_pipe(int ends[2]);

/* Starts the program `argv[0]`, in a session of its own: Ctrl-C is for us alone. Its standard input
 * is `in`, its standard output `out`, its standard error `err` (-1: ours). If we are killed, it is sent
 * `signal_number`. Returns its pid; dies on failure. */
pid_t spawn(const char *const argv[], int in, int out, int err, int signal_number);

#endif
