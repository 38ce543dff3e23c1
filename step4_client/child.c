/* See child.h. */
#include "child.h"

#include "clock.h"
#include "journal.h"

void child_init(struct child *child, struct slot *slot)
{
    *child = (struct child){ .slot = slot };
}

bool child_is_due(const struct child *child, int64_t now_ms)
{
    return child->pid == 0 && child->start_due_ms <= now_ms;
}

void child_started(struct child *child, pid_t pid)
{
    child->pid = pid;
    child->started_ms = clock_ms();
    slot_started(child->slot, pid);
}

static int delay_ms(int quick_deaths)
{
    int delay = FIRST_DELAY_MS;

    if (quick_deaths < QUICK_DEATHS)
        return 0;
    for (int i = QUICK_DEATHS; i < quick_deaths && delay < LONGEST_DELAY_MS; i++)
        delay *= 2;
    return delay < LONGEST_DELAY_MS ? delay : LONGEST_DELAY_MS;
}

void child_died(struct child *child, int status)
{
    int64_t now_ms = clock_ms();
    int delay;

    slot_died(child->slot, status);
    if (now_ms - child->started_ms < QUICK_DEATH_MS)
        child->quick_deaths++;
    else
        child->quick_deaths = 0;
    delay = delay_ms(child->quick_deaths);
    if (delay > 0)
        journal("delayed %s[%ld] %d", child->slot->role, (long)child->pid, delay);
    child->pid = 0;
    child->start_due_ms = now_ms + delay;
}

void child_taken_along(struct child *child, int status)
{
    slot_died(child->slot, status);
    child->pid = 0;
    child->start_due_ms = 0;
}

void child_postpone(struct child *child)
{
    child->start_due_ms = clock_ms() + FORK_RETRY_MS;
}

int64_t child_wake_ms(const struct child *child, int64_t until_ms)
{
    if (child->pid == 0 && child->start_due_ms < until_ms)
        return child->start_due_ms;
    return until_ms;
}
