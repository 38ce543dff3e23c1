/* faults: what is done to the servers, one fault after the other, and how long each takes to heal.
 *
 * A fault strikes when all servers are up. It is over when all that it took are up again; or, where a
 * stopped server was let go in time, when that has gone well.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "samples.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAULT_KINDS = 11 };

struct fault_count {
    const char *name;
    int struck;
    int replaced;            /* so many of them cost a server its life */
    int unhealed;            /* not over after HEAL_MS */
    struct samples heal_us;  /* from the fault to the start of the last replacement */
};

enum { HEAL_MS = 15 * 1000 };

extern struct fault_count fault_counts[FAULT_KINDS];

/* The same seed gives the same faults in the same order. */
void faults_init(uint64_t seed);

/* Once in each turn of the loop. When they are off, no other fault strikes, and the last one is seen
 * through. */
void faults_turn(bool is_on);

/* True if there is none that is not over. */
bool faults_are_over(void);

/* Stops some servers for good, perhaps all. */
void faults_stop_some(void);

void faults_free(void);

#endif
