/* See clients.h. */
#include "clients.h"

#include "journal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct client *clients_find_pid(struct clients *clients, int32_t pid)
{
    for (int i = 0; i < clients->places; i++)
        if (clients->table[i].pid == pid)
            return &clients->table[i];
    return NULL;
}

struct client *clients_find_name(struct clients *clients, const char *name)
{
    for (int i = 0; i < clients->places; i++)
        if (clients->table[i].pid != 0 && strcmp(clients->table[i].name, name) == 0)
            return &clients->table[i];
    return NULL;
}

void client_enter(struct client *place, int32_t pid, const char *name, int out)
{
    place->pid = pid;
    place->out = out;
    (void)snprintf(place->name, sizeof place->name, "%s", name);
    journal("joined %s", name);
}

void client_remove(struct client *client, const char *event)
{
    (void)close(client->out);
    client->pid = 0;
    journal("%s %s", event, client->name);
}

void client_send(struct client *client, const struct message *message)
{
    // TODO 2w.6: write the message into the client's pipe with message_send(). If that fails, nobody else
    // is to suffer from it: take the client out of the table with client_remove(). The event is
    // "gone" if errno says that nobody reads this pipe any more, and "dropped" otherwise: then the
    // pipe is full, because the client does not read.
    // SOLUTION
    if (message_send(client->out, message) == -1)
        client_remove(client, errno == EPIPE ? "gone" : "dropped");
    // STUB: todo("2w.6", client, message, message_send, client_remove);
    // END
}

/* Of a writing end, poll(2) tells without being asked when nobody reads there (POLLERR). */
void clients_sweep(struct clients *clients)
{
    for (int i = 0; i < clients->places; i++) {
        struct client *client = &clients->table[i];
        struct pollfd end = { .fd = client->out };

        if (client->pid != 0 && poll(&end, 1, 0) == 1 && (end.revents & POLLERR) != 0)
            client_remove(client, "gone");
    }
}
