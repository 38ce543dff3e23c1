/* journal: what a program says. Events go to standard output, one line each:
 *
 *     SECONDS ROLE[PID] EVENT ARGUMENTS        0.104233 secondary1[4711] read 3
 *
 * and trouble goes to standard error: `ROLE: what it tried: why`.
 *
 * Each line is one write(2), so lines of several processes never mix.
 * There is no stdio: a buffer that is full at fork(2) would be printed twice.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>

/* Starts the clock of SECONDS, sets the role, and ignores SIGPIPE: to write where
 * nobody reads any more is then an error of write(2) (EPIPE), not death. The first process of a program
 * calls it once; the processes it forks inherit the clock. `quiet` drops the
 * events told by journal_often(). */
void journal_open(const char *role, bool quiet);

/* Sends the journal to another descriptor than standard output; -1 for nowhere. */
void journal_send_to(int fd);

/* Changes the role, for a child after fork(2); number 0 is left out of the name. */
void journal_set_role(const char *role, int number);

/* An event that happens once in a process's life: start, exit, a replacement. */
void journal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An event that comes again and again; option -q drops it. */
void journal_often(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True once a line could not be written. The process has then also been sent a
 * SIGTERM (by itself): a program that nobody can hear stops in an orderly way. */
bool journal_is_lost(void);

/* `ROLE: what: why` on standard error, why being errno's text; then life goes on. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without errno, for troubles that have none. */
void warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As warn() and warnx(), then exit(3) with status 1: what atexit(3) was given runs. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void diex(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
