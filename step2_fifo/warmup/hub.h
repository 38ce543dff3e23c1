/* hub: what many_server and chat_server have in common: one pipe in, a table of clients, and one
 * pipe out to each of them. What they do not have in common is where a text goes. */
#ifndef HUB_H
#define HUB_H

#include "clients.h"

struct hub {
    const char *directory;
    int in;
    int held_open; /* our own writing end of it */
    struct clients clients;
};

/* Sends `text` on, which has come from the client `from`. The message may be changed. */
typedef void deliver_function(struct clients *clients, struct client *from, struct message *text);

/* [-d DIR] [-m CLIENTS]: `hub` as they want it. */
void hub_parse_options(struct hub *hub, int argc, char *argv[], const char *program,
                       const char *usage);

/* Makes and announces the server's pipe, and opens it. Ends the program if that fails. */
void hub_open(struct hub *hub, const char *program);

/* Serves clients until somebody wants the program to end. */
void hub_serve(struct hub *hub, deliver_function *deliver);

/* Closes all pipes; so the clients learn that it is over. */
void hub_close(struct hub *hub);

#endif
