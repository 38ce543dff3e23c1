/* moment: microseconds, and how late this machine is.
 *
 * A server that did not answer in time was perhaps not given the processor. So the soak test, which
 * wants to be woken every few milliseconds, notes by how much it was woken too late itself.
 */
#ifndef MOMENT_H
#define MOMENT_H

#include <stdint.h>

/* Microseconds on the clock that no one sets back, the one that journals count on. */
int64_t now_us(void);

/* It was woken, and wanted to be at `wanted_us` at the latest. */
void late_note(int64_t wanted_us);

/* The longest that it was late by in the last second or two, and ever. */
int64_t late_lately_us(void);
int64_t late_worst_us(void);

#endif
