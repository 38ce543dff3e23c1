/*
 * rude.c - a program that misbehaves on request, to test the supervisor: rude MANNER [ARGUMENT]
 *
 * Run by supervise.bats. Everything rude ends by itself after TOO_LONG_S, in case the supervisor fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TOO_LONG_S = 8, TOO_MANY = 1500, TOO_MUCH_MB = 1024 };

static void sleep_ms(long milliseconds)
{
    struct timespec left = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
}

/* fork, with its own end in sight */
static pid_t fork_child(void)
{
    pid_t pid = fork();
    if (pid == 0)
        alarm(TOO_LONG_S);
    return pid;
}

static void leave_zombie(const char *milliseconds)
{
    if (fork_child() == 0)
        _exit(0);
    sleep_ms(atol(milliseconds));
}

static void leave_child(const char *milliseconds)
{
    if (fork_child() != 0)
        return;
    setsid();
    sleep_ms(atol(milliseconds));
    _exit(0);
}

/* The grandchild's parent ends at once: nobody in this program knows of it any more. */
static void leave_daemon(const char *milliseconds)
{
    if (fork_child() == 0) {
        leave_child("100000");
        _exit(0);
    }
    sleep_ms(atol(milliseconds));
}

static void leave_stopped_child(const char *unused)
{
    (void)unused;
    if (fork_child() == 0) {
        raise(SIGSTOP);
        _exit(0);
    }
    sleep_ms(100);
}

static void be_deaf(const char *unused)
{
    (void)unused;
    for (int number = 1; number < NSIG; number++)
        if (number != SIGALRM)
            signal(number, SIG_IGN);
    puts("deaf");
    fflush(stdout);
    for (;;)
        pause();
}

static void be_busy(const char *unused)
{
    (void)unused;
    for (volatile unsigned long turns = 0;; turns++)
        ;
}

static void babble(const char *unused)
{
    static char block[1 << 16];
    (void)unused;
    memset(block, 'b', sizeof block);
    while (write(STDOUT_FILENO, block, sizeof block) > 0)
        ;
}

/* What it must not write it tries to write again, for ever. */
static void babble_on(const char *unused)
{
    signal(SIGXFSZ, SIG_IGN);
    for (;;)
        babble(unused);
}

/* One file after the other, none of them too large, in the run directory. */
static void fill_disk(const char *unused)
{
    enum { FILE_MB = 15, FILES = 60 };
    static char block[1 << 20];
    const char *directory = getenv("OSPS_DIR");
    (void)unused;
    if (directory == NULL || mkdir(directory, 0700) == -1)
        return;
    for (int number = 0; number < FILES; number++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%d", directory, number);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        for (int i = 0; fd != -1 && i < FILE_MB; i++)
            if (write(fd, block, sizeof block) == -1)
                return;
        close(fd);
    }
    pause();
}

/* More and more, and at each bite a child that has all of it too: so it is over sooner. */
static void eat(const char *unused)
{
    enum { BITE_MB = 32, BITE = BITE_MB << 20 };
    (void)unused;
    for (int eaten_mb = 0; eaten_mb < TOO_MUCH_MB; eaten_mb += BITE_MB) {
        char *more = mmap(NULL, BITE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED)
            break;
        memset(more, 'e', BITE);
        if (fork_child() == 0)
            break;
    }
    for (;;)
        pause();
}

/* Each child forks on, in a session of its own, and every other one dies at once. */
static void breed(const char *unused)
{
    volatile unsigned *count = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)unused;
    while (count != MAP_FAILED && __atomic_add_fetch(count, 1, __ATOMIC_RELAXED) < TOO_MANY)
        if (fork_child() == 0 && setsid() != -1 && fork_child() != 0)
            _exit(0);
    for (;;)
        pause();
}

/* The program ends at once, what came of it breeds on. */
static void breed_as_orphan(const char *unused)
{
    if (fork_child() == 0)
        breed(unused);
}

/* Its parent is the supervisor. */
static void strike_parent(const char *signal_number)
{
    if (fork_child() == 0) {
        setsid();
        be_deaf("");
    }
    sleep_ms(100);
    kill(getppid(), atoi(signal_number));
    pause();
}

/* As a server answers a parent that it has no longer. */
static void answer_lost_parent(const char *unused)
{
    (void)unused;
    pid_t program = getpid();
    if (fork_child() == 0) {
        while (getppid() == program)
            sleep_ms(1);
        sleep_ms(100);
        kill(getppid(), SIGUSR1);
        kill(getppid(), SIGUSR2);
        kill(getppid(), SIGTERM);
        sleep_ms(100);
        _exit(0);
    }
}

/* By a signal that nobody minds, in case nothing prevents it. */
static void strike_everybody(const char *unused)
{
    (void)unused;
    kill(-1, SIGURG);
}

static void leave_pipe(const char *path)
{
    mkfifo(path, 0600);
}

/* Long enough for the supervisor to see whose it is. */
static void leave_segment(const char *name)
{
    int fd = shm_open(name, O_RDWR | O_CREAT, 0600);
    if (fd == -1 || ftruncate(fd, 4096) == -1
        || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
        perror("rude: make a segment");
    puts("mapped");
    fflush(stdout);
    sleep_ms(300);
}

static void leave_semaphore(const char *name)
{
    if (sem_open(name, O_CREAT | O_EXCL, 0600, 1) == SEM_FAILED)
        perror("rude: make a semaphore");
    sleep_ms(300);
}

static void leave_sysv_segment(const char *unused)
{
    (void)unused;
    printf("%d\n", shmget(IPC_PRIVATE, 4096, 0600));
}

static void close_everything(const char *unused)
{
    (void)unused;
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    leave_child("100000");
}

static void crash(const char *unused)
{
    (void)unused;
    raise(SIGSEGV);
}

static void end_with(const char *status)
{
    exit(atoi(status));
}

static void just_sleep(const char *milliseconds)
{
    sleep_ms(atol(milliseconds));
}

static const struct {
    const char *name;
    void (*behave)(const char *argument);
} manners[] = {
    { "zombie", leave_zombie },         { "child", leave_child },       { "daemon", leave_daemon },
    { "stopped", leave_stopped_child }, { "deaf", be_deaf },            { "busy", be_busy },
    { "babble", babble },               { "breed", breed },             { "pipe", leave_pipe },
    { "segment", leave_segment },       { "closed", close_everything }, { "crash", crash },
    { "status", end_with },             { "sleep", just_sleep },        { "babble-on", babble_on },
    { "eat", eat },                     { "orphans", breed_as_orphan }, { "parent", strike_parent },
    { "answer", answer_lost_parent },   { "everybody", strike_everybody },
    { "fill", fill_disk },              { "semaphore", leave_semaphore },
    { "sysv", leave_sysv_segment },
};

int main(int argc, char **argv)
{
    alarm(TOO_LONG_S);
    for (size_t i = 0; argc > 1 && i < sizeof manners / sizeof manners[0]; i++)
        if (strcmp(argv[1], manners[i].name) == 0) {
            manners[i].behave(argc > 2 ? argv[2] : "0");
            return 0;
        }
    fputs("usage: rude MANNER [ARGUMENT]\n", stderr);
    return 2;
}
