/* experiment 3a: who should replace a secondary, the watchdog (`direct`) or the principal
 * (`delegated`)? Times from the blow to the journal's `restarted`, a hundred of each kind.
 *
 *     experiment ==SIGKILL or SIGSTOP==> secondary 1 ... 50, one after another
 *         ^
 *         +-- journal: restarted secondary7[NEW] was OLD
 *
 * Both policies are measured at the same time, each in a system of its own, so that the same machine
 * with the same load carries both. The next blow does not wait for the last one to heal: that is how
 * two hundred freezes fit into seconds; and if it waited, few would fall in a busy moment. Then the
 * whole once more, with principals that are busy: we stop and continue them, as if a turn of their loop
 * took HOLD_MS. That is shorter than the time-out, so they are not frozen, only slow.
 */
#include "experiment.h"
#include "journal.h"
#include "running.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLES = 100,
    SECONDARIES = 50,           /* each comes twice: three quick deaths would delay a start */
    PERIOD_MS = 300,
    TIMEOUT_MS = 500,
    BETWEEN_US = 11 * 1000,     /* two blows, or longer: */
    STARTS_BETWEEN = 16,        /* so many starts of a server, because a busy principal has to keep pace, */
    LONGEST_BETWEEN_US = 60 * 1000,
    HOLD_MS = 200,              /* a busy principal's turn, */
    REST_MS = 60,               /* and what it has between two */
    LIMIT_MS = 13000            /* for a hundred blows; four times that, and a child's life is not over */
};

enum policy { DIRECT, DELEGATED, POLICIES };
static const char *const policy_name[] = { "direct", "delegated" };

struct trial {
    struct running running;
    int64_t struck_us[1 + SECONDARIES]; /* when it was struck; 0 when it is well */
    pid_t struck_pid[1 + SECONDARIES];
    int blows;
    int healed;
    int64_t next_blow_us;
    bool is_held;                       /* the principal, at the moment */
    int64_t next_turn_us;               /* when to hold it, or to let it go */
    double ms[SAMPLES];
};

static struct trial trials[POLICIES];
static double medians[2][2][POLICIES];  /* [busy][SIGSTOP][policy] */
static int64_t between_us = BETWEEN_US;

static void set_pace(int64_t start_us)
{
    if (between_us < STARTS_BETWEEN * start_us)
        between_us = STARTS_BETWEEN * start_us;
    if (between_us > LONGEST_BETWEEN_US)
        between_us = LONGEST_BETWEEN_US;
    say("A secondary is struck every %.0f ms, whether the last one is healed or not.", (double)between_us / 1000);
}

static void start_trials(void)
{
    char secondaries[16], period[16], timeout[16];
    int64_t began_us = clock_us();

    (void)snprintf(secondaries, sizeof secondaries, "%d", SECONDARIES);
    (void)snprintf(period, sizeof period, "%d", PERIOD_MS);
    (void)snprintf(timeout, sizeof timeout, "%d", TIMEOUT_MS);
    for (int policy = 0; policy < POLICIES; policy++) {
        const char *const options[] = { "-n", secondaries, "-p", period, "-t", timeout, "-r", policy_name[policy], NULL };

        running_start(&trials[policy].running, options);
    }
    for (int policy = 0; policy < POLICIES; policy++)
        running_await_secondaries(&trials[policy].running, SECONDARIES);
    set_pace((clock_us() - began_us) / (POLICIES * SECONDARIES));
}

/* One that is still down from the blow before is waited for. */
static void strike_if_due(struct trial *trial, int signal_number)
{
    int number = 1 + trial->blows % SECONDARIES;
    int64_t now_us = clock_us();

    if (trial->blows == SAMPLES || now_us < trial->next_blow_us || trial->struck_us[number] != 0)
        return;
    trial->struck_us[number] = now_us;
    trial->struck_pid[number] = trial->running.secondary[number];
    if (kill(trial->struck_pid[number], signal_number) == -1)
        die("strike secondary%d", number);
    trial->blows++;
    trial->next_blow_us = now_us + between_us;
}

static _Noreturn void give_up(void)
{
    diex("measure: the principal itself was found frozen: this machine has too much to do now");
}

/* One that was replaced meanwhile is no longer there; the journal's line about it may not be read yet. */
static void signal_principal(const struct trial *trial, int signal_number)
{
    if (kill(trial->running.principal, signal_number) == 0)
        return;
    if (errno == ESRCH)
        give_up();
    die("signal the principal");
}

static void turn_principal_if_due(struct trial *trial)
{
    int64_t now_us = clock_us();

    if (now_us < trial->next_turn_us)
        return;
    trial->is_held = !trial->is_held;
    trial->next_turn_us = now_us + (trial->is_held ? HOLD_MS : REST_MS) * 1000;
    signal_principal(trial, trial->is_held ? SIGSTOP : SIGCONT);
}

static void let_principal_go(struct trial *trial)
{
    if (trial->is_held)
        signal_principal(trial, SIGCONT);
    trial->is_held = false;
}

