/*
 * proctree.h - the processes below one process, as /proc shows them.
 *
 * Used by supervise.c (who lives, who is a zombie, whom to end),
 * leftovers.c (who has a segment mapped) and sysv.c (who made one). Linux only, as the whole supervisor is.
 */
#ifndef PROCTREE_H
#define PROCTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct proc {
    pid_t pid;
    pid_t parent;
    char state;                         /* R S D T t Z X, see proc(5) */
    unsigned long long start_ticks;     /* with the pid: an identity that outlives pid reuse */
    long resident_pages;                /* memory that it really has; what is shared counts for each who has it */
    bool below;                         /* a descendant of the root asked for */
};

/* A picture of every process of the machine, in ascending order of pid. */
struct proc_tree {
    struct proc *procs;
    size_t count;
    size_t capacity;
    size_t below_count;
    long below_resident_pages;
    unsigned long long below_written_bytes; /* to files on a disk, children included that were waited for */
};

/* Take a new picture. Each process found below `root` is sent `signal_number` (0: none) the moment it
 * is found, so that a tree that keeps forking can be caught. Returns -1 with errno. */
int proc_tree_read(struct proc_tree *tree, pid_t root, int signal_number);

const struct proc *proc_tree_find(const struct proc_tree *tree, pid_t pid);
void proc_tree_signal_below(const struct proc_tree *tree, int signal_number);

/* The command line, blanks between the arguments; the kernel's short name if there is none. */
void proc_print_command(FILE *out, pid_t pid);

#endif
