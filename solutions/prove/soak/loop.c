/* See loop.h. */
#include "loop.h"

#include "census.h"
#include "crowd.h"
#include "faults.h"
#include "journal.h"
#include "moment.h"
#include "rude.h"
#include "story.h"
#include "subject.h"
#include "waiting.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { TICK_MS = 5, CENSUS_US = 50 * 1000 };

struct loop loop;

static sigset_t signals;

void loop_init(void)
{
    static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, 0 };

    if (block_signals(&signals, wanted) == -1)
        die("block signals");
}

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
        if (!crowd_has_ended(pid, status) && subject_has_ended(pid, status) && !loop.is_ending)
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
    if (loop.is_rude)
        rude_act();
    faults_turn(loop.is_harming);
    if (!loop.is_ending) /* a leak sanitizer forks at the end */
        look_around();
    reap();
    obey_signals();
}

static bool never(void)
{
    return false;
}

bool loop_until(bool (*is_done)(void), int64_t longest_us)
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

void loop_for(int64_t us)
{
    (void)loop_until(never, us);
}
