/*
 * principal.c - step 2 with threads: one plays, one takes the signals, one waits for the child, one watches them.
 *
 * What is different about it:
 * - The player calls open(2), read(2) and write(2) that block, and knows no time. The main thread watches it: if it
 *   makes no progress, or is to stop, it is kicked out of the call that it hangs in, by SIGUSR1 (pthread_kill(3)).
 * - The only handler is that one's, and does nothing. The signals that end us are blocked: a thread takes them with
 *   sigwait(2). Another thread sits in a waitid(2) that blocks.
 * - The pipes are opened after the fork, for writing first in one process, for reading first in the other.
 * - The pipes have whole path names. No shared memory: the pipes are enough.
 * - The lock is on the whole file `holder`; F_GETLK tells who holds it.
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
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(call) check((call), #call)

enum { LOOK_MS = 250, MAX_SILENT_LOOKS = 20, KICK_MS = 10, LEAVE_MS = 2000 };
enum { NAME_SIZE = 1024, PATH_SIZE = NAME_SIZE + 16 };

static char dwtube[PATH_SIZE], wdtube[PATH_SIZE], lock_file[PATH_SIZE];
static char me[32] = "principal";
static long exchanges = 20;
static bool quiet;
static long long birth_us;
static sigset_t awaited;
static pid_t child, parent;             /* the child is 0 in the secondary */
static atomic_long progress;            /* counts whatever the player has got done */
static atomic_bool leave;               /* the player is to leave */
static int in = -1, out = -1;           /* the player's; read by others only after they have joined it */

/* What the threads tell each other. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed;
static int player_is_done, played_well;
static int child_gone, child_status;    /* while it is not gone, its pid is its own */
static int stopped_by;                  /* a signal */

static bool report(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s: %s\n", me, what, why);
    return false;
}

/* For the calls that fail only if we are wrong ourselves. */
static void check(int error, const char *call)
{
    if (error != 0 && !report(call, strerror(error == -1 ? errno : error)))
        abort();
}

static long long now_us(void)
{
    struct timespec now = { 0, 0 };
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now));
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static void tell(int *what, int value)
{
    CHECK(pthread_mutex_lock(&mutex));
    *what = value;
    CHECK(pthread_cond_broadcast(&changed));
    CHECK(pthread_mutex_unlock(&mutex));
}

static bool any_news(void) { return player_is_done || stopped_by != 0 || child_gone; }
static bool is_child_gone(void) { return child_gone != 0; }
static bool is_player_done(void) { return player_is_done != 0; }
static bool is_stopped(void) { return stopped_by != 0; }

/* Until it is so, or the time is up. */
static bool wait_until(bool (*is_so)(void), long milliseconds)
{
    long long us = now_us() + milliseconds * 1000;
    const struct timespec until = { .tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000 };
    int error = 0;
    CHECK(pthread_mutex_lock(&mutex));
    while (!is_so() && error == 0)
        error = pthread_cond_timedwait(&changed, &mutex, &until);
    CHECK(error == ETIMEDOUT ? 0 : error);
    bool so = is_so();
    CHECK(pthread_mutex_unlock(&mutex));
    return so;
}

static void do_nothing(int number)
{
    (void)number;               /* the signal's work is done: a call was interrupted */
}

/* After a call that has failed: again, unless it was meant to leave it. */
static bool again(void)
{
    return errno == EINTR && !atomic_load(&leave);
}

static bool journal_is_stuck(int milliseconds)
{
    struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };
    int ready = poll(&output, 1, milliseconds);
    return ready == 0 || (ready == -1 && errno == EINTR);
}

