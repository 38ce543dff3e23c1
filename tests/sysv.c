/*
 * sysv.c - the segments of System V that a program under test leaves behind.
 *
 * Ours is what is new since the start, was made by a process that was below the supervisor (it has ended, so whoever
 * has its pid now is another), belongs to this user, and is attached to nobody.
 * Left out: what a process made that was too quick for every look; message queues and semaphores, of which the
 * kernel does not say who made them.
 */
#include "sysv.h"

#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

enum { MAX_PIDS = 1 << 22, MAX_SEGMENTS = 4096 };   /* the kernel's own limits: a pid is lower, and so is the count */

static unsigned char was_below[MAX_PIDS / 8];       /* a bit for each pid */
static int known_ids[MAX_SEGMENTS], reported_ids[MAX_SEGMENTS];
static size_t known_count, reported_count;

static bool is_known(int id)
{
    for (size_t i = 0; i < known_count; i++)
        if (known_ids[i] == id)
            return true;
    return false;
}

void sysv_remember(void)
{
    struct shmid_ds segment;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&(struct shm_info){ 0 });
    for (int index = 0; index <= last && known_count < MAX_SEGMENTS; index++) {
        int id = shmctl(index, SHM_STAT, &segment);
        if (id != -1)
            known_ids[known_count++] = id;
    }
}

void sysv_note_process(pid_t pid)
{
    if (pid > 0 && pid < MAX_PIDS)
        was_below[pid / 8] |= (unsigned char)(1 << pid % 8);
}

void sysv_note_processes(const struct proc_tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        if (tree->procs[i].below)
            sysv_note_process(tree->procs[i].pid);
}

static bool was_ours(pid_t pid, const struct proc_tree *tree)
{
    return pid > 0 && pid < MAX_PIDS && (was_below[pid / 8] >> pid % 8 & 1) != 0 && proc_tree_find(tree, pid) == NULL;
}

void sysv_report(FILE *report, const struct proc_tree *tree)
{
    struct shmid_ds segment;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&(struct shm_info){ 0 });
    for (int index = 0; index <= last && reported_count < MAX_SEGMENTS; index++) {
        int id = shmctl(index, SHM_STAT, &segment);
        if (id == -1 || is_known(id) || !was_ours(segment.shm_cpid, tree)
            || segment.shm_perm.uid != getuid() || segment.shm_nattch != 0)
            continue;
        fprintf(report, "leftover segment sysv %d\n", id);
        reported_ids[reported_count++] = id;
    }
}

void sysv_remove_reported(void)
{
    for (size_t i = 0; i < reported_count; i++)
        shmctl(reported_ids[i], IPC_RMID, NULL);
}
