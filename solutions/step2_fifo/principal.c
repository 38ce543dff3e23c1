/* principal: step 2, ping-pong over a pair of named pipes.
 *
 * The principal makes the segment of step 1 and two named pipes (fifo.h), and forks the
 * secondary (secondary.c). For each exchange it writes the counter, sends the line `ping`
 * and waits for `pong`: now the secondary reads each number once, when it is there. After
 * the last one it says `stop`; the secondary ends first, and the principal waits for it.
 *
 * It wakes on a line from the secondary, on a signal, or when the secondary has been silent
 * too long. Step 1 waited for signals alone; who waits for a pipe as well needs poll(2) and
 * signals.h instead.
 *
 * Left out on purpose: a secondary that fails is not replaced (step 3).
 */
#include "clock.h"
#include "fifo.h"
#include "journal.h"
#include "line.h"
#include "options.h"
#include "rundir.h"
#include "secondary.h"
#include "segment.h"
#include "shared.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: principal [-n EXCHANGES] [-d DIR] [-q]\n"
    "  -n EXCHANGES  how many times ping and pong (default 10)\n"
    "  -d DIR        run directory (default $OSPS_DIR, or /tmp/osps-UID)\n"
    "  -q            do not tell each ping and pong\n"
    "  -h            this text\n";

enum {
    SILENCE_MS = 5000, /* how long a pong may take */
    STOP_MS = 1000     /* how long the secondary may take to end when it is told to */
};

struct options {
    int exchanges;
    const char *directory;
    bool quiet;
};

/* What this process must give back, whichever way it ends: clean_up() reads it. */
static struct rundir rundir = { .fd = -1, .lock_fd = -1, .alive_fd = -1 };
static struct segment segment;
static struct channel channel = { -1, -1 };
static pid_t secondary_pid; /* 0 when there is none: not yet forked, or waited for */
static pid_t principal_pid;
static int signals_fd = -1;

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .exchanges = 10 };
    int option;

    options_init("principal", usage);
    while ((option = getopt(argc, argv, ":hn:d:q")) != -1)
        switch (option) {
        case 'n': options.exchanges = (int)parse_number('n', optarg, 0, 1000000000); break;
        case 'd': options.directory = optarg; break;
        case 'q': options.quiet = true; break;
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
        while (waitpid(secondary_pid, NULL, 0) == -1 && errno == EINTR) {
            /* Our handlers are still there. */
        }
    }
    channel_close(&channel);
    if (segment.memory != NULL && fifo_remove_pair(rundir.fd, 1) == -1)
        warn("remove dwtube1 and wdtube1 from %s", rundir.path);
    segment_remove(&segment);
    if (rundir_release(&rundir) == -1)
        warn("leave run directory %s", rundir.path);
    signals_close();
}

static void set_up(const char *directory)
{
    static const int wanted[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, 0 };

    principal_pid = getpid();
    /* Before anything is made, so that no signal can end the process in between. */
    signals_fd = signals_open(wanted);
    if (signals_fd == -1 || signals_let_all_go() == -1)
        die("catch signals");
    if (atexit(clean_up) != 0)
        diex("register the clean-up: no memory");
    if (rundir_take(&rundir, directory) == -1)
        diex("%s", rundir.problem);
    if (segment_create(&segment, rundir.fd, sizeof(struct shared)) == -1)
        die("make shared memory segment %s", segment.name);
    if (fifo_make_pair(rundir.fd, 1) == -1)
        die("make the pipes dwtube1 and wdtube1 in %s", rundir.path);
}

/* The child's first steps: it keeps its own ends, and gives back what is the parent's. */
static _Noreturn void become_secondary(struct channel *own)
{
    int status;

    journal_set_role("secondary", 1);
    // TODO 2.3: close the principal's ends of the pipes, which were inherited (`channel`): as long
    // as one writing end is open anywhere, a pipe does not end. Close the principal's self-pipe too
    // (signals_close()). Ignore SIGINT and SIGHUP: a terminal sends them to all of its processes,
    // and it is the principal that sees to the end.
    // SOLUTION
    channel_close(&channel);
    signals_close();
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    // STUB: todo("2.3", channel, own);
    // END
    if (signals_let_all_go() == -1)
        die("unblock signals");
    status = secondary_run(segment.memory, own);
    channel_close(own);
    rundir_leave(&rundir);
    exit(status);
}

