/* See experiment.h. */
#include "experiment.h"

#include "clock.h"
#include "journal.h"
#include "options.h"
#include "waiting.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_CHILDREN = 128,
    MAX_UNDO = 4,
    NAP_MS = 5,
    LAST_WORDS_MS = 3000,   /* a child may take so long to clean up, when it is told to end */
    LONGEST_LIFE_S = 30     /* of a child, should we be killed and not end it */
};

static const char rule[] = "==============================================================================";

static char program[32];
static const char *program_path;
static sigset_t signals;    /* that tell us to end */
static int failed_claims;
static pid_t children[MAX_CHILDREN];
static void (*undo_list[MAX_UNDO])(void);

/* Ending */

static void forget_child(pid_t pid)
{
    for (int i = 0; i < MAX_CHILDREN; i++)
        if (children[i] == pid)
            children[i] = 0;
}

static bool has_children(void)
{
    for (int i = 0; i < MAX_CHILDREN; i++)
        if (children[i] != 0)
            return true;
    return false;
}

/* A pid stays its child's until it is waited for, so no stranger is hit. SIGCONT: who is stopped
 * would not hear SIGTERM. */
static void signal_children(int signal_number)
{
    for (int i = 0; i < MAX_CHILDREN; i++)
        if (children[i] != 0) {
            (void)kill(children[i], signal_number);
            (void)kill(children[i], SIGCONT);
        }
}

static void reap_children(int limit_ms)
{
    const struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };
    int64_t deadline_ms = clock_ms() + limit_ms;

    for (;;) {
        for (int i = 0; i < MAX_CHILDREN; i++)
            if (children[i] != 0 && waitpid(children[i], NULL, WNOHANG) != 0)
                children[i] = 0;
        if (!has_children() || clock_ms() > deadline_ms)
            return;
        (void)nanosleep(&nap, NULL);
    }
}

/* Whichever way we end, except by SIGKILL. */
static void clean_up(void)
{
    signal_children(SIGTERM);
    reap_children(LAST_WORDS_MS);
    signal_children(SIGKILL);
    reap_children(LAST_WORDS_MS);
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
    return true;
}

/* Processes */

void note_child(pid_t pid)
{
    if (pid == -1)
        die("fork");
    for (int i = 0; i < MAX_CHILDREN; i++)
        if (children[i] == 0) {
            children[i] = pid;
            return;
        }
    (void)kill(pid, SIGKILL);
    diex("note child %ld: no room", (long)pid);
}

void begin_child(void)
{
    memset(children, 0, sizeof children);
    for (int i = 0; i < MAX_UNDO; i++)
        undo_list[i] = NULL;
    if (sigprocmask(SIG_UNBLOCK, &signals, NULL) == -1)
        die("let signals in");
    (void)alarm(LONGEST_LIFE_S);
}

int await_child(pid_t pid, int limit_ms)
{
    int64_t deadline_ms = clock_ms() + limit_ms;
    int status;
    pid_t answer;

    while ((answer = waitpid(pid, &status, WNOHANG)) == 0) {
        if (clock_ms() > deadline_ms)
            diex("wait for child %ld: still there after %d ms", (long)pid, limit_ms);
        pass_ms(NAP_MS);
    }
    if (answer == -1)
        die("wait for child %ld", (long)pid);
    forget_child(pid);
    return status;
}

/* The name of the program, in brackets, may have brackets and blanks in it. */
static bool read_stat(pid_t pid, char *state, long *parent)
{
    char path[64];
    char text[512];
    const char *bracket = NULL;
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    if (fgets(text, sizeof text, file) != NULL)
        bracket = strrchr(text, ')');
    (void)fclose(file);
    return bracket != NULL && sscanf(bracket, ") %c %ld", state, parent) == 2;
}

char state_of(pid_t pid)
{
    char state;
    long parent;

    return read_stat(pid, &state, &parent) ? state : 0;
}

pid_t parent_of(pid_t pid)
{
    char state;
    long parent;

    return read_stat(pid, &state, &parent) ? (pid_t)parent : 0;
}

bool is_zombie(pid_t pid)
{
    return state_of(pid) == 'Z';
}

bool is_stopped(pid_t pid)
{
    return state_of(pid) == 'T';
}

/* Signal 0 only asks; a zombie is still there to be signalled. */
bool is_gone(pid_t pid)
{
    return kill(pid, 0) == -1 && errno == ESRCH;
}

/* Returns how many lines it has said. */
static int run_ps(const char *command)
{
    char line[256];
    int lines = 0;
    FILE *ps = popen(command, "r");

    if (ps == NULL)
        die("run ps");
    while (fgets(line, sizeof line, ps) != NULL) {
        (void)printf("     %s", line);
        lines++;
    }
    (void)pclose(ps);
    return lines;
}

void show_ps(pid_t pid, pid_t other)
{
    char command[128];

    (void)snprintf(command, sizeof command, "ps -o pid,ppid,stat,comm -p %ld", (long)pid);
    if (other != 0)
        (void)snprintf(command, sizeof command, "ps -o pid,ppid,stat,comm -p %ld,%ld", (long)pid, (long)other);
    say("$ %s", command);
    if (run_ps(command) > 0)
        return;
    say("No ps here. /proc says: parent %ld, state %c", (long)parent_of(pid), is_gone(pid) ? '-' : state_of(pid));
    if (other != 0)
        say("and of %ld: parent %ld, state %c", (long)other, (long)parent_of(other), state_of(other));
}
