/* soak: the final system under clients, rude clients and faults, for minutes; and what comes of it.
 *
 *     32 clients ----requests----> +-----------------------------------------+
 *     rude clients ---babble-----> | watchdog, principal, 6 secondaries      |
 *     faults --SIGKILL, SIGSTOP--> |                                         |
 *     soak <------its journal----- +-----------------------------------------+
 *
 * A first watchdog (policy delegated) is killed with SIGKILL in the middle, in the worst of moments, and
 * a second one (direct) started in the same run directory at once. Nothing may be lost in all that.
 *
 * One process with one poll(2), that looks up every few milliseconds. It is a subreaper, and reads /proc:
 * Linux only, unlike the lab. Everything that it starts ends with it.
 */
#include "census.h"
#include "crowd.h"
#include "faults.h"
#include "growth.h"
#include "journal.h"
#include "moment.h"
#include "options.h"
#include "report.h"
#include "rude.h"
#include "spawn.h"
#include "story.h"
#include "subject.h"
#include "waiting.h"

#include <errno.h>
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
    TICK_MS = 5,
    CENSUS_US = 50 * 1000,
    WARM_UP_US = 1000 * 1000,
    ANSWERS_US = 20 * 1000 * 1000,  /* a request may take so long, at the worst */
    QUIET_US = 200 * 1000,          /* connections that were closed are gone by then */
    GONE_US = 1000 * 1000,          /* the watchdog's servers, after its SIGKILL */
    START_US = 5 * 1000 * 1000
};

static struct outcome outcome = { .seconds = 120 };
static const char *journal_file;
static const char *programs;
static pid_t self;
static sigset_t signals;
static bool is_harming;             /* faults strike */
static bool is_rude;                /* rude clients act */
static bool is_ending;              /* the watchdog may end */
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

/* The loop */

static bool is_no_server(pid_t pid)
{
    return pid == subject_pid() || crowd_has(pid);
}

/* Orphans become our children, and are waited for here, too. */
static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!crowd_has_ended(pid, status) && subject_has_ended(pid, status) && !is_ending)
            diex("the watchdog has ended, with wait status %d", status);
}

static void look_around(void)
{
    static int64_t next_us;
    static int starts;

    if (now_us() < next_us && starts == story.starts)
        return;
    starts = story.starts;
    next_us = now_us() + CENSUS_US;
    census_look(is_no_server);
}

static void obey_signals(void)
{
    int number = wait_for_signal(&signals, 0);

    if (number > 0)
        exit(128 + number);
}

static void turn(void)
{
    struct pollfd wanted[1 + CLIENTS];

    wanted[0] = (struct pollfd){ .fd = subject_fd(), .events = POLLIN };
    crowd_watch(wanted + 1);
    if (poll(wanted, 1 + CLIENTS, TICK_MS) == -1) {
        if (errno != EINTR)
            die("wait for events");
        return;
    }
    if (wanted[0].revents != 0)
        subject_hear();
    crowd_attend(wanted + 1);
    if (is_rude)
        rude_act();
    faults_turn(is_harming);
    look_around();
    reap();
    obey_signals();
}

static bool never(void)
{
    return false;
}

/* Goes on until `is_done`; returns false if it is not after `longest_us`. */
static bool go_on(int64_t longest_us, bool (*is_done)(void))
{
    int64_t end_us = now_us() + longest_us;
    int64_t begun_us = now_us();

    while (!is_done()) {
        if (begun_us >= end_us)
            return false;
        turn();
        late_note(begun_us + TICK_MS * 1000);
        begun_us = now_us();
    }
    return true;
}

static void go_on_for(int64_t us)
{
    (void)go_on(us, never);
}

/* The parts of the test */

static void start_system(const char *policy)
{
    subject_start(policy);
    if (!go_on(START_US, story_is_whole))
        diex("start the system: not whole after %d s", START_US / 1000000);
}

/* The same every time: all clients are connected to this principal and were just answered, nobody else
 * is there. */
static void measure(struct measure measures[ROLES])
{
    is_rude = false;
    rude_vanish();
    crowd_rest();
    if (go_on(ANSWERS_US, crowd_is_idle))
        crowd_ask_once();
    (void)go_on(ANSWERS_US, crowd_is_idle);
    go_on_for(QUIET_US);
    growth_measure(measures);
}

/* Half of the faults: those that this watchdog sees. */
static void soak(struct growth *growth)
{
    is_rude = true;
    crowd_ask();
    go_on_for(WARM_UP_US);
    measure(growth->start);
    is_rude = is_harming = true;
    crowd_ask();
    go_on_for((int64_t)outcome.seconds * 1000000 / 2);
    is_harming = false;
    (void)go_on((int64_t)HEAL_MS * 1000 + 1000000, faults_are_over);
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

/* In the midst of requests, with some of its servers stopped. */
static void kill_watchdog(struct takeover *takeover)
{
    int64_t struck_us;

    is_rude = true;
    crowd_ask();
    go_on_for(QUIET_US);
    for (int number = 0; number < SERVERS; number++)
        old_servers[number] = story.servers[number].pid;
    faults_stop_some();
    is_ending = true;
    struck_us = now_us();
    subject_signal(SIGKILL);
    takeover->is_good = go_on(GONE_US, watchdog_has_ended);
    is_ending = false;
    subject_start("direct");
    if (!go_on(GONE_US, old_ones_are_gone))
        takeover->is_good = false;
    takeover->gone_us = now_us() - struck_us;
    if (!go_on(START_US, story_is_whole))
        diex("start the next watchdog: its servers are not up after %d s", START_US / 1000000);
    for (int number = 0; number < SERVERS; number++)
        if (story.servers[number].up_us - struck_us > takeover->whole_us)
            takeover->whole_us = story.servers[number].up_us - struck_us;
}

static bool crowd_has_gone(void)
{
    return crowd_count() == 0;
}

static void stop_system(void)
{
    int64_t begun_us;

    crowd_dismiss();
    (void)go_on(START_US, crowd_has_gone);
    is_ending = true;
    begun_us = now_us();
    subject_signal(SIGTERM);
    if (!go_on(START_US, watchdog_has_ended))
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
        (void)poll(NULL, 0, TICK_MS);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
            /* The next one. */
        }
    } while (waitpid(-1, NULL, WNOHANG) == 0);
    subject_remove();
    faults_free();
}

static void set_up(void)
{
    static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, 0 };

    self = getpid();
    if (block_signals(&signals, wanted) == -1)
        die("block signals");
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
    kill_watchdog(&outcome.takeover);
    soak(&outcome.growth[1]);
    stop_system();
    return report(&outcome) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