/* Whoever was told to stop loses the line rather than wait for somebody to read it. */
static bool journal(const char *format, ...)
{
    char text[80], line[160];
    long long us = now_us() - birth_us;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof text, format, values);
    va_end(values);
    length = length < 0 ? -1 : snprintf(line, sizeof line, "%lld.%06lld %s[%ld] %s\n", us / 1000000, us % 1000000, me,
                                        (long)getpid(), text);
    while (journal_is_stuck(LOOK_MS))
        if (atomic_load(&leave) || wait_until(is_stopped, 0))
            return false;
    ssize_t done;
    do
        done = length < 0 ? -1 : write(STDOUT_FILENO, line, (size_t)length);
    while (done == -1 && length >= 0 && again());
    return done == length || report("write a line of the journal", done == -1 ? strerror(errno) : "no room for it");
}

static int open_pipe(const char *path, int mode)
{
    int fd;
    do
        fd = open(path, mode | O_NOFOLLOW);
    while (fd == -1 && again());
    if (fd == -1 && !atomic_load(&leave))
        report(path, strerror(errno));
    atomic_fetch_add(&progress, 1);
    return fd;
}

static bool send_word(const char *word)
{
    size_t length = strlen(word);
    ssize_t written;
    do
        written = write(out, word, length);
    while (written == -1 && again());
    return written == (ssize_t)length || report("write to a pipe", written == -1 ? strerror(errno) : "it is full");
}

/* The next word is this one. If it is `other`, that is said there. */
static bool expect_word(const char *expected, const char *other, bool *is_other)
{
    char word[6] = "";
    for (size_t length = 0; length < 5; ) {     /* all words are of 5 bytes */
        ssize_t got = read(in, word + length, 5 - length);
        if (got == -1 && errno == EINTR && atomic_load(&leave))
            return false;
        if (got == 0 || (got == -1 && errno != EINTR))
            return report("read from a pipe", got == 0 ? "the other side has ended" : strerror(errno));
        length += got > 0 ? (size_t)got : 0;
    }
    atomic_fetch_add(&progress, 1);
    *is_other = strcmp(word, other) == 0;
    return *is_other || strcmp(word, expected) == 0 || report("read from a pipe", "a word that is not due");
}

static bool play_principal(void)
{
    bool is_other;
    if ((out = open_pipe(dwtube, O_WRONLY)) == -1 || (in = open_pipe(wdtube, O_RDONLY)) == -1)
        return false;
    for (long k = 1; k <= exchanges; k++)
        if ((!quiet && !journal("ping %ld", k)) || !send_word("ping\n") || !expect_word("pong\n", "", &is_other))
            return false;
    return journal("exchanges %ld", exchanges);
}

static bool play_secondary(void)
{
    bool is_stop = false;
    if (!journal("start") || (in = open_pipe(dwtube, O_RDONLY)) == -1 || (out = open_pipe(wdtube, O_WRONLY)) == -1)
        return false;
    for (long k = 1; expect_word("ping\n", "stop\n", &is_stop) && !is_stop; k++)
        if ((!quiet && !journal("pong %ld", k)) || !send_word("pong\n"))
            return false;
    return is_stop;
}

static void *play(void *unused)
{
    tell(&played_well, child == 0 ? play_secondary() : play_principal());
    tell(&player_is_done, true);
    return unused;
}

static void *take_signals(void *unused)
{
    int number;
    while (sigwait(&awaited, &number) == 0)
        tell(&stopped_by, number);
    return unused;
}

/* Waits without the mutex, reaps with it. */
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

static void send_signal(int number)
{
    CHECK(pthread_mutex_lock(&mutex));
    if (!child_gone && kill(child, number) == -1)
        report("send a signal to the secondary", strerror(errno));
    CHECK(pthread_mutex_unlock(&mutex));
}

