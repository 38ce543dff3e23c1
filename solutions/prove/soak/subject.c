/* See subject.h. */
#include "subject.h"

#include "journal.h"
#include "line.h"
#include "spawn.h"
#include "story.h"
#include "tcp.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *programs;
static char directory[64];
static char address[32];
static int copy = -1;        /* of the journal */
static int journal_fd = -1;
static int old_journal_fd = -1; /* of the watchdog before: its servers may still write there */
static struct line_reader reader;
static pid_t watchdog;
static int last_status;

void subject_init(const char *the_programs, const char *journal_file)
{
    long pid = (long)getpid();

    programs = the_programs;
    (void)snprintf(address, sizeof address, "127.%ld.%ld.%ld", 1 + (pid >> 16 & 31), pid >> 8 & 255,
                   pid & 255);
    (void)snprintf(directory, sizeof directory, "/tmp/osps-soak-%ld", pid);
    if (journal_file == NULL)
        return;
    copy = open(journal_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (copy == -1)
        die("make %s", journal_file);
}

const char *subject_program(const char *name)
{
    static char path[1024];

    if (snprintf(path, sizeof path, "%s/%s", programs, name) >= (int)sizeof path)
        diex("find %s: the name of its directory is too long", name);
    return path;
}

const char *subject_address_text(void)
{
    return address;
}

struct in_addr subject_address(void)
{
    struct in_addr binary = { 0 };

    (void)inet_pton(AF_INET, address, &binary);
    return binary;
}

void subject_start(const char *policy)
{
    char numbers[5][16];
    const int values[5] = { SECONDARIES, PERIOD_MS, TIMEOUT_MS, WORK_MS, PORT };
    int ends[2];

    for (int i = 0; i < 5; i++)
        (void)snprintf(numbers[i], sizeof numbers[i], "%d", values[i]);
    spawn_pipe(ends);
    if (tcp_set_nonblocking(ends[0]) == -1)
        die("set the journal's pipe to not block");
    story_begin();
    watchdog = spawn((const char *const[]){ subject_program("watchdog"), "-q", "-n", numbers[0],
                     "-p", numbers[1], "-t", numbers[2], "-w", numbers[3], "-P", numbers[4],
                     "-r", policy, "-a", address, "-d", directory, NULL }, -1, ends[1], -1, SIGTERM);
    (void)close(ends[1]);
    if (old_journal_fd != -1)
        (void)close(old_journal_fd);
    old_journal_fd = journal_fd;
    journal_fd = ends[0];
    line_reader_init(&reader, journal_fd);
}

pid_t subject_pid(void)
{
    return watchdog;
}

int subject_fd(void)
{
    return journal_fd;
}

static void keep_copy(const char *line)
{
    size_t length = strlen(line);

    if (copy == -1)
        return;
    if (write(copy, line, length) != (ssize_t)length || write(copy, "\n", 1) != 1)
        die("copy the journal");
}

void subject_note(const char *format, ...)
{
    char line[LINE_ROOM];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    keep_copy(line);
}

void subject_hear(void)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&reader, line)) == LINE_READY) {
        keep_copy(line);
        story_hear(line);
    }
    if (status == LINE_NONE)
        return;
    (void)close(journal_fd);
    journal_fd = -1;
}

void subject_signal(int signal_number)
{
    if (watchdog != 0)
        (void)kill(watchdog, signal_number);
}

bool subject_has_ended(pid_t pid, int status)
{
    if (pid != watchdog)
        return false;
    watchdog = 0;
    last_status = status;
    return true;
}

int subject_status(void)
{
    return last_status;
}

/* The name that the lab gives its segment: segment.c. */
static int name_segment(char name[], size_t size)
{
    struct stat status;

    if (stat(directory, &status) == -1)
        return -1;
    (void)snprintf(name, size, "/osps-%jx-%jx", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return 0;
}

static int count_segments(void)
{
    char name[64];
    int fd = name_segment(name, sizeof name) == 0 ? shm_open(name, O_RDONLY, 0) : -1;

    if (fd == -1)
        return 0;
    (void)close(fd);
    return 1;
}

/* Calls `visit` for each name in the run directory that does not begin with a dot; returns the sum of what
 * it returns. */
static int visit_files(int (*visit)(int directory_fd, const char *name))
{
    DIR *files = opendir(directory);
    struct dirent *file;
    int sum = 0;

    if (files == NULL)
        return 0;
    while ((file = readdir(files)) != NULL)
        if (file->d_name[0] != '.')
            sum += visit(dirfd(files), file->d_name);
    (void)closedir(files);
    return sum;
}

static int is_pipe(int directory_fd, const char *name)
{
    struct stat status;

    return fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0
        && S_ISFIFO(status.st_mode) ? 1 : 0;
}

static int remove_file(int directory_fd, const char *name)
{
    return unlinkat(directory_fd, name, 0);
}

int subject_count_left(void)
{
    return visit_files(is_pipe) + count_segments();
}

void subject_remove(void)
{
    char name[64];

    if (name_segment(name, sizeof name) == 0)
        (void)shm_unlink(name);
    (void)visit_files(remove_file);
    if (rmdir(directory) == -1 && errno != ENOENT)
        warn("remove %s", directory);
}
