/* See census.h. */
#include "census.h"

#include "clock.h"
#include "journal.h"
#include "proctree.h"
#include "story.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_ZOMBIES = 64 };

struct census census;

static struct proc_tree tree;

static struct zombie {
    struct proc proc;
    int64_t since_ms;
    bool is_counted;
    bool is_there;
} zombies[MOST_ZOMBIES]; /* proc.pid 0: free */

/* Dead to the others as soon as its memory is given back: its descriptors, which they watch, go next. It is
 * a zombie a moment later. */
static bool is_alive(const struct proc *proc)
{
    return proc->below && proc->state != 'Z' && proc->state != 'X' && proc->resident_pages > 0;
}

void census_take_picture(void)
{
    if (proc_tree_read(&tree, getpid(), 0) == -1)
        die("read /proc");
}

/* Copies the servers that are alive into `found`; returns how many. */
static int find_servers(struct proc found[], int room, bool (*is_other)(pid_t pid))
{
    int count = 0;

    census_take_picture();
    for (size_t i = 0; i < tree.count && count < room; i++)
        if (is_alive(&tree.procs[i]) && !is_other(tree.procs[i].pid))
            found[count++] = tree.procs[i];
    return count;
}

/* A picture takes a while: one server of it may have died before the next one was born. But those that
 * are in two pictures all lived at the moment between them. */
static void look_for_copies(bool (*is_other)(pid_t pid))
{
    struct proc first[4 * SERVERS];
    int count = find_servers(first, 4 * SERVERS, is_other);
    int both = 0;

    if (count <= SERVERS)
        return;
    census_take_picture();
    for (int i = 0; i < count; i++) {
        const struct proc *again = proc_tree_find(&tree, first[i].pid);

        if (again != NULL && is_alive(again) && again->start_ticks == first[i].start_ticks)
            both++;
    }
    if (both <= SERVERS)
        return;
    census.copies++;
    warnx("%d servers are alive at the same time", both);
}

static void note_zombie(const struct proc *proc)
{
    struct zombie *place = NULL;

    for (int i = 0; i < MOST_ZOMBIES; i++) {
        struct zombie *zombie = &zombies[i];

        if (zombie->proc.pid == proc->pid && zombie->proc.start_ticks == proc->start_ticks) {
            zombie->is_there = true;
            return;
        }
        if (zombie->proc.pid == 0)
            place = zombie;
    }
    if (place != NULL)
        *place = (struct zombie){ .proc = *proc, .since_ms = clock_ms(), .is_there = true };
}

static void look_for_zombies(void)
{
    for (size_t i = 0; i < tree.count; i++)
        if (tree.procs[i].below && tree.procs[i].state == 'Z' && tree.procs[i].parent != getpid())
            note_zombie(&tree.procs[i]);
    for (int i = 0; i < MOST_ZOMBIES; i++) {
        struct zombie *zombie = &zombies[i];

        if (!zombie->is_there)
            zombie->proc.pid = 0;
        zombie->is_there = false;
        if (zombie->proc.pid == 0 || zombie->is_counted
            || clock_ms() < zombie->since_ms + ZOMBIE_MS)
            continue;
        zombie->is_counted = true;
        census.zombies++;
        warnx("process %ld does not wait for its child %ld", (long)zombie->proc.parent,
              (long)zombie->proc.pid);
    }
}

void census_look(bool (*is_other)(pid_t pid))
{
    census.looks++;
    look_for_copies(is_other);
    look_for_zombies();
}

int census_count(void)
{
    census_take_picture();
    return (int)tree.below_count;
}

bool census_is_below(pid_t pid, pid_t ancestor)
{
    const struct proc *proc = proc_tree_find(&tree, pid);

    while (proc != NULL && proc->below && proc->parent != ancestor)
        proc = proc_tree_find(&tree, proc->parent);
    return proc != NULL && proc->below;
}

int census_descriptors(pid_t pid)
{
    char path[64];
    DIR *directory;
    struct dirent *entry;
    int count = 0;

    (void)snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    directory = opendir(path);
    if (directory == NULL)
        return -1;
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.')
            count++;
    (void)closedir(directory);
    return count;
}

long census_resident_kb(pid_t pid)
{
    char path[64];
    FILE *file;
    long pages;
    int found;

    (void)snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return -1;
    found = fscanf(file, "%*d %ld", &pages);
    (void)fclose(file);
    return found == 1 ? pages * (sysconf(_SC_PAGESIZE) / 1024) : -1;
}

void census_kill_all(void)
{
    (void)proc_tree_read(&tree, getpid(), SIGKILL);
}