/* Until the player is done, or cannot go on. Looks, not time, are counted: a stopped process (Ctrl-Z) does not look. */
static bool watch_player(void)
{
    pthread_t signals, player;
    const char *why = NULL;
    long seen = -1;
    int error1 = pthread_create(&signals, NULL, take_signals, NULL);
    int error2 = pthread_create(&player, NULL, play, NULL);
    if (error1 != 0 || error2 != 0)
        why = strerror(error1 != 0 ? error1 : error2);
    for (int silent = 0; why == NULL && !wait_until(any_news, LOOK_MS); ) {
        long now = atomic_load(&progress);
        silent = now != seen || journal_is_stuck(0) ? 0 : silent + 1;
        seen = now;
        why = silent == MAX_SILENT_LOOKS ? "it gives no sign of life"
            : child == 0 && getppid() != parent ? "it has ended" : NULL;
    }
    if (error2 == 0) {
        bool left_alone = wait_until(is_player_done, 0);
        if (why == NULL && !left_alone && wait_until(is_child_gone, 0))
            why = "it has ended";
        atomic_store(&leave, true);
        while (!wait_until(is_player_done, KICK_MS))
            CHECK(pthread_kill(player, SIGUSR1));
        CHECK(pthread_join(player, NULL));
        atomic_store(&leave, false);
    }
    return why == NULL ? played_well != 0 : report("play with the other side", why);
}

static bool principal(void)
{
    pthread_t waiter;
    int error = pthread_create(&waiter, NULL, wait_for_child, NULL);
    bool well = error == 0 ? watch_player() : report("start a thread", strerror(error));
    if (in == -1)
        send_signal(SIGTERM);
    else if (write(out, "stop\n", 5) != 5 && errno != EPIPE)
        well = report("say stop", strerror(errno));
    bool obeys = error == 0 && wait_until(is_child_gone, LEAVE_MS);
    if (!obeys) {
        report("wait for the secondary", "it does not end, so it is killed");
        send_signal(SIGKILL);
    }
    if (error == 0)
        CHECK(pthread_join(waiter, NULL));
    else
        wait_for_child(NULL);
    int status = child_status;
    return journal("reaped secondary1[%ld] %s %d", (long)child, WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)) && obeys && well && status == 0;
}

static int secondary(void)
{
    snprintf(me, sizeof me, "secondary1");
    if (sigemptyset(&awaited) == -1 || sigaddset(&awaited, SIGTERM) == -1)     /* Ctrl-C is not for us */
        return EXIT_FAILURE;
    return watch_player() ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool open_directory(const char *path)
{
    struct stat found = { 0 };
    int directory = mkdir(path, S_IRWXU) == -1 && errno != EEXIST ? -1 : open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    const char *why = directory == -1 && errno == ELOOP ? "it is a symbolic link"
                    : directory == -1 || fstat(directory, &found) == -1 ? strerror(errno)
                    : !S_ISDIR(found.st_mode) ? "it is no directory"
                    : found.st_uid != geteuid() ? "its owner is another user"
                    : found.st_mode & (S_IRWXG | S_IRWXO) ? "other users may enter it" : NULL;
    return why == NULL ? close(directory) == 0 : report(path, why);
}

static bool occupy(const char *path)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    char note[64] = "";
    int file = open(lock_file, O_RDWR | O_CREAT | O_NOFOLLOW, S_IRUSR | S_IWUSR);
    while (file == -1 || fcntl(file, F_SETLK, &whole) == -1) {
        if (file == -1 || (errno != EACCES && errno != EAGAIN) || fcntl(file, F_GETLK, &whole) == -1)
            return report(lock_file, strerror(errno));
        CHECK(snprintf(note, sizeof note, "process %ld has it", (long)whole.l_pid) < 0);
        if (whole.l_type != F_UNLCK)
            return report(path, note);
        whole.l_type = F_WRLCK;         /* the holder has ended between the two calls */
    }
    return true;
}

static bool make(const char *path)
{
    return ((unlink(path) == 0 || errno == ENOENT) && mkfifo(path, S_IRUSR | S_IWUSR) == 0)
        || report(path, strerror(errno));
}

static int die_by(int number)
{
    sigset_t one;
    if (signal(number, SIG_DFL) == SIG_ERR || sigemptyset(&one) == -1 || sigaddset(&one, number) == -1
        || pthread_sigmask(SIG_UNBLOCK, &one, NULL) != 0 || raise(number) != 0)
        report("die by a signal", strerror(errno));
    return EXIT_FAILURE;
}

