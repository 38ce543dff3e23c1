/* rude: clients that connect, babble and vanish. Nothing that they are told is read. */
#ifndef RUDE_H
#define RUDE_H

#include <stdint.h>

struct rude_count {
    long connections;
    long words;       /* lines, half lines, garbage, guessed tokens */
};

extern struct rude_count rude_count;

void rude_init(uint64_t seed);

/* Once in each turn of the loop: one of them does something, if it is time to. */
void rude_act(void);

/* All of them vanish. */
void rude_vanish(void);

#endif
