/* See process.h. */
#include "process.h"

#include "clock.h"
#include "experiment.h"
#include "journal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_CHILDREN = 128,
    NAP_MS = 5,
    LAST_WORDS_MS = 3000,   /* a child may take so long to clean up, when it is told to end */
    LONGEST_LIFE_S = 60     /* of a child, should we be killed and not end it */
};

static pid_t children[MAX_CHILDREN];

/* Children */

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

void end_children(void)
{
    signal_children(SIGTERM);
    reap_children(LAST_WORDS_MS);
    signal_children(SIGKILL);
    reap_children(LAST_WORDS_MS);
}

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
    sigset_t none;

    memset(children, 0, sizeof children);
    (void)sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) == -1)
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
    /* If Ctrl-C has ended it, that is for us as well. */
    pass_ms(0);
    return status;
}

/* What the system says of them */

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
