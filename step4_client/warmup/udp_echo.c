/* udp_echo: sends texts as datagrams, and prints the answers, although datagrams are lost.
 *
 *     udp_echo --- 7 hello --->             lost: nobody is told
 *              --- 7 hello ---> server      after the time-out, the same again
 *              <-- 7 hello ---              an answer
 *              <-- 7 hello ---              or two, when it was late and not lost
 *
 * The number in front is what makes an answer belong to its datagram: one that comes too late is
 * not taken for the next one's. Answers from elsewhere are none: anybody may send to our port.
 */
#include "udp_echo.h"

#include "clock.h"
#include "journal.h"
#include "net.h"
#include "options.h"
#include "todo.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
    "usage: udp_echo [-p PORT] [-t TIMEOUT_MS] [-r RETRIES] HOST TEXT...\n"
    "  -p PORT        UDP port (default 8080)\n"
    "  -t TIMEOUT_MS  how long to wait for an answer (default 1000)\n"
    "  -r RETRIES     how often to send a text again (default 3)\n"
    "  -h             this text\n";

static struct {
    int port;
    int timeout_ms;
    int retries;
} options = { .port = DEFAULT_PORT, .timeout_ms = 1000, .retries = 3 };

struct datagram {
    size_t length;
    char bytes[UDP_LONGEST];
};

static void parse_options(int argc, char *argv[])
{
    int option;

    options_init("udp_echo", usage);
    while ((option = getopt(argc, argv, ":hp:t:r:")) != -1)
        switch (option) {
        case 'p': options.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, 60000); break;
        case 'r': options.retries = (int)parse_number('r', optarg, 0, 1000); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (argc - optind < 2)
        wrong_usage("give HOST and at least one TEXT");
}

/* Waits for the next datagram, until the deadline at most. Returns false when none has come. */
static bool receive(int fd, int64_t deadline_ms, struct datagram *datagram,
                    struct sockaddr_in *from)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };
    socklen_t size = sizeof *from;
    ssize_t length;

    do {
        if (poll(&readable, 1, clock_left_ms(deadline_ms)) == -1 && errno != EINTR)
            die("wait for an answer");
        length = recvfrom(fd, datagram->bytes, sizeof datagram->bytes, 0,
                          (struct sockaddr *)from, &size);
        if (length == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            die("receive an answer");
    } while (length == -1 && clock_ms() < deadline_ms);
    datagram->length = length == -1 ? 0 : (size_t)length;
    return length != -1;
}

static bool is_from(const struct sockaddr_in *server, const struct sockaddr_in *from)
{
    return from->sin_addr.s_addr == server->sin_addr.s_addr && from->sin_port == server->sin_port;
}

static bool is_same(const struct datagram *sent, const struct datagram *received)
{
    return sent->length == received->length
        && memcmp(sent->bytes, received->bytes, sent->length) == 0;
}

/* Sends the datagram until its answer comes, which is stored in `received`. Returns false when all
 * retries are used up. */
static bool ask(int fd, const struct sockaddr_in *server, const struct datagram *sent,
                struct datagram *received)
{
    struct sockaddr_in from;

    // TODO 4w.16: send the datagram to the server (sendto()); if that fails, die(). Then receive() until
    // the answer has come: is_from() the server, and is_same() as was sent. All others are ignored,
    // and do not make the deadline later, which is options.timeout_ms after sending. When it has
    // passed, say so (warnx()) and do the same again: options.retries times more than the first.
    // Return true for an answer, false when there was none at last.
    todo("4w.16", fd, server, sent, received, &from, receive, is_from, is_same);
}

/* Without the number in front. */
static void print_text(const struct datagram *answer)
{
    const char *space = memchr(answer->bytes, ' ', answer->length);
    size_t skipped = space == NULL ? 0 : (size_t)(space - answer->bytes) + 1;

    if (net_write_all(STDOUT_FILENO, answer->bytes + skipped, answer->length - skipped) == -1
        || net_write_all(STDOUT_FILENO, "\n", 1) == -1)
        die("write the answer");
}

/* NUMBER TEXT */
static struct datagram make_datagram(int number, const char *text)
{
    struct datagram datagram;
    char bytes[UDP_LONGEST + 1];
    int length = snprintf(bytes, sizeof bytes, "%d %s", number, text);

    if (length < 0 || length > UDP_LONGEST)
        wrong_usage("TEXT %d is longer than a datagram of %d bytes", number, UDP_LONGEST);
    datagram.length = (size_t)length;
    memcpy(datagram.bytes, bytes, datagram.length);
    return datagram;
}

int main(int argc, char *argv[])
{
    struct sockaddr_in server;
    int fd;

    parse_options(argc, argv);
    journal_init("udp_echo", false);
    if (!net_find(&server, argv[optind], options.port))
        exit(EXIT_FAILURE);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd == -1 || net_set_nonblocking(fd) == -1)
        die("make a socket");
    for (int number = 1; optind + number < argc; number++) {
        struct datagram datagram = make_datagram(number, argv[optind + number]);
        struct datagram answer;

        if (!ask(fd, &server, &datagram, &answer))
            diex("ask %s port %d: no answer to %d tries", argv[optind], options.port,
                 options.retries + 1);
        print_text(&answer);
    }
    (void)close(fd);
    return EXIT_SUCCESS;
}
