/* See table.h. */
#include "table.h"

#include "journal.h"

#include <stdio.h>

void table_init(struct table *table)
{
    (void)snprintf(table->slot[PRINCIPAL].role, sizeof table->slot[PRINCIPAL].role, "principal");
    for (int number = 1; number <= MAX_SECONDARIES; number++) {
        struct slot *slot = &table->slot[number];

        (void)snprintf(slot->role, sizeof slot->role, "secondary%d", number);
    }
}

enum server_state slot_state(const struct slot *slot)
{
    int pid = atomic_load(&slot->pid);

    if (pid == 0)
        return SERVER_ABSENT;
    return atomic_load(&slot->condemned) == pid ? SERVER_FROZEN : SERVER_RUNNING;
}

int slot_restarts(const struct slot *slot)
{
    int generation = atomic_load(&slot->generation);

    return generation > 0 ? generation - 1 : 0;
}

void slot_started(struct slot *slot, pid_t pid)
{
    int last_pid = atomic_load(&slot->last_pid);
    int same_number = (int)pid;

    /* Pids come back: one that was condemned long ago must not condemn its new owner. */
    (void)atomic_compare_exchange_strong(&slot->condemned, &same_number, 0);
    atomic_store(&slot->pid, (int)pid);
    atomic_fetch_add(&slot->generation, 1);
    if (last_pid == 0)
        journal("started %s[%ld]", slot->role, (long)pid);
    else
        journal("restarted %s[%ld] was %d", slot->role, (long)pid, last_pid);
}

void slot_died(struct slot *slot, int status)
{
    int pid = atomic_load(&slot->pid);

    atomic_store(&slot->last_status, status);
    atomic_store(&slot->last_pid, pid);
    atomic_store(&slot->pid, 0);
}
