#ifndef SECONDARY_H
#define SECONDARY_H

#include "fifo.h"
#include "lab.h"

/* The secondary's whole life, in a child that is still holding signals back; `channel` are
 * its ends of the pipes. Returns the status to exit with. */
int secondary_run(struct lab *lab, int number, const struct channel *channel);

#endif
