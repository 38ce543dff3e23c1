/* secondary: waits for the principal's word, does its part, answers.
 *
 * Forked by the principal. Wakes when a line comes in by dwtube1, or when the pipe
 * ends, which means that the principal has ended, however it ended.
 */
#include "secondary.h"

#include "journal.h"
#include "line.h"
#include "todo.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>

/* Waits for the principal's next line, for as long as it takes: a secondary without
 * work has nothing else to do, and no principal means end of file. */
static void await_line(struct line_reader *reader, char line[LINE_ROOM])
{
    struct pollfd readable = { .fd = reader->fd, .events = POLLIN };
    enum line_status status = LINE_NONE;

    while (status == LINE_NONE) {
        if (!line_is_waiting(reader) && poll(&readable, 1, -1) == -1 && errno != EINTR)
            die("wait for dwtube1");
        status = line_read(reader, line);
    }
    if (status == LINE_END)
        diex("read dwtube1: the principal ended without a word");
    if (status == LINE_ERROR)
        die("read dwtube1");
}

/* The pipe has said that the counter is written, so it must be the right one. */
static void answer_ping(struct shared *shared, const struct channel *channel, int count)
{
    int counter = atomic_load(&shared->counter);

    if (counter != count)
        diex("read the counter: it is %d at ping %d", counter, count);
    if (line_write(channel->out, "pong") == -1)
        die("write pong to wdtube1");
    journal_often("pong %d", count);
}

int secondary_run(struct shared *shared, const struct channel *channel)
{
    struct line_reader reader;
    char line[LINE_ROOM];
    int count = 0;

    journal("start");
    line_reader_init(&reader, channel->in);
    // TODO 2.7: take line after line with await_line(). Answer each `ping` with answer_ping(), and
    // count them: the first one is 1. `stop` is the end of it; any other line is a reason to diex().
    todo("2.7", shared, line, count, await_line, answer_ping);
    journal("exit");
    return 0;
}
