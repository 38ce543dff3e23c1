/* ends: a named pipe of one's own, and the ends of others'.
 *
 * A FIFO is opened by a meeting: who opens one end waits in open(2) for somebody at the other, for
 * ever if nobody comes. Here nobody waits: all ends are O_NONBLOCK, and so is what is read and
 * written through them (ready.h waits).
 */
#ifndef ENDS_H
#define ENDS_H

/* Makes the FIFO DIRECTORY/PROGRAM-PID, mode 0600, which is removed when the process ends by exit(3).
 * Returns its path, which is absolute: a process that works elsewhere must find it, too. If it
 * cannot be made the program ends with a message. */
const char *make_own_fifo(const char *directory, const char *program);

/* Writes the line `Fifo created: PATH` on standard output. */
void announce_fifo(const char *path);

/* A descriptor, or -1 with errno. To open the reading end succeeds at once; while nobody has had the
 * writing end open, there is nothing to read, and no end either. */
int open_reading_end(const char *path);

/* A descriptor, or -1 with errno: ENXIO if nobody has the reading end open, EINVAL if there is
 * something else than a FIFO at `path`. */
int open_writing_end(const char *path);

/* What errno means after one of the two. */
const char *why_not_open(void);

#endif
