/* minimal_server: the protocol of step 4 in one process with one poll(2), and nothing else.
 *
 *     minimal_server ADDRESS PORT
 *
 * The measure of the final system: no processes that watch each other, no pipes, no journal, no table, no
 * time-outs, tokens that anybody could guess. On PORT it sends clients to PORT + 1, where the work is done, with
 * no work time. Written for the comparison alone. Ends on SIGTERM.
 */
#include "line.h"
#include "tcp.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 1024, LISTENERS = 2, FIRST = LISTENERS /* client in polled[] */ };

static struct pollfd polled[LISTENERS + MAX_CLIENTS];
static struct client {
    bool at_work; /* it came in by the second port */
    struct line_reader reader;
} clients[LISTENERS + MAX_CLIENTS];
static int count = LISTENERS;

static void drop(int index)
{
    (void)close(polled[index].fd);
    count--;
    polled[index] = polled[count];
    clients[index] = clients[count];
}

static void accept_clients(int listener)
{
    int fd;

    while (count < LISTENERS + MAX_CLIENTS && (fd = accept(polled[listener].fd, NULL, NULL)) != -1) {
        if (tcp_set_nonblocking(fd) == -1) {
            (void)close(fd);
            continue;
        }
        polled[count] = (struct pollfd){ .fd = fd, .events = POLLIN };
        clients[count].at_work = listener == 1;
        line_reader_init(&clients[count].reader, fd);
        count++;
    }
}

static int work(int fd, char *line)
{
    char *text = strchr(line, ' ');

    if (text == NULL)
        return line_write(fd, "errtraitement no text");
    for (char *at = ++text; *at != '\0'; at++)
        *at = (char)toupper((unsigned char)*at);
    return line_write(fd, "debuttraitement") == -1 || line_write(fd, "resultat %s", text) == -1
        || line_write(fd, "fintraitement") == -1 ? -1 : 0;
}

/* Returns false if the client is to be dropped. */
static bool serve(int index, int port)
{
    static unsigned long token;
    struct client *client = &clients[index];
    char line[LINE_ROOM];

    switch (line_read(&client->reader, line)) {
    case LINE_NONE: return true;
    case LINE_READY: break;
    default: return false;
    }
    if (!client->at_work)
        return line_write(client->reader.fd, "%d %016lx", port + 1, ++token) == 0;
    /* The client sees the end, and closes: then we do. */
    return work(client->reader.fd, line) == 0 && shutdown(client->reader.fd, SHUT_WR) == 0;
}

static void turn(int port)
{
    if (poll(polled, (nfds_t)count, -1) == -1)
        exit(EXIT_FAILURE);
    for (int i = count - 1; i >= FIRST; i--)
        if (polled[i].revents != 0 && !serve(i, port))
            drop(i);
    for (int i = 0; i < LISTENERS; i++)
        if (polled[i].revents != 0)
            accept_clients(i);
}

int main(int argc, char *argv[])
{
    struct in_addr address;
    int port = argc == 3 ? atoi(argv[2]) : 0;

    if (port <= 0 || inet_pton(AF_INET, argv[1], &address) != 1) {
        (void)fprintf(stderr, "usage: minimal_server ADDRESS PORT\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* a client that has gone is an error of write(2) */
    for (int i = 0; i < LISTENERS; i++) {
        polled[i] = (struct pollfd){ .fd = tcp_listen(address, port + i), .events = POLLIN };
        if (polled[i].fd == -1) {
            perror("listen");
            return EXIT_FAILURE;
        }
    }
    for (;;)
        turn(port);
}
