/*
 * principal.c - step 1 as a loop around select(2): signals come in as bytes, through a pipe to oneself.
 *
 * What is different about it:
 * - The handler writes the signal's number into a pipe (the self-pipe). select(2) waits for it, and for time.
 * - The segment is made, mapped and unlinked before the fork: it has a name for an instant only. The mapping is
 *   inherited, and goes with the last of the two processes.
 * - A second pipe ends when the principal does: so the secondary learns of it.
 * - The secondary is told by SIGTERM to end, and by SIGKILL if it does not. Both write a line `start`.
 * - The lock is on the whole file `.lock`; F_GETLK tells who holds it.
 * - After SIGTERM or SIGINT it exits with 128 + the number.
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

enum { SLICE_US = 250000, OBEY_US = 2000000, PRINCIPAL_GONE = -1 };

static const char *who = "principal";
static const char *directory;
static long rounds = 10, interval_ms = 1000;
static bool quiet;
static long long zero_us;
static int self_pipe[2] = { -1, -1 };
static int alive_pipe = -1;     /* the secondary's; ends with the principal */
static int stop_number;         /* the signal that stopped us, or PRINCIPAL_GONE */
static pid_t child;
static bool child_ended;
static int child_status;

static bool failed(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", who, what, strerror(errno));
    return false;
}

static bool refuse(const char *why)
{
    fprintf(stderr, "%s: take %s as run directory: %s\n", who, directory, why);
    return false;
}

static long long clock_us(void)
{
    struct timespec t;
    return clock_gettime(CLOCK_MONOTONIC, &t) == 0 ? t.tv_sec * 1000000LL + t.tv_nsec / 1000 : 0;
}

static void note_signal(int number)
{
    int error = errno;
    unsigned char byte = (unsigned char)number;
    ssize_t noted = write(self_pipe[1], &byte, 1);
    (void)noted;                /* if the pipe is full, there is enough in it to wake us */
    errno = error;
}

/* The secondary makes one of its own: the pipe that it inherits is the principal's. */
static bool make_self_pipe(void)
{
    if ((self_pipe[0] != -1 && (close(self_pipe[0]) == -1 || close(self_pipe[1]) == -1)) || pipe(self_pipe) == -1)
        return failed("make a pipe for signals");
    for (int i = 0; i < 2; i++)
        if (self_pipe[i] >= FD_SETSIZE || fcntl(self_pipe[i], F_SETFL, O_NONBLOCK) == -1)
            return failed("use the pipe for signals");
    return true;
}

static bool set_signals(void)
{
    const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGCHLD, SIGPIPE };
    struct sigaction action = { .sa_handler = note_signal, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i] == SIGPIPE)
            action.sa_handler = SIG_IGN;
        if (sigemptyset(&action.sa_mask) == -1 || sigaction(numbers[i], &action, NULL) == -1)
            return failed("set a signal's action");
    }
    return true;
}

static bool hold_signals(bool hold)
{
    sigset_t mask;
    int made = hold ? sigfillset(&mask) : sigemptyset(&mask);
    return (made == 0 && sigprocmask(SIG_SETMASK, &mask, NULL) == 0) || failed("hold or release signals");
}

static void take_signals(void)
{
    unsigned char bytes[32];
    ssize_t count = read(self_pipe[0], bytes, sizeof bytes);
    for (ssize_t i = 0; i < count; i++)
        if (bytes[i] != SIGCHLD)
            stop_number = bytes[i];
        else if (child > 0 && !child_ended)
            child_ended = waitpid(child, &child_status, WNOHANG) == child;
}

static bool is_over(void)
{
    return stop_number != 0 || child_ended;
}

