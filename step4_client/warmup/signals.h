/* signals: how a process that waits for descriptors learns of signals too.
 *
 * The self-pipe: the handler only notes the signal and writes a byte into a pipe whose
 * other end poll(2) watches. So signals are handled in the normal flow of the program,
 * and one that comes just before poll(2) is not slept over: its byte is in the pipe.
 */
#ifndef SIGNALS_H
#define SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/* Catches the signals in `numbers`, a list that ends with 0; but a SIGHUP that is ignored,
 * as nohup(1) does, stays so. Returns the descriptor to poll(2) for reading, or -1 with errno. */
int signals_open(const int numbers[]);

/* Empties the pipe. To be called when poll(2) says it is readable, before the
 * questions: a signal that comes after this makes it readable again. */
void signals_drain(void);

/* True if the signal has come since the last time this was asked. Several of a kind
 * count as one: signals do not queue. */
bool signals_take(int number);

/* Gives the signals their default action again and closes the pipe. */
void signals_close(void);

/* Around fork(2): a signal sent to the newborn child waits until the child has put its
 * own handlers in place of those it inherited. The parent ends the hold with what it
 * had before; the child, which must not inherit a mask either, with an empty one. */
int signals_hold(sigset_t *before);
int signals_let_go(const sigset_t *before);
int signals_let_all_go(void);

#endif
