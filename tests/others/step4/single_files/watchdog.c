/*
 * watchdog.c - step 4 of the lab, written a second time and in another way, to try the tests on.
 *
 *     watchdog [-n SECONDARIES] [-p PERIOD_MS] [-t TIMEOUT_MS] [-r delegated|direct] [-a ADDRESS] [-P PORT] [-w WORK_MS]
 *              [-d DIR] [-q]
 *
 * What is different here, in step 4:
 * - One file. pselect(2); connections are a linked list, in the order in which they came.
 * - Requests go to the secondaries by turns, busy or not. So each secondary has a queue of its own.
 * - Tokens have 17 characters, letters and punctuation.
 * - When all places are taken, the client that has said no line for the longest time, and for a second at least, loses
 *   its own. A last word is followed by shutdown(2); what the client still says is read away for a second, for a
 *   close(2) before that would be a reset, and could swallow the last word.
 * - A token that nobody comes for is forgotten, but only while the listen queue is empty: who waits there has one.
 * - Requests are numbered in the shared table: a new principal goes on where the old one ended.
 * - Each message in the journal is told once, by who sends it: `requetetype1 NUMBER ROLE` by the principal, the rest by
 *   the secondary.
 *
 * And as in step 3:
 * - Handlers only set flags. A timer signal (SIGALRM) ticks in every process. In a server its handler reads the
 *   `lifeline`, a pipe that only the watchdog can write to: end of file means the watchdog is dead, and the handler
 *   kills the server's whole process group. So a server with a stuck main loop goes, too. Are they all stopped, then no
 *   handler runs, but the death of the watchdog orphans the group, and the kernel sends SIGHUP and SIGCONT.
 *   The same tick interrupts a write(2) to a standard output that nobody reads: the line is dropped.
 * - A third pipe, `alive`, in the run directory: every server holds it open for writing from its birth, nobody
 *   writes. End of file on it means that no server lives any more. The watchdog asks it before it starts a new
 *   principal, and before it ends; the next start asks it, too, about the servers of a watchdog that was killed.
 * - The segment loses its name as soon as it is mapped: all others inherit the mapping.
 * - Whoever starts a secondary makes its two pipes anew and opens the secondary's ends before fork(2). The
 *   principal opens its own ends by name. A serial number in the table tells it when they are new.
 * - The run directory is a descriptor: all names in it go through openat(2) and the like.
 *
 * Signals: USR1 a probe, USR2 `look at the table`, for the watchdog only. Journal lines beyond the contract's:
 * `delayed ROLE MS`, the next restart of ROLE has to wait; `lost N`, lines dropped before this one;
 * `start` and `exit` of the servers, too.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_SECONDARIES = 64, MAX_MS = 86400000, MAX_LINE = 4096, MAX_PORT = 65535,
    PRINCIPAL = 0,                      /* its place in the table; secondary number k has place k */
    SIGNALLED = 256,                    /* added to the number of the signal that ended a process */
    TICK_MS = 250, LONGEST_REST_MS = 1000, OLD_SERVERS_MS = 3000, RECONNECT_MS = 50,
    INFANT_MS = 500, INFANT_DEATHS = 3, FIRST_DELAY_MS = 250, LONGEST_DELAY_MS = 5000,
    PRINCIPAL_GRACE_MS = 100,           /* what the principal gets at the end, beyond the timeout */
    MAX_TALK = 512,                     /* bytes in a client's line, with its end */
    MAX_CONNS = 256, FEWEST_CONNS = 8, OWN_DESCRIPTORS = 24,
    TOKEN_LENGTH = 17,
    MAX_GIVEN = 4096,                   /* requests that a secondary may have before it, begun or not */
    SILENT_MS = 1000,                   /* who is silent for longer gives up its place, if others need it */
    LEAVING_MS = 1000, DEAF_MS = 100, UNUSED_TOKEN_MS = 20000
};

enum state { NONE, RUNNING, FROZEN, ENDED, DELAYED };

/* The table in shared memory. A server writes `answered`, whoever started it the rest, the watchdog `sent`. */
struct slot {
    char role[16];
    _Atomic pid_t pid;                  /* 0: no process */
    _Atomic pid_t was;                  /* the latest process, dead or alive */
    atomic_int state;
    atomic_uint sent, answered;         /* the number of the latest probe, and of the latest one answered */
    atomic_uint starts, restarts;
    atomic_uint done;                   /* requests */
    atomic_uint tubes;                  /* serial number of its pipes; odd: not ready */
    atomic_uint ends;                   /* deaths that a delegated principal tells the watchdog: how many, ... */
    _Atomic pid_t end_pid;              /* ... who, ... */
    atomic_int end_how;                 /* ... and its exit status, or SIGNALLED + signal */
};

struct table {
    atomic_bool stopping;
    long long start_ms;
    atomic_uint requests;               /* the number of the latest one */
    struct slot slots[MAX_SECONDARIES + 1];
};

/* Several processes share them: a lock hidden in the library would not do. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2, "atomics must need no lock");

static struct {
    int secondaries, port;
    long period_ms, timeout_ms, work_ms;
    bool direct, quiet;
    const char *dir, *address;
} option = { .secondaries = 1, .period_ms = 2000, .timeout_ms = 1000, .work_ms = 200, .port = 2222,
             .address = "127.0.0.1" };

static struct {
    const char *role;
    int place;                          /* in the table; the watchdog has none */
    pid_t pid, watchdog;
    bool is_watchdog;
    int status;                         /* to exit with */
    int dir, lock;
    int lifeline;                       /* servers: to read from */
    int lifeline_held;                  /* watchdog: to write to, which it never does */
    int alive;                          /* servers: to write to, which they never do */
    int alive_asked;                    /* watchdog: to read from */
    int random;                         /* principal: to read tokens from */
    int listeners[MAX_SECONDARIES + 1]; /* each server keeps its own, and those that it has to hand on */
    sigset_t held, open;                /* signals blocked while at work, and while resting */
    struct timespec origin;
    bool was_up;                        /* every process in its charge has been started once */
    bool clogged, journal_failed;
    unsigned lost;                      /* lines */
} my = { .role = "watchdog", .is_watchdog = true, .dir = -1, .lock = -1, .lifeline = -1, .lifeline_held = -1,
         .alive = -1, .alive_asked = -1, .random = -1 };

static struct table *table;

/* Set by handlers. Outside rest() their signals are blocked, so they hold still. */
static volatile sig_atomic_t told_to_end, child_ended, probed;

static _Noreturn void run_server(int place, const int tubes[]);

/* ---- time, messages, journal */

static long long now_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
        _exit(EXIT_FAILURE);            /* it worked in main: cannot happen */
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static long long sooner(long long a, long long b) { return a < b ? a : b; }

/* `role: what: why` on standard error. `why` NULL: what errno says. */
__attribute__((format(printf, 2, 3)))
static void complain(const char *why, const char *format, ...)
{
    int number = errno;
    char what[512], line[768];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (length < 0)
        what[0] = '\0';
    length = snprintf(line, sizeof line, "%s: %s: %s\n", my.role, what, why != NULL ? why : strerror(number));
    if (length < 0)
        return;
    if ((size_t)length >= sizeof line)
        length = sizeof line - 1;
    if (write(STDERR_FILENO, line, (size_t)length) == -1)
        return;                         /* nobody is left to be told */
}

/* The main loop ends as after SIGTERM, but with exit status 1. */
static void end_with_failure(void)
{
    my.status = EXIT_FAILURE;
    told_to_end = 1;
}

static bool stdout_is_ready(void)
{
    fd_set set;
    struct timeval at_once = { 0, 0 };
    FD_ZERO(&set);
    FD_SET(STDOUT_FILENO, &set);
    return select(STDOUT_FILENO + 1, NULL, &set, NULL, &at_once) != 0;  /* an error: write(2) will tell */
}

/* A reader who does not read costs the line, not the process: the tick interrupts the write. From then on we ask
 * first. */
static bool put(const char *line, size_t length)
{
    if (my.clogged && !stdout_is_ready())
        return false;
    ssize_t written = write(STDOUT_FILENO, line, length);
    if (written == (ssize_t)length) {
        my.clogged = false;
        return true;
    }
    if (written >= 0)
        errno = ENOSPC;
    if (written == -1 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) {
        my.clogged = true;
    } else if (!my.journal_failed) {
        my.journal_failed = true;
        complain(NULL, "write the journal");
        end_with_failure();
    }
    return false;
}

