/* upper_server: sends each line back in upper case, until a line that is one dot.
 *
 *     client                        upper_server
 *       | -- hello ------------------>  |
 *       | <------------------ HELLO --- |
 *       | -- . ---------------------->  |
 *       | <------------ (end of file)-- |
 *
 * One process for all clients: poll(2) says who has something, and nobody is waited for alone. A
 * client takes a place of a table: while all are taken, the next ones wait in the queue of the
 * listening socket. So a place must not be held for ever: who sends no line for too long is
 * sent away. That holds as well for who does not read: its answer stays here, and no line of
 * it is taken before that has gone.
 *
 * Left out on purpose: letters that are more than one byte; ASCII alone becomes upper case.
 */
#include "clock.h"
#include "dialogue.h"
#include "journal.h"
#include "line.h"
#include "net.h"
#include "options.h"
#include "todo.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
    "usage: upper_server [-a ADDRESS] [-p PORT] [-t IDLE_MS]\n"
    "  -a ADDRESS  where to listen (default 127.0.0.1)\n"
    "  -p PORT     (default 8080)\n"
    "  -t IDLE_MS  a client that sends no line for so long is sent away (default 60000)\n"
    "  -h          this text\n";

enum {
    MOST_CLIENTS = 64,
    OTHER_DESCRIPTORS = 4, /* standard ones, listener */
    PAUSE_MS = 1000, /* without accepting, when that has failed */
    FAREWELL_MS = 1000
};

struct options {
    const char *address;
    int port;
    int idle_ms;
};

struct client {
    struct line_reader reader;  /* its fd is -1 where the place is free */
    char name[NET_NAME_ROOM];
    int64_t deadline_ms;        /* for the next line, or for its end */
    bool is_leaving;            /* nothing more is said to it, and what it says is thrown away */
    char answer[LINE_ROOM];     /* a longest line with its newline */
    size_t length;
    size_t sent;                /* of the answer's `length` bytes */
};

