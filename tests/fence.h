/*
 * fence.h - keeps the program under test from signalling everybody.
 *
 * Used by launch.c.
 */
#ifndef FENCE_H
#define FENCE_H

/* In the child, before exec: from here on kill(-1, ...) ends, with SIGSYS, whoever calls it; for this process and all
 * that come of it. Where the kernel has no such filters nothing happens. */
void forbid_signals_to_everybody(void);

#endif
