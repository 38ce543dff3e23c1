/* echo_client: sends standard input to echo_server, which see, and what comes back to standard
 * output.
 *
 * It takes turns: so many bytes to the server, then as many from it. While it waits for the keyboard
 * it hears nothing from the server, not even its end (chat_client does).
 */
#include "clock.h"
#include "ends.h"
#include "journal.h"
#include "options.h"
#include "ready.h"
#include "todo.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: echo_client [-d DIR] FIFO\n"
    "  FIFO    the server's pipe, as the server has announced it\n"
    "  -d DIR  where to make its own (default /tmp)\n"
    "  -h      this text\n";

struct options {
    const char *directory;
    const char *server_path;
};

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .directory = "/tmp" };
    int option;

    options_init("echo_client", usage);
    while ((option = getopt(argc, argv, ":hd:")) != -1)
        switch (option) {
        case 'd': options.directory = optarg; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (optind == argc)
        wrong_usage("the server's FIFO is missing");
    options.server_path = argv[optind++];
    expect_no_operand(argc, argv);
    return options;
}

static int open_out(const char *server_path)
{
    int out = open_writing_end(server_path);

    if (out == -1)
        diex("open %s: %s", server_path, why_not_open());
    return out;
}

/* Returns false when somebody wants the program to end. */
static bool send_to_server(int out, const char *bytes, size_t count)
{
    switch (write_all(out, bytes, count, clock_ms() + SILENCE_MS)) {
    case READY: return true;
    case READY_STOP: return false;
    case READY_LATE: diex("write to the server: it has not read for %d ms", SILENCE_MS);
    default: die("write to the server");
    }
}

/* Tells the server where this client reads. Returns the reading end. */
static int introduce(int out, const char *own_path)
{
    int in;

    // TODO 2w.3: two things are to be done. Store in `in` what open_reading_end() returns for your own
    // pipe; if that is -1, diex() with why_not_open(). Tell the server the path of your pipe, with
    // send_to_server(), and a newline behind it; if that fails the server has gone, which the first
    // read(2) will show: here it is no matter. The server opens your pipe for writing as soon as it
    // knows the path, and waits for nobody: so which comes first?
    in = -1;
    todo("2w.3", out, own_path, open_reading_end, send_to_server);
    return in;
}

/* Copies `count` bytes from the server to standard output. Returns false when somebody wants the
 * program to end. */
static bool copy_answer(int in, size_t count)
{
    char bytes[_POSIX_PIPE_BUF];

    while (count > 0) {
        enum ready ready = await_readable(in, clock_ms() + SILENCE_MS);
        ssize_t got;

        if (ready == READY_STOP)
            return false;
        if (ready == READY_LATE)
            diex("read from the server: no answer for %d ms", SILENCE_MS);
        got = read(in, bytes, count < sizeof bytes ? count : sizeof bytes);
        if (got == -1)
            die("read from the server");
        if (got == 0)
            diex("read from the server: it ended before it had answered");
        if (write_all(STDOUT_FILENO, bytes, (size_t)got, NEVER) == READY_ERROR)
            die("write standard output");
        count -= (size_t)got;
    }
    return true;
}

static void take_turns(int in, int out)
{
    char bytes[_POSIX_PIPE_BUF];

    while (await_readable(STDIN_FILENO, NEVER) == READY) {
        ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);

        if (count == -1)
            die("read standard input");
        if (count == 0 || !send_to_server(out, bytes, (size_t)count)
            || !copy_answer(in, (size_t)count))
            break;
    }
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    const char *own_path;
    int out, in;

    journal_init("echo_client", false);
    ready_init();
    own_path = make_own_fifo(options.directory, "echo_client");
    out = open_out(options.server_path);
    in = introduce(out, own_path);
    take_turns(in, out);
    (void)close(in);
    (void)close(out);
    return EXIT_SUCCESS;
}
