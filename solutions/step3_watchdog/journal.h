/* journal: what a program says. Events go to standard output, one line each:
 *
 *     SECONDS ROLE[PID] EVENT ARGUMENTS        0.104233 secondary1[4711] read 3
 *
 * and trouble goes to standard error: `ROLE: what it tried: why`.
 *
 * Each line is one write(2), so lines of several processes never mix. The newline is
 * added here: a "\n" in the text shows as `?`, as every control character does.
 * There is no stdio: a buffer that is full at fork(2) would be printed twice.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

/* To be called first of all, by the first process of a program; those that it forks inherit
 * what it sets: the role, and the moment from which SECONDS count. `quiet` drops the events
 * told by journal_often().
 *
 * From then on, to write where nobody reads any more (SIGPIPE), or beyond the largest size
 * of a file (SIGXFSZ), is an error of write(2) and not death. */
void journal_init(const char *role, bool quiet);

/* Sends the journal to another descriptor than standard output, -1 for nowhere. It is then
 * an extra that the program does without if it must. */
void journal_send_to(int fd);

/* Changes the role, for a child after fork(2); number 0 is left out of the name. */
void journal_set_role(const char *role, int number);

/* An event that happens once in a process's life: start, exit, a replacement. */
void journal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An event that comes again and again; option -q drops it. */
void journal_often(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* True once standard output has failed. The process has then also been sent a SIGTERM, by
 * itself: what nobody can hear ends, the first process in an orderly way. A reader that is
 * only slow is waited for, but not for ever: see journal.c. */
bool journal_is_lost(void);

/* True if line[i] is one, or a part of one: those of ASCII; and U+0080 to U+009F in UTF-8, 0xc2 and one
 * byte more, which some terminals obey as well. */
bool is_control(const char line[], size_t i);

/* `ROLE: what: why` on standard error, why being errno's text; then life goes on. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same without errno, for troubles that have none. */
void warnx(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As warn() and warnx(), then exit(3) with status 1: what atexit(3) was given runs. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void diex(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
