/* line_server: prints the lines that its clients send.
 *
 *     line_client  ---- lines ---->  line_server  ---->  standard output
 *
 * The smallest server there is: socket, bind, listen (net_listen()), then for ever accept,
 * read, close. One client at a time: the next ones wait in the kernel's listen queue, where
 * they are connected already and may write. So that none of them waits for ever, a client
 * that is silent for too long is hung up on.
 *
 * Left out on purpose: to answer; to serve two at the same time (chat.c).
 */
#include "dialogue.h"
#include "journal.h"
#include "line.h"
#include "net.h"
#include "options.h"
#include "todo.h"

#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: line_server [-a ADDRESS] [-p PORT] [-t SILENCE_MS]\n"
    "  -a ADDRESS     listen there (default 127.0.0.1)\n"
    "  -p PORT        and on this port (default 8080)\n"
    "  -t SILENCE_MS  hang up on a client without a line for so long (default 60000)\n"
    "  -h             this text\n";

struct options {
    struct side side;
    int silence_ms;
};

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { { true, "127.0.0.1", DEFAULT_PORT }, 60 * 1000 };
    int option;

    options_init("line_server", usage);
    while ((option = getopt(argc, argv, ":ha:p:t:")) != -1)
        switch (option) {
        case 'a': options.side.host = optarg; break;
        case 'p': options.side.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 't': options.silence_ms = (int)parse_number('t', optarg, 1, LONGEST_TIMEOUT_MS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
    return options;
}

/* Prints the lines that come over `fd`, until it ends, fails, or is silent for too long.
 * Returns which of them it was. */
static enum line_status print_lines(int fd, int silence_ms)
{
    struct line_reader reader;
    char line[LINE_ROOM];
    enum line_status status;

    line_reader_init(&reader, fd);
    // TODO 4w.3: take line after line with dialogue_await(), which waits silence_ms at most, and
    // print each with dialogue_print(), as long as it says LINE_READY. What it says at last is
    // the result: the client has hung up, has failed, or is silent.
    status = LINE_END;
    todo("4w.3", &reader, silence_ms, line, status);
    return status;
}

static void serve_next(int listener, int silence_ms)
{
    char peer[NET_NAME_ROOM];
    int fd = dialogue_accept(listener, peer);

    warnx("client %s", peer);
    switch (print_lines(fd, silence_ms)) {
    case LINE_END: warnx("client %s has hung up", peer); break;
    case LINE_ERROR: warn("read from client %s", peer); break;
    default: warnx("client %s: no line for %d ms", peer, silence_ms);
    }
    (void)close(fd);
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    int listener;

    journal_init("line_server", false);
    dialogue_end_on_signals();
    listener = net_listen(options.side.host, options.side.port);
    if (listener == -1)
        return EXIT_FAILURE;
    dialogue_announce(&options.side);
    for (;;)
        serve_next(listener, options.silence_ms);
}
