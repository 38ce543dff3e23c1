/* load: so many clients of step 4, as fast as they are answered, for so long; prints requests a second.
 *
 *     load ADDRESS PORT CLIENTS MILLISECONDS
 *
 * One process cannot ask as fast as servers answer, so it is two, and each plays half of the clients. A client keeps its
 * connection to the principal, as client.c does, and asks again as soon as it has its answer. A request counts when
 * `fintraitement` has come. The second line printed is how many failed and were asked anew.
 */
#include "clock.h"
#include "line.h"
#include "tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 2, MAX_CLIENTS = 1024, CONNECT_MS = 10000 };

struct client {
    struct line_reader principal;
    struct line_reader secondary; /* fd -1 while a place is waited for */
    bool answered;                /* and now the secondary's end is waited for */
};

struct count {
    long answered;
    long failed;
};

static struct in_addr address;
static int port;
static struct count total;
static struct client clients[MAX_CLIENTS];

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void ask(struct client *client)
{
    if (line_write(client->principal.fd, "requetetype1") == -1)
        die("ask the principal");
}

static void begin(struct client *client)
{
    int fd = tcp_connect(address, port, clock_ms() + CONNECT_MS);

    if (fd == -1)
        die("connect to the principal");
    line_reader_init(&client->principal, fd);
    client->secondary.fd = -1;
    ask(client);
}

static void begin_anew(struct client *client)
{
    total.failed++;
    if (client->secondary.fd != -1)
        (void)close(client->secondary.fd);
    (void)close(client->principal.fd);
    begin(client);
}

/* The principal has said `PORT TOKEN`. */
static void go_to_place(struct client *client, const char *line)
{
    char *token;
    long place = strtol(line, &token, 10);
    bool is_place = place > 0 && place < 65536 && *token == ' ';
    int fd = is_place ? tcp_connect(address, (int)place, clock_ms() + CONNECT_MS) : -1;

    if (fd == -1) {
        begin_anew(client);
        return;
    }
    line_reader_init(&client->secondary, fd);
    client->answered = false;
    if (line_write(fd, "%s hello", token + 1) == -1)
        begin_anew(client);
}

static void hear_principal(struct client *client)
{
    char line[LINE_ROOM];

    switch (line_read(&client->principal, line)) {
    case LINE_NONE: break;
    case LINE_READY: go_to_place(client, line); break;
    default: begin_anew(client);
    }
}

static void hear_secondary(struct client *client)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&client->secondary, line)) == LINE_READY)
        if (strcmp(line, "fintraitement") == 0)
            client->answered = true;
    if (status == LINE_NONE)
        return;
    if (!client->answered) {
        begin_anew(client);
        return;
    }
    total.answered++;
    (void)close(client->secondary.fd);
    client->secondary.fd = -1;
    ask(client);
}

static struct count play(int count, int64_t until_ms)
{
    static struct pollfd polled[MAX_CLIENTS];

    for (int i = 0; i < count; i++)
        begin(&clients[i]);
    while (clock_ms() < until_ms) {
        for (int i = 0; i < count; i++)
            polled[i] = (struct pollfd){ .events = POLLIN, .fd =
                clients[i].secondary.fd != -1 ? clients[i].secondary.fd : clients[i].principal.fd };
        if (poll(polled, (nfds_t)count, clock_left_ms(until_ms)) == -1 && errno != EINTR)
            die("poll");
        for (int i = 0; i < count; i++)
            if (polled[i].revents != 0 && clients[i].secondary.fd != -1)
                hear_secondary(&clients[i]);
            else if (polled[i].revents != 0)
                hear_principal(&clients[i]);
    }
    return total;
}

/* The share of process `number` of the clients, in a process of its own, which tells its count by the pipe. */
static void start_process(int number, int count, int64_t until_ms, int out)
{
    pid_t pid = fork();
    struct count played;

    if (pid == -1)
        die("fork");
    if (pid != 0)
        return;
    played = play((count + number) / PROCESSES, until_ms);
    if (write(out, &played, sizeof played) != sizeof played)
        die("tell the count");
    exit(EXIT_SUCCESS);
}

int main(int argc, char *argv[])
{
    int count = argc == 5 ? atoi(argv[3]) : 0, duration_ms = argc == 5 ? atoi(argv[4]) : 0;
    struct count sum = { 0, 0 }, part;
    int counts[2];

    if (count < 1 || count > MAX_CLIENTS || duration_ms < 1 || inet_pton(AF_INET, argv[1], &address) != 1) {
        (void)fprintf(stderr, "usage: load ADDRESS PORT CLIENTS MILLISECONDS\n");
        return 2;
    }
    port = atoi(argv[2]);
    (void)signal(SIGPIPE, SIG_IGN);
    if (pipe(counts) == -1)
        die("pipe");
    for (int i = 0; i < PROCESSES; i++)
        start_process(i, count, clock_ms() + duration_ms, counts[1]);
    (void)close(counts[1]);
    for (int i = 0; i < PROCESSES; i++) {
        if (read(counts[0], &part, sizeof part) != sizeof part || wait(NULL) == -1)
            die("a client process has failed");
        sum.answered += part.answered;
        sum.failed += part.failed;
    }
    (void)printf("%.0f\n%ld\n", (double)sum.answered * 1000.0 / duration_ms, sum.failed);
    return EXIT_SUCCESS;
}
