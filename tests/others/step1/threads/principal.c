/*
 * principal.c - step 1 with threads: one waits for signals, one for the child, one writes.
 *
 * What is different about it:
 * - No signal handler at all: every signal is blocked, a thread takes them with sigwait(2).
 * - A second thread sits in a waitid(2) that blocks. The main thread writes, and sleeps on a condition variable.
 * - The secondary has a thread too, which reads a pipe (the lifeline) that nobody writes to. Its end of file is
 *   the word to stop: the principal has closed it, or is dead. No signal is sent to say so.
 * - The segment's name is new at each start (pid and clock). It is noted in the file `holder` before the segment
 *   is made; so the next start finds what a killed one has left.
 * - The lock is on the whole file `holder`; F_GETLK tells who holds it.
 * - An interval of 0 is refused as wrong usage.
 * - After SIGTERM or SIGINT it cleans up, then dies by that same signal, as a shell wants it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
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

#define CHECK(call) check((call), #call)

struct segment { atomic_long counter; };

static long long birth_us;
static char me[32] = "principal";
static bool quiet;

/* What the threads tell each other. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static int stopped_by;          /* a signal, or in the secondary: the end of the lifeline */
static bool child_gone;
static int child_status;
static pid_t child;

static bool report(const char *what, int error)
{
    fprintf(stderr, "%s: %s: %s\n", me, what, strerror(error));
    return false;
}

/* For the calls that fail only if we are wrong ourselves. */
static void check(int error, const char *call)
{
    if (error != 0 && !report(call, error == -1 ? errno : error))
        abort();
}

static long long now_us(void)
{
    struct timespec now = { 0, 0 };
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now));
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void tell_stop(int number)
{
    CHECK(pthread_mutex_lock(&mutex));
    stopped_by = number;
    CHECK(pthread_cond_broadcast(&changed));
    CHECK(pthread_mutex_unlock(&mutex));
}

static int is_stopped(void)
{
    CHECK(pthread_mutex_lock(&mutex));
    int number = stopped_by;
    CHECK(pthread_mutex_unlock(&mutex));
    return number;
}

/* True if the child has gone (or, if `any`, there is a stop), false when the time is up without. */
static bool wait_for_end(long long milliseconds, bool any)
{
    long long us = now_us() + milliseconds * 1000;
    const struct timespec until = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
    int error = 0;
    CHECK(pthread_mutex_lock(&mutex));
    while (!child_gone && !(any && stopped_by != 0) && error == 0)
        error = pthread_cond_timedwait(&changed, &mutex, &until);
    CHECK(error == ETIMEDOUT ? 0 : error);
    bool ended = child_gone || (any && stopped_by != 0);
    CHECK(pthread_mutex_unlock(&mutex));
    return ended;
}

/* Standard output may be a pipe that nobody empties: then only the stop ends the wait, and the line is lost. */
static bool journal(const char *format, ...)
{
    struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };
    long long us = now_us() - birth_us;
    char text[80], line[160];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    length = length < 0 ? -1 : snprintf(line, sizeof line, "%lld.%06lld %s[%ld] %s\n", us / 1000000, us % 1000000, me,
                                        (long)getpid(), text);
    int ready;
    while ((ready = poll(&out, 1, 200)) == 0)
        if (is_stopped() != 0)
            return false;
    ssize_t done = ready == -1 || length < 0 ? -1 : write(STDOUT_FILENO, line, (size_t)length);
    if (done != length)
        report("write a line of the journal", done == -1 ? errno : ENOSPC);
    return done == length;
}

static sigset_t awaited;

static void *take_signals(void *unused)
{
    int number;
    while (sigwait(&awaited, &number) == 0)
        tell_stop(number);
    return unused;
}

/* Reaped under the mutex: as long as child_gone is false, the pid is the child's and nobody else's. */
static void *wait_for_child(void *unused)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) == -1)
        CHECK(errno == EINTR ? 0 : errno);
    CHECK(pthread_mutex_lock(&mutex));
    CHECK(waitpid(child, &child_status, 0) == child ? 0 : errno);
    child_gone = true;
    CHECK(pthread_cond_broadcast(&changed));
    CHECK(pthread_mutex_unlock(&mutex));
    return unused;
}

static void *hold_lifeline(void *end)
{
    char byte;
    ssize_t got;
    while ((got = read(*(int *)end, &byte, 1)) == 1 || (got == -1 && errno == EINTR))
        ;
    tell_stop(SIGTERM);
    return NULL;
}

