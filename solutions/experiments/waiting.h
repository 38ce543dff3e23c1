/* waiting: how a process that has only signals to wait for waits.
 *
 * The signals stay blocked and are taken one at a time by sigtimedwait(2), in the
 * normal flow of the program. There is no handler, so nothing can be interrupted
 * at a bad moment, and no signal can slip in between a check and the wait for it.
 */
#ifndef WAITING_H
#define WAITING_H

#include <signal.h>
#include <stdint.h>

/* Blocks the signals in `numbers`, a list that ends with 0, and stores them in `signals`.
 * Gives each its default action, whatever the parent chose: an ignored SIGCHLD would
 * make waitpid(2) fail. But a SIGHUP that is ignored, as nohup(1) does, stays so.
 * Returns 0, or -1 with errno. Children inherit the mask. */
int block_signals(sigset_t *signals, const int numbers[]);

/* Waits for one of `signals` until `deadline_ms` (see clock.h).
 * Returns its number, 0 when the deadline has passed, or -1 with errno. */
int wait_for_signal(const sigset_t *signals, int64_t deadline_ms);

#endif
