/* kinds: the kinds of shared memory that experiment 1a compares. */
#ifndef KINDS_H
#define KINDS_H

#include <sys/types.h>

enum {
    KINDS = 3,
    SIZE_MIB = 16,
    NOTHING = -1        /* read by who could not attach */
};

struct kind {
    const char *name;
    void *(*make)(void);            /* SIZE_MIB, mapped; NULL with errno, too if it is there already */
    int (*look)(void);              /* attaches; returns the first byte, or NOTHING with errno */
    int (*remove)(void);            /* NULL where there is no name */
    void (*leave)(void *memory);    /* gives back what make has returned */
};

extern const struct kind kinds[KINDS];

/* Gives them names that no other process uses. */
void name_kinds(pid_t owner);

#endif
