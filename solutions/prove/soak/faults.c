/* See faults.h. */
#include "faults.h"

#include "census.h"
#include "dice.h"
#include "journal.h"
#include "moment.h"
#include "story.h"
#include "subject.h"

#include <signal.h>
#include <stddef.h>

/* A server stopped for EARLY must be kept, one stopped for good replaced; LATE is between and beyond. */
enum action { KILL, FREEZE, THAW_EARLY, THAW_LATE };
enum whom { SECONDARY, THE_PRINCIPAL, SEVERAL };

static const struct kind {
    enum whom whom;
    enum action action;
    int weight;
    const char *name;
} kinds[FAULT_KINDS] = {
    { SECONDARY, KILL, 5, "secondary killed" },
    { SECONDARY, FREEZE, 3, "secondary frozen" },
    { SECONDARY, THAW_EARLY, 3, "  thawed in time" },
    { SECONDARY, THAW_LATE, 2, "  thawed late" },
    { THE_PRINCIPAL, KILL, 3, "principal killed" },
    { THE_PRINCIPAL, FREEZE, 2, "principal frozen" },
    { THE_PRINCIPAL, THAW_EARLY, 2, "  thawed in time" },
    { THE_PRINCIPAL, THAW_LATE, 1, "  thawed late" },
    { SEVERAL, KILL, 3, "several killed" },
    { SEVERAL, FREEZE, 2, "several frozen" },
    { SEVERAL, THAW_EARLY, 2, "  thawed in time" },
};

enum {
    LONGEST_GAP_MS = 300,                  /* from one fault to the next */
    EARLY_MS = TIMEOUT_MS / 2,
    LATEST_MS = PERIOD_MS + TIMEOUT_MS + 100,
    SETTLE_MS = 50                         /* a kill just before the thaw has been told of by then */
};

struct fault_count fault_counts[FAULT_KINDS];

static struct dice dice;
static struct dice other_dice; /* for faults_stop_some(): how many faults come before it, the machine decides */

static struct fault {
    int kind;                      /* -1: none */
    bool victims[SERVERS];
    pid_t pids[SERVERS];           /* of all servers, before it */
    int64_t struck_us;
    int64_t thaw_us;               /* when those that are stopped are let go; never: INT64_MAX */
    bool is_thawed;
} fault = { .kind = -1 };

static int64_t next_us;            /* when the next one may strike */

void faults_init(uint64_t seed)
{
    dice_init(&dice, seed, 1);
    dice_init(&other_dice, seed, 3);
    for (int i = 0; i < FAULT_KINDS; i++)
        fault_counts[i].name = kinds[i].name;
}

/* Striking */

static int choose_kind(void)
{
    int sum = 0;
    int choice;
    int kind = 0;

    for (int i = 0; i < FAULT_KINDS; i++)
        sum += kinds[i].weight;
    choice = dice_between(&dice, 1, sum);
    while ((choice -= kinds[kind].weight) > 0)
        kind++;
    return kind;
}

static void choose_victims(struct dice *from, enum whom whom)
{
    int count = whom == SEVERAL ? dice_between(from, 2, SERVERS) : 1;

    for (int number = 0; number < SERVERS; number++)
        fault.victims[number] = false;
    if (whom == THE_PRINCIPAL)
        fault.victims[PRINCIPAL] = true;
    else
        for (int i = 0; i < count; i++)
            fault.victims[dice_between(from, whom == SEVERAL ? PRINCIPAL : 1, SECONDARIES)] = true;
}

/* What it decides does not depend on how fast the machine is: the seed repeats it. */
static void choose_fault(void)
{
    fault.kind = choose_kind();
    choose_victims(&dice, kinds[fault.kind].whom);
    fault.thaw_us = INT64_MAX;
    if (kinds[fault.kind].action == THAW_EARLY)
        fault.thaw_us = dice_between(&dice, 1, EARLY_MS) * 1000;
    if (kinds[fault.kind].action == THAW_LATE)
        fault.thaw_us = dice_between(&dice, EARLY_MS, LATEST_MS) * 1000;
    fault.is_thawed = false;
}

