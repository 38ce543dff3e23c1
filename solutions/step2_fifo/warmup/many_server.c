/* many_server: sends back to each of many clients what it gets from it.
 *
 *     many_client --\                                       /--> many_client-PID1
 *     many_client ----> many_server-PID, one pipe  --> table ---> many_client-PID2
 *     many_client --/                                       \--> many_client-PID3
 *
 * All write into the one pipe of the server; so each message says whose it is, and is written whole
 * (message.h). It wakes when a message comes, or a signal. It tells the journal who `joined`, `left`,
 * has `gone` without a word (killed), or was `dropped` because it did not read.
 *
 * What is not seen here: clients (the table), hub (who may join).
 */
#include "hub.h"
#include "journal.h"
#include "ready.h"

#include <stdio.h>
#include <stdlib.h>

static const char usage[] =
    "usage: many_server [-d DIR] [-m CLIENTS]\n"
    "  -d DIR      where to make its pipe (default /tmp)\n"
    "  -m CLIENTS  how many at the same time, 1 to 64 (default 16)\n"
    "  -h          this text\n";

static void send_back(struct clients *clients, struct client *from, struct message *text)
{
    (void)clients;
    text->sender = 0;
    (void)snprintf(text->name, sizeof text->name, "%s", from->name);
    client_send(from, text);
}

int main(int argc, char *argv[])
{
    struct hub hub;

    hub_parse_options(&hub, argc, argv, "many_server", usage);
    journal_init("many_server", false);
    ready_init();
    hub_open(&hub, "many_server");
    hub_serve(&hub, send_back);
    hub_close(&hub);
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
