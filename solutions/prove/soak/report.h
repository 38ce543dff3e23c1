/* report: what the soak test has seen, as a table, and whether that is good enough. */
#ifndef REPORT_H
#define REPORT_H

#include "growth.h"

#include <stdbool.h>
#include <stdint.h>

/* Of the watchdogs that were killed; the longest of them. */
struct takeover {
    int times;
    int64_t gone_us;         /* from the death to the last server's */
    int64_t whole_us;        /* to the last start of those of the next watchdog */
    bool is_good;            /* all gone within a second, and the next one began at once */
};

struct outcome {
    int seconds;
    unsigned long seed;
    struct takeover takeover;
    struct growth growth[2]; /* of the first watchdog and its servers; of the last */
    int64_t stop_us;         /* how long the orderly stop took */
    int stop_status;         /* the wait status of the watchdog */
    int left;                /* processes, pipes, segments */
};

/* Prints it all. Returns how many targets are missed. */
int report(const struct outcome *outcome);

#endif
