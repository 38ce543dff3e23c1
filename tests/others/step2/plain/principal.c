/*
 * principal.c - step 2 in the plain way: one thread, calls that block, handlers that only set flags.
 *
 * What is different about it:
 * - No shared memory at all: the pipes are enough. The secondary writes no line but its pongs.
 * - Both sides open the pipes after the fork, with open(2) that blocks, in the same order; they read with read(2)
 *   that blocks, one byte at a time.
 * - A timer (timer_create(2)) ticks ten times a second. Its SIGALRM ends every call that blocks (EINTR), and so
 *   nothing blocks for ever: after each tick we ask whether it makes sense to go on.
 * - It goes into the run directory with fchdir(2), and names the pipes without a path.
 * - The lock is on a byte of the file `in-use`; F_GETLK tells who holds it. After SIGTERM or SIGINT: exit 0.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 100, PATIENCE_TICKS = 50, LEAVE_TICKS = 20, MAX_EXCHANGES = 1000000000, LINE_SIZE = 16 };

static const char *const to_secondary = "dwtube1", *const to_principal = "wdtube1";
static struct { long exchanges; bool quiet; const char *dir; } options = { 10, false, NULL };
static const char *role = "principal";
static pid_t parent;            /* the secondary's; 0 in the principal */
static long long started_us;
static volatile sig_atomic_t stop_asked, child_ended, ticks;

static bool complain(const char *tried, const char *why)
{
    (void)fprintf(stderr, "%s: %s: %s\n", role, tried, why);
    return false;
}

static long long now_us(void)
{
    struct timespec now = { 0, 0 };
    return clock_gettime(CLOCK_MONOTONIC, &now) == -1 ? 0 : now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void on_signal(int number)
{
    if (number == SIGALRM)
        ticks = ticks < PATIENCE_TICKS ? ticks + 1 : ticks;
    else if (number == SIGCHLD)
        child_ended = 1;
    else
        stop_asked = 1;
}

/* Ctrl-C goes to both, but the secondary waits for the principal's word. */
static bool catch_signals(bool secondary)
{
    static const int numbers[] = { SIGTERM, SIGCHLD, SIGALRM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NOCLDSTOP };
    sigset_t none;
    bool fine = sigfillset(&action.sa_mask) == 0 && sigemptyset(&none) == 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i] == SIGPIPE || (secondary && numbers[i] == SIGINT))
            action.sa_handler = SIG_IGN;        /* for those that follow it, too */
        fine = fine && sigaction(numbers[i], &action, NULL) == 0;
    }
    return (fine && sigprocmask(SIG_SETMASK, &none, NULL) == 0) || complain("catch signals", strerror(errno));
}

/* In each process: a child does not inherit the timer. */
static bool start_ticking(void)
{
    timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    struct itimerspec each = { { 0, TICK_MS * 1000000L }, { 0, TICK_MS * 1000000L } };
    return (timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &each, NULL) == 0)
        || complain("set a timer", strerror(errno));
}

static bool is_over(void)
{
    return stop_asked || (parent != 0 ? getppid() != parent : child_ended);
}

/* After a call that has failed (errno): shall it be tried again? While nobody takes the journal's lines, the other
   side may be held up by that: then it is not to blame. */
static bool again(void)
{
    int error = errno;
    struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };
    if (error == EINTR && poll(&output, 1, 0) == 0)
        ticks = 0;
    errno = error == EINTR && ticks >= PATIENCE_TICKS ? ETIMEDOUT : error;
    return errno == EINTR && !is_over();
}

/* Says why the other side was given up; that we were told to stop needs no words. */
static bool give_up(const char *tried)
{
    const char *why = errno == EPIPE || errno == EINTR ? "the other side has ended"
                    : errno == ETIMEDOUT ? "the other side gives no sign of life" : strerror(errno);
    return stop_asked ? false : complain(tried, why);
}

/* A reader who does not read holds up our work, but not our end: then the line is lost. */
static bool journal(const char *format, ...)
{
    char event[100], line[160];
    ssize_t written;
    long long us = now_us() - started_us;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(event, sizeof event, format, arguments);
    va_end(arguments);
    length = length < 0 ? -1 : snprintf(line, sizeof line, "%lld.%06lld %s[%ld] %s\n", us / 1000000, us % 1000000, role,
                                        (long)getpid(), event);
    do
        written = length < 0 ? -1 : write(STDOUT_FILENO, line, (size_t)length);
    while (written == -1 && errno == EINTR && !stop_asked && (parent == 0 || getppid() == parent));
    return written == length || complain("write the journal", written == -1 ? strerror(errno) : "no room");
}

