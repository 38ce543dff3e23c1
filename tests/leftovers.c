/*
 * leftovers.c - the pipes and shared memory segments that a program under test leaves behind.
 *
 * A POSIX segment is a file in /dev/shm. Nothing there says who made it, so the question is who maps it,
 * asked in /proc/PID/maps: a new name belongs to the side on which it is first seen mapped. One that
 * nobody is seen to map for a good while (its maker died at once) is taken for ours if no other supervisor runs.
 * To tell, each holds a shared lock on the directory itself.
 */
#include "leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SEGMENTS = 256, LOOK_EVERY_MS = 100 };
enum owner { UNKNOWN, OURS, FOREIGN };

/* The inode tells a segment from a later one of the same name. */
struct segment {
    char path[NAME_MAX + 16];
    ino_t inode;
    enum owner owner;
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

/* Note the names that are new. Returns how many there were. */
static size_t note_new_segments(enum owner owner)
{
    DIR *directory = opendir("/dev/shm");
    struct dirent *entry;
    size_t new_count = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        struct segment seen = { .owner = owner };
        struct stat status;
        if (strncmp(entry->d_name, "osps-", 5) != 0
            || fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == -1
            || status.st_uid != getuid())
            continue;
        snprintf(seen.path, sizeof seen.path, "/dev/shm/%s", entry->d_name);
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

static bool maps(pid_t pid, const struct segment *segment)
{
    char file[64], *line = NULL;
    size_t size = 0;
    bool found = false;
    snprintf(file, sizeof file, "/proc/%ld/maps", (long)pid);
    FILE *map_lines = fopen(file, "re");
    while (map_lines != NULL && !found && getline(&line, &size, map_lines) != -1) {
        char *path = strchr(line, '/');
        if (path != NULL) {
            path[strcspn(path, "\n")] = '\0';
            found = strcmp(path, segment->path) == 0;
        }
    }
    free(line);
    if (map_lines != NULL)
        fclose(map_lines);
    return found;
}

static const struct proc *find_user(const struct segment *segment, const struct proc_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->procs[i].pid != getpid() && maps(tree->procs[i].pid, segment))
            return &tree->procs[i];
    return NULL;
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

void segments_watch(const struct proc_tree *tree, long long now_ms)
{
    static long long next_look_ms;
    if (note_new_segments(UNKNOWN) == 0 && now_ms < next_look_ms)
        return;
    next_look_ms = now_ms + LOOK_EVERY_MS;
    for (size_t i = 0; i < segment_count; i++) {
        if (segments[i].owner != UNKNOWN || !is_there(&segments[i]))
            continue;
        const struct proc *user = find_user(&segments[i], tree);
        if (user != NULL)
            segments[i].owner = user->below ? OURS : FOREIGN;
    }
}

/* A foreign program has its segment unmapped for a moment at its start and at its end: look several times. */
static bool is_left_over(const struct segment *segment, const struct proc_tree *tree)
{
    const struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };
    int looks = segment->owner == OURS ? 1 : 8;
    if (segment->owner == FOREIGN || (segment->owner == UNKNOWN && !is_alone()))
        return false;
    for (int look = 0; look < looks; look++) {
        if (look > 0)
            nanosleep(&moment, NULL);
        if (!is_there(segment) || find_user(segment, tree) != NULL)
            return false;
    }
    return true;
}

void segments_hold(const struct proc_tree *tree)
{
    segments_watch(tree, LLONG_MAX - LOOK_EVERY_MS);
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
