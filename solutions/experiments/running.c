/* See running.h. */
#include "running.h"

#include "clock.h"
#include "experiment.h"
#include "journal.h"
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_OPTIONS = 12, START_MS = 10000, STOP_MS = 5000 };

/* Those whose directories are to be removed at the end. */
static struct running *all[MAX_RUNNING];

static void remove_directory(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;

    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        (void)unlinkat(dirfd(directory), entry->d_name, 0); /* it fails for . and .. */
    (void)closedir(directory);
    if (rmdir(path) == -1)
        warn("remove %s", path);
}

static void remove_directories(void)
{
    for (int i = 0; i < MAX_RUNNING; i++)
        if (all[i] != NULL)
            remove_directory(all[i]->directory);
}

static void make_directory(struct running *running)
{
    const char *temporary = getenv("TMPDIR");
    static bool is_registered;

    if (!is_registered)
        at_end(remove_directories);
    is_registered = true;
    (void)snprintf(running->directory, sizeof running->directory, "%s/osps-experiment.XXXXXX",
                   temporary != NULL && temporary[0] != '\0' ? temporary : "/tmp");
    if (mkdtemp(running->directory) == NULL)
        die("make a directory %s", running->directory);
    for (int i = 0; i < MAX_RUNNING; i++)
        if (all[i] == NULL || all[i] == running) {
            all[i] = running;
            return;
        }
    diex("start a watchdog: too many");
}

static _Noreturn void become_watchdog(const char *directory, const char *const options[], int output)
{
    const char *program = beside_program("../step3_watchdog/watchdog");
    const char *arguments[5 + MAX_OPTIONS] = { "watchdog", "-q", "-d", directory };

    begin_child();
    for (int i = 0; i < MAX_OPTIONS && options[i] != NULL; i++)
        arguments[4 + i] = options[i];
    if (dup2(output, STDOUT_FILENO) == -1)
        die("give the watchdog its standard output");
    /* execv(3) changes nothing; only its prototype is older than const. */
    (void)execv(program, (char *const *)arguments);
    die("run %s", program);
}

void running_start(struct running *running, const char *const options[])
{
    int ends[2];

    memset(running, 0, sizeof *running);
    make_directory(running);
    if (pipe(ends) == -1 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) == -1 || fcntl(ends[1], F_SETFD, FD_CLOEXEC) == -1)
        die("make a pipe for the journal");
    running->watchdog = fork();
    if (running->watchdog == 0)
        become_watchdog(running->directory, options, ends[1]);
    note_child(running->watchdog);
    (void)close(ends[1]);
    running->journal = ends[0];
}

/* SECONDS principal[PID] started secondary7[PID], or: restarted secondary7[PID] was OLDPID */
static void note_pid(struct running *running, const char *line)
{
    const char *started = strstr(line, "started ");
    long pid;
    int number;

    if (started == NULL)
        return;
    if (sscanf(started, "started principal[%ld]", &pid) == 1)
        running->principal = (pid_t)pid;
    else if (sscanf(started, "started secondary%d[%ld]", &number, &pid) == 2 && number >= 1
             && number <= MAX_SECONDARY)
        running->secondary[number] = (pid_t)pid;
}

static bool take_line(struct running *running, char line[256])
{
    char *newline = memchr(running->text, '\n', running->length);
    size_t length;

    if (newline == NULL)
        return false;
    length = (size_t)(newline - running->text);
    (void)snprintf(line, 256, "%.*s", (int)length, running->text);
    running->length -= length + 1;
    memmove(running->text, newline + 1, running->length);
    note_pid(running, line);
    return true;
}

bool running_next_line(struct running *running, char line[256], int limit_ms)
{
    while (!take_line(running, line)) {
        ssize_t length;

        if (!can_read(running->journal, limit_ms))
            return false;
        do
            length = read(running->journal, running->text + running->length,
                          sizeof running->text - running->length);
        while (length == -1 && errno == EINTR);
        if (length <= 0)
            diex("read the watchdog's journal: it has ended");
        running->length += (size_t)length;
    }
    return true;
}

void running_await_secondaries(struct running *running, int count)
{
    char line[256];

    for (int number = 1; number <= count; number++)
        while (running->secondary[number] == 0)
            if (!running_next_line(running, line, START_MS))
                diex("start a watchdog: no secondary%d", number);
}

/* Its last lines are read on the way: they must not hold it up. */
void running_stop(struct running *running)
{
    char text[4096];
    int64_t deadline_ms = clock_ms() + STOP_MS;

    if (kill(running->watchdog, SIGTERM) == -1)
        die("stop the watchdog");
    while (clock_ms() < deadline_ms && can_read(running->journal, STOP_MS)
           && read(running->journal, text, sizeof text) > 0)
        ;
    (void)await_child(running->watchdog, STOP_MS);
    (void)close(running->journal);
    remove_directory(running->directory);
    for (int i = 0; i < MAX_RUNNING; i++)
        if (all[i] == running)
            all[i] = NULL;
}
