#ifndef SECONDARY_H
#define SECONDARY_H

#include "fifo.h"
#include "shared.h"

/* The secondary's whole life: answers each `ping` that comes in by `channel` with a
 * `pong`, until `stop` or the principal's end. Returns the status to exit with. */
int secondary_run(struct shared *shared, const struct channel *channel);

#endif