__attribute__((format(printf, 1, 2)))
static void journal(const char *format, ...)
{
    char line[MAX_LINE];
    struct timespec now;
    va_list arguments;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == -1)
        return;
    long long us = (now.tv_sec - my.origin.tv_sec) * 1000000LL + (now.tv_nsec - my.origin.tv_nsec) / 1000;
    int head = snprintf(line, sizeof line, "%lld.%06lld %s[%ld] ", us / 1000000, us % 1000000, my.role, (long)my.pid);
    if (head < 0 || (size_t)head >= sizeof line)
        return;
    va_start(arguments, format);
    int body = vsnprintf(line + head, sizeof line - (size_t)head, format, arguments);
    va_end(arguments);
    if (body < 0)
        return;
    size_t length = (size_t)head + (size_t)body;
    if (length > sizeof line - 1)
        length = sizeof line - 1;
    line[length] = '\n';
    if (!put(line, length + 1)) {
        my.lost++;
    } else if (my.lost > 0) {
        unsigned lost = my.lost;
        my.lost = 0;
        journal("lost %u", lost);
    }
}

/* ---- signals and rest */

/* Runs in the handler: read(2) and kill(2) are allowed there. */
static void kill_group_if_watchdog_is_dead(void)
{
    int saved = errno;
    char byte;
    if (!my.is_watchdog && read(my.lifeline, &byte, 1) == 0 && kill(0, SIGKILL) == -1)
        _exit(EXIT_FAILURE);
    errno = saved;
}

static void on_signal(int number)
{
    switch (number) {
    case SIGALRM: kill_group_if_watchdog_is_dead(); break;
    case SIGCHLD: child_ended = 1; break;
    case SIGUSR1: probed = 1; break;
    case SIGUSR2: break;                /* it has ended the rest: that is all */
    default: told_to_end = 1;
    }
}

/* Without SA_RESTART: a tick has to interrupt. */
static bool on(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    return sigemptyset(&action.sa_mask) == 0 && sigaction(number, &action, NULL) == 0;
}

static bool hold_signals(void)
{
    return sigemptyset(&my.open) == 0 && sigemptyset(&my.held) == 0
        && sigaddset(&my.held, SIGTERM) == 0 && sigaddset(&my.held, SIGINT) == 0
        && sigaddset(&my.held, SIGCHLD) == 0 && sigaddset(&my.held, SIGUSR1) == 0
        && sigaddset(&my.held, SIGUSR2) == 0 && (!my.is_watchdog || sigaddset(&my.held, SIGHUP) == 0)
        && sigprocmask(SIG_SETMASK, &my.held, NULL) == 0;
}

static bool prepare_watchdog_signals(void)
{
    struct sigaction hangup;
    return hold_signals() && on(SIGTERM, on_signal) && on(SIGINT, on_signal) && on(SIGCHLD, on_signal)
        && on(SIGUSR1, SIG_IGN) && on(SIGUSR2, on_signal) && on(SIGALRM, on_signal) && on(SIGPIPE, SIG_IGN)
        && sigaction(SIGHUP, NULL, &hangup) == 0
        && (hangup.sa_handler == SIG_IGN || on(SIGHUP, on_signal));     /* nohup(1) */
}

/* SIGHUP is how the kernel ends an orphaned group. SIGTTOU would stop us for writing on some terminals. */
static bool prepare_server_signals(void)
{
    told_to_end = child_ended = probed = 0;
    return on(SIGUSR1, on_signal) && on(SIGUSR2, SIG_IGN) && on(SIGTTOU, SIG_IGN) && on(SIGHUP, SIG_DFL)
        && hold_signals();
}

/* A timer is not inherited: each process starts its own. */
static bool start_tick(void)
{
    timer_t timer;
    struct sigevent event;
    struct itimerspec every = { .it_interval = { 0, TICK_MS * 1000000L }, .it_value = { 0, TICK_MS * 1000000L } };
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    return timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &every, NULL) == 0;
}

/* What to rest for; afterwards, what has come of it. */
struct watched {
    fd_set in, out;
    int highest;
    long long until_ms;
};

static struct watched watch_nothing(long long until_ms)
{
    struct watched watched = { .highest = -1, .until_ms = until_ms };
    FD_ZERO(&watched.in);
    FD_ZERO(&watched.out);
    return watched;
}

static void watch_for(struct watched *watched, int descriptor, bool in, bool out)
{
    if (in)
        FD_SET(descriptor, &watched->in);
    if (out)
        FD_SET(descriptor, &watched->out);
    if ((in || out) && descriptor > watched->highest)
        watched->highest = descriptor;
}

/* Until a descriptor is ready, a signal comes, or it is time. */
static void rest(struct watched *watched)
{
    long long left_ms = watched->until_ms - now_ms();
    left_ms = left_ms < 0 ? 0 : sooner(left_ms, LONGEST_REST_MS);
    struct timespec left = { .tv_sec = (time_t)(left_ms / 1000), .tv_nsec = (long)(left_ms % 1000) * 1000000 };
    int ready = pselect(watched->highest + 1, &watched->in, &watched->out, NULL, &left, &my.open);
    if (ready == -1 && errno != EINTR) {
        complain(NULL, "wait for something to happen");
        end_with_failure();
    }
    if (ready <= 0)
        *watched = watch_nothing(watched->until_ms);
    /* While a descriptor is ready pselect lets no signal through. This does. */
    if (sigprocmask(SIG_SETMASK, &my.open, NULL) == -1 || sigprocmask(SIG_SETMASK, &my.held, NULL) == -1) {
        complain(NULL, "let signals through");
        end_with_failure();
    }
}

static void doze(long ms)
{
    struct watched nothing = watch_nothing(now_ms() + ms);
    rest(&nothing);
}

/* The process may have ended a moment ago: no trouble. */
static bool signal_to(pid_t pid, int number, const char *role)
{
    if (kill(pid, number) == 0)
        return true;
    if (errno != ESRCH)
        complain(NULL, "send signal %d to %s[%ld]", number, role, (long)pid);
    return false;
}

/* ---- descriptors and pipes */

static void shut(int *descriptor)
{
    if (*descriptor >= 0 && close(*descriptor) == -1)
        complain(NULL, "close descriptor %d", *descriptor);
    *descriptor = -1;
}

/* Nothing here blocks, and every descriptor fits in an fd_set. */
static int open_pipe(const char *name, int how)
{
    int descriptor = openat(my.dir, name, how | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (descriptor >= FD_SETSIZE) {
        shut(&descriptor);
        errno = EMFILE;
    }
    return descriptor;
}

/* True if there is none afterwards. What is no pipe is not ours, and stays. */
static bool remove_pipe(const char *name)
{
    struct stat seen;
    if (fstatat(my.dir, name, &seen, AT_SYMLINK_NOFOLLOW) == -1)
        return errno == ENOENT;
    if (!S_ISFIFO(seen.st_mode)) {
        errno = EEXIST;
        return false;
    }
    return unlinkat(my.dir, name, 0) == 0 || errno == ENOENT;
}

struct names { char down[16], up[16]; };        /* principal to secondary, secondary to principal */

static struct names names_of(int k)
{
    struct names names;
    if (snprintf(names.down, sizeof names.down, "dwtube%d", k) < 0
        || snprintf(names.up, sizeof names.up, "wdtube%d", k) < 0)
        _exit(EXIT_FAILURE);            /* cannot happen */
    return names;
}

/* A secondary's descriptors. It holds its own way in open for writing as well: then there is never an end of file,
 * before the principal has come or after it has gone. OUT_BACK is needed only to open OUT. */
enum { IN, IN_HELD, OUT, OUT_BACK, TUBES };

static void shut_tubes(int tubes[])
{
    for (int i = 0; i < TUBES; i++)
        shut(&tubes[i]);
}

static bool make_tubes(int k, int tubes[])
{
    struct names names = names_of(k);
    unsigned serial = table->slots[k].tubes | 1;
    table->slots[k].tubes = serial;
    if (!remove_pipe(names.down) || !remove_pipe(names.up)) {
        complain(NULL, "remove an old %s or %s", names.down, names.up);
        return false;
    }
    if (mkfifoat(my.dir, names.down, 0600) == -1 || mkfifoat(my.dir, names.up, 0600) == -1) {
        complain(NULL, "make %s and %s", names.down, names.up);
        return false;
    }
    if ((tubes[IN] = open_pipe(names.down, O_RDONLY)) == -1 || (tubes[IN_HELD] = open_pipe(names.down, O_WRONLY)) == -1
        || (tubes[OUT_BACK] = open_pipe(names.up, O_RDONLY)) == -1 || (tubes[OUT] = open_pipe(names.up, O_WRONLY)) == -1) {
        complain(NULL, "open %s and %s", names.down, names.up);
        shut_tubes(tubes);
        return false;
    }
    table->slots[k].tubes = serial + 1;
    return true;
}

/* Such errors say: not now. */
static bool is_for_later(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Lines are put together here. Who sends them is one of us: none is too long. */
struct ear {
    char text[96];
    size_t length;
};

/* All that is in the pipe, to `hears` by lines. False: the other side is gone. */
static bool read_pipe(int descriptor, struct ear *ear, int k, void (*hears)(int k, const char *line))
{
    char bytes[1024];
    for (;;) {
        ssize_t got = read(descriptor, bytes, sizeof bytes);
        if (got == 0)
            return false;
        if (got == -1)
            return is_for_later(errno);
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n') {
                ear->text[ear->length] = '\0';
                ear->length = 0;
                hears(k, ear->text);
            } else if (ear->length < sizeof ear->text - 1) {
                ear->text[ear->length++] = bytes[i];
            }
        }
    }
}

