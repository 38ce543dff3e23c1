/* udp_echo_server: sends each datagram back to where it came from.
 *
 *     client --- datagram ---> server      no connection: each datagram brings the sender's address,
 *            <-- the same ---              and may be lost, or come late, or twice
 *
 * On one machine datagrams are nearly never lost, so the server can lose (-l) and delay (-d) them
 * on purpose. Its counterpart is udp_echo; `nc -u` and socat will do, too.
 *
 * One datagram after the other, in one process: nobody is waited for.
 */
#include "dialogue.h"
#include "journal.h"
#include "net.h"
#include "options.h"
#include "udp_echo.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
    "usage: udp_echo_server [-a ADDRESS] [-p PORT] [-l N] [-d DELAY_MS]\n"
    "  -a ADDRESS   where to listen (default 127.0.0.1)\n"
    "  -p PORT      UDP port (default 8080)\n"
    "  -l N         lose every Nth datagram (default 0: none)\n"
    "  -d DELAY_MS  wait before each answer (default 0)\n"
    "  -h           this text\n";

static struct {
    const char *address;
    int port;
    int lose_every;
    int delay_ms;
} options = { .address = "127.0.0.1", .port = DEFAULT_PORT };

static void parse_options(int argc, char *argv[])
{
    int option;

    options_init("udp_echo_server", usage);
    while ((option = getopt(argc, argv, ":ha:p:l:d:")) != -1)
        switch (option) {
        case 'a': options.address = optarg; break;
        case 'p': options.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 'l': options.lose_every = (int)parse_number('l', optarg, 0, 1000000); break;
        case 'd': options.delay_ms = (int)parse_number('d', optarg, 0, 60000); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
}

static struct sockaddr_in own;

/* No listen(2), no accept(2): one socket for all clients. */
static int open_socket(void)
{
    int fd;

    if (!net_find(&own, options.address, options.port))
        exit(EXIT_FAILURE);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd == -1 || bind(fd, (struct sockaddr *)&own, sizeof own) == -1)
        die("listen on %s port %d", options.address, options.port);
    return fd;
}

/* Waits for a datagram, and sends it back unless it is one of those to lose. */
static void answer(int fd)
{
    static unsigned received;
    char datagram[UDP_LONGEST + 1]; /* a longer one is cut by recvfrom(2): this byte tells */
    char name[NET_NAME_ROOM];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t length = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &size);

    if (length == -1) {
        warn("receive a datagram");
        return;
    }
    net_name(&from, name);
    /* Anybody can write our own address on a datagram: the answer would come to us, for ever. */
    if (from.sin_port == own.sin_port && from.sin_addr.s_addr == own.sin_addr.s_addr) {
        journal("refused %s which is this server", name);
        return;
    }
    if (length > UDP_LONGEST) {
        journal("refused %s more than %d bytes", name, UDP_LONGEST);
        return;
    }
    if (options.lose_every > 0 && ++received % (unsigned)options.lose_every == 0) {
        journal("lost %s %zd bytes", name, length);
        return;
    }
    (void)poll(NULL, 0, options.delay_ms);
    if (sendto(fd, datagram, (size_t)length, 0, (struct sockaddr *)&from, size) == -1)
        warn("answer %s", name);
    else
        journal("echo %s %zd bytes", name, length);
}

int main(int argc, char *argv[])
{
    int fd;

    parse_options(argc, argv);
    journal_init("udp_echo_server", false);
    dialogue_end_on_signals();
    fd = open_socket();
    journal("listening on %s:%d", options.address, options.port);
    while (!journal_is_lost())
        answer(fd);
    return EXIT_FAILURE;
}
