/* See experiment.h. */
#include "experiment.h"

#include "clock.h"
#include "journal.h"
#include "options.h"
#include "process.h"
#include "waiting.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_UNDO = 4, NAP_MS = 5 };

static const char rule[] = "==============================================================================";

static char program[32];
static const char *program_path;
static sigset_t signals;    /* that tell us to end */
static int failed_claims;
static pid_t owner;         /* the process that is to clean up */
static void (*undo_list[MAX_UNDO])(void);

/* Ending */

/* Whichever way we end, except by SIGKILL. */
static void clean_up(void)
{
    /* exit(3) runs this in a child as well, where there is nothing to clean up. */
    if (getpid() != owner)
        return;
    end_children();
    for (int i = MAX_UNDO - 1; i >= 0; i--)
        if (undo_list[i] != NULL)
            undo_list[i]();
}

void at_end(void (*undo)(void))
{
    for (int i = 0; i < MAX_UNDO; i++)
        if (undo_list[i] == NULL) {
            undo_list[i] = undo;
            return;
        }
    diex("at_end: no room");
}

/* Beginning, and what is said */

void experiment_begin(int argc, char *const argv[], const char *number, const char *question)
{
    static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, 0 };
    static char usage[256];
    int option;

    program_path = argv[0];
    owner = getpid();
    (void)snprintf(program, sizeof program, "experiment_%s", number);
    (void)snprintf(usage, sizeof usage, "usage: %s\n  -h  this text\nIt answers: %s\n", program, question);
    options_init(program, usage);
    while ((option = getopt(argc, argv, ":h")) != -1) {
        if (option == 'h')
            print_usage();
        wrong_option(option);
    }
    expect_no_operand(argc, argv);
    journal_init(program, false);
    if (block_signals(&signals, wanted) == -1)
        die("block signals");
    /* By lines: what stands in the buffer at a fork(2) would come twice. */
    if (setvbuf(stdout, NULL, _IOLBF, 0) != 0 || atexit(clean_up) != 0)
        diex("begin: no memory");
    (void)printf("\n%s\n  Experiment %s   %s\n%s\n", rule, number, question, rule);
}

void scene(const char *title)
{
    (void)printf("\n  %s\n", title);
}

void say(const char *format, ...)
{
    va_list arguments;

    (void)fputs("     ", stdout);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

void claim(bool holds, const char *format, ...)
{
    va_list arguments;

    (void)fputs(holds ? "  ok   " : "  FAILED   this is not true: ", stdout);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
    failed_claims += !holds;
}

int experiment_end(const char *should_show)
{
    (void)printf("\n  What it should show\n%s\n", should_show);
    if (failed_claims > 0)
        (void)printf("  FAILED   claims that did not hold: %d\n\n", failed_claims);
    if (fflush(stdout) == EOF || ferror(stdout))
        diex("write to standard output: it failed");
    return failed_claims == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

const char *beside_program(const char *path)
{
    static char found[4096];
    const char *slash = strrchr(program_path, '/');
    int directory_length = slash == NULL ? 0 : (int)(slash + 1 - program_path);
    int length = snprintf(found, sizeof found, "%.*s%s", directory_length, program_path, path);

    if (length < 0 || (size_t)length >= sizeof found)
        diex("find %s: the path is too long", path);
    return found;
}

/* Waiting */

int64_t clock_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void pass_ms(int ms)
{
    int signal_number = wait_for_signal(&signals, clock_ms() + ms);

    if (signal_number == -1)
        die("wait for a signal");
    if (signal_number > 0)
        exit(128 + signal_number);
}

bool eventually(bool (*is_so)(pid_t pid), pid_t pid, int limit_ms)
{
    int64_t deadline_ms = clock_ms() + limit_ms;

    while (!is_so(pid)) {
        if (clock_ms() > deadline_ms)
            return false;
        pass_ms(NAP_MS);
    }
    return true;
}

bool can_read(int fd, int limit_ms)
{
    struct pollfd wanted = { .fd = fd, .events = POLLIN };
    int64_t deadline_ms = clock_ms() + limit_ms;

    while (poll(&wanted, 1, limit_ms == 0 ? 0 : NAP_MS) <= 0) {
        if (clock_ms() >= deadline_ms)
            return false;
        pass_ms(0);
    }
    /* It may be the end of somebody whom Ctrl-C has ended: then it is for us as well. */
    pass_ms(0);
    return true;
}
