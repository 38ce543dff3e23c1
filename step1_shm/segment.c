/* See segment.h. */
#include "segment.h"
#include "todo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Two run directories never have the same device and inode at the same time, and the
 * next start in the same directory finds the name again. */
static int name_segment(struct segment *segment, int rundir_fd)
{
    struct stat status;

    if (fstat(rundir_fd, &status) == -1)
        return -1;
    (void)snprintf(segment->name, sizeof segment->name, "/osps-%jx-%jx",
                   (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return 0;
}

/* Reserves the bytes now: a full disk is an error here rather than a SIGBUS at the
 * first use of a page that could not be had. */
static int reserve(int fd, size_t size)
{
    int error;

    if (ftruncate(fd, (off_t)size) == -1)
        return -1;
    error = posix_fallocate(fd, 0, (off_t)size);
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

/* Makes the segment and maps it. Returns 0, or -1 with errno; what it has made by then is for the
 * caller to undo. `*fd` is the descriptor, -1 for none: the mapping stays when it is closed. */
static int make_and_map(struct segment *segment, int *fd)
{
    // TODO 1.1: make the shared memory object called segment->name: it must be new, and mode 0600.
    // Store its descriptor in *fd. Give it its bytes with reserve(). Map them into segment->memory,
    // for reading and writing, so that other processes see what this one writes.
    todo("1.1", segment, fd, reserve);
}

int segment_create(struct segment *segment, int rundir_fd, size_t size)
{
    int saved_errno;
    int result;
    int fd = -1;

    *segment = (struct segment){ .size = size };
    if (name_segment(segment, rundir_fd) == -1)
        return -1;
    if (shm_unlink(segment->name) == -1 && errno != ENOENT)
        return -1;
    result = make_and_map(segment, &fd);
    saved_errno = errno;
    if (result == -1)
        segment->memory = NULL;
    if (result == -1 && fd != -1)
        (void)shm_unlink(segment->name);
    if (fd != -1)
        (void)close(fd);
    errno = saved_errno;
    return result;
}

void segment_remove(struct segment *segment)
{
    if (segment->memory == NULL)
        return;
    (void)munmap(segment->memory, segment->size);
    (void)shm_unlink(segment->name);
    segment->memory = NULL;
}
