/* See waiting.h. */
#include "waiting.h"

#include "clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

static bool hangup_is_ignored(void)
{
    struct sigaction inherited;

    return sigaction(SIGHUP, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
}

int block_signals(sigset_t *signals, const int numbers[])
{
    struct sigaction defaults = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };

    if (sigemptyset(signals) == -1 || sigemptyset(&defaults.sa_mask) == -1)
        return -1;
    for (int i = 0; numbers[i] != 0; i++) {
        if (numbers[i] == SIGHUP && hangup_is_ignored())
            continue;
        if (sigaddset(signals, numbers[i]) == -1
            || sigaction(numbers[i], &defaults, NULL) == -1)
            return -1;
    }
    return sigprocmask(SIG_BLOCK, signals, NULL);
}

int wait_for_signal(const sigset_t *signals, int64_t deadline_ms)
{
    for (;;) {
        struct timespec left = clock_left(deadline_ms);
        int signal_number = sigtimedwait(signals, NULL, &left);

        if (signal_number > 0)
            return signal_number;
        /* EINTR: some other signal, or a stop and its continuation. */
        if (errno != EAGAIN && errno != EINTR)
            return -1;
        if (clock_ms() >= deadline_ms)
            return 0;
    }
}
