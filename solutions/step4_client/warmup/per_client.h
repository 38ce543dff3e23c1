/* per_client: a server that has a process of its own for each of its clients.
 *
 *     server ---+--- process of client 1 ---- what it starts      each process leads a
 *               +--- process of client 2                          process group
 *
 * A process may wait for its client as long as it likes: it holds nobody else up, and what it
 * does wrong ends with it. The server itself only accepts, and waits for the ends.
 *
 * Left out on purpose: whoever opens PER_CLIENT_MOST connections keeps all others waiting until
 * those are given up. And a server that is killed with SIGKILL ends nobody: conversations under way
 * go on to their own end (talk.c shows how a process notices).
 */
#ifndef PER_CLIENT_H
#define PER_CLIENT_H

/* So many clients at the same time. The next ones wait in the listener's queue. */
enum { PER_CLIENT_MOST = 64 };

/* Calls serve() in a new process for each client of `listener`, until SIGINT, SIGTERM or SIGHUP
 * comes. The client's socket is O_NONBLOCK, and closed behind serve(); neither it nor the
 * listener is inherited through exec(3). At the end, all these processes are killed and waited for,
 * and with them what they have started, unless it has left their process group. */
void per_client_serve(int listener, void (*serve)(int client, const char *peer));

#endif
