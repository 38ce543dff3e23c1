/* running: a watchdog of step 3 that an experiment has started, and its journal.
 *
 * It runs in a directory of its own, told to be quiet (-q), so that the journal has a line
 * for each start and replacement only.
 */
#ifndef RUNNING_H
#define RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MAX_RUNNING = 2, MAX_SECONDARY = 64 };

struct running {
    char directory[256];
    pid_t watchdog;
    pid_t principal;
    pid_t secondary[1 + MAX_SECONDARY]; /* as the journal last told; 0 for none */
    int journal;                        /* we read it here */
    char text[4096];                    /* read, not yet handed out */
    size_t length;
};

/* Starts it with these options (a list that ends with NULL, at most 12). It is ended, and its
 * directory removed, when the experiment ends. */
void running_start(struct running *running, const char *const options[]);

/* The next line of the journal into `line`, false if there is none within `limit_ms`. Notes the pids
 * of those that are started; the watchdog must not end meanwhile. */
bool running_next_line(struct running *running, char line[256], int limit_ms);

/* Reads on until secondary 1 to `count` have been started, or replaced; dies if they are not. */
void running_await_secondaries(struct running *running, int count);

/* Tells the watchdog to stop, and waits for its end. */
void running_stop(struct running *running);

#endif
