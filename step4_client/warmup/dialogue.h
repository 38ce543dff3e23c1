/* dialogue: what programs have in common that speak in lines with one other side at a time.
 *
 * Standard output is for what the other side has said; what the program itself has to say goes
 * to standard error. Only where it listens is told on standard output, as its first line.
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "line.h"
#include "net.h"

#include <stdbool.h>

/* One side of a connection: where it listens, or whom it calls. */
struct side {
    bool listens;
    const char *host;
    int port;
};

/* SIGINT and SIGTERM end the process at once with status 0: for a server that has nothing to
 * give back that the kernel would not take by itself. */
void dialogue_end_on_signals(void);

/* `listening on HOST:PORT` on standard output. */
void dialogue_announce(const struct side *side);

/* The next client, and in `peer` its name. Waits for one. */
int dialogue_accept(int listener, char peer[NET_NAME_ROOM]);

/* The connection with the other side: the first client, after which nobody else is let in;
 * or the server, which has `timeout_ms` to answer. Ends the program if there is none. */
int dialogue_open(const struct side *side, int timeout_ms);

/* A line of the other side's, on standard output. What could move somebody's cursor is
 * replaced. Ends the program if standard output fails. */
void dialogue_print(const char *line);

/* Waits for the next line of `reader`, `timeout_ms` at most. Returns as line_read(), and
 * LINE_NONE when the time is up. */
enum line_status dialogue_await(struct line_reader *reader, int timeout_ms, char line[LINE_ROOM]);

/* True if the other side has ended, or fails. What it has said and nobody has read yet comes
 * first, and stays. Does not wait, if poll(2) has said that there is something. */
bool dialogue_has_ended(int fd);

#endif
