/* See watch.h. */
#include "watch.h"

#include "clock.h"
#include "journal.h"

#include <sys/wait.h>

void watch_init(struct watch *watch, struct slot *slot)
{
    *watch = (struct watch){ .slot = slot };
}

static void tell_death(const struct slot *slot, int pid)
{
    int status = atomic_load(&slot->last_status);

    if (atomic_load(&slot->condemned) == pid)
        journal("killed %s[%d]", slot->role, pid);
    else if (WIFSIGNALED(status))
        journal("died %s[%d] signal %d", slot->role, pid, WTERMSIG(status));
    else
        journal("died %s[%d] status %d", slot->role, pid, WEXITSTATUS(status));
}

/* What has become of the process that we knew, and which one it is now. */
static bool look_for_new_process(struct watch *watch)
{
    int pid = atomic_load(&watch->slot->pid);

    if (pid == watch->pid)
        return false;
    if (watch->pid != 0 && atomic_load(&watch->slot->last_pid) == watch->pid)
        tell_death(watch->slot, watch->pid);
    watch->pid = pid;
    return true;
}

void watch_look(struct watch *watch, int timeout_ms)
{
    bool is_new = look_for_new_process(watch);
    unsigned answered = atomic_load(&watch->slot->probes_answered);

    if (watch->pid == 0 || answered == atomic_load(&watch->slot->probes_sent)) {
        watch->deadline_ms = 0;
        watch->was_prolonged = false;
    } else if (is_new || answered != watch->answered) {
        watch->deadline_ms = clock_ms() + timeout_ms;
        watch->was_prolonged = false;
    }
    watch->answered = answered;
}

void watch_probe(struct watch *watch, int timeout_ms)
{
    if (watch->pid == 0)
        return;
    atomic_fetch_add(&watch->slot->probes_sent, 1);
    /* A server that owes an older answer gains no time by a newer question. */
    if (watch->deadline_ms == 0)
        watch->deadline_ms = clock_ms() + timeout_ms;
}

static bool is_awaited(const struct watch *watch)
{
    return watch->deadline_ms != 0 && atomic_load(&watch->slot->condemned) != watch->pid;
}

bool watch_is_overdue(const struct watch *watch)
{
    return is_awaited(watch) && watch->deadline_ms <= clock_ms();
}

void watch_prolong(struct watch *watch, int timeout_ms)
{
    if (watch->deadline_ms == 0 || watch->was_prolonged)
        return;
    watch->deadline_ms = clock_ms() + timeout_ms;
    watch->was_prolonged = true;
}

int64_t watch_wake_ms(const struct watch *watch, int64_t until_ms)
{
    if (is_awaited(watch) && watch->deadline_ms < until_ms)
        return watch->deadline_ms;
    return until_ms;
}
