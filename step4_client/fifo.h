/* fifo: the pair of named pipes between the principal and secondary K.
 *
 *     dwtubeK    principal to secondary
 *     wdtubeK    secondary to principal
 *
 * To open a named pipe is a meeting: by default each side waits in open(2) for the
 * other, for ever if the other does not come, and two sides that open two pipes in
 * different orders wait for each other. So here nobody waits. Opened with O_NONBLOCK,
 * a reading end opens at once, and a writing end opens if there is a reading end, else
 * fails (ENXIO). Hence the order: the secondary's ends first (they are there before
 * the secondary is, it inherits them), then the principal's.
 */
#ifndef FIFO_H
#define FIFO_H

/* One side's two ends, both O_NONBLOCK; -1 where not open. */
struct channel {
    int in;
    int out;
};

/* Makes both pipes of secondary `number` in the run directory, mode 0600. Old ones are
 * removed first: what was left in them is not read by anybody any more.
 * Returns 0, or -1 with errno. */
int fifo_make_pair(int rundir_fd, int number);

/* Opens the secondary's ends. Until the principal opens its own, reading gives nothing
 * and writing fails (EPIPE). Returns 0, or -1 with errno and nothing open. */
int fifo_open_secondary_side(struct channel *channel, int rundir_fd, int number);

/* Opens the principal's ends. Returns 0, or -1 with errno and nothing open; errno is
 * ENXIO when nobody has the secondary's ends open: it has died. */
int fifo_open_principal_side(struct channel *channel, int rundir_fd, int number);

/* Closes what is open of the two ends. */
void channel_close(struct channel *channel);

/* Removes the names of both pipes. Returns 0, also when they are not there, or -1 with
 * errno. */
int fifo_remove_pair(int rundir_fd, int number);

#endif
