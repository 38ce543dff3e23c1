/* principal: step 1, a counter in shared memory.
 *
 * The principal makes a shared memory segment and forks the secondary. It writes
 * 1, 2, 3... into the segment, one number each interval; the secondary (secondary.c)
 * looks once an interval. Nothing makes one wait for the other: numbers may be read
 * twice or missed. At the end the secondary ends first, and the principal waits for it.
 *
 * Left out on purpose: any synchronisation (step 2).
 */
#include "clock.h"
#include "journal.h"
#include "options.h"
#include "rundir.h"
#include "secondary.h"
#include "segment.h"
#include "shared.h"
#include "waiting.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: principal [-n ROUNDS] [-i INTERVAL_MS]\n"
    "  -n ROUNDS       how many numbers to write (default 10)\n"
    "  -i INTERVAL_MS  time between two of them (default 500)\n"
    "  -h              this text\n"
    "The run directory is $OSPS_DIR, or /tmp/osps-UID.\n";

/* How long the secondary may take to end when it is told to. */
enum { STOP_MS = 1000 };

struct options {
    int rounds;
    int interval_ms;
};

/* What this process must give back, whichever way it ends: clean_up() reads it. */
static struct rundir rundir = { .fd = -1, .lock_fd = -1, .alive_fd = -1 };
static struct segment segment;
static pid_t secondary_pid; /* 0 when there is none: not yet forked, or waited for */
static pid_t principal_pid;
static sigset_t signals;

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .rounds = 10, .interval_ms = 500 };
    int option;

    options_init("principal", usage);
    while ((option = getopt(argc, argv, ":hn:i:")) != -1)
        switch (option) {
        case 'n': options.rounds = (int)parse_number('n', optarg, 0, 1000000000); break;
        case 'i': options.interval_ms = (int)parse_number('i', optarg, 0, 3600000); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
    return options;
}

static void clean_up(void)
{
    /* exit(3) runs this in a child as well, where it would take the parent's things. */
    if (getpid() != principal_pid)
        return;
    if (secondary_pid > 0) {
        (void)kill(secondary_pid, SIGKILL);
        (void)waitpid(secondary_pid, NULL, 0);
    }
    segment_remove(&segment);
    if (rundir_release(&rundir) == -1)
        warn("leave run directory %s", rundir.path);
}

static void set_up(void)
{
    static const int wanted[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, 0 };

    principal_pid = getpid();
    /* Before anything is made, so that no signal can end the process in between. */
    if (block_signals(&signals, wanted) == -1)
        die("block signals");
    if (atexit(clean_up) != 0)
        diex("register the clean-up: no memory");
    if (rundir_take(&rundir, NULL) == -1)
        diex("%s", rundir.problem);
    if (segment_create(&segment, rundir.fd, sizeof(struct shared)) == -1)
        die("make shared memory segment %s", segment.name);
}

static _Noreturn void become_secondary(int interval_ms)
{
    int status;

    journal_set_role("secondary", 1);
    status = secondary_run(segment.memory, &signals, interval_ms, principal_pid);
    rundir_leave(&rundir);
    exit(status);
}

static void start_secondary(int interval_ms)
{
    // TODO 1.2: fork. The parent notes the child's pid in secondary_pid. The child becomes the
    // secondary, and does not come back from that. Where there can be no child, die().
    // SOLUTION
    secondary_pid = fork();
    if (secondary_pid == -1)
        die("fork the secondary");
    if (secondary_pid == 0)
        become_secondary(interval_ms);
    // STUB: todo("1.2", become_secondary, interval_ms);
    // END
}

static void tell_end(pid_t pid, int status)
{
    if (WIFSIGNALED(status))
        journal("reaped secondary1[%ld] signal %d", (long)pid, WTERMSIG(status));
    else
        journal("reaped secondary1[%ld] status %d", (long)pid, WEXITSTATUS(status));
}

/* Reaps the secondary if it has ended, and stores its wait status. Does not wait: a SIGCHLD
 * is a hint, and may have come for something else. */
static bool reap_secondary(int *status)
{
    // TODO 1.5: ask, without waiting, whether the secondary has ended. If it has: note that there
    // is none any more, tell_end(), and return true. If the question itself fails, die().
    // SOLUTION
    pid_t pid = waitpid(secondary_pid, status, WNOHANG);

    if (pid == -1)
        die("wait for secondary1[%ld]", (long)secondary_pid);
    if (pid == 0)
        return false;
    secondary_pid = 0;
    tell_end(pid, *status);
    return true;
    // STUB: todo("1.5", status, tell_end);
    // END
}

/* Waits until it is time for the next number. Returns false when told to stop; does not
 * return when the secondary dies before it is told to. */
static bool wait_until(int64_t deadline_ms)
{
    int signal_number;
    int status;

    while ((signal_number = wait_for_signal(&signals, deadline_ms)) == SIGCHLD)
        if (reap_secondary(&status))
            diex("share the counter: the secondary ended before its time");
    if (signal_number == -1)
        die("wait for a signal");
    return signal_number == 0;
}

static void write_rounds(const struct options *options)
{
    struct shared *shared = segment.memory;

    // TODO 1.3: write 1, 2, 3 ... as far as options->rounds into the counter that is shared; tell
    // the journal of each (`write K`); wait options->interval_ms after each, with wait_until(), and
    // write no more when that returns false.
    // SOLUTION
    for (int round = 1; round <= options->rounds; round++) {
        atomic_store(&shared->counter, round);
        journal_often("write %d", round);
        if (!wait_until(clock_ms() + options->interval_ms))
            return;
    }
    // STUB: todo("1.3", shared, options, wait_until);
    // END
}

/* Waits for the end of the secondary, and brings it about if it does not come. Returns its
 * wait status. */
static int await_secondary(void)
{
    int64_t deadline_ms = clock_ms() + STOP_MS;
    int status;

    while (!reap_secondary(&status)) {
        int signal_number = wait_for_signal(&signals, deadline_ms);

        if (signal_number == -1)
            die("wait for a signal");
        if (signal_number == 0) {
            warnx("stop secondary1[%ld]: no end after %d ms, killed", (long)secondary_pid, STOP_MS);
            (void)kill(secondary_pid, SIGKILL);
            deadline_ms = clock_ms() + STOP_MS;
        }
    }
    return status;
}

static int stop_secondary(void)
{
    /* SIGCONT: a stopped process gets no other signal before it goes on, except SIGKILL. */
    if (kill(secondary_pid, SIGTERM) == -1 || kill(secondary_pid, SIGCONT) == -1)
        die("signal secondary1[%ld]", (long)secondary_pid);
    return await_secondary();
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    int status;

    journal_init("principal", false);
    set_up();
    journal("start");
    start_secondary(options.interval_ms);
    write_rounds(&options);
    status = stop_secondary();
    journal("exit");
    return status == 0 && !journal_is_lost() ? EXIT_SUCCESS : EXIT_FAILURE;
}
