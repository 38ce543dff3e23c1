/*
 * principal.c - step 2 as a loop around pselect(2): nothing else ever waits.
 *
 * What is different about it:
 * - The principal opens both ends of both named pipes before the fork, O_NONBLOCK, the reading end first; then each
 *   process closes the ends that are not its own, as with pipe(2). So no open(2) waits for the other side.
 * - Signals are blocked, but inside pselect(2). Their handlers do nothing but set flags.
 * - Silence is counted in slices of time that we were awake in: whoever is stopped and continued (Ctrl-Z, fg)
 *   has no slices to make up for, and the other side is not blamed.
 * - The run directory is a descriptor: mkfifoat(2), openat(2), unlinkat(2).
 * - The lock is on the whole file `.lock`; F_GETLK tells who holds it. No shared memory: the pipes are enough.
 * - After SIGTERM or SIGINT it exits with 128 + the number.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLICE_NS = 200000000, MAX_SILENT_SLICES = 25, OBEY_SLICES = 10 };
enum { DW, WD, PIPES };

static const char *const pipe_names[PIPES] = { "dwtube1", "wdtube1" };
static const char *who = "principal";
static char directory[2048];
static int dir_fd;
static long exchanges = 10;
static bool quiet;
static long long zero_us;
static pid_t child, parent;     /* each is 0 in the other process */
static int in, out;             /* our ends of the pipes */
static volatile sig_atomic_t stop_number;

static bool failed(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", who, what, why);
    return false;
}

static long long clock_us(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_MONOTONIC, &t) == 0 ? t.tv_sec * 1000000LL + t.tv_nsec / 1000 : 0;
}

static void note_signal(int number)
{
    if (number != SIGCHLD)      /* which ends a pselect(2), no more */
        stop_number = number;
}

/* From here on all signals are blocked. The secondary obeys SIGTERM only: Ctrl-C is the principal's affair. */
static bool set_signals(bool secondary)
{
    const int numbers[] = { SIGTERM, SIGCHLD, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };
    struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_NOCLDSTOP };
    sigset_t all;
    bool done = sigfillset(&all) == 0 && sigfillset(&action.sa_mask) == 0 && sigprocmask(SIG_SETMASK, &all, NULL) == 0;
    for (size_t i = 0; done && i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i] == SIGPIPE || (secondary && i > 1))
            action.sa_handler = SIG_IGN;
        done = sigaction(numbers[i], &action, NULL) == 0;
    }
    return done || failed("set the signals' actions", strerror(errno));
}

enum news { NOTHING, READABLE, WRITABLE, SIGNAL };

/* Waits so long at most, for one descriptor (-1: for none) and for signals. A descriptor that is always ready would
   keep signals out, so they are let in once after it. */
static enum news look_around(int input, int output, long ns)
{
    const struct timespec slice = { 0, ns };
    fd_set inputs, outputs;
    sigset_t none, all;
    FD_ZERO(&inputs);
    FD_ZERO(&outputs);
    if (input != -1)
        FD_SET(input, &inputs);
    if (output != -1)
        FD_SET(output, &outputs);
    if (sigemptyset(&none) == -1)
        failed("empty a set of signals", strerror(errno));
    int ready = pselect((input > output ? input : output) + 1, &inputs, &outputs, NULL, &slice, &none);
    if (ready > 0 && (sigprocmask(SIG_SETMASK, &none, &all) == -1 || sigprocmask(SIG_SETMASK, &all, NULL) == -1))
        failed("let signals in", strerror(errno));
    if (ready > 0)
        return input != -1 && FD_ISSET(input, &inputs) ? READABLE : WRITABLE;
    /* If it is not EINTR, a descriptor is bad: using it will tell. */
    return ready == 0 ? NOTHING : errno == EINTR ? SIGNAL : input != -1 ? READABLE : WRITABLE;
}

/* True if lines can be written: else the other side may be held up by that, and is not to blame. */
static bool journal_flows(void)
{
    return look_around(-1, STDOUT_FILENO, 0) == WRITABLE;
}

/* Where nobody takes the journal we wait, but not against a signal that tells us to stop. */
static bool tell(const char *format, ...)
{
    char event[100], line[200];
    long long us = clock_us() - zero_us;
    va_list rest;
    va_start(rest, format);
    int length = vsnprintf(event, sizeof event, format, rest);
    va_end(rest);
    if (length >= 0)
        length = snprintf(line, sizeof line, "%lld.%06lld %s[%ld] %s\n", us / 1000000, us % 1000000, who,
                          (long)getpid(), event);
    while (look_around(-1, STDOUT_FILENO, SLICE_NS) != WRITABLE)
        if ((stop_number != 0 || (parent != 0 && getppid() != parent)) && !journal_flows())
            return false;
    ssize_t written = length < 0 ? -1 : write(STDOUT_FILENO, line, (size_t)length);
    return (length > 0 && written == length)
        || failed("write to standard output", written == -1 ? strerror(errno) : "only a part of the line went out");
}

