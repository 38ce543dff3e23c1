/* server: what principal and secondaries have in common: they answer the watchdog's
 * probes out of their main loop, and end when they are told to or when the watchdog has.
 *
 * The shape of every server:
 *
 *     server_begin(lab, number, signals);
 *     do {
 *         ... server_watch(lab, wanted); and its own descriptors behind SERVER_SLOTS
 *         ... poll(wanted, ...)
 *         ... its own work
 *     } while (server_attend(lab, number, wanted));
 */
#ifndef SERVER_H
#define SERVER_H

#include "lab.h"

#include <poll.h>

/* The first places of every server's poll(2). */
enum { POLL_SIGNALS, POLL_LIFELINE, SERVER_SLOTS };

/* For a child after fork(2), which is still holding signals back: takes the role of
 * server `number`, catches the signals in `signals` (ends with 0), and lets them in. */
void server_begin(struct lab *lab, int number, const int signals[]);

/* Fills in the first SERVER_SLOTS places. */
void server_watch(const struct lab *lab, struct pollfd wanted[]);

/* After poll(2), whatever it returned but an error: answers a probe if one has come.
 * Returns false when the server has been told to end. Does not return when the watchdog
 * has ended: then the whole group goes. */
bool server_attend(const struct lab *lab, int number, const struct pollfd wanted[]);

/* Tells the watchdog to look at the table. */
void server_notify(const struct lab *lab);

#endif
