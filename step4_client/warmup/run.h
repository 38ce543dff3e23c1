/* run: a program, with a time limit, and what it writes. */
#ifndef RUN_H
#define RUN_H

#include <stddef.h>

/* Runs `program`, found as execvp(3) does, with `argv` and without input. Stores what it writes on
 * standard output and standard error, up to `room` bytes, and how many there are in `length`.
 * Returns its wait status, or -1 with errno: ETIMEDOUT if it was still running after `limit_ms`,
 * EMSGSIZE if it wrote more than there is room for; in both cases it was killed. */
int run_program(const char *program, char *const argv[], int limit_ms, char *output, size_t room,
                size_t *length);

#endif