/* Never waits: at most three short lines are in a pipe. */
static bool say(const char *line)
{
    size_t length = strlen(line);
    ssize_t written = write(out, line, length);
    return written == (ssize_t)length
        || failed("write to the other side", written == -1 ? strerror(errno) : "the pipe is full");
}

/* The other side's next line, or NULL; without a word if we were told to stop. The
   principal's stop may come on the heels of its ping: bytes are taken one by one. */
static const char *hear(void)
{
    static char line[32];
    size_t length = 0;
    for (int silent = 0; length == 0 || line[length - 1] != '\n'; ) {
        enum news news = look_around(in, -1, SLICE_NS);
        silent = news != NOTHING || !journal_flows() ? 0 : silent + 1;
        if (stop_number != 0)
            return NULL;
        if (silent == MAX_SILENT_SLICES || length == sizeof line)
            return failed("read from the other side", length == sizeof line ? "no line" : "it is silent"), NULL;
        ssize_t got = news == READABLE ? read(in, line + length, 1) : -2;
        if (got == 0 || (got == -1 && errno != EAGAIN))
            return failed("read from the other side", got == 0 ? "it has ended" : strerror(errno)), NULL;
        length += got > 0 ? (size_t)got : 0;
    }
    line[length - 1] = '\0';
    return line;
}

static int be_secondary(void)
{
    const char *line;
    who = "secondary1";
    if (!set_signals(true) || !tell("start"))
        return 1;
    for (long k = 1; (line = hear()) != NULL; k++) {
        if (strcmp(line, "stop") == 0)
            return 0;
        if (strcmp(line, "ping") != 0)
            return failed("understand the principal", line), 1;
        if ((!quiet && !tell("pong %ld", k)) || !say("pong\n"))
            return 1;
    }
    return 1;
}

static bool play(void)
{
    const char *line;
    for (long k = 1; k <= exchanges; k++) {
        if ((!quiet && !tell("ping %ld", k)) || !say("ping\n") || (line = hear()) == NULL)
            return false;
        if (strcmp(line, "pong") != 0)
            return failed("understand the secondary", line);
    }
    return tell("exchanges %ld", exchanges);
}

/* A word first, then time, then force. The status is the one of waitpid(2), or -1. */
static int end_secondary(bool *obeyed)
{
    int status;
    for (int slices = 0; slices < 2 * OBEY_SLICES; ) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return status;
        if (ended == -1)
            break;
        slices += look_around(-1, -1, SLICE_NS) == NOTHING;
        if (slices == OBEY_SLICES && *obeyed) {
            *obeyed = failed("wait for the secondary", "it does not end, SIGKILL will help");
            if (kill(child, SIGKILL) == -1)
                break;
        }
    }
    *obeyed = failed("wait for the secondary", "it is still there");
    return -1;
}

static bool be_principal(void)
{
    bool obeyed = true;
    bool well = play();
    ssize_t said = write(out, "stop\n", 5);     /* to a dead one, too: that is seen below */
    int status = said == 5 || errno == EPIPE || kill(child, SIGTERM) == 0 ? end_secondary(&obeyed) : -1;
    if (status == -1)
        return false;
    int value = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    return tell("reaped secondary1[%ld] %s %d", (long)child, WIFSIGNALED(status) ? "signal" : "status", value)
        && well && obeyed && status == 0;
}

static int open_end(int which, int flags)
{
    int fd = openat(dir_fd, pipe_names[which], flags | O_NONBLOCK | O_NOFOLLOW);
    if (fd < FD_SETSIZE)
        return fd;
    close(fd);
    errno = EMFILE;
    return -1;
}

