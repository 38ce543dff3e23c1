/*
 * below.c - lists the processes below supervisors: one line each, `PID PARENT STATE COMMAND`.
 *
 *     below PID...
 *
 * A supervisor is two processes, see supervise.c: the child of the one at PID is none of the program's.
 * Used by helpers.bash. The shell cannot read /proc/PID/stat itself: it reads a few bytes at a time, and the
 * text changes between two of them.
 */
#include "proctree.h"

#include <stdlib.h>

static void list(const struct proc_tree *tree, pid_t supervisor)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct proc *proc = &tree->procs[i];
        if (!proc->below || proc->parent == supervisor)
            continue;
        printf("%ld %ld %c ", (long)proc->pid, (long)proc->parent, proc->state);
        proc_print_command(stdout, proc->pid);
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    struct proc_tree tree = { 0 };
    for (int i = 1; i < argc; i++) {
        pid_t supervisor = (pid_t)atol(argv[i]);
        if (proc_tree_read(&tree, supervisor, 0) == -1) {
            perror("below: read /proc");
            return EXIT_FAILURE;
        }
        list(&tree, supervisor);
    }
    return EXIT_SUCCESS;
}
