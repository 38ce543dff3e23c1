/*
 * principal.c - step 1 in the plain way: one thread, blocking calls, handlers that only set flags.
 *
 * What is different about it:
 * - It forks first and makes the segment after. The secondary waits for SIGUSR2, then opens the segment by its
 *   name, to read only.
 * - It sleeps in sigsuspend(2). A timer (timer_create(2)) ticks: SIGALRM ends every call that blocks.
 * - SIGUSR1 tells the secondary that all is written: it looks a last time and ends.
 * - The secondary finds out by getppid(2) that its principal is dead.
 * - The segment is named after the device and the inode of the run directory: the next start knows the name.
 * - The lock is on a byte of the file `in-use`; F_GETLK tells who holds it. After SIGTERM or SIGINT: exit 0.
 */
#include <ctype.h>
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 100, GO_MS = 5000, LEAVE_MS = 2000, MAX_ROUNDS = 1000000000, MAX_INTERVAL_MS = 86400000 };

typedef _Atomic(long) counter;

static struct { long rounds, interval_ms; bool quiet; const char *dir; } options = { 10, 500, false, NULL };
static const char *role = "principal";
static pid_t parent;            /* the secondary's; 0 in the principal */
static pid_t child;             /* the principal's; 0 in the secondary, and when there is none any more */
static int child_status;        /* once it was waited for */
static long long started_us;
static sigset_t ours;           /* blocked, but where we wait */
static volatile sig_atomic_t stop_asked, segment_is_made, all_written, child_changed;

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
    if (number == SIGCHLD)
        child_changed = 1;
    else if (number == SIGUSR2)
        segment_is_made = 1;
    else if (number == SIGUSR1)
        all_written = 1;
    else if (number != SIGALRM)
        stop_asked = 1;
}

static bool catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD, SIGALRM, SIGUSR1, SIGUSR2 };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_NOCLDSTOP };
    bool fine = sigemptyset(&ours) == 0 && sigfillset(&action.sa_mask) == 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        fine = fine && sigaddset(&ours, numbers[i]) == 0 && sigaction(numbers[i], &action, NULL) == 0;
    action.sa_handler = SIG_IGN;
    fine = fine && sigaction(SIGPIPE, &action, NULL) == 0 && sigprocmask(SIG_SETMASK, &ours, NULL) == 0;
    return fine || complain("catch signals", strerror(errno));
}

static void let_signals_in(bool in)
{
    int error = errno;
    if (sigprocmask(in ? SIG_UNBLOCK : SIG_BLOCK, &ours, NULL) == -1)
        (void)complain("change the signal mask", strerror(errno));
    errno = error;
}

/* The first tick comes after so long, the others each TICK_MS: one that comes too early is not the last. */
static bool start_ticking(long long first_us)
{
    static bool is_made;
    static timer_t timer;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
    struct itimerspec ticks = { { 0, TICK_MS * 1000000L }, { 0, (long)first_us * 1000 } };
    is_made = is_made || timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
    return (is_made && timer_settime(timer, 0, &ticks, NULL) == 0) || complain("set a timer", strerror(errno));
}

static bool child_is_gone(void)
{
    if (child > 0 && child_changed && waitpid(child, &child_status, WNOHANG) == child)
        child = 0;
    return child == 0 && parent == 0;
}

/* What makes a process leave its work. */
static bool is_over(void)
{
    return stop_asked || (parent != 0 ? all_written || getppid() != parent : child_is_gone());
}

static void sleep_until(long long deadline_us, bool (*is_done)(void))
{
    long long left_us;
    sigset_t none;
    bool fine = sigemptyset(&none) == 0;
    let_signals_in(true);               /* where there is no time to sleep, too */
    let_signals_in(false);
    while (fine && !is_done() && (left_us = deadline_us - now_us()) > 0)
        fine = start_ticking(left_us < TICK_MS * 1000 ? left_us : TICK_MS * 1000) && sigsuspend(&none) == -1;
}

