/* clients: the table of those who take part, and the pipes to them. */
#ifndef CLIENTS_H
#define CLIENTS_H

#include "message.h"

#include <stdbool.h>
#include <stdint.h>

enum { MAX_CLIENTS = 64 };

struct client {
    int32_t pid; /* 0: a free place */
    int out;
    char name[NAME_ROOM];
};

struct clients {
    int places; /* how many of the table are used: 1 to MAX_CLIENTS */
    struct client table[MAX_CLIENTS];
};

/* NULL if there is none. A free place is what has pid 0. */
struct client *clients_find_pid(struct clients *clients, int32_t pid);
struct client *clients_find_name(struct clients *clients, const char *name);

/* Puts a client into a free place. `out` is the table's from now on. */
void client_enter(struct client *place, int32_t pid, const char *name, int out);

/* Closes the client's pipe, frees its place, and tells the journal `EVENT NAME`. */
void client_remove(struct client *client, const char *event);

/* A message to one client. Never waits: who has gone or does not read is taken out of the table.
 * Others of the table stay where they are. */
void client_send(struct client *client, const struct message *message);

/* Takes out those whose pipe nobody reads any more. */
void clients_sweep(struct clients *clients);

#endif
