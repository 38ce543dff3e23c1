/*
 * leftovers.c - the pipes and shared memory segments that a program under test leaves behind.
 *
 * A POSIX segment or semaphore is a file in /dev/shm. Nothing there says who made it, so the question is who maps
 * it, asked in /proc/PID/maps: a new file is ours if processes of ours, and no others, are seen to have it mapped.
 * One of the lab's own kind, /osps-*, that nobody is seen to map for a good while (its maker died at once) is taken
 * for ours if no other supervisor runs. To tell, each holds a shared lock on the directory itself.
 * Left out: a file of another name whose maker unmapped it, or died, before the next look.
 */
#include "leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SEGMENTS = 1024, LOOK_EVERY_MS = 100, MANY_LOOKS = 8 };
enum owner { UNKNOWN, OURS, FOREIGN };

/* The inode tells a segment from a later one of the same name; and whoever has mapped a semaphore did so by a name
 * that is gone, sem_open(3). */
struct segment {
    char path[NAME_MAX + 16];
    dev_t device;                       /* other containers may have a /dev/shm of their own */
    ino_t inode;
    enum owner owner;
    bool mapped_below, mapped_elsewhere;    /* at the last look */
    bool held;
};

static struct segment segments[MAX_SEGMENTS];
static size_t segment_count;
static int shm_dir_fd;

static struct segment *find_segment(const char *path, ino_t inode)
{
    for (size_t i = 0; i < segment_count; i++)
        if (segments[i].inode == inode && strcmp(segments[i].path, path) == 0)
            return &segments[i];
    return NULL;
}

/* Note the files that are new. Returns how many there were. */
static size_t note_new_segments(enum owner owner)
{
    DIR *directory = opendir("/dev/shm");
    struct dirent *entry;
    size_t new_count = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct segment seen = { .owner = owner };
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == -1
            || !S_ISREG(status.st_mode) || status.st_uid != getuid())
            continue;
        snprintf(seen.path, sizeof seen.path, "/dev/shm/%s", entry->d_name);
        seen.device = status.st_dev;
        seen.inode = status.st_ino;
        if (find_segment(seen.path, seen.inode) == NULL && segment_count < MAX_SEGMENTS) {
            segments[segment_count++] = seen;
            new_count++;
        }
    }
    if (directory != NULL)
        closedir(directory);
    return new_count;
}

static bool is_there(const struct segment *segment)
{
    struct stat status;
    return lstat(segment->path, &status) == 0 && status.st_ino == segment->inode;
}

static void mark_inode(dev_t device, ino_t inode, bool below)
{
    for (size_t i = 0; i < segment_count; i++)
        if (segments[i].device == device && segments[i].inode == inode)
            *(below ? &segments[i].mapped_below : &segments[i].mapped_elsewhere) = true;
}

/* ADDRESS PERMISSIONS OFFSET DEVICE INODE PATH */
static void mark_mapped(const struct proc *proc)
{
    char file[64], *line = NULL;
    size_t size = 0;
    unsigned device_major, device_minor;
    uintmax_t inode;
    snprintf(file, sizeof file, "/proc/%ld/maps", (long)proc->pid);
    FILE *map_lines = fopen(file, "re");
    while (map_lines != NULL && getline(&line, &size, map_lines) != -1)
        if (strstr(line, " /dev/shm/") != NULL
            && sscanf(line, "%*s %*s %*s %x:%x %ju", &device_major, &device_minor, &inode) == 3)
            mark_inode(makedev(device_major, device_minor), (ino_t)inode, proc->below);
    free(line);
    if (map_lines != NULL)
        fclose(map_lines);
}

/* Who is below, or who is elsewhere: the latter may be many. */
static void look_who_maps(const struct proc_tree *tree, bool below)
{
    for (size_t i = 0; i < segment_count; i++)
        *(below ? &segments[i].mapped_below : &segments[i].mapped_elsewhere) = false;
    for (size_t i = 0; i < tree->count; i++)
        if (tree->procs[i].below == below && tree->procs[i].pid != getpid())
            mark_mapped(&tree->procs[i]);
}