/* For who reads the journal, and to compare two runs of the same seed: so before it is known if there is
 * somebody to harm. */
static void tell_fault(void)
{
    char victims[SERVERS + 1];

    for (int number = 0; number < SERVERS; number++)
        victims[number] = fault.victims[number] ? (char)('0' + number) : '-';
    victims[SERVERS] = '\0';
    subject_note("soak: %s: %s: %d ms", kinds[fault.kind].name, victims,
                 fault.thaw_us == INT64_MAX ? 0 : (int)(fault.thaw_us / 1000));
}

static void harm(int number, int signal_number)
{
    if (signal_number == SIGSTOP)
        story_stopped(number, now_us());
    else
        story_killed(number);
    (void)kill(story.servers[number].pid, signal_number);
}

/* All at one stroke; the principal first, which would replace the others meanwhile. */
static void harm_victims(int signal_number)
{
    census_take_picture();
    for (int number = 0; number < SERVERS; number++)
        if (!census_is_below(story.servers[number].pid, subject_pid()))
            fault.victims[number] = false;
    fault.struck_us = now_us();
    for (int number = 0; number < SERVERS; number++)
        if (fault.victims[number])
            harm(number, signal_number);
}

static void strike(void)
{
    choose_fault();
    tell_fault();
    fault_counts[fault.kind].struck++;
    for (int number = 0; number < SERVERS; number++)
        fault.pids[number] = story.servers[number].pid;
    harm_victims(kinds[fault.kind].action == KILL ? SIGKILL : SIGSTOP);
    if (fault.thaw_us != INT64_MAX)
        fault.thaw_us += fault.struck_us;
}

/* Healing */

static void thaw(void)
{
    fault.is_thawed = true;
    census_take_picture();
    for (int number = 0; number < SERVERS; number++)
        if (fault.victims[number] && story.servers[number].pid == fault.pids[number]
            && census_is_below(fault.pids[number], subject_pid())) {
            (void)kill(fault.pids[number], SIGCONT);
            story_thawed(number, now_us());
        }
}

static bool is_kept(int number)
{
    return story.servers[number].pid == fault.pids[number] && story.servers[number].is_up;
}

static bool all_are_kept(void)
{
    for (int number = 0; number < SERVERS; number++)
        if (!is_kept(number))
            return false;
    return true;
}

static bool victims_are_replaced(void)
{
    if (!story_is_whole())
        return false;
    for (int number = 0; number < SERVERS; number++)
        if (fault.victims[number] && is_kept(number) && !fault.is_thawed)
            return false;
    return true;
}

static void end_fault(void)
{
    fault.kind = -1;
    next_us = now_us() + dice_between(&dice, 0, LONGEST_GAP_MS) * 1000;
}

static void see_through(void)
{
    struct fault_count *count = &fault_counts[fault.kind];

    if (now_us() > fault.struck_us + (int64_t)HEAL_MS * 1000) {
        warnx("%s: not healed after %d ms", count->name, HEAL_MS);
        count->unhealed++;
        end_fault();
        return;
    }
    if (!fault.is_thawed && now_us() >= fault.thaw_us)
        thaw();
    if (fault.is_thawed && now_us() < fault.thaw_us + SETTLE_MS * 1000)
        return;
    if (!victims_are_replaced())
        return;
    if (!all_are_kept()) {
        count->replaced++;
        samples_add(&count->heal_us, story_latest_start_us() - fault.struck_us);
    }
    end_fault();
}

void faults_turn(bool is_on)
{
    if (fault.kind != -1)
        see_through();
    else if (is_on && story_is_whole() && now_us() >= next_us)
        strike();
}

bool faults_are_over(void)
{
    return fault.kind == -1;
}

void faults_stop_some(void)
{
    choose_victims(&other_dice, SEVERAL);
    harm_victims(SIGSTOP);
}

void faults_free(void)
{
    for (int i = 0; i < FAULT_KINDS; i++)
        samples_free(&fault_counts[i].heal_us);
}