static int secondary(int lifeline, const struct segment *segment, long interval_ms)
{
    pthread_t thread;
    strcpy(me, "secondary1");
    if (signal(SIGTERM, SIG_DFL) == SIG_ERR || sigemptyset(&awaited) == -1 || sigaddset(&awaited, SIGTERM) == -1)
        return EXIT_FAILURE;
    CHECK(pthread_sigmask(SIG_UNBLOCK, &awaited, NULL));
    if (pthread_create(&thread, NULL, hold_lifeline, &lifeline) != 0)
        return report("start a thread", EAGAIN), EXIT_FAILURE;
    do {
        long seen = atomic_load_explicit(&segment->counter, memory_order_relaxed);
        if (!quiet && !journal("read %ld", seen))
            return EXIT_FAILURE;
    } while (!wait_for_end(interval_ms, true));
    CHECK(pthread_join(thread, NULL));
    return EXIT_SUCCESS;
}

static bool count(struct segment *segment, long rounds, long interval_ms)
{
    for (long k = 1; k <= rounds; k++) {
        atomic_store_explicit(&segment->counter, k, memory_order_relaxed);
        if (!quiet && !journal("write %ld", k))
            return false;
        if (wait_for_end(interval_ms, true))
            break;
    }
    return !wait_for_end(0, false) || is_stopped() != 0 || report("keep the secondary", ECHILD);
}

static bool kill_child(void)
{
    CHECK(pthread_mutex_lock(&mutex));
    if (!child_gone && kill(child, SIGKILL) == -1)
        report("kill the secondary", errno);
    CHECK(pthread_mutex_unlock(&mutex));
    return report("wait for the secondary to end; so it was killed", ETIMEDOUT);
}

static bool principal(int lifeline, struct segment *segment, long rounds, long interval_ms)
{
    pthread_t signals, waiter;
    int error1 = pthread_create(&signals, NULL, take_signals, NULL);
    int error2 = pthread_create(&waiter, NULL, wait_for_child, NULL);
    bool well = error1 == 0 && error2 == 0 ? count(segment, rounds, interval_ms) : report("start threads", EAGAIN);
    if (close(lifeline) == -1)
        well = report("close the lifeline", errno);
    well = ((error2 == 0 && wait_for_end(2000, false)) || kill_child()) && well;
    if (error2 == 0)
        CHECK(pthread_join(waiter, NULL));
    else
        wait_for_child(NULL);
    bool killed = WIFSIGNALED(child_status);
    well = journal("reaped secondary1[%ld] %s %d", (long)child, killed ? "signal" : "status",
                   killed ? WTERMSIG(child_status) : WEXITSTATUS(child_status)) && well;
    return well && child_status == 0;
}

static bool refuse(const char *directory, const char *why)
{
    fprintf(stderr, "%s: use %s as run directory: %s\n", me, directory, why);
    return false;
}

static int open_directory(const char *path)
{
    struct stat found = { 0 };
    int directory = mkdir(path, S_IRWXU) == -1 && errno != EEXIST ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const char *why = directory == -1 && errno == ELOOP ? "it is a symbolic link"
                    : directory == -1 || fstat(directory, &found) == -1 ? strerror(errno)
                    : !S_ISDIR(found.st_mode) ? "it is no directory"
                    : found.st_uid != geteuid() ? "its owner is another user"
                    : found.st_mode & (S_IRWXG | S_IRWXO) ? "other users may enter it" : NULL;
    return why == NULL || refuse(path, why) ? directory : -1;
}

/* Takes the lock, removes the segment that a killed holder has left, notes the name of the new one. */
static bool occupy(int directory, const char *path, char *name, size_t size)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char note[128] = "";
    int file = openat(directory, "holder", O_RDWR | O_CREAT | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    while (file != -1 && fcntl(file, F_SETLK, &whole) == -1) {
        if ((errno != EACCES && errno != EAGAIN) || fcntl(file, F_GETLK, &whole) == -1)
            return refuse(path, strerror(errno));
        CHECK(snprintf(note, sizeof note, "process %ld has it", (long)whole.l_pid) < 0);
        if (whole.l_type != F_UNLCK)
            return refuse(path, note);
        whole.l_type = F_WRLCK;         /* the holder has ended between the two calls */
    }
    ssize_t got = file == -1 ? -1 : pread(file, note, sizeof note - 1, 0);
    if (got == -1)
        return refuse(path, strerror(errno));
    note[got] = '\0';
    if (strncmp(note, "/osps-", 6) == 0 && shm_unlink(note) == -1 && errno != ENOENT)
        return report("remove a segment that was left", errno);
    int length = snprintf(name, size, "/osps-%ld-%lld", (long)getpid(), birth_us);
    if (ftruncate(file, 0) == -1 || pwrite(file, name, (size_t)length, 0) != length)
        return refuse(path, "the file in it cannot be written");
    return true;
}

