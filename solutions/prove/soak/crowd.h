/* crowd: the honest clients, each of them the lab's own client, asking one request after the other.
 *
 * Each request has a text of its own, so that every answer says which request it is for. A client gets
 * its next request when the last one was answered.
 */
#ifndef CROWD_H
#define CROWD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { CLIENTS = 32 };

struct crowd {
    long sent;
    long answered;
    long twice;      /* answered once more */
    long wrong;      /* answers that fit no request */
    int failed;      /* clients that ended otherwise than with status 0 */
    int64_t slowest_us;
};

extern struct crowd crowd;

void crowd_start(void);

/* From now on each client is asking all the time; or only once more; or no more. */
void crowd_ask(void);
void crowd_ask_once(void);
void crowd_rest(void);

/* True if no request is waiting for its answer, and none to be sent. */
bool crowd_is_idle(void);

/* Places for poll(2), CLIENTS of them; and what is to be done after it. */
void crowd_watch(struct pollfd wanted[]);
void crowd_attend(const struct pollfd wanted[]);

/* No more requests will come: each client then ends. */
void crowd_dismiss(void);

/* The pid of client `index`, 0 when it has ended; how many there are. */
pid_t crowd_pid(int index);
int crowd_count(void);

bool crowd_has(pid_t pid);

/* A child of ours has ended: true if it was a client. */
bool crowd_has_ended(pid_t pid, int status);

#endif