/* Pipes made, forked, played, pipes removed. */
static bool work(void)
{
    int made, readers[PIPES], writers[PIPES];
    bool well = true;
    for (made = 0; made < PIPES && well; made += well) {
        well = ((unlinkat(dir_fd, pipe_names[made], 0) == 0 || errno == ENOENT)
            && mkfifoat(dir_fd, pipe_names[made], 0600) == 0) || failed(pipe_names[made], strerror(errno));
    }
    for (int i = 0; i < PIPES && well; i++)
        well = ((readers[i] = open_end(i, O_RDONLY)) != -1 && (writers[i] = open_end(i, O_WRONLY)) != -1)
            || failed(pipe_names[i], strerror(errno));
    pid_t self = getpid();
    if (well && ((child = fork()) == -1))
        well = failed("fork", strerror(errno));
    if (well) {
        int mine = child == 0 ? DW : WD, other = child == 0 ? WD : DW;
        in = readers[mine];
        out = writers[other];
        well = close(writers[mine]) == 0 && close(readers[other]) == 0;
        parent = child == 0 ? self : 0;
        if (child == 0)
            exit(well ? be_secondary() : 1);
        well = be_principal() && well;
    }
    while (made-- > 0)
        if (unlinkat(dir_fd, pipe_names[made], 0) == -1)
            well = failed(pipe_names[made], strerror(errno));
    return tell("exit") && well;
}

/* Makes and opens the directory, and takes the lock in it. */
static bool settle(void)
{
    struct stat before, is;
    char why[64];
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if ((mkdir(directory, 0700) == -1 && errno != EEXIST) || lstat(directory, &before) == -1)
        return failed(directory, strerror(errno));
    const char *fault = S_ISLNK(before.st_mode) ? "it is a link" : !S_ISDIR(before.st_mode) ? "it is not a directory"
        : before.st_uid != geteuid() ? "somebody else owns it" : before.st_mode & 077 ? "others have access" : NULL;
    if (fault != NULL)
        return failed(directory, fault);
    dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (dir_fd == -1 || fstat(dir_fd, &is) == -1)
        return failed(directory, strerror(errno));
    if (is.st_dev != before.st_dev || is.st_ino != before.st_ino)
        return failed(directory, "it was exchanged for another");
    int fd = openat(dir_fd, ".lock", O_CREAT | O_RDWR | O_NOFOLLOW, 0600);
    while (fd == -1 || fcntl(fd, F_SETLK, &lock) == -1) {
        if (fd == -1 || (errno != EACCES && errno != EAGAIN) || fcntl(fd, F_GETLK, &lock) == -1)
            return failed("take the file .lock", strerror(errno));
        if (lock.l_type != F_UNLCK)
            return failed(directory, snprintf(why, sizeof why, "%ld was first", (long)lock.l_pid) > 0 ? why : "in use");
        lock.l_type = F_WRLCK;
    }
    return true;
}

/* Closed standard descriptors would be given to our files. */
static bool check_descriptors(void)
{
    if (fcntl(STDOUT_FILENO, F_GETFD) == -1)
        return failed("use standard output", strerror(errno));
    return (fcntl(STDIN_FILENO, F_GETFD) != -1 || open("/dev/null", O_RDONLY) != -1)
        && (fcntl(STDERR_FILENO, F_GETFD) != -1 || open("/dev/null", O_WRONLY) != -1);
}

static int usage(FILE *to, int status)
{
    const char *fault = status == 0 ? "" : "principal: the options are wrong, or the number is\n";
    int printed = fprintf(to, "%susage: principal [-h] [-q] [-d DIR] [-n EXCHANGES]\n", fault);
    return printed < 0 || fflush(to) == EOF ? 1 : status;
}

int main(int argc, char **argv)
{
    const char *given = getenv("OSPS_DIR");
    int c;
    zero_us = clock_us();
    while ((c = getopt(argc, argv, "hqd:n:")) != -1) {
        size_t digits = c == 'n' ? strspn(optarg, "0123456789") : 0;
        if (c == 'h')
            return usage(stdout, 0);
        if (c == '?' || (c == 'd' && *optarg == '\0')
            || (c == 'n' && (digits == 0 || digits > 9 || optarg[digits] != '\0')))
            return usage(stderr, 2);
        quiet = quiet || c == 'q';
        given = c == 'd' ? optarg : given;
        exchanges = c == 'n' ? strtol(optarg, NULL, 10) : exchanges;
    }
    if (optind != argc)
        return usage(stderr, 2);
    int length = given != NULL && *given ? snprintf(directory, sizeof directory, "%s", given)
                                         : snprintf(directory, sizeof directory, "/tmp/osps-%ld", (long)getuid());
    if (length < 0 || (size_t)length >= sizeof directory)
        return failed("use the run directory", "its name is too long"), 1;
    while (length > 1 && directory[length - 1] == '/')      /* "link/" would follow the link */
        directory[--length] = '\0';
    umask(077);
    bool well = check_descriptors() && set_signals(false) && settle() && tell("start") && work();
    return stop_number != 0 ? 128 + stop_number : well ? 0 : 1;
}
