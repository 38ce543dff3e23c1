/*
 * zombies.c - finds the zombies that last: children that ended and that their parent does not wait for.
 *
 * Every child that ends is a zombie for a moment; that is no fault. Nor is it one while its parent is stopped
 * (SIGSTOP) and could not wait for it if it wanted: the time counts anew from when the parent goes on.
 */
#include "zombies.h"

enum { MAX_ZOMBIES = 512, A_MOMENT_MS = 1000 };

struct zombie {
    struct proc proc;
    long long first_ms;
    long long last_ms;
};

static struct zombie zombies[MAX_ZOMBIES];
static size_t zombie_count;

static struct zombie *find_zombie(const struct proc *proc)
{
    for (size_t i = 0; i < zombie_count; i++)
        if (zombies[i].proc.pid == proc->pid && zombies[i].proc.start_ticks == proc->start_ticks)
            return &zombies[i];
    return NULL;
}

static bool is_stopped(const struct proc *proc)
{
    return proc != NULL && (proc->state == 'T' || proc->state == 't');
}

static void note(const struct proc *proc, bool excused, long long now_ms)
{
    struct zombie *zombie = find_zombie(proc);
    if (zombie == NULL) {
        if (zombie_count == MAX_ZOMBIES)
            return;
        zombie = &zombies[zombie_count++];
        *zombie = (struct zombie){ .proc = *proc, .first_ms = now_ms };
    }
    if (excused)
        zombie->first_ms = now_ms;
    zombie->last_ms = now_ms;
}

static void report_and_forget(struct zombie *zombie, FILE *findings)
{
    long long lasted_ms = zombie->last_ms - zombie->first_ms;
    if (lasted_ms > A_MOMENT_MS)
        fprintf(findings, "zombie %ld %ld %lld\n", (long)zombie->proc.pid, (long)zombie->proc.parent, lasted_ms);
    *zombie = zombies[--zombie_count];
}

void zombies_watch(const struct proc_tree *tree, pid_t supervisor, long long now_ms, FILE *findings)
{
    for (size_t i = 0; i < tree->count; i++) {
        const struct proc *proc = &tree->procs[i];
        if (proc->below && proc->state == 'Z' && proc->parent != supervisor)
            note(proc, is_stopped(proc_tree_find(tree, proc->parent)), now_ms);
    }
    for (size_t i = zombie_count; i-- > 0;)
        if (zombies[i].last_ms != now_ms)
            report_and_forget(&zombies[i], findings);
}

void zombies_finish(FILE *findings)
{
    while (zombie_count > 0)
        report_and_forget(&zombies[0], findings);
}
