/* See signals.h. */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

enum { MAX_CAUGHT = 8 /* more than any program here needs */, HIGHEST_SIGNAL = 64 };

static int caught[MAX_CAUGHT + 1];
static volatile sig_atomic_t noted[HIGHEST_SIGNAL + 1];
static int self_pipe[2] = { -1, -1 };

static void note(int number)
{
    int saved_errno = errno;

    noted[number] = 1;
    /* A full pipe is readable already: then the byte is not missed. */
    (void)!write(self_pipe[1], "", 1);
    errno = saved_errno;
}

static int set_action(int number, void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_NOCLDSTOP };

    return sigemptyset(&action.sa_mask) == -1 ? -1 : sigaction(number, &action, NULL);
}

static int open_self_pipe(void)
{
    if (pipe(self_pipe) == -1)
        return -1;
    for (int i = 0; i < 2; i++)
        if (fcntl(self_pipe[i], F_SETFL, O_NONBLOCK) == -1)
            return -1;
    return 0;
}

static bool hangup_is_ignored(void)
{
    struct sigaction inherited;

    return sigaction(SIGHUP, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
}

int signals_open(const int numbers[])
{
    int count = 0;

    if (open_self_pipe() == -1)
        return -1;
    for (int i = 0; numbers[i] != 0 && count < MAX_CAUGHT; i++) {
        if (numbers[i] == SIGHUP && hangup_is_ignored())
            continue;
        caught[count++] = numbers[i];
        noted[numbers[i]] = 0;
        if (set_action(numbers[i], note) == -1)
            return -1;
    }
    return self_pipe[0];
}

void signals_drain(void)
{
    char bytes[64];

    while (read(self_pipe[0], bytes, sizeof bytes) > 0) {
        /* There may be more. */
    }
}

bool signals_take(int number)
{
    if (!noted[number])
        return false;
    /* Cleared before the work is done, never after: one that comes meanwhile counts. */
    noted[number] = 0;
    return true;
}

void signals_close(void)
{
    for (int i = 0; caught[i] != 0; i++) {
        (void)set_action(caught[i], SIG_DFL);
        caught[i] = 0;
    }
    for (int i = 0; i < 2; i++) {
        if (self_pipe[i] != -1)
            (void)close(self_pipe[i]);
        self_pipe[i] = -1;
    }
}

int signals_hold(sigset_t *before)
{
    sigset_t all;

    return sigfillset(&all) == -1 ? -1 : sigprocmask(SIG_BLOCK, &all, before);
}

int signals_let_go(const sigset_t *before)
{
    return sigprocmask(SIG_SETMASK, before, NULL);
}

int signals_let_all_go(void)
{
    sigset_t none;

    return sigemptyset(&none) == -1 ? -1 : signals_let_go(&none);
}