/* One select(2), for a slice at most. True if `output` can be written. */
static bool look_around(long long until_us, int output)
{
    long long left_us = until_us - clock_us();
    struct timeval slice = { 0, left_us < 0 ? 0 : left_us < SLICE_US ? (suseconds_t)left_us : SLICE_US };
    fd_set inputs, outputs;
    int highest = self_pipe[0];
    FD_ZERO(&inputs);
    FD_ZERO(&outputs);
    FD_SET(self_pipe[0], &inputs);
    if (alive_pipe != -1 && stop_number != PRINCIPAL_GONE) {
        FD_SET(alive_pipe, &inputs);
        highest = alive_pipe > highest ? alive_pipe : highest;
    }
    if (output != -1)
        FD_SET(output, &outputs);
    int ready = select(highest + 1, &inputs, &outputs, NULL, &slice);
    if (ready == -1)
        return errno != EINTR;  /* a descriptor is bad: writing to it will tell */
    if (FD_ISSET(self_pipe[0], &inputs))
        take_signals();
    if (alive_pipe != -1 && FD_ISSET(alive_pipe, &inputs))
        stop_number = PRINCIPAL_GONE;
    return output != -1 && FD_ISSET(output, &outputs);
}

/* One interval, unless it is over before. */
static void pass_interval(void)
{
    long long until_us = clock_us() + interval_ms * 1000LL;
    do
        look_around(until_us, -1);
    while (!is_over() && clock_us() < until_us);
}

/* Where nobody takes the journal, we wait, unless we were told to end. */
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
    while (!look_around(clock_us() + SLICE_US, STDOUT_FILENO))
        if (stop_number != 0 && !look_around(clock_us() + SLICE_US, STDOUT_FILENO))
            return false;
    ssize_t written = length < 0 ? -1 : write(STDOUT_FILENO, line, (size_t)length);
    if (written >= 0 && written < length)
        errno = ENOSPC;
    return (length > 0 && written == length) || failed("write to standard output");
}

static int be_secondary(const atomic_long *counter)
{
    who = "secondary1";
    if (!make_self_pipe() || !hold_signals(false) || !tell("start"))
        return 1;
    do {
        if (!quiet && !tell("read %ld", atomic_load_explicit(counter, memory_order_relaxed)))
            return 1;
        pass_interval();
    } while (!is_over());
    return stop_number > 0 ? 0 : 1;
}

static bool count(atomic_long *counter)
{
    for (long number = 1; number <= rounds && !is_over(); number++) {
        atomic_store_explicit(counter, number, memory_order_relaxed);
        if (!quiet && !tell("write %ld", number))
            return false;
        pass_interval();
    }
    errno = ECHILD;
    return stop_number != 0 || !child_ended || failed("go on without the secondary");
}

static bool end_secondary(void)
{
    static const int means[] = { SIGTERM, SIGKILL };
    bool clean = true;
    for (int i = 0; i < 2 && !child_ended; i++) {
        long long until_us = clock_us() + OBEY_US;
        clean = i == 0;
        if (!clean)
            fprintf(stderr, "principal: wait for the secondary: SIGTERM does nothing, SIGKILL will\n");
        if (kill(child, means[i]) == -1)
            failed("signal the secondary");
        while (!child_ended && clock_us() < until_us)
            look_around(until_us, -1);
    }
    if (!child_ended) {
        errno = ETIMEDOUT;
        return failed("wait for a secondary that was killed");
    }
    bool killed = WIFSIGNALED(child_status);
    return tell("reaped secondary1[%ld] %s %d", (long)child, killed ? "signal" : "status",
                killed ? WTERMSIG(child_status) : WEXITSTATUS(child_status)) && clean && child_status == 0;
}

/* Removed from a directory of names as soon as it is mapped: the segment lives on without. */
static atomic_long *map_segment(const char *name)
{
    void *memory = MAP_FAILED;
    if (shm_unlink(name) == -1 && errno != ENOENT)
        return failed("remove what a killed run has left"), NULL;
    int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd == -1)
        return failed("create the shared memory"), NULL;
    int error = posix_fallocate(fd, 0, sizeof(atomic_long));
    if (error == 0)
        memory = mmap(NULL, sizeof(atomic_long), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    errno = error != 0 ? error : errno;
    if (memory == MAP_FAILED)
        failed("map the shared memory");
    if (shm_unlink(name) == -1 || close(fd) == -1)
        return failed("unlink the shared memory"), NULL;
    return memory == MAP_FAILED ? NULL : memory;
}