static void start_secondary(void)
{
    struct channel secondary_side;
    sigset_t before;

    if (fifo_open_secondary_side(&secondary_side, rundir.fd, 1) == -1
        || fifo_open_principal_side(&channel, rundir.fd, 1) == -1)
        die("open dwtube1 and wdtube1");
    if (signals_hold(&before) == -1)
        die("hold signals back");
    secondary_pid = fork();
    if (secondary_pid == -1)
        die("fork the secondary");
    if (secondary_pid == 0)
        become_secondary(&secondary_side);
    /* While the parent held these, the pipe would not end with the child. */
    channel_close(&secondary_side);
    if (signals_let_go(&before) == -1)
        die("let signals go");
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
    pid_t pid = waitpid(secondary_pid, status, WNOHANG);

    if (pid == -1)
        die("wait for secondary1[%ld]", (long)secondary_pid);
    if (pid == 0)
        return false;
    secondary_pid = 0;
    tell_end(pid, *status);
    return true;
}

/* Waits until `fd` is readable (-1: for signals only), a signal has come, or `deadline_ms`.
 * Returns false at the deadline. */
static bool wait_readable(int fd, int64_t deadline_ms)
{
    struct pollfd wanted[] = {
        { .fd = signals_fd, .events = POLLIN },
        { .fd = fd, .events = POLLIN },
    };

    // TODO 2.5: wait with poll(2) until one of the two has something to read, or the deadline has
    // come (clock_left_ms() knows how long that is). To be interrupted by a signal is no failure,
    // and a signal may have come all the same. Empty the signals' pipe if it has something
    // (signals_drain()). Return false if the deadline has come and nothing else; else true, which
    // is the answer to an interruption too as long as time is left.
    // SOLUTION
    int ready = poll(wanted, 2, clock_left_ms(deadline_ms));

    if (ready == -1 && errno != EINTR)
        die("wait for the secondary");
    if (ready > 0 && wanted[0].revents != 0)
        signals_drain();
    return ready != 0 || clock_ms() < deadline_ms;
    // STUB: todo("2.5", wanted, deadline_ms);
    // END
}

static bool asked_to_stop(void)
{
    return signals_take(SIGTERM) || signals_take(SIGINT) || signals_take(SIGHUP);
}

/* Waits for the end of the secondary, and brings it about if it does not come. Returns its
 * wait status. */
static int await_secondary(void)
{
    int64_t deadline_ms = clock_ms() + STOP_MS;
    int status;

    while (!reap_secondary(&status))
        if (!wait_readable(-1, deadline_ms)) {
            warnx("stop secondary1[%ld]: no end after %d ms, killed", (long)secondary_pid, STOP_MS);
            (void)kill(secondary_pid, SIGKILL);
            deadline_ms = clock_ms() + STOP_MS;
        }
    return status;
}

/* The pipe has ended: so has the secondary, or it is about to. */
static _Noreturn void lose_secondary(void)
{
    (void)await_secondary();
    diex("play ping-pong: the secondary ended before its time");
}

/* Returns true when `pong` has come, false when a person wants the program to stop. */
static bool await_pong(struct line_reader *reader)
{
    int64_t deadline_ms = clock_ms() + SILENCE_MS;
    enum line_status status;
    char line[LINE_ROOM];

    do {
        if (!line_is_waiting(reader) && !wait_readable(reader->fd, deadline_ms))
            diex("read wdtube1: no pong for %d ms", SILENCE_MS);
        if (asked_to_stop())
            return false;
    } while ((status = line_read(reader, line)) == LINE_NONE);
    if (status == LINE_END)
        lose_secondary();
    if (status == LINE_ERROR)
        die("read wdtube1");
    if (strcmp(line, "pong") != 0)
        diex("read wdtube1: '%s' is no pong", line);
    return true;
}

/* One ping and its pong. Returns false when a person wants the program to stop. */
static bool exchange(struct line_reader *reader, int count)
{
    struct shared *shared = segment.memory;

    atomic_store(&shared->counter, count);
    if (line_write(channel.out, "ping") == -1) {
        if (errno == EPIPE)
            lose_secondary();
        die("write ping to dwtube1");
    }
    journal_often("ping %d", count);
    return await_pong(reader);
}

/* Returns how many exchanges were made: all of them unless a signal came. */
static int play(int exchanges)
{
    struct line_reader reader;
    int count = 0;

    line_reader_init(&reader, channel.in);
    while (count < exchanges && !asked_to_stop() && exchange(&reader, count + 1))
        count++;
    return count;
}

static int stop_secondary(void)
{
    if (line_write(channel.out, "stop") == -1 && errno != EPIPE)
        warn("write stop to dwtube1");
    /* A stopped process reads nothing before it goes on. */
    (void)kill(secondary_pid, SIGCONT);
    return await_secondary();
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    int status;

    journal_init("principal", options.quiet);
    set_up(options.directory);
    journal("start");
    start_secondary();
    journal("exchanges %d", play(options.exchanges));
    status = stop_secondary();
    journal("exit");
    return status == 0 && !journal_is_lost() ? EXIT_SUCCESS : EXIT_FAILURE;
}
