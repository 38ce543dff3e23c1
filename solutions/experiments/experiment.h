/* experiment: what the experiments have in common: how they speak, claim, wait and end.
 *
 *     experiment_begin(argc, argv, "2b", "What is a zombie?");
 *     scene("A. ...");
 *     say("...");                     what is done, what was measured
 *     claim(measured > 0, "...");     what that shows; if it does not, the exit status is 1
 *     return experiment_end("...");   for the instructor: what it should have shown
 *
 * Ctrl-C, SIGTERM and SIGHUP stay blocked and are taken wherever an experiment waits; then it
 * ends by exit(3), which ends its children and undoes what was given to at_end(). So a wait
 * is one of those below, and nothing else blocks for long.
 */
#ifndef EXPERIMENT_H
#define EXPERIMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads the command line (-h), and tells the question. First of all to be called. */
void experiment_begin(int argc, char *const argv[], const char *number, const char *question);

/* One line each, the newline is added. */
void scene(const char *title);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says the text, and whether it is true. */
void claim(bool holds, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says what should have been seen; returns main's value: EXIT_SUCCESS if every claim held. */
int experiment_end(const char *should_show);

/* Function to be called when this process ends, after the children have. At most 4. */
void at_end(void (*undo)(void));

/* `path` as seen from the directory of the program; valid until the next call. */
const char *beside_program(const char *path);

/* Microseconds on the monotonic clock. */
int64_t clock_us(void);

/* Waits. Does not return if we are told to end meanwhile; pass_ms(0) only asks that. */
void pass_ms(int ms);

/* Waits until `is_so(pid)`, for at most `limit_ms`. Returns whether it was so at last. */
bool eventually(bool (*is_so)(pid_t pid), pid_t pid, int limit_ms);

/* True if there is something to read, or an end of file, within `limit_ms`. */
bool can_read(int fd, int limit_ms);

#endif
