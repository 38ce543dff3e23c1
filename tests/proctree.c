/*
 * proctree.c - the processes below one process, as /proc shows them.
 *
 * The picture is not atomic: processes come and go while it is taken. A caller that must be certain that
 * nobody is left asks waitpid(2) for ECHILD; a caller that looks for something lasting looks twice.
 */
#include "proctree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_whole(int proc_fd, pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "%ld/%s", (long)pid, file);
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return -1;
    ssize_t length = read(fd, text, size - 1);
    close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length;
}

/* The name in the second field may itself hold blanks and brackets: the fields start after the last one. */
static bool parse_stat(const char *text, struct proc *proc)
{
    const char *fields = strrchr(text, ')');
    long parent;
    return fields != NULL
        && sscanf(fields + 1, " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %*u %ld",
                  &proc->state, &parent, &proc->start_ticks, &proc->resident_pages) == 4
        && (proc->parent = (pid_t)parent, true);
}

/* 0 where the kernel does not count them. */
static unsigned long long written_bytes(int proc_fd, pid_t pid)
{
    char text[512];
    unsigned long long count = 0;
    if (read_whole(proc_fd, pid, "io", text, sizeof text) <= 0)
        return 0;
    const char *line = strstr(text, "\nwrite_bytes:");
    return line != NULL && sscanf(line, " write_bytes: %llu", &count) == 1 ? count : 0;
}

static int append(struct proc_tree *tree, const struct proc *proc)
{
    if (tree->count == tree->capacity) {
        size_t capacity = tree->capacity ? 2 * tree->capacity : 256;
        struct proc *procs = realloc(tree->procs, capacity * sizeof *procs);
        if (procs == NULL)
            return -1;
        tree->procs = procs;
        tree->capacity = capacity;
    }
    tree->procs[tree->count++] = *proc;
    return 0;
}

static int compare_pids(const void *left, const void *right)
{
    const struct proc *a = left, *b = right;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

const struct proc *proc_tree_find(const struct proc_tree *tree, pid_t pid)
{
    struct proc key = { .pid = pid };
    return tree->count == 0 ? NULL
        : bsearch(&key, tree->procs, tree->count, sizeof key, compare_pids);
}

static void mark_if_below(struct proc_tree *tree, struct proc *proc, pid_t root, int signal_number)
{
    const struct proc *parent = proc_tree_find(tree, proc->parent);
    if (proc->parent != root && (parent == NULL || !parent->below))
        return;
    proc->below = true;
    tree->below_count++;
    tree->below_resident_pages += proc->resident_pages;
    if (signal_number != 0)
        kill(proc->pid, signal_number);
}

/* A child whose pid is lower than its parent's (the numbers have wrapped) is met before its parent. */
static void mark_out_of_order(struct proc_tree *tree, pid_t root, int signal_number)
{
    size_t known;
    do {
        known = tree->below_count;
        for (size_t i = 0; i < tree->count; i++)
            if (!tree->procs[i].below)
                mark_if_below(tree, &tree->procs[i], root, signal_number);
    } while (tree->below_count != known);
}

/* The kernel lists /proc by ascending pid. A process made while we read has a higher number than its
 * parent, so the same pass still meets it: stopped one by one in this order, even processes that fork
 * without end are all caught. */
int proc_tree_read(struct proc_tree *tree, pid_t root, int signal_number)
{
    DIR *directory = opendir("/proc");
    if (directory == NULL)
        return -1;
    tree->count = tree->below_count = 0;
    tree->below_resident_pages = 0;
    tree->below_written_bytes = 0;
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(directory)) != NULL) {
        char text[1024];
        struct proc proc = { .pid = (pid_t)atol(entry->d_name) };
        if (proc.pid <= 0
            || read_whole(dirfd(directory), proc.pid, "stat", text, sizeof text) <= 0
            || !parse_stat(text, &proc))
            continue;
        mark_if_below(tree, &proc, root, signal_number);
        if (proc.below)
            tree->below_written_bytes += written_bytes(dirfd(directory), proc.pid);
        result = append(tree, &proc);
    }
    closedir(directory);
    mark_out_of_order(tree, root, signal_number);
    return result;
}

void proc_tree_signal_below(const struct proc_tree *tree, int signal_number)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->procs[i].below)
            kill(tree->procs[i].pid, signal_number);
}

void proc_print_command(FILE *out, pid_t pid)
{
    char text[256];
    int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc_fd == -1)
        return;
    ssize_t length = read_whole(proc_fd, pid, "cmdline", text, sizeof text);
    if (length <= 0)
        length = read_whole(proc_fd, pid, "comm", text, sizeof text);
    close(proc_fd);
    while (length > 0 && (text[length - 1] == '\0' || text[length - 1] == '\n'))
        length--;
    for (ssize_t i = 0; i < length; i++)
        fputc(text[i] == '\0' || text[i] == '\n' ? ' ' : text[i], out);
}