static int work(void)
{
    if (!journal("start") || !make(dwtube))
        return EXIT_FAILURE;
    bool well = make(wdtube);
    if (well) {
        parent = getpid();
        child = fork();
        if (child == 0)
            return secondary();
        well = child != -1 ? principal() : report("fork", strerror(errno));
        well = (unlink(wdtube) == 0 || report(wdtube, strerror(errno))) && well;
    }
    well = (unlink(dwtube) == 0 || report(dwtube, strerror(errno))) && well;
    well = journal("exit") && well;
    CHECK(pthread_mutex_lock(&mutex));
    int number = stopped_by;
    CHECK(pthread_mutex_unlock(&mutex));
    return number != 0 ? die_by(number) : well ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int show_usage(FILE *output, int status)
{
    fputs(status == 2 ? "principal: read the options: one is unknown or out of range\n" : "", output);
    fputs("Usage: principal [-hq] [-n EXCHANGES] [-d DIR]\n  EXCHANGES from 0 to 999999999\n", output);
    return fflush(output) == EOF ? EXIT_FAILURE : status;
}

int main(int argc, char *argv[])
{
    static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
    const char *given = getenv("OSPS_DIR");
    char path[NAME_SIZE], *rest;
    int option, fd;
    birth_us = now_us();
    while ((option = getopt(argc, argv, "hqn:d:")) != -1)
        if (option == 'h')
            return show_usage(stdout, EXIT_SUCCESS);
        else if (option == 'q')
            quiet = true;
        else if (option == 'd' && *optarg != '\0')
            given = optarg;
        else if (option != 'n' || *optarg < '0' || *optarg > '9' || (exchanges = strtol(optarg, &rest, 10)) > 999999999
                 || *rest != '\0')
            return show_usage(stderr, 2);
    if (optind < argc)
        return show_usage(stderr, 2);
    int length = given != NULL && *given != '\0' ? snprintf(path, sizeof path, "%s", given)
                                                 : snprintf(path, sizeof path, "/tmp/osps-%ld", (long)geteuid());
    if (length < 0 || (size_t)length >= sizeof path)
        return report("use the run directory", "its name is too long"), EXIT_FAILURE;
    while (length > 1 && path[length - 1] == '/')       /* a link with a slash behind it would be followed */
        path[--length] = '\0';
    CHECK(snprintf(dwtube, sizeof dwtube, "%s/dwtube1", path) < 0);
    CHECK(snprintf(wdtube, sizeof wdtube, "%s/wdtube1", path) < 0);
    CHECK(snprintf(lock_file, sizeof lock_file, "%s/holder", path) < 0);
    /* Closed standard descriptors would be given to the next file. A write to one that can only be read fails. */
    while ((fd = open("/dev/null", O_RDONLY)) <= STDERR_FILENO)
        if (fd == -1)
            return report("open /dev/null", strerror(errno)), EXIT_FAILURE;
    CHECK(close(fd));
    pthread_condattr_t clock;
    CHECK(pthread_condattr_init(&clock));
    CHECK(pthread_condattr_setclock(&clock, CLOCK_MONOTONIC));
    CHECK(pthread_cond_init(&changed, &clock));
    CHECK(sigemptyset(&awaited));
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        CHECK(sigaddset(&awaited, ends[i]));
    CHECK(pthread_sigmask(SIG_SETMASK, &awaited, NULL));
    struct sigaction kick = { .sa_handler = do_nothing };
    CHECK(sigemptyset(&kick.sa_mask));
    CHECK(sigaction(SIGUSR1, &kick, NULL));
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR)
        return report("set signals", strerror(errno)), EXIT_FAILURE;
    umask(S_IRWXG | S_IRWXO);
    return open_directory(path) && occupy(path) ? work() : EXIT_FAILURE;
}