/* ---- children: for the watchdog, and for a principal that starts its secondaries */

static struct care {
    long long started_ms, due_ms;       /* due: when it may be started, once it is missing */
    unsigned infant_deaths;
} cares[MAX_SECONDARIES + 1];

static bool start_child(int k)
{
    struct slot *slot = &table->slots[k];
    int tubes[TUBES] = { -1, -1, -1, -1 };
    if (k != PRINCIPAL && !make_tubes(k, tubes))
        return false;
    if (my.is_watchdog && (my.alive = open_pipe("alive", O_WRONLY)) == -1) {
        complain(NULL, "open the pipe `alive`");
        shut_tubes(tubes);
        return false;
    }
    pid_t child = fork();
    if (child == 0)
        run_server(k, tubes);
    if (child == -1)
        complain(NULL, "start %s", slot->role);
    shut_tubes(tubes);
    if (my.is_watchdog)
        shut(&my.alive);
    if (child == -1)
        return false;
    /* The child does the same: whoever comes first. */
    if (my.is_watchdog && setpgid(child, k == PRINCIPAL ? child : table->slots[PRINCIPAL].was) == -1)
        complain(NULL, "put %s[%ld] into the servers' group", slot->role, (long)child);
    pid_t before = slot->was;
    cares[k].started_ms = now_ms();
    slot->answered = slot->sent;
    slot->starts++;
    slot->was = child;
    slot->state = RUNNING;
    slot->pid = child;
    if (before == 0) {
        journal("started %s[%ld]", slot->role, (long)child);
    } else {
        slot->restarts++;
        journal("restarted %s[%ld] was %ld", slot->role, (long)child, (long)before);
    }
    return true;
}

static void delay_child(int k)
{
    struct care *care = &cares[k];
    long long delay_ms = 0;
    if (care->infant_deaths >= INFANT_DEATHS) {
        unsigned doublings = care->infant_deaths - INFANT_DEATHS;
        delay_ms = doublings > 8 ? LONGEST_DELAY_MS : sooner((long long)FIRST_DELAY_MS << doublings, LONGEST_DELAY_MS);
        journal("delayed %s %lld", table->slots[k].role, delay_ms);
    }
    table->slots[k].state = delay_ms > 0 ? DELAYED : ENDED;
    care->due_ms = now_ms() + delay_ms;
}

/* At first a failure is the end. Later it counts as a death at birth: it is tried again, after a while. */
static void start_or_delay(int k)
{
    if (start_child(k))
        return;
    if (!my.was_up) {
        end_with_failure();
        return;
    }
    if (cares[k].infant_deaths++ < INFANT_DEATHS)
        cares[k].infant_deaths = INFANT_DEATHS;
    delay_child(k);
}

static void mourn(int k)
{
    bool infant = now_ms() - cares[k].started_ms < INFANT_MS;
    cares[k].infant_deaths = infant ? cares[k].infant_deaths + 1 : 0;
    delay_child(k);
}

/* It stays to be waited for: until then nobody else gets its pid. */
static bool has_ended(pid_t child, int *how)
{
    siginfo_t seen;
    memset(&seen, 0, sizeof seen);
    if (waitid(P_PID, (id_t)child, &seen, WEXITED | WNOHANG | WNOWAIT) == -1) {
        complain(NULL, "look after process %ld", (long)child);
        *how = EXIT_FAILURE;
        return true;
    }
    *how = seen.si_code == CLD_EXITED ? seen.si_status : SIGNALLED + seen.si_status;
    return seen.si_pid != 0;
}

static void bury(pid_t child)
{
    siginfo_t seen;
    if (waitid(P_PID, (id_t)child, &seen, WEXITED | WNOHANG) == -1)
        complain(NULL, "wait for process %ld", (long)child);
}

static void tell_death(int k, pid_t pid, int how)
{
    struct slot *slot = &table->slots[k];
    if (my.is_watchdog) {
        if (how >= SIGNALLED)
            journal("died %s[%ld] signal %d", slot->role, (long)pid, how - SIGNALLED);
        else if (how != 0 || !table->stopping)
            journal("died %s[%ld] status %d", slot->role, (long)pid, how);
    } else {
        slot->end_pid = pid;
        slot->end_how = how;
        slot->ends++;
        signal_to(my.watchdog, SIGUSR2, "watchdog");
    }
}

/* The pid leaves the table before it is free for somebody else. */
static void look_after_secondaries(bool to_be_replaced)
{
    for (int k = 1; k <= option.secondaries; k++) {
        int how;
        pid_t pid = table->slots[k].pid;
        if (pid == 0 || !has_ended(pid, &how))
            continue;
        table->slots[k].pid = 0;
        table->slots[k].state = ENDED;
        bury(pid);
        tell_death(k, pid, how);
        if (to_be_replaced)
            mourn(k);
    }
}

/* Returns when the next one is due. */
static long long replace_secondaries(long long now)
{
    long long next_ms = now + LONGEST_REST_MS;
    for (int k = 1; k <= option.secondaries; k++) {
        if (table->slots[k].pid == 0 && cares[k].due_ms <= now)
            start_or_delay(k);
        if (table->slots[k].pid == 0)
            next_ms = sooner(next_ms, cares[k].due_ms);
    }
    return next_ms;
}

static void signal_secondaries(int number)
{
    for (int k = 1; k <= option.secondaries; k++) {
        pid_t pid = table->slots[k].pid;
        if (pid != 0 && signal_to(pid, number, table->slots[k].role) && number == SIGKILL)
            journal("killed %s[%ld]", table->slots[k].role, (long)pid);
    }
}

static bool any_secondary(void)
{
    for (int k = 1; k <= option.secondaries; k++)
        if (table->slots[k].pid != 0)
            return true;
    return false;
}

/* ---- servers */

/* Called by main loops only: a stuck one does not answer. The answer is for the latest probe. */
static void answer_probe(void)
{
    if (!probed)
        return;
    probed = 0;
    table->slots[my.place].answered = table->slots[my.place].sent;
    signal_to(my.watchdog, SIGUSR2, "watchdog");
}

/* ---- connections: for both kinds of servers */

enum talk { TALKING, WAITING, WORKING, LEAVING, GONE };

/* WAITING: at the principal, for a place to be sent to; at a secondary, for its turn. */
struct conn {
    struct conn *next;
    enum talk talk;
    int fd;
    bool ended, shut;                   /* the client has ended its side; we have ended ours */
    long long since_ms;                 /* its latest line, or its coming, or our decision to part */
    int type;                           /* of its request */
    unsigned number;
    unsigned long turn;
    size_t in_length, out_length, text_length;
    char in[MAX_TALK], out[2 * MAX_TALK + 64], text[MAX_TALK];
};

static struct {
    struct conn *first;                 /* in the order in which they came */
    int count, limit, listener;
    long long deaf_until_ms;            /* there was no descriptor left for one more */
    void (*hears)(struct conn *conn, const char *line, size_t length);
} net;

static void drop(struct conn **link)
{
    struct conn *conn = *link;
    *link = conn->next;
    shut(&conn->fd);
    free(conn);
    net.count--;
}

