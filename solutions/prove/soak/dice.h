/* dice: random numbers that a seed repeats. */
#ifndef DICE_H
#define DICE_H

#include <stdint.h>

struct dice {
    uint64_t state;
};

/* Who throws for different purposes takes different `stream`s of the same seed: then how often one
 * throws changes nothing for another. */
void dice_init(struct dice *dice, uint64_t seed, uint64_t stream);

/* From `low` to `high`, both included. */
int dice_between(struct dice *dice, int low, int high);

#endif
