/* secondary: reads the counter that the principal writes, without being told when.
 *
 * Forked by the principal. Wakes once an interval, and on SIGTERM from the principal.
 * Ctrl-C reaches it too, as it reaches every process of the terminal's foreground
 * group; it leaves the decision to the principal, which stops it in good order.
 */
#include "secondary.h"

#include "clock.h"
#include "journal.h"
#include "waiting.h"

#include <stdbool.h>
#include <unistd.h>

/* How soon it notices that the principal was killed, however long the interval. */
enum { PARENT_CHECK_MS = 100 };

/* Waits until `deadline_ms`. Returns false when it is time to end. */
static bool wait_until(int64_t deadline_ms, const sigset_t *signals, pid_t principal)
{
    do {
        int64_t slice_ms = clock_ms() + PARENT_CHECK_MS;
        int signal_number = wait_for_signal(signals, slice_ms < deadline_ms ? slice_ms : deadline_ms);

        if (signal_number == -1)
            die("wait for a signal");
        /* A process whose parent has died is given another one. */
        if (signal_number == SIGTERM || getppid() != principal)
            return false;
    } while (clock_ms() < deadline_ms);
    return true;
}

int secondary_run(struct shared *shared, const sigset_t *signals, int64_t interval_ms,
                  pid_t principal)
{
    journal("start");
    // TODO 1.4: look at the counter that is shared and tell the journal what it is (`read K`), once
    // every interval_ms, as long as wait_until() returns true.
    // SOLUTION
    do
        journal_often("read %d", atomic_load(&shared->counter));
    while (wait_until(clock_ms() + interval_ms, signals, principal));
    // STUB: todo("1.4", shared, signals, interval_ms, principal, wait_until);
    // END
    journal("exit");
    return 0;
}
