/* chat_server: a line of one client goes to all the others, or to one of them.
 *
 * The same pipes as in many_server, which see, and the same journal. A text that is for `everyone`
 * goes to all but its writer; what is for a name that nobody has comes back as a word of `server`.
 */
#include "hub.h"
#include "journal.h"
#include "ready.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: chat_server [-d DIR] [-m CLIENTS]\n"
    "  -d DIR      where to make its pipe (default /tmp)\n"
    "  -m CLIENTS  how many at the same time, 1 to 64 (default 16)\n"
    "  -h          this text\n";

static void tell_unknown(struct client *from, const char *name)
{
    char text[TEXT_ROOM];
    struct message answer;

    (void)snprintf(text, sizeof text, "nobody here is called %s", name);
    (void)message_make(&answer, MESSAGE_TEXT, "server", text);
    client_send(from, &answer);
}

static void pass_on(struct clients *clients, struct client *from, struct message *text)
{
    char wanted[NAME_ROOM];
    struct client *receiver;

    memcpy(wanted, text->name, sizeof wanted);
    memcpy(text->name, from->name, sizeof text->name);
    text->sender = 0;
    if (strcmp(wanted, "everyone") == 0) {
        for (int i = 0; i < clients->places; i++)
            if (clients->table[i].pid != 0 && &clients->table[i] != from)
                client_send(&clients->table[i], text);
        return;
    }
    receiver = clients_find_name(clients, wanted);
    if (receiver != NULL)
        client_send(receiver, text);
    else
        tell_unknown(from, wanted);
}

int main(int argc, char *argv[])
{
    struct hub hub;

    hub_parse_options(&hub, argc, argv, "chat_server", usage);
    journal_init("chat_server", false);
    ready_init();
    hub_open(&hub, "chat_server");
    hub_serve(&hub, pass_on);
    hub_close(&hub);
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