/* A reader who does not read holds up our work, but not our end: then the line is lost. */
static bool journal(const char *format, ...)
{
    char line[160];
    ssize_t written;
    long long us = now_us() - started_us;
    int head = snprintf(line, sizeof line, "%lld.%06lld %s[%ld] ", us / 1000000, us % 1000000, role, (long)getpid());
    va_list arguments;
    va_start(arguments, format);
    int tail = head < 0 ? -1 : vsnprintf(line + head, sizeof line - (size_t)head, format, arguments);
    va_end(arguments);
    if (tail < 0 || (size_t)(head + tail) >= sizeof line - 1 || !start_ticking(TICK_MS * 1000))
        return complain("write the journal", "the line did not come about");
    line[head + tail] = '\n';
    let_signals_in(true);
    do
        written = write(STDOUT_FILENO, line, (size_t)(head + tail) + 1);
    while (written == -1 && errno == EINTR && !stop_asked && (parent == 0 || getppid() == parent));
    let_signals_in(false);
    return written == head + tail + 1 || complain("write the journal", written == -1 ? strerror(errno) : "no room");
}

static bool may_begin(void)
{
    return segment_is_made || is_over();
}

static int be_secondary(const char *name)
{
    role = "secondary1";
    sleep_until(now_us() + GO_MS * 1000LL, may_begin);
    if (!segment_is_made)
        return 1;
    int fd = shm_open(name, O_RDONLY, 0);
    counter *shared = fd == -1 ? MAP_FAILED : mmap(NULL, sizeof *shared, PROT_READ, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED || close(fd) == -1)
        return complain("open and map the segment", strerror(errno)), 1;
    for (bool last = false; !last; ) {
        last = is_over();
        long number = atomic_load_explicit(shared, memory_order_relaxed);
        if (!options.quiet && !journal("read %ld", number))
            return 1;
        sleep_until(now_us() + options.interval_ms * 1000LL, is_over);
    }
    return all_written ? 0 : 1;
}

/* NULL when it could not be made; then nothing is left of it. */
static counter *make_segment(const char *name)
{
    int fd = shm_unlink(name) == -1 && errno != ENOENT ? -1 : shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd == -1)
        return complain("make the segment", strerror(errno)), NULL;
    int error = ftruncate(fd, sizeof(counter)) == -1 ? errno : posix_fallocate(fd, 0, sizeof(counter));
    counter *shared = error ? MAP_FAILED : mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        (void)complain("size and map the segment", strerror(error ? error : errno));
    if (close(fd) == -1 || (shared == MAP_FAILED && shm_unlink(name) == -1))
        (void)complain("let go of the segment", strerror(errno));
    return shared == MAP_FAILED ? NULL : shared;
}

static bool write_all(counter *shared)
{
    if (kill(child, SIGUSR2) == -1)
        return complain("tell the secondary to go", strerror(errno));
    for (long number = 1; number <= options.rounds && !is_over(); number++) {
        atomic_store_explicit(shared, number, memory_order_relaxed);
        if (!options.quiet && !journal("write %ld", number))
            return false;
        sleep_until(now_us() + options.interval_ms * 1000LL, is_over);
    }
    return !child_is_gone() || stop_asked || complain("write the counter", "the secondary ended before its time");
}

/* A secondary that does not want to end, or cannot, is killed. */
static bool end_child(pid_t pid)
{
    bool fine = child_is_gone() || kill(child, SIGUSR1) == 0 || complain("tell the secondary to end", strerror(errno));
    sleep_until(now_us() + LEAVE_MS * 1000LL, child_is_gone);
    if (child > 0) {
        fine = complain("wait for the secondary", "it does not end, so it is killed");
        if (kill(child, SIGKILL) == -1 || waitpid(child, &child_status, 0) == -1)
            return complain("kill the secondary", strerror(errno));
    }
    bool killed = WIFSIGNALED(child_status);
    fine = fine && (stop_asked || child_status == 0);
    return journal("reaped secondary1[%ld] %s %d", (long)pid, killed ? "signal" : "status",
                   killed ? WTERMSIG(child_status) : WEXITSTATUS(child_status)) && fine;
}

