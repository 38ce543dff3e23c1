/* rundir: the run directory, where one start of the lab keeps what has a name.
 *
 *     lock    a file; the first process holds an fcntl(2) lock on it, which ends with
 *             that process, however it ends
 *     alive   a named pipe that carries nothing; every process of a start inherits its
 *             reading end, so that opening it for writing tells if one of them lives
 *
 * Two means, because a lock is not inherited by fork(2): it says who is in charge, the
 * pipe says whether somebody outlived him. All names are used relative to an open
 * descriptor of the directory, so it cannot be exchanged for another meanwhile.
 */
#ifndef RUNDIR_H
#define RUNDIR_H

struct rundir {
    const char *path;
    int fd;             /* of the directory; -1 when closed */
    int lock_fd;
    int alive_fd;
    char problem[512];  /* after a failure: what and why, in words for a person */
};

/* Opens the directory `option`, or $OSPS_DIR where that is NULL, or /tmp/osps-UID,
 * makes it (mode 0700) where needed, and takes it for this process. Waits up to two
 * seconds for the last processes of a start that was killed.
 * Returns 0, or -1 with `problem` set and nothing held: the directory is a link, is
 * somebody else's, lets others in, or is in use (the problem says by whom). */
int rundir_take(struct rundir *rundir, const char *option);

/* For a child after fork(2), before it ends: gives its descriptors back. */
void rundir_leave(struct rundir *rundir);

/* For the first process: removes `alive`, and lets the next start in. Does nothing where
 * the directory was not taken. Returns 0, or -1 with errno. */
int rundir_release(struct rundir *rundir);

#endif
