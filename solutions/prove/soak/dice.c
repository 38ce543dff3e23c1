/* See dice.h. The generator is splitmix64: small, and good enough to choose victims. */
#include "dice.h"

static uint64_t next(struct dice *dice)
{
    uint64_t bits = dice->state += UINT64_C(0x9e3779b97f4a7c15);

    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

void dice_init(struct dice *dice, uint64_t seed, uint64_t stream)
{
    dice->state = seed;
    dice->state = next(dice) + stream;
}

int dice_between(struct dice *dice, int low, int high)
{
    return low + (int)(next(dice) % ((uint64_t)(high - low) + 1));
}