static void flush_out(struct conn *conn)
{
    while (conn->out_length > 0 && conn->talk != GONE) {
        ssize_t sent = send(conn->fd, conn->out, conn->out_length, MSG_NOSIGNAL);
        if (sent == -1) {
            if (!is_for_later(errno))
                conn->talk = GONE;
            return;
        }
        conn->out_length -= (size_t)sent;
        memmove(conn->out, conn->out + sent, conn->out_length);
    }
    if (conn->talk == LEAVING && !conn->shut) {
        conn->shut = true;
        if (conn->ended || shutdown(conn->fd, SHUT_WR) == -1)
            conn->talk = GONE;
    }
}

static void say(struct conn *conn, const char *bytes, size_t length)
{
    if (conn->talk == GONE || length > sizeof conn->out - conn->out_length) {
        conn->talk = GONE;
        return;
    }
    memcpy(conn->out + conn->out_length, bytes, length);
    conn->out_length += length;
    flush_out(conn);
}

static void say_line(struct conn *conn, const char *line)
{
    char text[MAX_TALK];
    int length = snprintf(text, sizeof text, "%s\n", line);
    if (length > 0 && (size_t)length < sizeof text)
        say(conn, text, (size_t)length);
    else
        conn->talk = GONE;              /* cannot happen */
}

static void part_from(struct conn *conn)
{
    if (conn->talk == GONE)
        return;
    conn->talk = LEAVING;
    conn->since_ms = now_ms();
    flush_out(conn);
}

/* One after the other; who does not take an answer is not heard. */
static void take_lines(struct conn *conn)
{
    while (conn->talk == TALKING && conn->out_length == 0) {
        char line[MAX_TALK];
        char *newline = memchr(conn->in, '\n', conn->in_length);
        if (newline == NULL) {
            if (conn->in_length == sizeof conn->in)
                say_line(conn, "errtraitement that line is too long");
            if (conn->in_length == sizeof conn->in || conn->ended)
                part_from(conn);
            return;
        }
        size_t length = (size_t)(newline - conn->in);
        memcpy(line, conn->in, length);
        conn->in_length -= length + 1;
        memmove(conn->in, newline + 1, conn->in_length);
        if (length > 0 && line[length - 1] == '\r')
            length--;
        conn->since_ms = now_ms();
        net.hears(conn, line, length);
    }
}

static void read_from(struct conn *conn)
{
    char rubbish[4096];
    bool heard = conn->talk == TALKING;
    ssize_t got = heard ? read(conn->fd, conn->in + conn->in_length, sizeof conn->in - conn->in_length)
        : read(conn->fd, rubbish, sizeof rubbish);
    if (got > 0 && heard)
        conn->in_length += (size_t)got;
    if (got == 0)
        conn->ended = true;
    if ((got == -1 && !is_for_later(errno)) || (got == 0 && conn->shut))
        conn->talk = GONE;
    take_lines(conn);
}

/* A place for who comes, at the cost of who does not speak. False: there is none. */
static bool make_room(long long now)
{
    struct conn **quietest = NULL;
    if (net.count < net.limit)
        return true;
    for (struct conn **link = &net.first; *link != NULL; link = &(*link)->next)
        if ((*link)->talk == TALKING && now - (*link)->since_ms >= SILENT_MS
            && (quietest == NULL || (*link)->since_ms < (*quietest)->since_ms))
            quietest = link;
    if (quietest != NULL)
        drop(quietest);
    return quietest != NULL;
}

/* Those in the listen queue, as many as there is room for. */
static void welcome(long long now)
{
    while (make_room(now)) {
        int on = 1, fd = accept(net.listener, NULL, NULL);
        if (fd == -1 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd == -1) {
            if (!is_for_later(errno))
                net.deaf_until_ms = now + DEAF_MS;
            return;
        }
        struct conn *conn = calloc(1, sizeof *conn), **link = &net.first;
        if (conn == NULL || fd >= FD_SETSIZE || fcntl(fd, F_SETFL, O_NONBLOCK) == -1
            || fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) {
            complain(NULL, "take in a client");
            free(conn);
            shut(&fd);
            net.deaf_until_ms = now + DEAF_MS;
            return;
        }
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == -1 && errno != EINVAL)
            complain(NULL, "send a client's lines without delay");     /* EINVAL: it has left already */
        while (*link != NULL)
            link = &(*link)->next;
        *link = conn;
        net.count++;
        conn->fd = fd;
        conn->since_ms = now;
        read_from(conn);
        if (net.count == net.limit)
            return;                     /* else those who wait outside could push each other out */
    }
}

static void open_net(void (*hears)(struct conn *conn, const char *line, size_t length))
{
    long open_max = sysconf(_SC_OPEN_MAX);
    long limit = open_max == -1 ? MAX_CONNS : open_max - OWN_DESCRIPTORS - 3 * (option.secondaries + 1);
    net.limit = (int)(limit < FEWEST_CONNS ? FEWEST_CONNS : limit > MAX_CONNS ? MAX_CONNS : limit);
    net.listener = my.listeners[my.place];
    net.hears = hears;
}

static void watch_net(struct watched *watched, long long now)
{
    long long room_ms = net.count < net.limit ? now : now + LONGEST_REST_MS;
    for (struct conn *conn = net.first; conn != NULL; conn = conn->next) {
        bool hears = (conn->talk == TALKING && conn->out_length == 0) || conn->talk == LEAVING;
        watch_for(watched, conn->fd, hears && !conn->ended, conn->out_length > 0);
        if (conn->talk == LEAVING)
            watched->until_ms = sooner(watched->until_ms, conn->since_ms + LEAVING_MS);
        if (conn->talk == TALKING)
            room_ms = sooner(room_ms, conn->since_ms + SILENT_MS);
    }
    if (room_ms < net.deaf_until_ms)
        room_ms = net.deaf_until_ms;
    watch_for(watched, net.listener, room_ms <= now, false);
    if (room_ms > now)
        watched->until_ms = sooner(watched->until_ms, room_ms);
}

static void serve_net(const struct watched *watched)
{
    long long now = now_ms();
    for (struct conn *conn = net.first; conn != NULL; conn = conn->next) {
        if (FD_ISSET(conn->fd, &watched->out)) {
            flush_out(conn);
            take_lines(conn);
        }
        if (FD_ISSET(conn->fd, &watched->in) && (conn->talk == TALKING || conn->talk == LEAVING))
            read_from(conn);
        if (conn->talk == LEAVING && now - conn->since_ms >= LEAVING_MS)
            conn->talk = GONE;
    }
    if (FD_ISSET(net.listener, &watched->in))
        welcome(now);
}

static void drop_the_gone(void)
{
    for (struct conn **link = &net.first; *link != NULL;)
        if ((*link)->talk == GONE)
            drop(link);
        else
            link = &(*link)->next;
}

/* ---- secondary */

/* Whom it has been told to expect, in order. */
static struct expected {
    int type;
    unsigned number;
    long long since_ms;
    char token[TOKEN_LENGTH + 1];
} expected[MAX_GIVEN];
static size_t expected_count;

static struct {
    const int *tubes;
    struct ear ear;
    struct conn *client;                /* who is being worked for */
    long long due_ms, look_ms;          /* the work's end; the next search for tokens that nobody comes for */
    unsigned long turns;
    size_t report_length;
    char report[MAX_TALK];              /* lines that the pipe to the principal has not taken yet */
} desk;

static void send_report(void)
{
    ssize_t written = write(desk.tubes[OUT], desk.report, desk.report_length);
    if (written == -1 && is_for_later(errno))
        return;
    if (written == -1 && errno != EPIPE) {      /* a principal that is gone takes us along soon */
        complain(NULL, "write to the principal");
        end_with_failure();
    }
    desk.report_length = 0;             /* so few bytes are written whole, or not at all */
}

/* `event NUMBER` or `event NUMBER reason`, to the principal and to the journal. */
static void report(const char *event, unsigned number, const char *reason)
{
    size_t room = sizeof desk.report - desk.report_length;
    const char *space = *reason != '\0' ? " " : "";
    int length = snprintf(desk.report + desk.report_length, room, "%s %u%s%s\n", event, number, space, reason);
    if (length > 0 && (size_t)length < room)
        desk.report_length += (size_t)length;
    if (!option.quiet)
        journal("%s %u%s%s", event, number, space, reason);
    send_report();
}

static void expect_client(int k, const char *line)
{
    struct expected *new = &expected[expected_count];   /* if there is room */
    _Static_assert(TOKEN_LENGTH == 17, "as in the format below");
    (void)k;
    if (expected_count < MAX_GIVEN
        && sscanf(line, "requetetype%d %u %17s", &new->type, &new->number, new->token) == 3) {
        new->since_ms = now_ms();
        expected_count++;
    } else {
        complain(line, "understand the principal");
    }
}

