/* chat: passes each line of a client on to all the others.
 *
 *     talk or nc  ---- line ---->  +------+  ---- line ---->  talk or nc
 *                                  | chat |
 *     talk or nc  ---- line ---->  +------+  ---- line ---->  talk or nc
 *
 * One process, no fork: poll(2) says which of all the sockets have something, and all of them
 * are O_NONBLOCK, so that nobody is ever waited for. Three things a client may do that must
 * cost the others nothing:
 *   - send half a line: it is kept until the rest comes (line.h), and passed on whole;
 *   - stop reading: what it does not take is kept for it (outgoing.h), up to a bound. Then it
 *     is dropped;
 *   - leave at any moment, also while we write to it (EPIPE, because SIGPIPE is ignored).
 *
 * It wakes on a client that comes, speaks, leaves, or reads again. Clients beyond the bound
 * wait in the kernel's listen queue. Left out on purpose: names; who is there.
 */
#include "clock.h"
#include "dialogue.h"
#include "guest.h"
#include "journal.h"
#include "line.h"
#include "net.h"
#include "options.h"
#include "outgoing.h"
#include "todo.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
    "usage: chat [-a ADDRESS] [-p PORT] [-n CLIENTS]\n"
    "  -a ADDRESS  listen there (default 127.0.0.1)\n"
    "  -p PORT     and on this port (default 8080)\n"
    "  -n CLIENTS  so many at the same time, further ones wait (default and at most 256)\n"
    "  -h          this text\n";

enum {
    MAX_CLIENTS = 256,
    PAUSE_MS = 1000, /* without accepting, when that has failed */
    FAREWELL_MS = 1000
};

struct options {
    struct side side;
    int most;
};

static struct {
    struct guest *guests[MAX_CLIENTS];
    int count; /* guests[0..count) are there */
    int most;
    int listener;
    int64_t accept_again_ms;
} room;

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { { true, "127.0.0.1", DEFAULT_PORT }, MAX_CLIENTS };
    int option;

    options_init("chat", usage);
    while ((option = getopt(argc, argv, ":ha:p:n:")) != -1)
        switch (option) {
        case 'a': options.side.host = optarg; break;
        case 'p': options.side.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 'n': options.most = (int)parse_number('n', optarg, 1, MAX_CLIENTS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
    return options;
}

/* ---- one guest */

static void dismiss(struct guest *guest, const char *why)
{
    journal("left %s: %s", guest->name, why);
    (void)close(guest->fd);
    guest->fd = -1;
}

/* Gives the client as much as it takes now. */
static void flush(struct guest *guest)
{
    if (guest->fd != -1 && outgoing_write(&guest->outgoing, guest->fd) == -1)
        dismiss(guest, "it does not take what is said");
}

static void pass_on(const struct guest *sender, const char *line)
{
    for (int i = 0; i < room.count; i++) {
        struct guest *guest = room.guests[i];

        if (guest == sender || guest->fd == -1 || guest->farewell_ms != 0)
            continue;
        if (outgoing_add(&guest->outgoing, line) == -1)
            dismiss(guest, "it does not read");
        else
            flush(guest);
    }
}

/* It is told, unless that would be in the midst of another's line, of which it has taken a part. It
 * may go on sending: that is read for a while, and thrown away (see net_discard()). */
static void refuse(struct guest *guest)
{
    if (!outgoing_is_waiting(&guest->outgoing))
        (void)line_write(guest->fd, "chat: a line has at most %d bytes, none of them zero", LINE_LONGEST);
    outgoing_init(&guest->outgoing);
    if (shutdown(guest->fd, SHUT_WR) == -1)
        dismiss(guest, strerror(errno));
    else
        guest->farewell_ms = clock_ms() + FAREWELL_MS;
}

static void see_off(struct guest *guest)
{
    if (net_discard(guest->fd) || clock_ms() >= guest->farewell_ms)
        dismiss(guest, "it sends no line");
}

/* Passes on all whole lines that are there. */
static void hear(struct guest *guest)
{
    char line[LINE_ROOM];
    enum line_status status;

    if (guest->fd == -1 || guest->farewell_ms != 0)
        return;
    do {
        status = line_read(&guest->reader, line);
        if (status == LINE_READY)
            pass_on(guest, line);
    } while (status == LINE_READY && line_is_waiting(&guest->reader));
    if (status == LINE_END)
        dismiss(guest, "it has hung up");
    if (status == LINE_ERROR && (errno == EMSGSIZE || errno == EBADMSG))
        refuse(guest);
    else if (status == LINE_ERROR)
        dismiss(guest, strerror(errno));
}

/* ---- all of them */

static void let_in(void)
{
    struct guest *guest = guest_accept(room.listener);

    if (guest != NULL) {
        room.guests[room.count++] = guest;
        journal("joined %s", guest->name);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
        /* Without memory or descriptors the next try would fail at once, and the next. */
        warn("accept a client");
        room.accept_again_ms = clock_ms() + PAUSE_MS;
    }
}

/* Only here do guests move: during a turn, fds[i] is of guests[i]. */
static void take_out_who_left(void)
{
    int kept = 0;

    for (int i = 0; i < room.count; i++) {
        struct guest *guest = room.guests[i];

        if (guest->farewell_ms != 0)
            see_off(guest);
        if (guest->fd != -1)
            room.guests[kept++] = guest;
        else
            free(guest);
    }
    room.count = kept;
}

/* What to ask poll(2): of each client whether it speaks, and whether it reads if there is
 * something for it; of the listener, behind them, if one more may come. Returns how many. */
static nfds_t list_descriptors(struct pollfd fds[MAX_CLIENTS + 1])
{
    bool is_open = room.count < room.most && clock_ms() >= room.accept_again_ms;

    for (int i = 0; i < room.count; i++) {
        fds[i].fd = room.guests[i]->fd;
        fds[i].events = POLLIN;
        if (outgoing_is_waiting(&room.guests[i]->outgoing))
            fds[i].events |= POLLOUT;
    }
    fds[room.count].fd = is_open ? room.listener : -1;
    fds[room.count].events = POLLIN;
    return (nfds_t)room.count + 1;
}

static void serve_who_is_ready(void)
{
    struct pollfd fds[MAX_CLIENTS + 1];
    nfds_t number = list_descriptors(fds);
    int count = room.count;

    // TODO 4w.6: wait with poll(2) until one of `number` fds has something, PAUSE_MS at most. To be
    // interrupted by a signal is no failure: return, there will be another turn; for any other
    // failure, die(). Then go through the `count` guests: flush() those that read again (POLLOUT),
    // hear() those that have anything else to tell. Their end counts, too, and that may be POLLHUP
    // or POLLERR. The last one, fds[count], is the listener: let_in() who knocks.
    todo("4w.6", fds, number, count, flush, hear, let_in);
}

static void open_room(const struct options *options)
{
    room.most = options->most;
    room.listener = net_listen(options->side.host, options->side.port);
    if (room.listener == -1)
        exit(EXIT_FAILURE);
    /* A client may have gone again between poll(2) and accept(2): nobody waits for the next. */
    if (net_set_nonblocking(room.listener) == -1)
        die("make the listening socket O_NONBLOCK");
    journal("listening on %s:%d", options->side.host, options->side.port);
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);

    journal_init("chat", false);
    dialogue_end_on_signals();
    open_room(&options);
    while (!journal_is_lost()) {
        serve_who_is_ready();
        take_out_who_left();
    }
    return EXIT_FAILURE;
}
