/* See clock.h. */
#include "clock.h"

int64_t clock_ms(void)
{
    struct timespec now;

    /* It cannot fail: POSIX gives errors only for an unknown clock. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int clock_left_ms(int64_t deadline_ms)
{
    int64_t left_ms = deadline_ms - clock_ms();

    if (left_ms < 0)
        return 0;
    return left_ms < LONGEST_WAIT_MS ? (int)left_ms : LONGEST_WAIT_MS;
}

struct timespec clock_left(int64_t deadline_ms)
{
    int left_ms = clock_left_ms(deadline_ms);

    return (struct timespec){ .tv_sec = left_ms / 1000,
                              .tv_nsec = left_ms % 1000 * 1000000L };
}
