/* line_client: sends all that is typed to a server.
 *
 *     standard input  ---->  line_client  ---- lines ---->  line_server
 *
 * It copies bytes: a terminal hands them over line by line anyway, and where a line ends is
 * the reader's business. When nothing more is typed it says so (shutdown(2)), and waits until
 * the server has hung up too: only then it knows that all was read. That write(2) has returned
 * says no more than that the bytes are on their way.
 *
 * While it waits for somebody to type, it looks at the server as well, which may end. What the
 * server says is read and dropped. Left out on purpose: to do so while it writes. With a server that
 * says much, both may then wait for each other to read, until -t ends it.
 */
#include "clock.h"
#include "dialogue.h"
#include "journal.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static const char usage[] =
    "usage: line_client [-p PORT] [-t TIMEOUT_MS] [HOST]\n"
    "  HOST           the server's name or address (default 127.0.0.1)\n"
    "  -p PORT        its port (default 8080)\n"
    "  -t TIMEOUT_MS  how long it may take to connect, to read on, to hang up (default 10000)\n"
    "  -h             this text\n";

struct options {
    struct side server;
    int timeout_ms;
};

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { { false, "127.0.0.1", DEFAULT_PORT }, 10 * 1000 };
    int option;

    options_init("line_client", usage);
    while ((option = getopt(argc, argv, ":hp:t:")) != -1)
        switch (option) {
        case 'p': options.server.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, LONGEST_TIMEOUT_MS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (optind < argc)
        options.server.host = argv[optind++];
    expect_no_operand(argc, argv);
    return options;
}

/* From here on a read(2) or a write(2) that the server keeps waiting fails, with EAGAIN. */
static void limit_waiting(int server, int timeout_ms)
{
    struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };

    if (setsockopt(server, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == -1
        || setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == -1)
        die("limit how long the server is waited for");
}

/* What took too long is told as a time-out, and not as EAGAIN, which nobody would understand. */
static _Noreturn void give_up(const char *what)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        errno = ETIMEDOUT;
    die("%s", what);
}

/* Returns as read(2), what was read being dropped. With a time limit, also a process that was stopped
 * and continued is told EINTR: signal(7). */
static ssize_t hear_server(int server)
{
    char dropped[512];
    ssize_t count;

    do
        count = read(server, dropped, sizeof dropped);
    while (count == -1 && errno == EINTR);
    return count;
}

/* Waits until somebody has typed something, or is done. */
static void await_typing(int server)
{
    struct pollfd fds[] = {
        { .fd = STDIN_FILENO, .events = POLLIN },
        { .fd = server, .events = POLLIN },
    };

    while (fds[0].revents == 0) {
        int ready = poll(fds, 2, -1);

        if (ready == -1 && errno != EINTR)
            die("wait for something typed");
        if (ready > 0 && fds[1].revents != 0 && hear_server(server) <= 0)
            diex("the server has hung up");
    }
}

static void send_typed(int server)
{
    char bytes[4096];
    ssize_t count;

    while (await_typing(server), (count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        if (net_write_all(server, bytes, (size_t)count) == -1)
            give_up("write to the server");
    if (count == -1)
        die("read what is typed");
}

/* Says that nothing more comes, and waits for the same from the server. */
static void say_goodbye(int server, int timeout_ms)
{
    int64_t deadline_ms = clock_ms() + timeout_ms;
    ssize_t count;

    if (shutdown(server, SHUT_WR) == -1)
        die("end the conversation");
    do
        count = hear_server(server);
    while (count > 0 && clock_ms() < deadline_ms);
    if (count > 0)
        errno = ETIMEDOUT;
    if (count != 0)
        give_up("wait until the server has read all");
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    int server;

    journal_init("line_client", false);
    server = dialogue_open(&options.server, options.timeout_ms);
    limit_waiting(server, options.timeout_ms);
    send_typed(server);
    say_goodbye(server, options.timeout_ms);
    (void)close(server);
    return EXIT_SUCCESS;
}
