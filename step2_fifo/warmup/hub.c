/* See hub.h. */
#include "hub.h"

#include "ends.h"
#include "journal.h"
#include "options.h"
#include "ready.h"

#include <string.h>
#include <unistd.h>

void hub_parse_options(struct hub *hub, int argc, char *argv[], const char *program,
                       const char *usage)
{
    int option;

    *hub = (struct hub){ .directory = "/tmp", .in = -1, .held_open = -1, .clients.places = 16 };
    options_init(program, usage);
    while ((option = getopt(argc, argv, ":hd:m:")) != -1)
        switch (option) {
        case 'd': hub->directory = optarg; break;
        case 'm': hub->clients.places = (int)parse_number('m', optarg, 1, MAX_CLIENTS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
}

void hub_open(struct hub *hub, const char *program)
{
    const char *path = make_own_fifo(hub->directory, program);

    hub->in = open_reading_end(path);
    if (hub->in == -1)
        diex("open %s: %s", path, why_not_open());
    /* Nothing is ever written here. But as long as a writing end is open, the pipe does not end when
     * the last client leaves. */
    hub->held_open = open_writing_end(path);
    if (hub->held_open == -1)
        diex("open %s: %s", path, why_not_open());
    announce_fifo(path);
}

static void refuse(const struct message *join, int out, const char *why)
{
    struct message answer;

    warnx("refuse client %ld: %s", (long)join->sender, why);
    if (out == -1)
        return;
    (void)message_make(&answer, MESSAGE_REFUSED, "server", why);
    (void)message_send(out, &answer); /* it may have gone already */
    (void)close(out);
}

static const char *why_refused(struct clients *clients, const struct message *join)
{
    if (!is_name(join->name) || strcmp(join->name, "server") == 0 || strcmp(join->name, "everyone") == 0)
        return "this cannot be a name";
    if (join->sender == 0 || clients_find_pid(clients, join->sender) != NULL)
        return "this process takes part already";
    if (clients_find_name(clients, join->name) != NULL)
        return "the name is taken";
    return clients_find_pid(clients, 0) == NULL ? "all places are taken" : NULL;
}

static void take_in(struct clients *clients, const struct message *join)
{
    int out = open_writing_end(join->text);
    struct message answer;
    struct client *place;
    const char *why;

    if (out == -1) {
        refuse(join, -1, why_not_open());
        return;
    }
    /* Nobody is refused because of a client that was killed. */
    clients_sweep(clients);
    why = why_refused(clients, join);
    if (why != NULL) {
        refuse(join, out, why);
        return;
    }
    place = clients_find_pid(clients, 0);
    client_enter(place, join->sender, join->name, out);
    (void)message_make(&answer, MESSAGE_WELCOME, "server", "");
    client_send(place, &answer);
}

static void handle(struct clients *clients, struct message *message, deliver_function *deliver)
{
    struct client *from = message->sender == 0 ? NULL : clients_find_pid(clients, message->sender);

    if (message->kind == MESSAGE_JOIN)
        take_in(clients, message);
    else if (from == NULL)
        warnx("take a message of client %ld: it does not take part", (long)message->sender);
    else if (message->kind == MESSAGE_TEXT)
        deliver(clients, from, message);
    else if (message->kind == MESSAGE_LEAVE)
        client_remove(from, "left");
    else
        warnx("take a message of client %s: no client says that", from->name);
}

void hub_serve(struct hub *hub, deliver_function *deliver)
{
    struct message message;

    while (await_readable(hub->in, NEVER) == READY)
        switch (message_receive(hub->in, &message)) {
        case RECEIVED: handle(&hub->clients, &message, deliver); break;
        case RECEIVED_RUBBISH: warnx("read a message: what came was none, and is thrown away"); break;
        case RECEIVED_NONE: break;
        case RECEIVED_END: diex("read a message: the pipe has ended");
        }
}

void hub_close(struct hub *hub)
{
    for (int i = 0; i < hub->clients.places; i++)
        if (hub->clients.table[i].pid != 0)
            (void)close(hub->clients.table[i].out);
    (void)close(hub->held_open);
    (void)close(hub->in);
}