/* Blocks until the other side opens its end. */
static int open_end(const char *name, int mode)
{
    int fd;
    ticks = 0;
    do
        fd = open(name, mode | O_NOFOLLOW);
    while (fd == -1 && again());
    return fd != -1 || give_up(name) ? fd : -1;
}

static bool say(int fd, const char *line)
{
    size_t length = strlen(line);
    ssize_t written;
    ticks = 0;
    do
        written = write(fd, line, length);      /* shorter than PIPE_BUF: all or nothing */
    while (written == -1 && again());
    return written == (ssize_t)length || give_up("write to a pipe");
}

static bool listen_to(int fd, char *line)
{
    ticks = 0;
    for (size_t length = 0; length < LINE_SIZE; length++) {
        ssize_t got;
        do
            got = read(fd, line + length, 1);
        while (got == -1 && again());
        errno = got == 0 ? EPIPE : errno;
        if (got != 1)
            return give_up("read from a pipe");
        if (line[length] == '\n') {
            line[length] = '\0';
            return true;
        }
    }
    return complain("read from a pipe", "the line is too long");
}

static int be_secondary(void)
{
    char line[LINE_SIZE];
    role = "secondary1";
    if (!catch_signals(true) || !start_ticking())
        return 1;
    int in = open_end(to_secondary, O_RDONLY);
    int out = in == -1 ? -1 : open_end(to_principal, O_WRONLY);
    for (long count = 1; out != -1 && getppid() == parent && listen_to(in, line); count++) {
        if (strcmp(line, "stop") == 0)
            return 0;
        if (strcmp(line, "ping") != 0)
            return complain("read from a pipe", "neither ping nor stop"), 1;
        if ((!options.quiet && !journal("pong %ld", count)) || !say(out, "pong\n"))
            return 1;
    }
    return 1;
}

static bool play(int out, int in)
{
    char line[LINE_SIZE];
    for (long count = 1; count <= options.exchanges && !stop_asked; count++) {
        if ((!options.quiet && !journal("ping %ld", count)) || !say(out, "ping\n") || !listen_to(in, line))
            return false;
        if (strcmp(line, "pong") != 0)
            return complain("read from a pipe", "no pong");
    }
    return !stop_asked && journal("exchanges %ld", options.exchanges);
}

/* A secondary that does not want to end, or cannot, is killed. */
static bool wait_for(pid_t child)
{
    int status;
    bool obeys = true;
    ticks = 0;
    while (waitpid(child, &status, 0) == -1) {
        if (errno != EINTR)
            return complain("wait for the secondary", strerror(errno));
        if (ticks >= LEAVE_TICKS && obeys && kill(child, SIGKILL) == 0)
            obeys = complain("wait for the secondary", "it does not end, so it is killed");
    }
    bool killed = WIFSIGNALED(status);
    return journal("reaped secondary1[%ld] %s %d", (long)child, killed ? "signal" : "status",
                   killed ? WTERMSIG(status) : WEXITSTATUS(status)) && obeys && (stop_asked || status == 0);
}

static bool be_principal(pid_t child)
{
    int out = open_end(to_secondary, O_WRONLY);
    int in = out == -1 ? -1 : open_end(to_principal, O_RDONLY);
    bool fine = in != -1 && play(out, in);
    if (in == -1 && kill(child, SIGTERM) == -1)         /* it waits in open(2), as we did */
        (void)complain("tell the secondary to end", strerror(errno));
    if (in != -1 && !child_ended && write(out, "stop\n", 5) != 5 && errno != EPIPE)
        fine = complain("say stop to the secondary", strerror(errno));
    return wait_for(child) && (fine || stop_asked);
}

/* What a killed run left, or somebody put there, is no pipe of ours. */
static bool make_pipe(const char *name)
{
    return ((unlink(name) == 0 || errno == ENOENT) && mkfifo(name, 0600) == 0) || complain(name, strerror(errno));
}

