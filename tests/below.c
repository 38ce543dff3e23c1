/*
 * below.c - lists the processes below supervisors: one line each, `PID PARENT STATE COMMAND`.
 *
 *     below SUPERVISOR...
 *     below -c PARENT SUPERVISOR...    only the pids of PARENT's children among them
 *     below -o PID SUPERVISOR...       no word; exit status 0 if PID is one of them, else 1
 *
 * A supervisor is two processes, see supervise.c: the child of the one at that pid is none of the program's.
 * Used by helpers.bash. The shell cannot read /proc/PID/stat itself: it reads a few bytes at a time, and the
 * text changes between two of them.
 */
#include "proctree.h"

#include <stdlib.h>
#include <unistd.h>

static enum { ALL = 0, CHILDREN = 'c', ONE = 'o' } asked_for;
static pid_t asked_pid;
static bool found;

static void show(const struct proc *proc)
{
    switch (asked_for) {
    case ONE:
        found |= proc->pid == asked_pid;
        break;
    case CHILDREN:
        if (proc->parent == asked_pid)
            printf("%ld\n", (long)proc->pid);
        break;
    case ALL:
        printf("%ld %ld %c ", (long)proc->pid, (long)proc->parent, proc->state);
        proc_print_command(stdout, proc->pid);
        putchar('\n');
    }
}

static void show_below(const struct proc_tree *tree, pid_t supervisor)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->procs[i].below && tree->procs[i].parent != supervisor)
            show(&tree->procs[i]);
}

int main(int argc, char **argv)
{
    struct proc_tree tree = { 0 };
    int option;
    while ((option = getopt(argc, argv, "c:o:")) != -1)
        switch (option) {
        case 'c': case 'o': asked_for = option; asked_pid = (pid_t)atol(optarg); break;
        default: return EXIT_FAILURE;
        }
    for (int i = optind; i < argc; i++) {
        pid_t supervisor = (pid_t)atol(argv[i]);
        if (proc_tree_read(&tree, supervisor, 0) == -1) {
            perror("below: read /proc");
            return EXIT_FAILURE;
        }
        show_below(&tree, supervisor);
    }
    return asked_for != ONE || found ? EXIT_SUCCESS : EXIT_FAILURE;
}
