/* shared: what principal and secondary have in common in the shared memory. */
#ifndef SHARED_H
#define SHARED_H

#include <stdatomic.h>

/* Nothing tells the reader that the writer has written: that is what step 2 is for.
 * Atomic all the same: in C, two threads or processes that touch a plain variable at
 * the same moment have no defined behaviour at all. */
struct shared {
    atomic_int counter;
};

#endif