static int be_principal(const char *name)
{
    pid_t pid = child;
    counter *shared = journal("start") ? make_segment(name) : NULL;
    bool fine = shared != NULL && write_all(shared);
    fine = end_child(pid) && fine;
    if (shared != NULL && shm_unlink(name) == -1)
        fine = complain("remove the segment", strerror(errno));
    return journal("exit") && fine ? 0 : 1;
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

/* True if it is fit to be a run directory; the name of the segment comes with it. */
static bool enter_directory(const char *dir, int *fd, char *name, size_t size)
{
    struct stat status;
    if (mkdir(dir, 0700) == -1 && errno != EEXIST)
        return complain(dir, strerror(errno));
    if (lstat(dir, &status) == 0 && S_ISLNK(status.st_mode))
        return complain(dir, "is a link; the run directory must be none");
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (*fd == -1 || fstat(*fd, &status) == -1)
        return complain(dir, strerror(errno));
    if (status.st_uid != geteuid())
        return complain(dir, "belongs to somebody else");
    if ((status.st_mode & 077) != 0)
        return complain(dir, "lets others in: chmod 700 it");
    int length = snprintf(name, size, "/osps-counter.%lx.%lx", (unsigned long)status.st_dev,
                          (unsigned long)status.st_ino);
    return (length > 0 && (size_t)length < size) || complain(dir, "the segment's name would be too long");
}

/* The lock goes with this process, whatever its end; the file stays. */
static bool take(int dir_fd)
{
    int fd = openat(dir_fd, "in-use", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (fd == -1)
        return complain("open the file in-use", strerror(errno));
    for (;;) {          /* again, if its holder ends just now */
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
        char why[64];
        if (fcntl(fd, F_SETLK, &lock) == 0)
            return true;
        if ((errno != EACCES && errno != EAGAIN) || fcntl(fd, F_GETLK, &lock) == -1)
            return complain("lock the file in-use", strerror(errno));
        if (lock.l_type != F_UNLCK)
            return complain(options.dir, snprintf(why, sizeof why, "held by %ld", (long)lock.l_pid) > 0 ? why : "held");
    }
}

static bool read_number(const char *text, long highest, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return isdigit((unsigned char)text[0]) && *end == '\0' && errno == 0 && *number <= highest;
}

/* -1: go on; else the status to exit with. */
static int read_options(int argc, char **argv)
{
    static const char usage[] = "usage: principal [-n ROUNDS] [-i INTERVAL_MS] [-d DIR] [-q] [-h]\n";
    bool right = true;
    for (int letter; right && (letter = getopt(argc, argv, "n:i:d:qh")) != -1; )
        switch (letter) {
        case 'h': return fputs(usage, stdout) == EOF || fflush(stdout) == EOF ? 1 : 0;
        case 'n': right = read_number(optarg, MAX_ROUNDS, &options.rounds); break;
        case 'i': right = read_number(optarg, MAX_INTERVAL_MS, &options.interval_ms); break;
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
    char segment[64];
    int dir_fd = -1;
    started_us = now_us();
    int status = read_options(argc, argv);
    if (status != -1)
        return status;
    options.dir = name_directory();
    (void)umask(077);
    if (!check_descriptors() || !catch_signals()
        || !enter_directory(options.dir, &dir_fd, segment, sizeof segment) || !take(dir_fd))
        return 1;
    pid_t self = getpid();
    if ((child = fork()) == -1)
        return complain("fork", strerror(errno)), 1;
    parent = child > 0 ? 0 : self;
    return child > 0 ? be_principal(segment) : be_secondary(segment);
}
