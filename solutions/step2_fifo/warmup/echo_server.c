/* echo_server: sends back to one client what it gets from it.
 *
 *     echo_client                                   echo_server
 *         |      /tmp/echo_server-PID:  path \n bytes    |
 *         |--------------------------------------------->|
 *         |<---------------------------------------------|
 *                /tmp/echo_client-PID:  bytes
 *
 * Each makes the pipe that it reads from. The server says on standard output what its pipe is called;
 * the client's first line tells the server the same of its own. When the client has closed its
 * end, the pipe ends, and so does the server.
 *
 * Left out on purpose: a second client. Its bytes would come in among those of the first, and
 * nobody could tell them apart (many_server).
 */
#include "clock.h"
#include "ends.h"
#include "journal.h"
#include "message.h"
#include "options.h"
#include "ready.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: echo_server [-d DIR]\n"
    "  -d DIR  where to make its pipe (default /tmp)\n"
    "  -h      this text\n";

static const char *parse_options(int argc, char *argv[])
{
    const char *directory = "/tmp";
    int option;

    options_init("echo_server", usage);
    while ((option = getopt(argc, argv, ":hd:")) != -1)
        switch (option) {
        case 'd': directory = optarg; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
    return directory;
}

static int open_in(const char *own_path)
{
    int in = open_reading_end(own_path);

    if (in == -1)
        diex("open %s: %s", own_path, why_not_open());
    announce_fifo(own_path);
    return in;
}

/* The first line, byte by byte: what comes behind its newline is to be echoed, and stays in the pipe.
 * Returns false when somebody wants the program to end. */
static bool read_path(int in, char path[TEXT_ROOM])
{
    int64_t deadline_ms = NEVER; /* the first client may take its time */

    for (int length = 0; length < TEXT_ROOM; length++) {
        enum ready ready = await_readable(in, deadline_ms);
        ssize_t count;

        if (ready == READY_STOP)
            return false;
        count = ready == READY ? read(in, path + length, 1) : 0;
        if (count == -1)
            die("read the client's path");
        if (count == 0)
            diex("read the client's path: no whole line came");
        if (path[length] == '\n') {
            path[length] = '\0';
            return true;
        }
        deadline_ms = clock_ms() + SILENCE_MS;
    }
    diex("read the client's path: it is too long");
}

static int open_out(const char *path)
{
    int out = open_writing_end(path);

    if (out == -1)
        diex("open the client's pipe %s: %s", path, why_not_open());
    return out;
}

/* Returns false when somebody wants the program to end. */
static bool send_back(int out, const char *bytes, size_t count)
{
    switch (write_all(out, bytes, count, clock_ms() + SILENCE_MS)) {
    case READY: return true;
    case READY_STOP: return false;
    case READY_LATE: diex("write to the client: it has not read for %d ms", SILENCE_MS);
    default: die("write to the client");
    }
}

static void echo(int in, int out)
{
    char bytes[_POSIX_PIPE_BUF];

    // TODO 2w.4: as long as await_readable() says READY for `in` (NEVER is the deadline: the client may
    // take its time), read(2) what is there, and send_back() just as many bytes. The end of the pipe
    // is the end of the loop, and so is a send_back() that returns false; die() if the read fails.
    // SOLUTION
    while (await_readable(in, NEVER) == READY) {
        ssize_t count = read(in, bytes, sizeof bytes);

        if (count == -1)
            die("read from the client");
        if (count == 0 || !send_back(out, bytes, (size_t)count))
            break;
    }
    // STUB: todo("2w.4", in, out, bytes, await_readable, send_back);
    // END
}

int main(int argc, char *argv[])
{
    const char *directory = parse_options(argc, argv);
    char path[TEXT_ROOM];
    int in;

    journal_init("echo_server", false);
    ready_init();
    in = open_in(make_own_fifo(directory, "echo_server"));
    if (read_path(in, path)) {
        int out = open_out(path);

        echo(in, out);
        (void)close(out);
    }
    (void)close(in);
    return EXIT_SUCCESS;
}
