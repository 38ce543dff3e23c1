/* See rundir.h. */
#include "rundir.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REMNANTS_MS = 2000 };

/* Notes what and why, for the caller to say; returns -1, for the caller to return. */
__attribute__((format(printf, 2, 3)))
static int refuse(struct rundir *rundir, const char *format, ...)
{
    int length = snprintf(rundir->problem, sizeof rundir->problem, "take run directory %s: ",
                          rundir->path);
    va_list arguments;

    if (length < 0 || length >= (int)sizeof rundir->problem)
        return -1;
    va_start(arguments, format);
    (void)vsnprintf(rundir->problem + length, sizeof rundir->problem - (size_t)length, format,
                    arguments);
    va_end(arguments);
    return -1;
}

static int refuse_errno(struct rundir *rundir, const char *what)
{
    return refuse(rundir, "%s: %s", what, strerror(errno));
}

/* The path, without the slashes at its end: "link/" would follow the link. */
static const char *choose_path(const char *option, char path[], size_t size)
{
    const char *chosen = option != NULL ? option : getenv("OSPS_DIR");
    size_t length;

    if (chosen != NULL && *chosen != '\0')
        length = (size_t)snprintf(path, size, "%s", chosen);
    else
        length = (size_t)snprintf(path, size, "/tmp/osps-%ld", (long)geteuid());
    if (length >= size) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    return path;
}

static int check_directory(struct rundir *rundir)
{
    struct stat status;

    if (fstat(rundir->fd, &status) == -1)
        return refuse_errno(rundir, "look at it");
    if (status.st_uid != geteuid())
        return refuse(rundir, "it belongs to user %ld, not to you; choose another (OSPS_DIR)",
                      (long)status.st_uid);
    if ((status.st_mode & 077) != 0)
        return refuse(rundir, "it lets others in (mode %03o, not 700); chmod 700 it, or choose"
                      " another, which need not exist (OSPS_DIR)", (unsigned)status.st_mode & 0777U);
    return 0;
}

static int open_directory(struct rundir *rundir)
{
    struct stat status;

    if (mkdir(rundir->path, 0700) == -1 && errno != EEXIST)
        return refuse_errno(rundir, "make it");
    rundir->fd = open(rundir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (rundir->fd != -1)
        return check_directory(rundir);
    if (lstat(rundir->path, &status) == 0 && S_ISLNK(status.st_mode))
        return refuse(rundir, "it is a symbolic link; name the directory itself");
    return refuse_errno(rundir, "open it");
}

static int take_lock(struct rundir *rundir)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    rundir->lock_fd = openat(rundir->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
    if (rundir->lock_fd == -1)
        return refuse_errno(rundir, "open 'lock' in it");
    if (fcntl(rundir->lock_fd, F_SETLK, &lock) == 0)
        return 0;
    if (errno != EACCES && errno != EAGAIN)
        return refuse_errno(rundir, "lock it");
    if (fcntl(rundir->lock_fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        return refuse(rundir, "it is in use by process %ld", (long)lock.l_pid);
    return refuse(rundir, "it was in use a moment ago; try again");
}

/* The processes of a start whose first process was killed are about to notice that.
 * Their reading ends are the only ones, so poll(2) reports an error on a writing end
 * when the last of them has gone. */
static int await_remnants(struct rundir *rundir)
{
    struct pollfd alive = { .fd = openat(rundir->fd, "alive", O_WRONLY | O_NONBLOCK | O_NOFOLLOW) };
    int64_t deadline_ms = clock_ms() + REMNANTS_MS;
    struct stat status;
    int answer;

    /* ENOENT: the last start ended well. ENXIO: nobody has it open for reading. */
    if (alive.fd == -1)
        return errno == ENOENT || errno == ENXIO ? 0
             : refuse_errno(rundir, "open pipe 'alive' in it");
    if (fstat(alive.fd, &status) == -1 || !S_ISFIFO(status.st_mode)) {
        (void)close(alive.fd);
        return refuse(rundir, "'alive' in it is no pipe of ours; remove it");
    }
    do
        answer = poll(&alive, 1, clock_left_ms(deadline_ms));
    while ((answer == -1 && errno == EINTR) || (answer == 1 && !(alive.revents & POLLERR)));
    (void)close(alive.fd);
    if (answer == 1)
        return 0;
    return refuse(rundir, "a process of the last start is still alive; find it with ps -ef, "
                  "and end it");
}

static int join_alive(struct rundir *rundir)
{
    if (unlinkat(rundir->fd, "alive", 0) == -1 && errno != ENOENT)
        return refuse_errno(rundir, "remove the old pipe 'alive' in it");
    if (mkfifoat(rundir->fd, "alive", 0600) == -1)
        return refuse_errno(rundir, "make pipe 'alive' in it");
    rundir->alive_fd = openat(rundir->fd, "alive", O_RDONLY | O_NONBLOCK);
    if (rundir->alive_fd != -1)
        return 0;
    (void)refuse_errno(rundir, "open pipe 'alive' in it");
    (void)unlinkat(rundir->fd, "alive", 0);
    return -1;
}

int rundir_take(struct rundir *rundir, const char *option)
{
    static char path[1024];

    *rundir = (struct rundir){ .fd = -1, .lock_fd = -1, .alive_fd = -1 };
    rundir->path = choose_path(option, path, sizeof path);
    if (rundir->path == NULL) {
        rundir->path = "";
        return refuse_errno(rundir, "choose it");
    }
    if (open_directory(rundir) == 0 && take_lock(rundir) == 0
        && await_remnants(rundir) == 0 && join_alive(rundir) == 0)
        return 0;
    rundir_leave(rundir);
    return -1;
}

static void close_if_open(int *fd)
{
    if (*fd != -1)
        (void)close(*fd);
    *fd = -1;
}

void rundir_leave(struct rundir *rundir)
{
    close_if_open(&rundir->alive_fd);
    close_if_open(&rundir->lock_fd);
    close_if_open(&rundir->fd);
}

int rundir_release(struct rundir *rundir)
{
    int result = rundir->fd == -1 ? 0 : unlinkat(rundir->fd, "alive", 0);

    rundir_leave(rundir);
    return result;
}
