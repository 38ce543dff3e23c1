/* server: what principal and secondaries have in common: they answer the watchdog's
 * probes out of their main loop, and end when they are told to or when the watchdog has.
 *
 * The shape of every server:
 *
 *     server_begin(lab, number, signals);
 *     do {
 *         ... fill in wanted[SERVER_SLOTS] and so on: its own descriptors
 *         server_poll(lab, wanted, count, wake_ms);
 *         ... its own work
 *     } while (server_attend(lab, number, wanted));
 */
#ifndef SERVER_H
#define SERVER_H

#include "lab.h"

#include <poll.h>

/* The first places of every server's poll(2). */
enum { POLL_SIGNALS, POLL_LIFELINE, SERVER_SLOTS };

/* For the child that is to be server `number`, still holding signals back after fork(2):
 * catches the signals in `signals` (ends with 0), and lets them in. */
void server_begin(struct lab *lab, int number, const int signals[]);

/* Waits until something comes on one of `count` places, the first SERVER_SLOTS of which it
 * fills in itself, or until `wake_ms`. Dies if poll(2) fails; when a signal interrupts it,
 * nothing has come on any place. */
void server_poll(const struct lab *lab, struct pollfd wanted[], nfds_t count, int64_t wake_ms);

/* After server_poll(): answers a probe if one has come. Returns false when the server has
 * been told to end. Does not return when the watchdog has ended: then the whole group goes. */
bool server_attend(const struct lab *lab, int number, const struct pollfd wanted[]);

/* Tells the watchdog to look at the table. */
void server_notify(const struct lab *lab);

#endif
