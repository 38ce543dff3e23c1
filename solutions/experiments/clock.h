/* clock: the monotonic clock, in milliseconds. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* No wait is asked to last longer: who has nothing to wait for looks up once a minute. */
enum { LONGEST_WAIT_MS = 60 * 1000 };

/* Milliseconds on the clock that no one sets back: good for intervals and
 * deadlines, meaningless as a date. */
int64_t clock_ms(void);

/* Milliseconds from now to `deadline_ms`, from 0 to LONGEST_WAIT_MS: fit to be poll(2)'s
 * timeout. */
int clock_left_ms(int64_t deadline_ms);

/* The same wait as a struct timespec, for sigtimedwait(2). */
struct timespec clock_left(int64_t deadline_ms);

#endif
