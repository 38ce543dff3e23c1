/* See ends.h. */
#include "ends.h"

#include "journal.h"
#include "message.h"
#include "ready.h"
#include "todo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <unistd.h>

static char own_path[TEXT_ROOM]; /* no longer than a message can carry */

static void remove_own_fifo(void)
{
    if (unlink(own_path) == -1 && errno != ENOENT)
        warn("remove %s", own_path);
}

/* Absolute: a process that works in another directory must find it, too. */
static void name_own_fifo(const char *directory, const char *program)
{
    char here[TEXT_ROOM] = "";
    int length;

    if (directory[0] != '/' && getcwd(here, sizeof here) == NULL)
        die("find the current directory");
    length = snprintf(own_path, sizeof own_path, "%s%s%s/%s-%ld", here, directory[0] == '/' ? "" : "/",
                      directory, program, (long)getpid());
    if (length < 0 || length >= (int)sizeof own_path)
        diex("make a named pipe in %s: the path is too long", directory);
}

const char *make_own_fifo(const char *directory, const char *program)
{
    name_own_fifo(directory, program);
    // TODO 2w.1: make a named pipe at own_path that only you may read and write, and die() if that
    // fails. Then have remove_own_fifo() called when the program ends, with atexit(3); that fails if
    // there is no memory: remove the pipe yourself then, and die(). Not the other way round: what is
    // there already under this name is somebody else's, and stays.
    todo("2w.1", own_path, remove_own_fifo);
    return own_path;
}

void announce_fifo(const char *path)
{
    char line[TEXT_ROOM + 32];
    int length = snprintf(line, sizeof line, "Fifo created: %s\n", path);

    if (write_all(STDOUT_FILENO, line, (size_t)length, NEVER) == READY_ERROR)
        die("write the name of the pipe");
}

/* pselect(2) knows descriptors below FD_SETSIZE only. */
static int keep_if_fit(int fd)
{
    struct stat status;

    if (fd == -1)
        return -1;
    if (fd < FD_SETSIZE && fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode))
        return fd;
    (void)close(fd);
    errno = fd < FD_SETSIZE ? EINVAL : EMFILE;
    return -1;
}

int open_reading_end(const char *path)
{
    return keep_if_fit(open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
}

int open_writing_end(const char *path)
{
    int fd;

    // TODO 2w.2: open `path` for writing, and store the descriptor in fd. Nobody is to be waited for:
    // O_NONBLOCK. Nothing is to be made, no link to be followed: O_NOFOLLOW. Give it O_NOCTTY and
    // O_CLOEXEC as well, as everywhere here: not our terminal, and not for programs that we exec.
    fd = -1;
    todo("2w.2", path);
    return keep_if_fit(fd);
}

const char *why_not_open(void)
{
    switch (errno) {
    case ENXIO: return "nobody reads there";
    case EINVAL: return "it is no named pipe";
    default: return strerror(errno);
    }
}
