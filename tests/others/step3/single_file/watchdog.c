/*
 * watchdog.c - step 3 of the lab, written a second time and in another way, to try the tests on.
 *
 *     watchdog [-n SECONDARIES] [-p PERIOD_MS] [-t TIMEOUT_MS] [-r delegated|direct] [-i INTERVAL_MS] [-d DIR] [-q]
 *
 * What is different here:
 * - One file. Every process sleeps in pselect(2). Its handlers set flags, but for this one:
 * - A timer signal (SIGALRM) ticks in every process. In a server its handler reads the `lifeline`, a pipe that
 *   only the watchdog can write to: end of file means the watchdog is dead, and the handler kills the server's
 *   whole process group. So a server with a stuck main loop goes, too. Are they all stopped, then no handler
 *   runs, but the death of the watchdog orphans the group, and the kernel sends SIGHUP and SIGCONT.
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
 * `start` and `exit` of the servers, too; the principal's `ping K ROLE`.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_SECONDARIES = 64, MAX_MS = 86400000, MAX_LINE = 4096,
    PRINCIPAL = 0,                      /* its place in the table; secondary number k has place k */
    SIGNALLED = 256,                    /* added to the number of the signal that ended a process */
    TICK_MS = 250, LONGEST_REST_MS = 1000, OLD_SERVERS_MS = 3000, RECONNECT_MS = 50,
    INFANT_MS = 500, INFANT_DEATHS = 3, FIRST_DELAY_MS = 250, LONGEST_DELAY_MS = 5000,
    PRINCIPAL_GRACE_MS = 100            /* what the principal gets at the end, beyond the timeout */
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
    atomic_uint tubes;                  /* serial number of its pipes; odd: not ready */
    atomic_uint ends;                   /* deaths that a delegated principal tells the watchdog: how many, ... */
    _Atomic pid_t end_pid;              /* ... who, ... */
    atomic_int end_how;                 /* ... and its exit status, or SIGNALLED + signal */
};

struct table {
    atomic_bool stopping;
    struct slot slots[MAX_SECONDARIES + 1];
};

/* Several processes share them: a lock hidden in the library would not do. */
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2, "atomics must need no lock");

static struct {
    int secondaries;
    long period_ms, timeout_ms, interval_ms;
    bool direct, quiet;
    const char *dir;
} option = { .secondaries = 1, .period_ms = 2000, .timeout_ms = 1000, .interval_ms = 500 };

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
    sigset_t held, open;                /* signals blocked while at work, and while resting */
    struct timespec origin;
    bool was_up;                        /* every process in its charge has been started once */
    bool clogged, journal_failed;
    unsigned lost;                      /* lines */
} my = { .role = "watchdog", .is_watchdog = true, .dir = -1, .lock = -1, .lifeline = -1, .lifeline_held = -1,
         .alive = -1, .alive_asked = -1 };

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

/* Until a descriptor can be read, a signal comes, or it is time. Afterwards `set` holds what can be read. */
static void rest(int highest, fd_set *set, long long until_ms)
{
    long long left_ms = until_ms - now_ms();
    left_ms = left_ms < 0 ? 0 : sooner(left_ms, LONGEST_REST_MS);
    struct timespec left = { .tv_sec = (time_t)(left_ms / 1000), .tv_nsec = (long)(left_ms % 1000) * 1000000 };
    int ready = pselect(highest + 1, set, NULL, NULL, &left, &my.open);
    if (ready <= 0)
        FD_ZERO(set);
    if (ready == -1 && errno != EINTR) {
        complain(NULL, "wait for something to happen");
        end_with_failure();
    }
    /* While a descriptor is ready pselect lets no signal through. This does. */
    if (sigprocmask(SIG_SETMASK, &my.open, NULL) == -1 || sigprocmask(SIG_SETMASK, &my.held, NULL) == -1) {
        complain(NULL, "let signals through");
        end_with_failure();
    }
}

static void doze(long ms)
{
    fd_set none;
    FD_ZERO(&none);
    rest(-1, &none, now_ms() + ms);
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

/* Lines are put together here; one that is too long equals no word. */
struct ear {
    char text[16];
    size_t length;
};

/* How many lines were `word`; -1: the other side is gone. */
static int hear(int descriptor, struct ear *ear, const char *word)
{
    char bytes[512];
    int count = 0;
    ssize_t got = read(descriptor, bytes, sizeof bytes);
    if (got == 0)
        return -1;
    if (got == -1)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -1;
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n') {
            count += ear->length == strlen(word) && memcmp(ear->text, word, ear->length) == 0;
            ear->length = 0;
        } else if (ear->length < sizeof ear->text) {
            ear->text[ear->length++] = bytes[i];
        }
    }
    return count;
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

