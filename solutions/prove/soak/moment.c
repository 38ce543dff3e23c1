/* See moment.h. */
#include "moment.h"

#include <time.h>

enum { WINDOW_US = 1000 * 1000 };

/* The longest of the window before, of the one that is under way, and of all. */
static int64_t before_us, current_us, worst_us;
static int64_t window_ends_us;

int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void late_note(int64_t wanted_us)
{
    int64_t moment_us = now_us();
    int64_t late_us = moment_us - wanted_us;

    if (moment_us >= window_ends_us) {
        before_us = current_us;
        current_us = 0;
        window_ends_us = moment_us + WINDOW_US;
    }
    if (late_us > current_us)
        current_us = late_us;
    if (late_us > worst_us)
        worst_us = late_us;
}

int64_t late_lately_us(void)
{
    return before_us > current_us ? before_us : current_us;
}

int64_t late_worst_us(void)
{
    return worst_us;
}