static int be_principal(const char *name)
{
    int alive[2];
    atomic_long *counter = tell("start") ? map_segment(name) : NULL;
    if (counter == NULL)
        return 1;
    if (pipe(alive) == -1 || alive[0] >= FD_SETSIZE || !hold_signals(true) || (child = fork()) == -1)
        return failed("start the secondary"), 1;
    if (child == 0) {
        alive_pipe = alive[0];
        return close(alive[1]) == 0 ? be_secondary(counter) : 1;
    }
    bool well = hold_signals(false) && count(counter);
    well = end_secondary() && well;
    well = tell("exit") && well;
    return stop_number > 0 ? 128 + stop_number : well ? 0 : 1;
}

/* Opens the directory and takes the lock in it. The name of the segment follows from which directory it is. */
static bool settle(char *name, size_t size)
{
    struct stat is, now;
    char why[64];
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if ((mkdir(directory, 0700) == -1 && errno != EEXIST) || lstat(directory, &is) == -1)
        return failed(directory);
    const char *fault = S_ISLNK(is.st_mode) ? "it is a link" : !S_ISDIR(is.st_mode) ? "it is not a directory"
        : is.st_uid != geteuid() ? "somebody else owns it" : (is.st_mode & 077) != 0 ? "others have access" : NULL;
    if (fault != NULL)
        return refuse(fault);
    int dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (dir_fd == -1 || fstat(dir_fd, &now) == -1 || now.st_dev != is.st_dev || now.st_ino != is.st_ino)
        return failed(directory);
    int fd = openat(dir_fd, ".lock", O_CREAT | O_RDWR | O_NOFOLLOW, 0600);
    while (fd == -1 || fcntl(fd, F_SETLK, &lock) == -1) {
        if (fd == -1 || (errno != EACCES && errno != EAGAIN) || fcntl(fd, F_GETLK, &lock) == -1)
            return failed("take the lock");
        if (lock.l_type != F_UNLCK)
            return refuse(snprintf(why, sizeof why, "%ld was first", (long)lock.l_pid) > 0 ? why : "in use");
        lock.l_type = F_WRLCK;
    }
    return snprintf(name, size, "/osps-anon%lx-%lx", (unsigned long)is.st_dev, (unsigned long)is.st_ino) > 0;
}

static bool to_number(const char *text, long *number)
{
    size_t digits = strspn(text, "0123456789");
    *number = digits > 0 && digits < 9 ? strtol(text, NULL, 10) : -1;
    return *number >= 0 && text[digits] == '\0';
}

int main(int argc, char **argv)
{
    static const char usage[] = "usage: principal [-h] [-q] [-d DIR] [-n ROUNDS] [-i INTERVAL_MS]\n";
    static char path[2048];
    char name[80];
    bool right = true;
    int c;
    zero_us = clock_us();
    opterr = 0;
    while (right && (c = getopt(argc, argv, "hqd:n:i:")) != -1) {
        if (c == 'h')
            return fputs(usage, stdout) == EOF || fflush(stdout) == EOF ? 1 : 0;
        quiet = quiet || c == 'q';
        directory = c == 'd' ? optarg : directory;
        right = c == 'n' ? to_number(optarg, &rounds) : c == 'i' ? to_number(optarg, &interval_ms)
              : c == 'q' || (c == 'd' && *directory != '\0');
    }
    if (!right || optind != argc) {
        fprintf(stderr, "principal: %s: not understood\n%s", argv[right ? optind : optind - 1], usage);
        return 2;
    }
    directory = directory != NULL ? directory : getenv("OSPS_DIR");
    int length = directory != NULL && *directory ? snprintf(path, sizeof path, "%s", directory)
                                                 : snprintf(path, sizeof path, "/tmp/osps-%ld", (long)getuid());
    directory = path;
    errno = ENAMETOOLONG;
    if (length < 0 || (size_t)length >= sizeof path)
        return failed("read the run directory's name"), 1;
    while (length > 1 && path[length - 1] == '/')       /* "link/" would be followed */
        path[--length] = '\0';
    if ((fcntl(STDIN_FILENO, F_GETFD) == -1 && open("/dev/null", O_RDONLY) == -1)
        || fcntl(STDOUT_FILENO, F_GETFD) == -1
        || (fcntl(STDERR_FILENO, F_GETFD) == -1 && open("/dev/null", O_WRONLY) == -1))
        return failed("use the standard descriptors"), 1;
    umask(077);
    bool ready = make_self_pipe() && set_signals() && hold_signals(false) && settle(name, sizeof name);
    return ready ? be_principal(name) : 1;
}
