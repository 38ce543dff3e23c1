#ifndef PRINCIPAL_H
#define PRINCIPAL_H

#include "lab.h"

/* The principal's whole life, in a child of the watchdog that is still holding signals
 * back and leads a process group of its own. Returns the status to exit with. */
int principal_run(struct lab *lab);

#endif
