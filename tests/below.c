/*
 * below.c - lists the processes below others: one line each, `PID PARENT STATE COMMAND`.
 *
 *     below PID...
 *
 * Used by helpers.bash. The shell cannot read /proc/PID/stat itself: it reads a few bytes at a time, and the
 * text changes between two of them.
 */
#include "proctree.h"

#include <stdlib.h>

static void list(const struct proc_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct proc *proc = &tree->procs[i];
        if (!proc->below)
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
        if (proc_tree_read(&tree, (pid_t)atol(argv[i]), 0) == -1) {
            perror("below: read /proc");
            return EXIT_FAILURE;
        }
        list(&tree);
    }
    return EXIT_SUCCESS;
}
