/* heal: how long a server that dies or freezes is missing.
 *
 *     heal WATCHDOG DIRECTORY POLICY SIGNAL COUNT          heal ../../step3_watchdog/watchdog /tmp/x direct KILL 100
 *
 * Starts a WATCHDOG with fifty secondaries, strikes one after the other with SIGNAL (KILL or STOP), and takes the time from the
 * blow until the journal says that it is replaced. Fifty, because one that dies again and again is started later each time, on
 * purpose. Each is struck when the last one has been back for a while, at no fixed phase of the watchdog's period. Prints
 * minimum, median, 99th percentile and maximum, in milliseconds.
 */
#include "line.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDARIES = 50, MAX_COUNT = 1000, LIMIT_MS = 10000 };

static pid_t watchdog;
static pid_t pids[1 + SECONDARIES];
static struct line_reader journal;

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static _Noreturn void fail(const char *what)
{
    (void)fprintf(stderr, "heal: %s\n", what);
    if (watchdog > 0)
        (void)kill(watchdog, SIGTERM);
    exit(EXIT_FAILURE);
}

static void start(const char *program, const char *directory, const char *policy)
{
    int ends[2];

    if (pipe(ends) == -1 || (watchdog = fork()) == -1)
        fail("cannot start the watchdog");
    if (watchdog == 0) {
        if (dup2(ends[1], STDOUT_FILENO) == -1)
            _exit(127);
        (void)close(ends[0]);
        (void)close(ends[1]);
        (void)execl(program, program, "-q", "-n", "50", "-p", "200", "-t", "100", "-r", policy, "-d", directory, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == -1)
        fail("cannot set the journal's pipe to not block");
    line_reader_init(&journal, ends[0]);
}

/* Reads the journal until it tells that secondary `number` has begun, and notes its pid. */
static void await_start(int number)
{
    int64_t until_us = now_us() + LIMIT_MS * 1000;
    struct pollfd readable = { .fd = journal.fd, .events = POLLIN };
    char line[LINE_ROOM], wanted[32];

    (void)snprintf(wanted, sizeof wanted, "started secondary%d[", number);
    for (;;) {
        enum line_status status = line_read(&journal, line);
        const char *found = status == LINE_READY ? strstr(line, wanted) : NULL;

        if (found != NULL) {
            pids[number] = (pid_t)strtol(found + strlen(wanted), NULL, 10);
            return;
        }
        if (status == LINE_END || status == LINE_ERROR || now_us() > until_us)
            fail("a secondary is not replaced");
        if (status == LINE_NONE)
            (void)poll(&readable, 1, 100);
    }
}

/* Milliseconds. A pause of changing length before it. */
static double strike(int number, int signal_number, int round)
{
    struct timespec pause = { .tv_nsec = (10 + round * 37 % 50) * 1000000L };
    int64_t struck_us;

    (void)nanosleep(&pause, NULL);
    struck_us = now_us();
    if (kill(pids[number], signal_number) == -1)
        fail("there is nobody to strike");
    await_start(number);
    return (double)(now_us() - struck_us) / 1000;
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return (difference > 0) - (difference < 0);
}

int main(int argc, char *argv[])
{
    static double ms[MAX_COUNT];
    int count = argc == 6 ? atoi(argv[5]) : 0;

    if (count < 1 || count > MAX_COUNT) {
        (void)fprintf(stderr, "usage: heal WATCHDOG DIRECTORY POLICY KILL|STOP COUNT\n");
        return 2;
    }
    start(argv[1], argv[2], argv[3]);
    for (int number = 1; number <= SECONDARIES; number++)
        await_start(number);
    for (int i = 0; i < count; i++)
        ms[i] = strike(1 + i % SECONDARIES, strcmp(argv[4], "STOP") == 0 ? SIGSTOP : SIGKILL, i);
    qsort(ms, (size_t)count, sizeof *ms, compare);
    (void)printf("%.2f %.2f %.2f %.2f\n", ms[0], ms[count / 2], ms[(count * 99 - 1) / 100], ms[count - 1]);
    if (kill(watchdog, SIGTERM) == -1 || waitpid(watchdog, NULL, 0) == -1)
        fail("the watchdog has ended by itself");
    return EXIT_SUCCESS;
}