static void listen_to_principal(void)
{
    if (!read_pipe(desk.tubes[IN], &desk.ear, 0, expect_client)) {
        complain(NULL, "read from the principal");
        end_with_failure();
    }
}

static void forget(struct expected *old)
{
    expected_count--;
    memmove(old, old + 1, (size_t)(expected + expected_count - old) * sizeof *old);
}

/* `TOKEN` or `TOKEN TEXT`. The principal tells us before it tells the client: so what we have not heard yet can be
 * heard now. */
static void hear_token(struct conn *conn, const char *line, size_t length)
{
    const char *space = memchr(line, ' ', length);
    size_t token_length = space == NULL ? length : (size_t)(space - line);
    listen_to_principal();
    for (size_t i = 0; i < expected_count && token_length == TOKEN_LENGTH; i++)
        if (memcmp(expected[i].token, line, TOKEN_LENGTH) == 0) {
            conn->type = expected[i].type;
            conn->number = expected[i].number;
            conn->text_length = space == NULL ? 0 : length - token_length - 1;
            if (space != NULL)
                memcpy(conn->text, space + 1, conn->text_length);
            conn->turn = desk.turns++;
            conn->talk = WAITING;
            forget(&expected[i]);
            return;
        }
    say_line(conn, "errtraitement nobody is expected with that token");
    part_from(conn);
}

static struct conn *next_client(void)
{
    struct conn *next = NULL;
    for (struct conn *conn = net.first; conn != NULL; conn = conn->next)
        if (conn->talk == WAITING && (next == NULL || conn->turn < next->turn))
            next = conn;
    return next;
}

/* It may also have shut down just its writing side: that does not count. */
static bool has_left(const struct conn *conn)
{
    char byte;
    return conn->talk == GONE || (recv(conn->fd, &byte, 1, MSG_PEEK) == -1 && !is_for_later(errno));
}

static void begin_work(struct conn *conn, long long now)
{
    if (has_left(conn)) {
        conn->talk = GONE;
        report("errtraitement", conn->number, "its client has left");
        return;
    }
    conn->talk = WORKING;
    desk.client = conn;
    desk.due_ms = now + option.work_ms;
    report("debuttraitement", conn->number, "");
    say_line(conn, "debuttraitement");
}

static int tell_of_system(char *text, size_t size, long long now)
{
    int servers = 0;
    unsigned done = 0, restarts = 0;
    long long up_ms = now - table->start_ms;
    for (int k = 0; k <= option.secondaries; k++) {
        servers += table->slots[k].pid != 0;
        done += table->slots[k].done;
        restarts += table->slots[k].restarts;
    }
    return snprintf(text, size, "%d servers, up for %lld.%03lld s, %u requests done, %u restarts", servers,
        up_ms / 1000, up_ms % 1000, done, restarts);
}

static void end_work(long long now)
{
    char answer[2 * MAX_TALK];
    struct conn *conn = desk.client;
    desk.client = NULL;
    if (conn->type == 1) {
        for (size_t i = 0; i < conn->text_length; i++)
            conn->text[i] = (char)toupper((unsigned char)conn->text[i]);
    } else {
        int length = tell_of_system(conn->text, sizeof conn->text, now);
        conn->text_length = length > 0 && (size_t)length < sizeof conn->text ? (size_t)length : 0;
    }
    int head = snprintf(answer, sizeof answer, "resultat ");
    size_t length = head > 0 ? (size_t)head : 0;
    memcpy(answer + length, conn->text, conn->text_length);
    length += conn->text_length;
    head = snprintf(answer + length, sizeof answer - length, "\nfintraitement\n");
    length += head > 0 ? (size_t)head : 0;
    say(conn, answer, length);
    if (conn->talk == GONE) {
        report("errtraitement", conn->number, "its client has left");
        return;
    }
    table->slots[my.place].done++;
    report("fintraitement", conn->number, "");
    part_from(conn);
}

/* As long as the principal does not take our lines, nothing is begun or given up. */
static void work(long long now)
{
    struct conn *next;
    for (;;) {
        if (desk.client != NULL && (now >= desk.due_ms || desk.client->talk == GONE))
            end_work(now);
        if (desk.client != NULL || desk.report_length > 0 || (next = next_client()) == NULL)
            break;
        begin_work(next, now);
    }
    if (now < desk.look_ms || net.count == net.limit)
        return;
    desk.look_ms = now + LONGEST_REST_MS;
    fd_set set;
    struct timeval at_once = { 0, 0 };
    FD_ZERO(&set);
    FD_SET(net.listener, &set);
    if (select(net.listener + 1, &set, NULL, NULL, &at_once) != 0)
        return;
    while (expected_count > 0 && desk.report_length == 0 && now - expected[0].since_ms >= UNUSED_TOKEN_MS) {
        report("errtraitement", expected[0].number, "nobody has come with its token");
        forget(&expected[0]);
    }
}

static void be_secondary(const int tubes[])
{
    open_net(hear_token);
    desk.tubes = tubes;
    while (!told_to_end) {
        long long now = now_ms();
        work(now);
        drop_the_gone();
        struct watched watched = watch_nothing(desk.client != NULL ? desk.due_ms : now + LONGEST_REST_MS);
        watch_for(&watched, tubes[IN], true, false);
        watch_for(&watched, tubes[OUT], false, desk.report_length > 0);
        watch_net(&watched, now);
        rest(&watched);
        answer_probe();
        if (FD_ISSET(tubes[IN], &watched.in))
            listen_to_principal();
        if (desk.report_length > 0)
            send_report();
        serve_net(&watched);
    }
}

/* ---- principal */

static struct peer {
    bool connected;
    int in, out;
    unsigned serial;                    /* of these pipes */
    long long due_ms;                   /* the next attempt to connect */
    int given;                          /* requests that it has not ended yet */
    struct ear ear;
} peers[MAX_SECONDARIES + 1];

static void disconnect(struct peer *peer)
{
    if (!peer->connected)
        return;
    shut(&peer->in);
    shut(&peer->out);
    peer->connected = false;
}

/* If the pipes were made anew meanwhile, we may have got one of each kind: then another time. The same if the
 * secondary is not there: nobody reads (ENXIO). */
static void connect_to(int k, long long now)
{
    struct peer *peer = &peers[k];
    struct names names = names_of(k);
    unsigned serial = table->slots[k].tubes;
    peer->due_ms = now + RECONNECT_MS;
    if (serial == 0 || serial % 2 == 1)
        return;
    peer->in = open_pipe(names.up, O_RDONLY);
    peer->out = peer->in == -1 ? -1 : open_pipe(names.down, O_WRONLY);
    if (peer->out == -1 && errno != ENXIO && errno != ENOENT) {
        complain(NULL, "open %s and %s", names.up, names.down);
        end_with_failure();
    }
    if (peer->out == -1 || table->slots[k].tubes != serial) {
        shut(&peer->in);
        shut(&peer->out);
        return;
    }
    peer->connected = true;
    peer->serial = serial;
    peer->given = 0;
    peer->ear.length = 0;
}

static void keep_connected(int k, long long now)
{
    struct peer *peer = &peers[k];
    if (peer->connected && table->slots[k].tubes != peer->serial)
        disconnect(peer);
    if (!peer->connected && peer->due_ms <= now)
        connect_to(k, now);
}

static void hear_report(int k, const char *line)
{
    if (strncmp(line, "fintraitement ", 14) == 0 || strncmp(line, "errtraitement ", 14) == 0)
        peers[k].given--;
}

static bool make_token(char token[TOKEN_LENGTH + 1])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!$*&.:;=~+-@";
    _Static_assert(sizeof letters == 64 + 1, "each as likely as the others");
    unsigned char bytes[TOKEN_LENGTH];
    if (read(my.random, bytes, sizeof bytes) != sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        token[i] = letters[bytes[i] % 64];
    token[TOKEN_LENGTH] = '\0';
    return true;
}

