/* loop: everything that goes on at the same time, in one poll(2) that looks up every few milliseconds. */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* What is to go on. */
struct loop {
    bool is_harming;  /* faults strike */
    bool is_rude;     /* rude clients act */
    bool is_ending;   /* the watchdog may end: else that is the end of us, too */
};

extern struct loop loop;

/* Blocks the signals that a person ends us with; the loop obeys them, by exit(3). */
void loop_init(void);

/* Goes on until `is_done`; returns false if it is not after `longest_us`. */
bool loop_until(bool (*is_done)(void), int64_t longest_us);

void loop_for(int64_t us);

#endif