static struct client clients[MOST_CLIENTS];
static int places = MOST_CLIENTS; /* of these; fewer where the process may not have as many descriptors */
static int idle_ms;
static int64_t accept_again_ms;

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .address = "127.0.0.1", .port = DEFAULT_PORT, .idle_ms = 60000 };
    int option;

    options_init("upper_server", usage);
    while ((option = getopt(argc, argv, ":ha:p:t:")) != -1)
        switch (option) {
        case 'a': options.address = optarg; break;
        case 'p': options.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 't': options.idle_ms = (int)parse_number('t', optarg, 1, LONGEST_TIMEOUT_MS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
    return options;
}

/* poll(2) refuses more descriptors than the process may have open. */
static void make_places(void)
{
    long most = sysconf(_SC_OPEN_MAX);

    if (most != -1 && most - OTHER_DESCRIPTORS < MOST_CLIENTS)
        places = most > OTHER_DESCRIPTORS ? (int)most - OTHER_DESCRIPTORS : 1;
    for (int i = 0; i < MOST_CLIENTS; i++)
        clients[i].reader.fd = -1;
}

static int set_up(const struct options *options)
{
    int listener;

    idle_ms = options->idle_ms;
    make_places();
    dialogue_end_on_signals();
    listener = net_listen(options->address, options->port);
    if (listener == -1)
        exit(EXIT_FAILURE);
    /* Who was there when poll(2) looked may have gone when accept(2) comes, which would wait. */
    if (net_set_nonblocking(listener) == -1)
        die("listen without waiting");
    journal("listening on %s:%d", options->address, options->port);
    return listener;
}

static struct client *find_free_place(void)
{
    for (int i = 0; i < places; i++)
        if (clients[i].reader.fd == -1)
            return &clients[i];
    return NULL;
}

static void admit(int listener)
{
    struct client *client = find_free_place();
    int fd;

    if (client == NULL)
        return;
    fd = net_accept(listener, client->name);
    if (fd == -1) {
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        /* Without descriptors the next try would fail at once, and the next. */
        warn("accept a client");
        accept_again_ms = clock_ms() + PAUSE_MS;
        return;
    }
    if (net_set_nonblocking(fd) == -1) {
        warn("accept a client");
        (void)close(fd);
        return;
    }
    line_reader_init(&client->reader, fd);
    client->length = client->sent = 0;
    client->is_leaving = false;
    client->deadline_ms = clock_ms() + idle_ms;
    journal("accepted %s", client->name);
}

static void hang_up(struct client *client)
{
    (void)close(client->reader.fd);
    client->reader.fd = -1;
}

static void send_away(struct client *client, const char *why)
{
    journal("left %s: %s", client->name, why);
    hang_up(client);
}

/* It has sent the last line that we take, and may send more: see net_discard(). */
static void say_goodbye(struct client *client, const char *why)
{
    journal("left %s: %s", client->name, why);
    client->is_leaving = true;
    client->deadline_ms = clock_ms() + FAREWELL_MS;
    if (shutdown(client->reader.fd, SHUT_WR) == -1)
        hang_up(client);
}

static bool has_answer(const struct client *client)
{
    return client->sent < client->length;
}

/* Makes client->answer out of the line. Returns false if the line says that it was the last. */
static bool answer(struct client *client, const char *line)
{
    // TODO 4w.10: return false if the line is one dot and nothing else. Otherwise put the line into
    // client->answer, each character in upper case (toupper(3): read there what it wants to be given),
    // and a newline behind it in place of the '\0'. Then there are client->length bytes to send,
    // of which client->sent, none, have been sent: return true.
    todo("4w.10", client, line);
}

/* Sends as much of the answer as the client takes now. Returns 0, or -1 with errno. */
static int send_answer(struct client *client)
{
    ssize_t count;

    do
        count = write(client->reader.fd, client->answer + client->sent, client->length - client->sent);
    while (count == -1 && errno == EINTR);
    if (count == -1)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    client->sent += (size_t)count;
    return 0;
}

/* Does the next thing for a client: the rest of an answer, or a line and the answer to it. */
static void attend(struct client *client)
{
    char line[LINE_ROOM];

    if (client->is_leaving) {
        if (net_discard(client->reader.fd))
            hang_up(client);
        return;
    }
    if (!has_answer(client))
        switch (line_read(&client->reader, line)) {
        case LINE_NONE: return;
        case LINE_END: send_away(client, "end of file"); return;
        case LINE_ERROR: say_goodbye(client, strerror(errno)); return;
        case LINE_READY:
            client->deadline_ms = clock_ms() + idle_ms;
            if (!answer(client, line)) {
                say_goodbye(client, "a dot");
                return;
            }
        }
    if (send_answer(client) == -1)
        send_away(client, strerror(errno));
}

/* Lines that have been read already: poll(2) knows nothing of them. */
static bool has_work(const struct client *client)
{
    return client->reader.fd != -1 && !client->is_leaving && !has_answer(client)
           && line_is_waiting(&client->reader);
}

/* Waits until there is something to do, and tells what in `wanted`: the listener, then a place each. */
static void wait_for_work(int listener, struct pollfd wanted[1 + MOST_CLIENTS])
{
    bool may_admit = find_free_place() != NULL && clock_ms() >= accept_again_ms;
    int64_t next_ms = clock_ms() + (may_admit ? LONGEST_WAIT_MS : PAUSE_MS);

    /* A negative descriptor is skipped: who could not be admitted now need not wake us. */
    wanted[0] = (struct pollfd){ .fd = may_admit ? listener : -1, .events = POLLIN };
    for (int i = 0; i < places; i++) {
        const struct client *client = &clients[i];
        short events = has_answer(client) ? POLLOUT : POLLIN;

        wanted[1 + i] = (struct pollfd){ .fd = client->reader.fd, .events = events };
        if (client->reader.fd != -1 && client->deadline_ms < next_ms)
            next_ms = client->deadline_ms;
        if (has_work(client))
            next_ms = 0;
    }
    if (poll(wanted, 1 + (nfds_t)places, clock_left_ms(next_ms)) == -1 && errno != EINTR)
        die("wait for clients");
}

static void late(struct client *client)
{
    if (client->is_leaving)
        hang_up(client);
    else
        send_away(client, "no line for too long");
}

static _Noreturn void serve_all(int listener)
{
    struct pollfd wanted[1 + MOST_CLIENTS];

    for (;;) {
        wait_for_work(listener, wanted);
        for (int i = 0; i < places; i++) {
            struct client *client = &clients[i];

            if (wanted[1 + i].revents != 0 || has_work(client))
                attend(client);
            if (client->reader.fd != -1 && clock_ms() >= client->deadline_ms)
                late(client);
        }
        if (wanted[0].revents != 0)
            admit(listener);
    }
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);

    journal_init("upper_server", false);
    serve_all(set_up(&options));
}
