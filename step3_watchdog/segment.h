/* segment: memory that several processes share, by name.
 *
 * The name is an entry of the system's, like a file's: it outlives its makers until
 * somebody removes it. On Linux it can be seen: ls -l /dev/shm
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include <stddef.h>

struct segment {
    char name[64]; /* "/osps-DEVICE-INODE", unique for each run directory */
    void *memory;  /* NULL when there is none */
    size_t size;   /* bytes */
};

/* Makes the segment that belongs to the run directory open at `rundir_fd`, `size`
 * bytes, all zero, mode 0600, and maps it. One left behind by a start that was killed
 * is removed first; the caller must know that nobody uses it any more.
 * Returns 0, or -1 with errno and nothing left behind. */
int segment_create(struct segment *segment, int rundir_fd, size_t size);

/* Unmaps the segment and removes its name. Does nothing where there is none. */
void segment_remove(struct segment *segment);

#endif