void segments_remember(void)
{
    shm_dir_fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (shm_dir_fd == -1 || flock(shm_dir_fd, LOCK_SH) == -1)
        perror("supervise: open and lock /dev/shm");
    note_new_segments(FOREIGN);
}

static bool is_alone(void)
{
    bool alone = flock(shm_dir_fd, LOCK_EX | LOCK_NB) == 0;
    flock(shm_dir_fd, LOCK_SH);
    return alone;
}

static bool is_of_the_lab(const struct segment *segment)
{
    return strncmp(segment->path, "/dev/shm/osps-", strlen("/dev/shm/osps-")) == 0;
}

/* All other processes are asked only about what may be ours. */
static bool may_be_ours(const struct segment *segment)
{
    return segment->owner == UNKNOWN && (segment->mapped_below || is_of_the_lab(segment)) && is_there(segment);
}

static bool any_may_be_ours(void)
{
    for (size_t i = 0; i < segment_count; i++)
        if (may_be_ours(&segments[i]))
            return true;
    return false;
}

void segments_watch(const struct proc_tree *tree, long long now_ms)
{
    static long long next_look_ms;
    if (note_new_segments(UNKNOWN) == 0 && now_ms < next_look_ms)
        return;
    next_look_ms = now_ms + LOOK_EVERY_MS;
    segments_look(tree);
}

void segments_look(const struct proc_tree *tree)
{
    note_new_segments(UNKNOWN);
    look_who_maps(tree, true);
    if (!any_may_be_ours())
        return;
    look_who_maps(tree, false);
    for (size_t i = 0; i < segment_count; i++) {
        struct segment *segment = &segments[i];
        if (may_be_ours(segment) && (segment->mapped_elsewhere || segment->mapped_below))
            segment->owner = segment->mapped_elsewhere ? FOREIGN : OURS;
    }
}

/* A foreign program has its segment unmapped for a moment at its start and at its end: look several times. */
static bool is_left_over(const struct segment *segment, const struct proc_tree *tree)
{
    const struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };
    int looks = segment->owner == OURS ? 1 : MANY_LOOKS;
    if (segment->owner == FOREIGN || !is_there(segment)
        || (segment->owner == UNKNOWN && !(is_of_the_lab(segment) && is_alone())))
        return false;
    for (int look = 0; look < looks; look++) {
        if (look > 0) {
            nanosleep(&moment, NULL);
            look_who_maps(tree, false);
        }
        if (!is_there(segment) || segment->mapped_elsewhere)
            return false;
    }
    return true;
}

void segments_hold(const struct proc_tree *tree)
{
    segments_look(tree);
    for (size_t i = 0; i < segment_count; i++) {
        int fd = segments[i].owner != OURS ? -1 : open(segments[i].path, O_RDONLY | O_CLOEXEC);
        if (fd == -1)
            continue;
        segments[i].held = mmap(NULL, 1, PROT_NONE, MAP_SHARED, fd, 0) != MAP_FAILED;
        close(fd);
    }
}

void segments_remove_held(void)
{
    for (size_t i = 0; i < segment_count; i++)
        if (segments[i].held && is_there(&segments[i]))
            unlink(segments[i].path);
}

void segments_report(FILE *report, const struct proc_tree *tree, bool keep)
{
    note_new_segments(UNKNOWN);
    look_who_maps(tree, false);
    for (size_t i = 0; i < segment_count; i++) {
        if (!is_left_over(&segments[i], tree))
            continue;
        const char *name = segments[i].path + strlen("/dev/shm");
        fprintf(report, "leftover segment %s\n", name);
        if (!keep && shm_unlink(name) == -1)
            fprintf(report, "cannot remove %s: %s\n", name, strerror(errno));
    }
}

void pipes_report(FILE *report, const char *run_dir, bool keep)
{
    DIR *directory = opendir(run_dir);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct stat status;
        if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == -1
            || !S_ISFIFO(status.st_mode))
            continue;
        fprintf(report, "leftover pipe %s/%s\n", run_dir, entry->d_name);
        if (!keep)
            unlinkat(dirfd(directory), entry->d_name, 0);
    }
    if (directory != NULL)
        closedir(directory);
}
