/* peers: the secondaries, as the principal has them: connected by pipes, and under
 * `delegated` its children, which it starts, reaps and replaces.
 */
#ifndef PEERS_H
#define PEERS_H

#include "child.h"
#include "fifo.h"
#include "lab.h"
#include "line.h"

struct peer {
    struct child child;        /* used under `delegated` only */
    struct channel channel;    /* the principal's ends; -1 while not connected */
    struct line_reader reader; /* of what the secondary writes */
    int generation;            /* of the secondary that it is or was connected to */
    int64_t retry_ms;          /* after a failure: not before */
};

/* peers[K] is secondary K; peers[0] is not used. */
extern struct peer peers[1 + MAX_SECONDARIES];

/* No secondary yet. `shed` closes in a newborn one what is the principal's alone; it has
 * to call peers_close(). */
void peers_init(struct lab *lab, void (*shed)(void));

/* Once in each turn of the principal's loop: reaps, kills, starts and connects what there
 * is to. Returns when there will be something to start, or a distant time. */
int64_t peers_look_after(void);

bool peer_is_connected(const struct peer *peer);

/* The pipe has failed: its secondary has died, or is not worth talking to. Its parent will
 * replace it, and peers_look_after() connect the new one. */
void peer_disconnect(struct peer *peer);

/* Under `delegated`: ends all secondaries and waits for them. Those that have not ended in
 * half of the timeout are killed: the watchdog allows the principal the whole of it. */
void peers_stop(void);

/* Closes the pipes' ends. */
void peers_close(void);

#endif