/* By turns. First the secondary is told, then the client. */
static void give_place(struct conn *conn)
{
    static int turn;
    char token[TOKEN_LENGTH + 1], line[96];
    if (!make_token(token)) {
        complain(NULL, "make a token");
        end_with_failure();
        return;
    }
    for (int attempt = 0; attempt < option.secondaries; attempt++) {
        struct peer *peer = &peers[turn = turn % option.secondaries + 1];
        if (!peer->connected || peer->given == MAX_GIVEN)
            continue;
        unsigned number = ++table->requests;
        int length = snprintf(line, sizeof line, "requetetype%d %u %s\n", conn->type, number, token);
        if (length < 0 || (size_t)length >= sizeof line)
            continue;                   /* cannot happen */
        if (write(peer->out, line, (size_t)length) != length) {
            if (!is_for_later(errno))
                disconnect(peer);       /* EPIPE: it is dead */
            continue;
        }
        peer->given++;
        if (!option.quiet)
            journal("requetetype%d %u %s", conn->type, number, table->slots[turn].role);
        if (snprintf(line, sizeof line, "%d %s", option.port + turn, token) < 0)
            return;                     /* cannot happen */
        conn->talk = TALKING;
        say_line(conn, line);
        return;
    }
}

static void hear_request(struct conn *conn, const char *line, size_t length)
{
    if (length != 12 || memcmp(line, "requetetype", 11) != 0 || (line[11] != '1' && line[11] != '2')) {
        say_line(conn, "errtraitement only requetetype1 and requetetype2 are known");
        return;
    }
    conn->type = line[11] - '0';
    conn->talk = WAITING;
    give_place(conn);
}

/* Returns when to be back. */
static long long give_places(long long now)
{
    long long next_ms = now + LONGEST_REST_MS;
    for (int k = 1; k <= option.secondaries; k++) {
        keep_connected(k, now);
        if (!peers[k].connected)
            next_ms = sooner(next_ms, peers[k].due_ms);
    }
    for (struct conn *conn = net.first; conn != NULL; conn = conn->next) {
        if (conn->talk != WAITING)
            continue;
        give_place(conn);
        if (conn->talk == WAITING)
            return sooner(next_ms, now + RECONNECT_MS); /* then there is none for the others either */
        take_lines(conn);
    }
    return next_ms;
}

static void be_principal(void)
{
    bool delegated = !option.direct, stopping = false;
    long long kill_ms = 0;
    memset(cares, 0, sizeof cares);
    open_net(hear_request);
    my.random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (my.random == -1) {
        complain(NULL, "open /dev/urandom");
        end_with_failure();
    }
    for (int k = 1; delegated && k <= option.secondaries && !told_to_end; k++)
        start_or_delay(k);
    my.was_up = true;
    for (;;) {
        long long now = now_ms(), next_ms = now + LONGEST_REST_MS;
        if (told_to_end && !stopping) {
            stopping = true;
            kill_ms = now + option.timeout_ms + PRINCIPAL_GRACE_MS / 2;
            if (delegated)
                signal_secondaries(SIGTERM);
        }
        answer_probe();
        if (delegated && (child_ended || stopping)) {
            child_ended = 0;
            look_after_secondaries(!stopping && !table->stopping);
        }
        if (stopping) {
            if (!delegated || !any_secondary())
                return;
            if (now >= kill_ms) {
                signal_secondaries(SIGKILL);
                kill_ms = now + LONGEST_REST_MS;
            }
            next_ms = kill_ms;
        } else if (delegated && !table->stopping) {
            next_ms = replace_secondaries(now);
        }
        if (!stopping)
            next_ms = sooner(next_ms, give_places(now));
        drop_the_gone();
        struct watched watched = watch_nothing(next_ms);
        for (int k = 1; k <= option.secondaries; k++)
            if (peers[k].connected)
                watch_for(&watched, peers[k].in, true, false);
        if (!stopping)
            watch_net(&watched, now);
        rest(&watched);
        for (int k = 1; k <= option.secondaries; k++)
            if (peers[k].connected && FD_ISSET(peers[k].in, &watched.in)
                && !read_pipe(peers[k].in, &peers[k].ear, k, hear_report))
                disconnect(&peers[k]);
        serve_net(&watched);
    }
}

/* What a server has inherited and must not keep: a pipe held open by a third one never ends. */
static void leave_behind(int tubes[])
{
    if (my.is_watchdog) {
        shut(&my.lifeline_held);
        shut(&my.alive_asked);
        shut(&my.lock);
    } else {
        shut(&my.random);
    }
    for (int k = 1; k <= option.secondaries; k++)
        disconnect(&peers[k]);
    while (net.first != NULL)
        drop(&net.first);
    for (int k = 0; k <= option.secondaries; k++)
        if (k != my.place && (my.place != PRINCIPAL || option.direct))
            shut(&my.listeners[k]);
    shut(&tubes[OUT_BACK]);
}

static _Noreturn void run_server(int place, const int inherited[])
{
    int tubes[TUBES];
    bool joins = my.is_watchdog;        /* else its parent is in the servers' group, and so is it */
    memcpy(tubes, inherited, sizeof tubes);
    my.pid = getpid();
    my.role = table->slots[place].role;
    my.place = place;
    my.lost = 0;
    my.was_up = false;
    leave_behind(tubes);
    my.is_watchdog = false;
    if (joins && setpgid(0, place == PRINCIPAL ? 0 : table->slots[PRINCIPAL].was) == -1) {
        complain(NULL, "join the servers' group");
        _exit(EXIT_FAILURE);
    }
    if (!prepare_server_signals() || !start_tick()) {
        complain(NULL, "prepare for signals");
        _exit(EXIT_FAILURE);
    }
    journal("start");
    if (place == PRINCIPAL)
        be_principal();
    else
        be_secondary(tubes);
    journal("exit");
    _exit(my.status);
}

/* ---- watchdog */

enum lab { DOWN, UP, ENDING };          /* ending: the principal is dead, its secondaries have to follow */

static struct {
    enum lab lab;
    pid_t group;                        /* of the servers: its leader is the principal, unwaited for until all are gone */
    bool none_alive;                    /* the pipe `alive` has said so */
    bool stopping, secondaries_killed, principal_told, all_killed;
    long long stop_ms, probe_ms;
} dog;

static struct watch {
    unsigned starts;                    /* whom this is about */
    bool waits, condemned;              /* waits: for the answer to `number`, sent when it says */
    unsigned number;
    long long since_ms, latest_ms;
    unsigned ends;                      /* deaths told so far */
} watches[MAX_SECONDARIES + 1];

/* In the lock file, for the next start. 0: none. */
static bool note_group(pid_t group)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%-20ld\n", (long)group);
    if (length > 0 && pwrite(my.lock, text, (size_t)length, 0) == length)
        return true;
    complain(NULL, "write the lock file");
    return false;
}

static void start_lab(void)
{
    bool ready = note_group(0);
    if (ready)
        start_or_delay(PRINCIPAL);
    else
        end_with_failure();
    dog.group = table->slots[PRINCIPAL].pid;
    if (dog.group == 0)
        return;
    dog.lab = UP;
    dog.none_alive = false;
    if (!note_group(dog.group))
        end_with_failure();
    for (int k = 1; option.direct && k <= option.secondaries && !told_to_end; k++)
        start_or_delay(k);
    my.was_up = true;
}

/* Kill them all until none is left, and wait for the principal last: its pid is the group's number, which nobody
 * else can get before that. */