static void read_journal(struct trial *trial)
{
    char line[256];
    int number;
    long pid, old;

    while (running_next_line(&trial->running, line, 0)) {
        const char *event = strstr(line, "restarted ");

        if (event != NULL && strncmp(event, "restarted principal", 19) == 0)
            give_up();
        if (event == NULL || sscanf(event, "restarted secondary%d[%ld] was %ld", &number, &pid, &old) != 3
            || number < 1 || number > SECONDARIES || trial->struck_us[number] == 0
            || (pid_t)old != trial->struck_pid[number])
            continue;
        trial->ms[trial->healed++] = (double)(clock_us() - trial->struck_us[number]) / 1000;
        trial->struck_us[number] = 0;
    }
}

/* Sleeps for a millisecond at most, so what we have to do next ourselves is not late. */
static void await_news(void)
{
    struct pollfd wanted[POLICIES];

    for (int policy = 0; policy < POLICIES; policy++)
        wanted[policy] = (struct pollfd){ .fd = trials[policy].running.journal, .events = POLLIN };
    (void)poll(wanted, POLICIES, 1);
    pass_ms(0);
}

static bool all_have_healed(void)
{
    for (int policy = 0; policy < POLICIES; policy++)
        if (trials[policy].healed < SAMPLES)
            return false;
    return true;
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return (difference > 0) - (difference < 0);
}

/* The 99th percentile is the 99th of a hundred. */
static void tell(bool is_busy, int signal_number)
{
    for (int policy = 0; policy < POLICIES; policy++) {
        double *ms = trials[policy].ms;

        qsort(ms, SAMPLES, sizeof *ms, compare);
        say("%-9s %-17s %-9s %9.1f %8.1f %16.1f", policy == 0 ? (is_busy ? "busy" : "idle") : "",
            policy != 0 ? "" : signal_number == SIGKILL ? "killed (SIGKILL)" : "frozen (SIGSTOP)",
            policy_name[policy], ms[0], ms[SAMPLES / 2], ms[SAMPLES - 2]);
        medians[is_busy][signal_number == SIGSTOP][policy] = ms[SAMPLES / 2];
    }
}

static void measure(bool is_busy, int signal_number)
{
    int64_t deadline_us = clock_us() + LIMIT_MS * 1000;

    for (int policy = 0; policy < POLICIES; policy++)
        trials[policy].blows = trials[policy].healed = 0;
    while (!all_have_healed()) {
        for (int policy = 0; policy < POLICIES; policy++) {
            strike_if_due(&trials[policy], signal_number);
            if (is_busy)
                turn_principal_if_due(&trials[policy]);
            read_journal(&trials[policy]);
        }
        if (clock_us() > deadline_us)
            diex("measure: after %d ms only %d and %d of %d are replaced: this machine has too much to do now", LIMIT_MS,
                 trials[DIRECT].healed, trials[DELEGATED].healed, SAMPLES);
        await_news();
    }
    for (int policy = 0; policy < POLICIES; policy++)
        let_principal_go(&trials[policy]);
    tell(is_busy, signal_number);
}

static void measure_all(void)
{
    scene("Milliseconds from the blow to the replacement, of 100 blows each");
    say("%-9s %-17s %-9s %9s %8s  99th percentile", "principal", "secondary", "policy", "minimum", "median");
    for (int is_busy = 0; is_busy <= 1; is_busy++) {
        measure(is_busy, SIGKILL);
        measure(is_busy, SIGSTOP);
    }
    for (int policy = 0; policy < POLICIES; policy++)
        running_stop(&trials[policy].running);
}

static void claim_all(void)
{
    const double *killed = medians[false][false];
    const double *frozen = medians[false][true];
    const double *busy = medians[true][false];
    const int late_ms = 300; /* what a machine with other things to do may add */

    scene("So");
    for (int policy = 0; policy < POLICIES; policy++) {
        claim(killed[policy] < PERIOD_MS / 2.0, "%s: who dies is replaced at once, not at the next probe: %.1f ms",
              policy_name[policy], killed[policy]);
        claim(frozen[policy] >= TIMEOUT_MS && frozen[policy] <= TIMEOUT_MS + PERIOD_MS + late_ms,
              "%s: who freezes is replaced after a probe and the time-out: %.0f ms", policy_name[policy], frozen[policy]);
    }
    claim(busy[DELEGATED] > busy[DIRECT] + HOLD_MS / 5.0,
          "a busy principal: delegated waits for it, direct does not: %.1f, %.1f ms", busy[DELEGATED], busy[DIRECT]);
}

int main(int argc, char *argv[])
{
    experiment_begin(argc, argv, "3a", "Who should replace a secondary: watchdog or principal?");
    say("watchdog -n %d -p %d -t %d, twice at the same time: -r direct, -r delegated.", SECONDARIES, PERIOD_MS,
        TIMEOUT_MS);
    say("A busy principal: %d of %d ms it does not look up (stopped and continued by us).", HOLD_MS, HOLD_MS + REST_MS);
    start_trials();
    measure_all();
    claim_all();
    return experiment_end(
        "     With an idle principal the policy makes no difference to be felt. A death is told at once\n"
        "     (SIGCHLD, to the parent); a freeze is found by a probe: from the time-out, if the probe comes\n"
        "     just after, to period and time-out, if it came just before. With a busy principal `delegated`\n"
        "     waits for its turn to end, at most a turn longer; `direct` does not. But the replacement\n"
        "     has nobody to play with before the principal looks up.\n");
}
