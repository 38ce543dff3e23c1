/* secondary: answers the principal's ping, the watchdog's probe, and ends when told.
 *
 * Forked by the principal (policy `delegated`) or by the watchdog (`direct`). Wakes on a
 * line in its dwtube, on a signal, and when the watchdog or the principal has ended. It
 * speaks only when spoken to.
 */
#include "secondary.h"

#include "clock.h"
#include "journal.h"
#include "line.h"
#include "server.h"
#include "signals.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct channel *channel;
static struct line_reader reader;
static int pongs;

static void answer_ping(const char *line)
{
    if (strcmp(line, "ping") != 0)
        diex("read its dwtube: '%s' is no ping", line);
    if (line_write(channel->out, "pong") == -1)
        die("write pong to its wdtube");
    journal_often("pong %d", ++pongs);
}

/* Returns false when the pipe has ended. That is the principal's end, and ours. */
static bool read_principal(void)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&reader, line)) == LINE_READY)
        answer_ping(line);
    if (status == LINE_ERROR)
        die("read its dwtube");
    return status != LINE_END;
}

static int serve(const struct lab *lab, int number)
{
    enum { POLL_PRINCIPAL = SERVER_SLOTS, SLOTS };
    struct pollfd wanted[SLOTS];

    do {
        wanted[POLL_PRINCIPAL] = (struct pollfd){ .fd = channel->in, .events = POLLIN };
        server_poll(lab, wanted, SLOTS, clock_ms() + LONGEST_WAIT_MS);
        if (wanted[POLL_PRINCIPAL].revents != 0 && !read_principal())
            return EXIT_FAILURE;
    } while (server_attend(lab, number, wanted));
    return EXIT_SUCCESS;
}

int secondary_run(struct lab *lab, int number, const struct channel *the_channel)
{
    static const int signals[] = { SIGUSR1, SIGTERM, 0 };
    int status;

    channel = the_channel;
    server_begin(lab, number, signals);
    line_reader_init(&reader, channel->in);
    status = serve(lab, number);
    journal("exit");
    signals_close();
    return journal_is_lost() ? EXIT_FAILURE : status;
}