static void end_lab(void)
{
    char byte;
    if (kill(-dog.group, SIGKILL) == -1 && errno != ESRCH && errno != EPERM)
        complain(NULL, "kill the group of the servers");
    if (!dog.none_alive) {
        ssize_t got = read(my.alive_asked, &byte, 1);
        if (got == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            complain(NULL, "read the pipe `alive`");
        dog.none_alive = got == 0;
    }
    if (option.direct)
        look_after_secondaries(false);
    if (!dog.none_alive || (option.direct && any_secondary()))
        return;
    bury(dog.group);
    dog.lab = DOWN;
    for (int k = 1; k <= option.secondaries; k++) {
        table->slots[k].pid = 0;
        table->slots[k].state = ENDED;
        table->slots[k].tubes |= 1;
        cares[k] = (struct care){ 0 };
    }
}

static void look_after_servers(void)
{
    int how;
    child_ended = 0;
    if (dog.lab == UP && has_ended(dog.group, &how)) {
        table->slots[PRINCIPAL].pid = 0;
        tell_death(PRINCIPAL, dog.group, how);
        dog.lab = ENDING;
        if (!dog.stopping)
            mourn(PRINCIPAL);
    }
    if (dog.lab == UP && option.direct)
        look_after_secondaries(!dog.stopping);
}

static void hear_of_deaths(void)
{
    for (int k = 1; k <= option.secondaries; k++) {
        unsigned ends = table->slots[k].ends;
        if (ends != watches[k].ends)
            tell_death(k, table->slots[k].end_pid, table->slots[k].end_how);
        watches[k].ends = ends;
    }
}

static void write_status(void)
{
    char text[MAX_LINE] = "";
    size_t used = 0;
    for (int k = 0; k <= option.secondaries && used < sizeof text; k++) {
        int more = snprintf(text + used, sizeof text - used, " %s[%ld]", table->slots[k].role, (long)table->slots[k].pid);
        if (more < 0)
            return;
        used += (size_t)more;
    }
    journal("status watchdog[%ld]%s", (long)my.pid, text);
}

/* NULL: nobody is there, or whoever is will be dead in a moment. */
static struct watch *watch_of(int k, pid_t *pid)
{
    struct watch *watch = &watches[k];
    *pid = table->slots[k].pid;         /* first: it is published after `starts` */
    unsigned starts = table->slots[k].starts;
    if (watch->starts != starts)
        *watch = (struct watch){ .starts = starts, .ends = watch->ends };
    return *pid == 0 || watch->condemned || dog.lab != UP ? NULL : watch;
}

static void probe_all(long long now)
{
    for (int k = 0; k <= option.secondaries; k++) {
        pid_t pid;
        struct watch *watch = watch_of(k, &pid);
        if (watch == NULL)
            continue;
        unsigned number = ++table->slots[k].sent;
        watch->latest_ms = now;
        if (!watch->waits) {
            watch->waits = true;
            watch->number = number;
            watch->since_ms = now;
        }
        signal_to(pid, SIGUSR1, table->slots[k].role);
    }
}

/* Returns when the next answer is overdue. The principal comes first: its secondaries go with it. */
static long long judge_all(long long now)
{
    long long next_ms = now + LONGEST_REST_MS;
    for (int k = 0; k <= option.secondaries; k++) {
        pid_t pid;
        struct slot *slot = &table->slots[k];
        struct watch *watch = watch_of(k, &pid);
        if (watch == NULL || !watch->waits)
            continue;
        unsigned answered = slot->answered;
        if (answered - watch->number < 1u << 31) {      /* that one or a later one; numbers may wrap around */
            watch->waits = answered != slot->sent;
            watch->number = slot->sent;
            watch->since_ms = watch->latest_ms;
        }
        if (!watch->waits)
            continue;
        if (now < watch->since_ms + option.timeout_ms) {
            next_ms = sooner(next_ms, watch->since_ms + option.timeout_ms);
            continue;
        }
        watch->condemned = true;
        slot->state = FROZEN;
        journal("frozen %s[%ld]", slot->role, (long)pid);
        if (signal_to(pid, SIGKILL, slot->role))
            journal("killed %s[%ld]", slot->role, (long)pid);
        if (k == PRINCIPAL)
            break;
    }
    return next_ms;
}

static void tell_principal_to_end(void)
{
    dog.principal_told = true;
    signal_to(dog.group, SIGTERM, table->slots[PRINCIPAL].role);
}

/* A delegated principal has to know before its secondaries end. */
static void begin_stop(long long now)
{
    dog.stopping = true;
    dog.stop_ms = now;
    table->stopping = true;
    if (dog.lab != UP)
        return;
    if (!option.direct)
        tell_principal_to_end();
    signal_secondaries(SIGTERM);
}

/* Returns when to be back. */
static long long go_on_stopping(long long now)
{
    long long kill_ms = dog.stop_ms + option.timeout_ms;
    if (dog.lab == ENDING)
        return now + TICK_MS;
    if (!dog.principal_told && !any_secondary())
        tell_principal_to_end();
    if (now >= kill_ms && !dog.secondaries_killed) {
        dog.secondaries_killed = true;
        signal_secondaries(SIGKILL);
    }
    kill_ms += PRINCIPAL_GRACE_MS;
    if (now >= kill_ms && !dog.all_killed) {
        dog.all_killed = true;
        if (signal_to(-dog.group, SIGKILL, "the group of the servers"))
            journal("killed %s[%ld]", table->slots[PRINCIPAL].role, (long)dog.group);
    }
    if (!dog.secondaries_killed)
        return kill_ms - PRINCIPAL_GRACE_MS;
    return dog.all_killed ? now + TICK_MS : kill_ms;
}

static void watch(void)
{
    dog.probe_ms = now_ms() + option.period_ms;
    if (!told_to_end)
        start_lab();
    for (;;) {
        long long now = now_ms(), next_ms;
        if (told_to_end && !dog.stopping)
            begin_stop(now);
        hear_of_deaths();
        if (child_ended || dog.stopping)
            look_after_servers();
        if (dog.lab == ENDING)
            end_lab();
        if (dog.stopping) {
            if (dog.lab == DOWN)
                return;
            next_ms = go_on_stopping(now);
        } else {
            if (now >= dog.probe_ms) {
                dog.probe_ms += option.period_ms;
                if (dog.probe_ms <= now)
                    dog.probe_ms = now + option.period_ms;
                if (!option.quiet)
                    write_status();
                probe_all(now);
            }
            next_ms = sooner(dog.probe_ms, judge_all(now));
            if (dog.lab == DOWN && cares[PRINCIPAL].due_ms <= now)
                start_lab();
            else if (dog.lab == DOWN)
                next_ms = sooner(next_ms, cares[PRINCIPAL].due_ms);
            else if (dog.lab == UP && option.direct)
                next_ms = sooner(next_ms, replace_secondaries(now));
            if (told_to_end)
                continue;
        }
        struct watched watched = watch_nothing(next_ms);
        watch_for(&watched, my.alive_asked, dog.lab == ENDING && !dog.none_alive, false);
        rest(&watched);
    }
}

/* ---- the watchdog's start and end */

static _Noreturn void give_up(void)
{
    if (my.alive_asked >= 0 && !remove_pipe("alive"))
        complain(NULL, "remove the pipe `alive`");
    exit(EXIT_FAILURE);
}

static _Noreturn void wrong_usage(void);

static long number(const char *text, long least, long most, char letter)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= least && value <= most)
        return value;
    fprintf(stderr, "watchdog: -%c takes a number from %ld to %ld, not '%s'\n", letter, least, most, text);
    wrong_usage();
}

static int print_usage(FILE *stream)
{
    return fprintf(stream,
        "usage: watchdog [-n SECONDARIES] [-p PERIOD_MS] [-t TIMEOUT_MS] [-r delegated|direct]\n"
        "                [-a ADDRESS] [-P PORT] [-w WORK_MS] [-d DIR] [-q]\n"
        "  -n  how many secondaries, 1 to %d (1)\n"
        "  -p  milliseconds from one round of probes to the next (2000)\n"
        "  -t  milliseconds in which a probe must be answered (1000)\n"
        "  -r  who starts the secondaries: delegated, the principal; direct, the watchdog (delegated)\n"
        "  -a  the only address to listen on (127.0.0.1)\n"
        "  -P  the principal's port; secondary K listens on PORT + K (2222)\n"
        "  -w  milliseconds of work for each request (200)\n"
        "  -d  run directory ($OSPS_DIR, else /tmp/osps-UID)\n"
        "  -q  only what happens once in a process's life\n"
        "  -h  this text\n", MAX_SECONDARIES);
}

static _Noreturn void wrong_usage(void)
{
    print_usage(stderr);                /* if that fails, the exit status still tells */
    exit(2);
}

static void read_options(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "n:p:t:r:a:P:w:d:qh")) != -1) {
        switch (letter) {
        case 'n': option.secondaries = (int)number(optarg, 1, MAX_SECONDARIES, 'n'); break;
        case 'p': option.period_ms = number(optarg, 1, MAX_MS, 'p'); break;
        case 't': option.timeout_ms = number(optarg, 1, MAX_MS, 't'); break;
        case 'P': option.port = (int)number(optarg, 1, MAX_PORT, 'P'); break;
        case 'w': option.work_ms = number(optarg, 0, MAX_MS, 'w'); break;
        case 'a': option.address = optarg; break;
        case 'd': option.dir = optarg; break;
        case 'q': option.quiet = true; break;
        case 'r':
            option.direct = strcmp(optarg, "direct") == 0;
            if (option.direct || strcmp(optarg, "delegated") == 0)
                break;
            fprintf(stderr, "watchdog: -r takes 'delegated' or 'direct', not '%s'\n", optarg);
            wrong_usage();
        case 'h':
            exit(print_usage(stdout) < 0 || fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS);
        default: wrong_usage();
        }
    }
    if (optind < argc) {
        fprintf(stderr, "watchdog: '%s' is one word too many\n", argv[optind]);
        wrong_usage();
    }
    struct in_addr seen;
    if (inet_pton(AF_INET, option.address, &seen) != 1) {
        fprintf(stderr, "watchdog: -a takes an address like 127.0.0.1, not '%s'\n", option.address);
        wrong_usage();
    }
    if (option.port + option.secondaries > MAX_PORT) {
        fprintf(stderr, "watchdog: the last port would be %d, and there is none beyond %d\n",
            option.port + option.secondaries, MAX_PORT);
        wrong_usage();
    }
}