static void be_secondary(const int tubes[])
{
    struct ear ear = { .length = 0 };
    long pongs = 0;
    while (!told_to_end) {
        fd_set set;
        FD_ZERO(&set);
        FD_SET(tubes[IN], &set);
        rest(tubes[IN], &set, now_ms() + LONGEST_REST_MS);
        answer_probe();
        if (!FD_ISSET(tubes[IN], &set))
            continue;
        int pings = hear(tubes[IN], &ear, "ping");
        if (pings == -1) {
            complain(NULL, "read from the principal");
            end_with_failure();
        }
        for (; pings > 0; pings--) {
            pongs++;
            if (!option.quiet)
                journal("pong %ld", pongs);
            /* A principal that is gone (EPIPE) takes us along soon. One that is stuck does not miss the line. */
            if (write(tubes[OUT], "pong\n", 5) == -1 && errno != EPIPE && errno != EAGAIN && errno != EINTR) {
                complain(NULL, "write to the principal");
                end_with_failure();
            }
        }
    }
}

static struct peer {
    bool connected, awaiting;           /* a pong */
    int in, out;
    unsigned serial;                    /* of these pipes */
    long long due_ms;                   /* the next ping, or the next attempt to connect */
    long pings;
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
    peer->awaiting = false;
    peer->serial = serial;
    peer->due_ms = now;
    peer->ear.length = 0;
}

/* Returns when to be back. */
static long long play(int k, long long now)
{
    struct peer *peer = &peers[k];
    if (peer->connected && table->slots[k].tubes != peer->serial)
        disconnect(peer);
    if (!peer->connected && peer->due_ms <= now)
        connect_to(k, now);
    if (peer->connected && !peer->awaiting && peer->due_ms <= now) {
        if (write(peer->out, "ping\n", 5) == 5) {
            peer->awaiting = true;
            peer->pings++;
            peer->due_ms += option.interval_ms;
            if (peer->due_ms < now)
                peer->due_ms = now;     /* what we are late is not made up for */
            if (!option.quiet)
                journal("ping %ld %s", peer->pings, table->slots[k].role);
        } else {
            disconnect(peer);           /* EPIPE: it is dead. EAGAIN: it is full of what is not ours */
            peer->due_ms = now + RECONNECT_MS;
        }
    }
    return peer->connected && peer->awaiting ? now + LONGEST_REST_MS : peer->due_ms;
}

static void listen_to(struct peer *peer)
{
    int pongs = hear(peer->in, &peer->ear, "pong");
    if (pongs > 0)
        peer->awaiting = false;
    if (pongs == -1)
        disconnect(peer);
}

static void be_principal(void)
{
    bool delegated = !option.direct, stopping = false;
    long long kill_ms = 0;
    memset(cares, 0, sizeof cares);
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
        fd_set set;
        int highest = -1;
        FD_ZERO(&set);
        for (int k = 1; k <= option.secondaries; k++) {
            if (!stopping)
                next_ms = sooner(next_ms, play(k, now));
            if (peers[k].connected) {
                FD_SET(peers[k].in, &set);
                highest = peers[k].in > highest ? peers[k].in : highest;
            }
        }
        rest(highest, &set, next_ms);
        for (int k = 1; k <= option.secondaries; k++)
            if (peers[k].connected && FD_ISSET(peers[k].in, &set))
                listen_to(&peers[k]);
    }
}

/* What a server has inherited and must not keep: a pipe held open by a third one never ends. */
static void leave_behind(int tubes[])
{
    if (my.is_watchdog) {
        shut(&my.lifeline_held);
        shut(&my.alive_asked);
        shut(&my.lock);
    }
    for (int k = 1; k <= option.secondaries; k++)
        disconnect(&peers[k]);
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
        fd_set set;
        bool asks = dog.lab == ENDING && !dog.none_alive;
        FD_ZERO(&set);
        if (asks)
            FD_SET(my.alive_asked, &set);
        rest(asks ? my.alive_asked : -1, &set, next_ms);
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
        "                [-i INTERVAL_MS] [-d DIR] [-q]\n"
        "  -n  how many secondaries, 1 to %d (1)\n"
        "  -p  milliseconds from one round of probes to the next (2000)\n"
        "  -t  milliseconds in which a probe must be answered (1000)\n"
        "  -r  who starts the secondaries: delegated, the principal; direct, the watchdog (delegated)\n"
        "  -i  milliseconds from one ping to the next, for each secondary (500)\n"
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
    while ((letter = getopt(argc, argv, "n:p:t:r:i:d:qh")) != -1) {
        switch (letter) {
        case 'n': option.secondaries = (int)number(optarg, 1, MAX_SECONDARIES, 'n'); break;
        case 'p': option.period_ms = number(optarg, 1, MAX_MS, 'p'); break;
        case 't': option.timeout_ms = number(optarg, 1, MAX_MS, 't'); break;
        case 'i': option.interval_ms = number(optarg, 0, MAX_MS, 'i'); break;
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
