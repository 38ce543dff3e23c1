/* servers: the watchdog's hand on the servers: it starts them, probes them, kills, buries
 * and stops them. Whether one is to be killed, watchdog.c decides.
 *
 * All servers are in one process group, led by the principal. The principal is our child,
 * so until we reap it the number of the group cannot become anybody else's: to signal the
 * group is safe, where the pid of a grandchild could be a stranger's by now. A frozen
 * secondary under `delegated` is therefore killed by its parent, whom we ask in the table.
 */
#ifndef SERVERS_H
#define SERVERS_H

#include "lab.h"

#include <signal.h>
#include <stdint.h>

/* No server yet. `signals` are those that the watchdog blocks and waits for. */
void servers_init(struct lab *lab, const sigset_t *signals);

/* Starts those that are ours to start and are due. */
void servers_start_due(void);

/* The earlier of `until_ms` and the moment at which there is one to start. */
int64_t servers_wake_ms(int64_t until_ms);

/* On SIGCHLD: buries who has died, so that servers_start_due() starts another. With the
 * principal all its secondaries go; returns when none of them is left. */
void servers_reap(void);

/* Sends SIGUSR1 to all of them. */
void servers_probe(void);

/* Sees to it that a frozen server, condemned in the table, is killed: server `number`, and
 * with the principal all of them. */
void servers_kill(int number);

/* The orderly stop: secondaries before principal, within the timeout; a server that hangs is
 * killed. Returns when all have ended. */
void servers_stop(void);

/* Kills and buries all that are left. */
void servers_bury(void);

#endif