static struct segment *make_segment(const char *name)
{
    int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
    int error = file == -1 ? errno : posix_fallocate(file, 0, sizeof(struct segment));
    void *memory = MAP_FAILED;
    if (error == 0) {
        memory = mmap(NULL, sizeof(struct segment), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        error = memory == MAP_FAILED ? errno : 0;
    }
    if (file != -1 && (close(file) == -1 || (error != 0 && shm_unlink(name) == -1)))
        report("give up the segment", errno);
    if (error != 0)
        report("make the segment", error);
    return error == 0 ? memory : NULL;
}

static int die_by(int number)
{
    sigset_t one;
    if (signal(number, SIG_DFL) == SIG_ERR || sigemptyset(&one) == -1 || sigaddset(&one, number) == -1
        || pthread_sigmask(SIG_UNBLOCK, &one, NULL) != 0 || raise(number) != 0)
        report("die by a signal", errno);
    return EXIT_FAILURE;
}

static int work(int directory, const char *path, long rounds, long interval_ms)
{
    char name[64];
    int lifeline[2];
    if (!occupy(directory, path, name, sizeof name) || !journal("start"))
        return EXIT_FAILURE;
    struct segment *segment = make_segment(name);
    if (segment == NULL)
        return EXIT_FAILURE;
    bool well = pipe(lifeline) == 0 && (child = fork()) != -1;
    if (!well)
        report("make a pipe and fork", errno);
    else if (child == 0)
        return close(lifeline[1]) == -1 ? EXIT_FAILURE : secondary(lifeline[0], segment, interval_ms);
    else
        well = principal(lifeline[1], segment, rounds, interval_ms) && close(lifeline[0]) == 0;
    well = (shm_unlink(name) == 0 || report("remove the segment", errno)) && well;
    well = journal("exit") && well;
    int number = is_stopped();
    return number != 0 ? die_by(number) : well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_usage(FILE *output, int status)
{
    fputs(status == 2 ? "principal: read the options: one is unknown or out of range\n" : "", output);
    fputs("Usage: principal [-hq] [-n ROUNDS] [-i INTERVAL_MS] [-d DIR]\n"
          "  ROUNDS from 0 to 999999999, INTERVAL_MS from 1 to 9999999\n", output);
    return fflush(output) == EOF ? EXIT_FAILURE : status;
}

static bool is_number(const char *text, long lowest, long highest, long *number)
{
    char *rest;
    *number = strtol(text, &rest, 10);          /* out of a long's range it gives the nearest: out of ours */
    return rest != text && *rest == '\0' && strspn(text, "0123456789") == strlen(text)
        && *number >= lowest && *number <= highest;
}

int main(int argc, char *argv[])
{
    static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    const char *given = getenv("OSPS_DIR");
    long rounds = 20, interval_ms = 250;
    char path[1024];
    int option, fd;
    birth_us = now_us();
    while ((option = getopt(argc, argv, "hqn:i:d:")) != -1)
        if (option == 'h')
            return show_usage(stdout, EXIT_SUCCESS);
        else if (option == 'q')
            quiet = true;
        else if (option == 'd')
            given = optarg;
        else if (!(option == 'n' && is_number(optarg, 0, 999999999, &rounds))
                 && !(option == 'i' && is_number(optarg, 1, 9999999, &interval_ms)))
            return show_usage(stderr, 2);
    if (optind < argc)
        return show_usage(stderr, 2);
    int length = given != NULL && *given != '\0' ? snprintf(path, sizeof path, "%s", given)
                                                 : snprintf(path, sizeof path, "/tmp/osps-%ld", (long)geteuid());
    if (length < 0 || (size_t)length >= sizeof path)
        return refuse(given, "its name is too long"), EXIT_FAILURE;
    while (length > 1 && path[length - 1] == '/')       /* a link with a slash behind it would be followed */
        path[--length] = '\0';
    /* Closed standard descriptors would be given to the next file. A write to one that can only be read fails. */
    while ((fd = open("/dev/null", O_RDONLY)) <= STDERR_FILENO)
        if (fd == -1)
            return report("open /dev/null", errno), EXIT_FAILURE;
    CHECK(close(fd));
    pthread_condattr_t clock;
    CHECK(pthread_condattr_init(&clock));
    CHECK(pthread_condattr_setclock(&clock, CLOCK_MONOTONIC));
    CHECK(pthread_cond_init(&changed, &clock));
    CHECK(sigemptyset(&awaited));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        CHECK(sigaddset(&awaited, ends[i]));
    CHECK(pthread_sigmask(SIG_SETMASK, &awaited, NULL));
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return report("set signals", errno), EXIT_FAILURE;
    umask(S_IRWXG | S_IRWXO);
    int directory = open_directory(path);
    return directory == -1 ? EXIT_FAILURE : work(directory, path, rounds, interval_ms);
}
