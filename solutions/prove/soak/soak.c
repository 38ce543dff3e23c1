/* soak: the final system under clients, rude clients and faults, for minutes; and what comes of it.
 *
 *     32 clients ----requests----> +-----------------------------------------+
 *     rude clients ---babble-----> | watchdog, principal, 6 secondaries      |
 *     faults --SIGKILL, SIGSTOP--> |                                         |
 *     soak <------its journal----- +-----------------------------------------+
 *
 * A watchdog (policy delegated) is killed with SIGKILL in the middle, and the next one started at once, in the
 * same run directory. That is done twice; the last one has the policy direct. Nothing may be lost in all that.
 *
 * One process with one poll(2), that looks up every few milliseconds. It is a subreaper, and reads /proc:
 * Linux only, unlike the lab. Everything that it starts ends with it.
 */
#include "census.h"
#include "crowd.h"
#include "faults.h"
#include "growth.h"
#include "journal.h"
#include "loop.h"
#include "moment.h"
#include "options.h"
#include "report.h"
#include "rude.h"
#include "spawn.h"
#include "story.h"
#include "subject.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: soak [-s SECONDS] [-S SEED] [-j JOURNAL] DIRECTORY\n"
    "  -s SECONDS  how long there are faults (default 120)\n"
    "  -S SEED     repeats the faults of an earlier run (default: from the clock)\n"
    "  -j JOURNAL  a file for the watchdogs' journals\n"
    "  -h          this text\n"
    "DIRECTORY is where the programs watchdog and client are.\n";

enum {
    ANSWERS_US = 15 * 1000 * 1000,  /* a request may take so long, at the worst */
    LONGEST_FAULT_US = (HEAL_MS + 1000) * 1000,
    LAST_US = 500 * 1000,           /* what the servers then leak, no fault takes away */
    QUIET_US = 200 * 1000,          /* connections that were closed are gone by then */
    GONE_US = 1000 * 1000,          /* the watchdog's servers, after its SIGKILL */
    START_US = 5 * 1000 * 1000
};

static struct outcome outcome = { .seconds = 120, .takeover = { .is_good = true } };
static const char *journal_file;
static const char *programs;
static pid_t self;
static pid_t old_servers[SERVERS];  /* of the watchdog that was killed */

static void parse_options(int argc, char *argv[])
{
    int option;

    outcome.seed = (unsigned long)time(NULL) % 1000000;
    options_init("soak", usage);
    while ((option = getopt(argc, argv, ":hs:S:j:")) != -1)
        switch (option) {
        case 's': outcome.seconds = (int)parse_number('s', optarg, 1, 24 * 3600); break;
        case 'S': outcome.seed = (unsigned long)parse_number('S', optarg, 0, 999999999); break;
        case 'j': journal_file = optarg; break;
        case 'h': print_usage();
        default: wrong_option(option);
        }
    if (optind + 1 != argc)
        wrong_usage("one directory is needed");
    programs = argv[optind];
}

/* The parts of the test */

static void start_system(const char *policy)
{
    subject_start(policy);
    if (!loop_until(story_is_whole, START_US))
        diex("start the system: not whole after %d s", START_US / 1000000);
}

static void await_answers(void)
{
    static bool is_lost;

    /* What was lost once is not waited for again. */
    if (!is_lost && !loop_until(crowd_is_idle, ANSWERS_US))
        is_lost = true;
}

/* The same every time: all clients are connected to this principal and were just answered, nobody else
 * is there. */
static void measure(struct measure measures[ROLES])
{
    loop.is_rude = false;
    rude_vanish();
    crowd_rest();
    await_answers();
    crowd_ask_once();
    await_answers();
    loop_for(QUIET_US);
    growth_measure(measures);
}

/* Half of the faults: those that this watchdog sees. */
static void soak(struct growth *growth)
{
    measure(growth->start);
    loop.is_rude = loop.is_harming = true;
    crowd_ask();
    loop_for((int64_t)outcome.seconds * 1000000 / 2);
    loop.is_harming = false;
    (void)loop_until(faults_are_over, LONGEST_FAULT_US);
    loop_for(LAST_US);
    measure(growth->end);
}

static bool watchdog_has_ended(void)
{
    return subject_pid() == 0;
}

static bool old_ones_are_gone(void)
{
    for (int number = 0; number < SERVERS; number++)
        if (kill(old_servers[number], 0) == 0)
            return false;
    return true;
}

static void note_longest(int64_t *longest_us, int64_t us)
{
    if (us > *longest_us)
        *longest_us = us;
}

static void await_takeover(struct takeover *takeover, int64_t struck_us)
{
    if (!loop_until(old_ones_are_gone, GONE_US))
        takeover->is_good = false;
    note_longest(&takeover->gone_us, now_us() - struck_us);
    if (!loop_until(story_is_whole, START_US))
        diex("start the next watchdog: its servers are not up after %d s", START_US / 1000000);
    note_longest(&takeover->whole_us, story_latest_start_us() - struck_us);
}

/* In the midst of requests. Servers that are stopped cannot notice it; but where there are some, the system
 * helps, with SIGHUP to the orphaned group. So it is done without and with. */
static void kill_watchdog(struct takeover *takeover, bool with_stopped, const char *next_policy)
{
    int64_t struck_us;

    loop.is_rude = true;
    crowd_ask();
    loop_for(QUIET_US);
    for (int number = 0; number < SERVERS; number++)
        old_servers[number] = story.servers[number].pid;
    if (with_stopped)
        faults_stop_some();
    takeover->times++;
    loop.is_ending = true;
    struck_us = now_us();
    subject_signal(SIGKILL);
    if (!loop_until(watchdog_has_ended, GONE_US))
        diex("kill the watchdog: it is still there");
    loop.is_ending = false;
    subject_start(next_policy);
    await_takeover(takeover, struck_us);
}

static bool crowd_has_gone(void)
{
    return crowd_count() == 0;
}

static void stop_system(void)
{
    int64_t begun_us;

    crowd_dismiss();
    (void)loop_until(crowd_has_gone, START_US);
    loop.is_ending = true;
    begun_us = now_us();
    subject_signal(SIGTERM);
    if (!loop_until(watchdog_has_ended, START_US))
        diex("stop the watchdog: it runs on after %d s", START_US / 1000000);
    outcome.stop_us = now_us() - begun_us;
    outcome.stop_status = subject_status();
    outcome.left = census_count() + subject_count_left();
}

/* However it ends, except by SIGKILL. A child that has not become another program yet comes by, too. */
static void clean_up(void)
{
    if (getpid() != self)
        return;
    do {
        census_kill_all();
        (void)poll(NULL, 0, 1);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
            /* The next one. */
        }
    } while (waitpid(-1, NULL, WNOHANG) == 0);
    subject_remove();
    faults_free();
}

static void set_up(void)
{
    self = getpid();
    loop_init();
    spawn_adopt_orphans();
    subject_init(programs, journal_file);
    rude_init(outcome.seed);
    faults_init(outcome.seed);
    if (atexit(clean_up) != 0)
        diex("register the clean-up: no memory");
}

int main(int argc, char *argv[])
{
    parse_options(argc, argv);
    journal_init("soak", false);
    set_up();
    (void)printf("soak: %d s of faults; SEED=%lu repeats them\n", outcome.seconds, outcome.seed);
    (void)fflush(stdout);
    crowd_start();
    start_system("delegated");
    soak(&outcome.growth[0]);
    kill_watchdog(&outcome.takeover, false, "delegated");
    kill_watchdog(&outcome.takeover, true, "direct");
    soak(&outcome.growth[1]);
    stop_system();
    return report(&outcome) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
