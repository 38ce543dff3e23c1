/* See ready.h. */
#include "ready.h"

#include "clock.h"
#include "journal.h"

#include <errno.h>
#include <limits.h>
#include <sys/select.h>
#include <unistd.h>

static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
enum { COUNT = sizeof numbers / sizeof numbers[0] };

static volatile sig_atomic_t noted;
static sigset_t held_back;
static sigset_t let_in;

static void note(int number)
{
    (void)number;
    noted = 1;
}

/* nohup(1) ignores SIGHUP, and wants that it stays so. */
static bool is_ignored(int number)
{
    struct sigaction inherited;

    return sigaction(number, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
}

void ready_init(void)
{
    struct sigaction action = { .sa_handler = note };

    if (sigemptyset(&action.sa_mask) == -1 || sigemptyset(&held_back) == -1
        || sigprocmask(SIG_BLOCK, NULL, &let_in) == -1)
        die("prepare for signals");
    for (int i = 0; i < COUNT; i++) {
        if (numbers[i] == SIGHUP && is_ignored(SIGHUP))
            continue;
        (void)sigaddset(&held_back, numbers[i]);
        (void)sigdelset(&let_in, numbers[i]);
    }
    if (sigprocmask(SIG_BLOCK, &held_back, NULL) == -1)
        die("hold signals back");
    for (int i = 0; i < COUNT; i++)
        if (sigismember(&held_back, numbers[i]) == 1 && sigaction(numbers[i], &action, NULL) == -1)
            die("catch signals");
}

/* pselect(2) lets no signal in if there is something to read at once: under a flood of messages
 * the handler would never run. So those that wait to be let in count as well. */
bool asked_to_stop(void)
{
    sigset_t pending;

    if (noted)
        return true;
    if (sigpending(&pending) == -1)
        die("look for signals");
    for (int i = 0; i < COUNT; i++)
        if (sigismember(&pending, numbers[i]) == 1 && sigismember(&held_back, numbers[i]) == 1)
            return true;
    return false;
}

const sigset_t *signals_let_in(void)
{
    return &let_in;
}

static enum ready await(int fd, bool to_write, int64_t deadline_ms)
{
    while (!asked_to_stop()) {
        struct timespec left = clock_left(deadline_ms);
        fd_set wanted;
        int count;

        FD_ZERO(&wanted);
        FD_SET(fd, &wanted);
        count = pselect(fd + 1, to_write ? NULL : &wanted, to_write ? &wanted : NULL, NULL, &left, &let_in);
        if (count > 0)
            return READY;
        if (count == -1 && errno != EINTR)
            die("wait for descriptor %d", fd);
        if (count == 0 && clock_ms() >= deadline_ms)
            return READY_LATE;
    }
    return READY_STOP;
}

enum ready await_readable(int fd, int64_t deadline_ms)
{
    return await(fd, false, deadline_ms);
}

enum ready await_writable(int fd, int64_t deadline_ms)
{
    return await(fd, true, deadline_ms);
}

/* In pieces that a pipe with room takes whole: there write(2) is never kept waiting, even where the
 * descriptor is not O_NONBLOCK. A terminal that takes nothing (Ctrl-S) may keep it waiting. */
enum ready write_all(int fd, const void *bytes, size_t count, int64_t deadline_ms)
{
    const char *rest = bytes;

    while (count > 0) {
        size_t piece = count < _POSIX_PIPE_BUF ? count : _POSIX_PIPE_BUF;
        enum ready ready = await_writable(fd, deadline_ms);
        ssize_t written;

        if (ready != READY)
            return ready;
        written = write(fd, rest, piece);
        if (written == -1 && errno != EAGAIN)
            return READY_ERROR;
        if (written > 0) {
            rest += written;
            count -= (size_t)written;
        }
    }
    return READY;
}