/* Without slashes at its end: "link/" would follow the link. */
static const char *name_directory(void)
{
    static char dir[4096];
    const char *given = options.dir != NULL ? options.dir : getenv("OSPS_DIR");
    int length = given != NULL && *given != '\0' ? snprintf(dir, sizeof dir, "%s", given)
                                                 : snprintf(dir, sizeof dir, "/tmp/osps-%ld", (long)geteuid());
    if (length < 0 || (size_t)length >= sizeof dir)
        dir[length = 0] = '\0';         /* no directory can be made with that */
    while (length > 1 && dir[length - 1] == '/')
        dir[--length] = '\0';
    return dir;
}

static bool take_directory(const char *dir)
{
    struct stat status;
    if (mkdir(dir, 0700) == -1 && errno != EEXIST)
        return complain(dir, strerror(errno));
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd == -1 || fstat(fd, &status) == -1)
        return complain(dir, errno == ELOOP || errno == ENOTDIR ? "a link, or no directory" : strerror(errno));
    if (status.st_uid != geteuid())
        return complain(dir, "belongs to somebody else");
    if ((status.st_mode & 077) != 0)
        return complain(dir, "lets others in: chmod 700 it");
    /* The lock goes with this process, whatever its end; the file stays. */
    if (fchdir(fd) == -1 || close(fd) == -1 || (fd = open("in-use", O_RDWR | O_CREAT | O_NOFOLLOW, 0600)) == -1)
        return complain(dir, strerror(errno));
    for (;;) {          /* again, if its holder ends just now */
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
        char why[64];
        if (fcntl(fd, F_SETLK, &lock) == 0)
            return true;
        if ((errno != EACCES && errno != EAGAIN) || fcntl(fd, F_GETLK, &lock) == -1)
            return complain("lock the file in-use", strerror(errno));
        if (lock.l_type != F_UNLCK)
            return complain(dir, snprintf(why, sizeof why, "held by %ld", (long)lock.l_pid) > 0 ? why : "held");
    }
}

/* -1: go on; else the status to exit with. */
static int read_options(int argc, char **argv)
{
    static const char usage[] = "usage: principal [-n EXCHANGES] [-d DIR] [-q] [-h]\n";
    bool right = true;
    char *end;
    for (int letter; right && (letter = getopt(argc, argv, "n:d:qh")) != -1; )
        switch (letter) {
        case 'h': return fputs(usage, stdout) == EOF || fflush(stdout) == EOF ? 1 : 0;
        case 'n':
            options.exchanges = strtol(optarg, &end, 10);
            right = isdigit((unsigned char)*optarg) && *end == '\0' && options.exchanges <= MAX_EXCHANGES;
            break;
        case 'd': right = *(options.dir = optarg) != '\0'; break;
        case 'q': options.quiet = true; break;
        default: right = false;
        }
    if (!right || optind < argc)
        (void)fprintf(stderr, "principal: read the command line: an option or a number is wrong\n%s", usage);
    return right && optind == argc ? -1 : 2;
}

/* So that nothing of ours becomes standard input or error. Without standard output there is no journal. */
static bool check_descriptors(void)
{
    int fd = fcntl(STDOUT_FILENO, F_GETFD);
    while (fd != -1 && (fd = open("/dev/null", O_RDWR)) != -1 && fd <= STDERR_FILENO)
        ;
    return (fd != -1 && close(fd) == 0) || complain("use the standard descriptors", strerror(errno));
}

int main(int argc, char **argv)
{
    started_us = now_us();
    int status = read_options(argc, argv);
    if (status != -1)
        return status;
    options.dir = name_directory();
    (void)umask(077);
    if (!check_descriptors() || !catch_signals(false) || !take_directory(options.dir) || !start_ticking()
        || !journal("start") || !make_pipe(to_secondary))
        return 1;
    bool fine = make_pipe(to_principal);
    if (fine) {
        pid_t self = getpid(), child = fork();
        if (child == 0) {
            parent = self;
            return be_secondary();
        }
        fine = child > 0 ? be_principal(child) : complain("fork", strerror(errno));
        fine = (unlink(to_principal) == 0 || complain(to_principal, strerror(errno))) && fine;
    }
    fine = (unlink(to_secondary) == 0 || complain(to_secondary, strerror(errno))) && fine;
    return journal("exit") && fine ? 0 : 1;
}
