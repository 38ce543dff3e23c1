#ifndef SECONDARY_H
#define SECONDARY_H

#include "shared.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* The secondary's whole life: looks at the counter once every `interval_ms` until
 * SIGTERM comes or `principal`, its parent, is gone. `signals` are blocked already.
 * Returns the status to exit with. */
int secondary_run(struct shared *shared, const sigset_t *signals, int64_t interval_ms,
                  pid_t principal);

#endif