/* Else a pipe could become our standard output. With this one, write(2) fails as with none. */
static void fill_standard_descriptors(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) == -1 && errno == EBADF && open("/dev/null", O_RDONLY) != descriptor)
            exit(EXIT_FAILURE);
}

static void open_run_directory(void)
{
    static char path[MAX_LINE];
    struct stat seen;
    const char *wanted = option.dir != NULL ? option.dir : getenv("OSPS_DIR");
    int length = wanted != NULL && (option.dir != NULL || wanted[0] != '\0')
        ? snprintf(path, sizeof path, "%s", wanted)
        : snprintf(path, sizeof path, "/tmp/osps-%ld", (long)getuid());
    const char *why = NULL;
    if (length < 0 || (size_t)length >= sizeof path) {
        complain("the name is too long", "use the run directory");
        give_up();
    }
    while (length > 1 && path[length - 1] == '/')       /* with a slash at its end a link would be followed */
        path[--length] = '\0';
    option.dir = path;
    if (mkdir(path, 0700) == -1 && errno != EEXIST) {
        complain(NULL, "make the run directory %s", path);
        give_up();
    }
    if (lstat(path, &seen) == 0 && S_ISLNK(seen.st_mode)) {
        why = "it is a link";
    } else {
        my.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (my.dir >= 0 && fstat(my.dir, &seen) == 0) {
            if (seen.st_uid != geteuid())
                why = "it belongs to somebody else";
            else if ((seen.st_mode & 077) != 0)
                why = "it lets others in";
            else
                return;
        }
    }
    complain(why, "use the run directory %s", path);
    give_up();
}

static void lock_run_directory(void)
{
    my.lock = openat(my.dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (my.lock == -1) {
        complain(NULL, "open the lock file in %s", option.dir);
        give_up();
    }
    for (int attempt = 0; attempt < 10; attempt++) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        if (fcntl(my.lock, F_SETLK, &lock) == 0)
            return;
        if (errno != EACCES && errno != EAGAIN)
            break;
        if (fcntl(my.lock, F_GETLK, &lock) == -1)
            break;
        if (lock.l_type != F_UNLCK) {   /* else it has ended just now */
            char why[64];
            int length = snprintf(why, sizeof why, "process %ld holds it", (long)lock.l_pid);
            complain(length > 0 ? why : "it is held", "use the run directory %s", option.dir);
            give_up();
        }
    }
    complain(NULL, "lock the run directory %s", option.dir);
    give_up();
}

/* The servers of a watchdog that was killed go by themselves. While there is one, their group's number, as noted
 * in the lock file, is theirs and no one else's: so we can help. */
static void await_old_servers(void)
{
    char text[32] = "", byte;
    int alive = open_pipe("alive", O_RDONLY);
    if (alive == -1) {
        if (errno == ENOENT)
            return;
        complain(NULL, "open the pipe `alive` in %s", option.dir);
        give_up();
    }
    ssize_t length = pread(my.lock, text, sizeof text - 1, 0);
    long group = length > 0 ? strtol(text, NULL, 10) : 0;
    for (long long end_ms = now_ms() + OLD_SERVERS_MS; !told_to_end; doze(10)) {
        ssize_t got = read(alive, &byte, 1);
        if (got == 0)
            break;
        if (now_ms() > end_ms) {
            complain("servers of an earlier start are still there", "use the run directory %s", option.dir);
            give_up();
        }
        if (got == -1 && group > 1)
            signal_to((pid_t)-group, SIGKILL, "an earlier principal");
    }
    shut(&alive);
}

/* Pipes of more secondaries than ours, too. */
static void remove_tubes(int count)
{
    for (int k = 1; k <= count; k++) {
        struct names names = names_of(k);
        if ((!remove_pipe(names.down) || !remove_pipe(names.up)) && errno != EEXIST)
            complain(NULL, "remove %s and %s", names.down, names.up);
    }
}

/* The name is the same for the same directory: if a kill -9 hits us before it is gone, the next start removes it. */
static void make_table(void)
{
    char name[64];
    struct stat dir;
    int descriptor = -1;
    if (fstat(my.dir, &dir) == -1
        || snprintf(name, sizeof name, "/osps-watch-%lx-%lx", (unsigned long)dir.st_dev, (unsigned long)dir.st_ino) < 0
        || (shm_unlink(name) == -1 && errno != ENOENT)
        || (descriptor = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600)) == -1) {
        complain(NULL, "make the shared memory segment");
        give_up();
    }
    void *memory = ftruncate(descriptor, sizeof *table) == -1
        ? MAP_FAILED : mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED)
        complain(NULL, "map the shared memory segment");
    if (shm_unlink(name) == -1)
        complain(NULL, "unlink the shared memory segment");
    shut(&descriptor);
    if (memory == MAP_FAILED)
        give_up();
    table = memory;
    table->start_ms = now_ms();
    for (int k = 0; k <= option.secondaries; k++) {
        char *role = table->slots[k].role;
        size_t size = sizeof table->slots[k].role;
        if ((k == PRINCIPAL ? snprintf(role, size, "principal") : snprintf(role, size, "secondary%d", k)) < 0)
            give_up();
    }
}

static void make_life_pipes(void)
{
    int lifeline[2];
    if (!remove_pipe("alive") || mkfifoat(my.dir, "alive", 0600) == -1) {
        complain(NULL, "make the pipe `alive` in %s", option.dir);
        give_up();
    }
    my.alive_asked = open_pipe("alive", O_RDONLY);
    if (my.alive_asked == -1) {
        complain(NULL, "open the pipe `alive` in %s", option.dir);
        if (!remove_pipe("alive"))
            complain(NULL, "remove the pipe `alive`");
        give_up();
    }
    if (pipe(lifeline) == -1 || fcntl(lifeline[0], F_SETFL, O_NONBLOCK) == -1) {
        complain(NULL, "make a pipe");
        give_up();
    }
    my.lifeline = lifeline[0];
    my.lifeline_held = lifeline[1];
}

/* Made once, by the watchdog: who comes while a server is being replaced waits in the queue. */
static void make_listeners(void)
{
    struct sockaddr_in address;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    if (inet_pton(AF_INET, option.address, &address.sin_addr) != 1)
        give_up();                      /* cannot happen: the options have been read */
    for (int k = 0; k <= option.secondaries; k++) {
        int on = 1, socket_made = socket(AF_INET, SOCK_STREAM, 0);
        my.listeners[k] = socket_made;
        address.sin_port = htons((in_port_t)(option.port + k));
        if (socket_made == -1 || fcntl(socket_made, F_SETFD, FD_CLOEXEC) == -1
            || fcntl(socket_made, F_SETFL, O_NONBLOCK) == -1
            || setsockopt(socket_made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1
            || bind(socket_made, (struct sockaddr *)&address, sizeof address) == -1
            || listen(socket_made, SOMAXCONN) == -1) {
            complain(NULL, "listen on %s, port %d", option.address, option.port + k);
            give_up();
        }
    }
}

int main(int argc, char **argv)
{
    if (clock_gettime(CLOCK_MONOTONIC, &my.origin) == -1 || !prepare_watchdog_signals()) {
        complain(NULL, "prepare for signals and time");
        return EXIT_FAILURE;
    }
    my.pid = my.watchdog = getpid();
    read_options(argc, argv);
    fill_standard_descriptors();
    umask(077);
    open_run_directory();
    lock_run_directory();
    if (!start_tick()) {
        complain(NULL, "start a timer");
        give_up();
    }
    await_old_servers();
    remove_tubes(MAX_SECONDARIES);
    make_listeners();
    make_table();
    make_life_pipes();
    journal("start");
    watch();
    remove_tubes(option.secondaries);
    if (!remove_pipe("alive"))
        complain(NULL, "remove the pipe `alive`");
    journal("exit");
    return my.status;
}
