/* member: what many_client and chat_client have in common: a pipe of their own, the way into the
 * server's table, and out of it. */
#ifndef MEMBER_H
#define MEMBER_H

#include "message.h"
#include "ready.h"

struct member {
    const char *server_path;
    int out; /* to the server */
    int in;  /* from the server */
};

/* Makes and opens the pipes, and joins as `name`. Returns false when somebody wants the program to
 * end; ends it with a message if the server is not there, refuses, or does not answer. */
bool member_join(struct member *member, const char *directory, const char *program,
                 const char *name);

/* Sends a message, and waits for room. Returns false when somebody wants the program to end; ends it
 * with a message if the server has ended, or does not read. */
bool member_send(const struct member *member, const struct message *message);

/* Takes the next message, once there is one to read. Returns false if there was none after all;
 * ends the program with a message if the server has ended. */
bool member_receive(const struct member *member, struct message *message);

/* Waits for the next message, but not for ever. Returns false when somebody wants the program to
 * end; ends it with a message if the server has ended, or says nothing. */
bool member_await(const struct member *member, struct message *message);

/* Has the client taken out of the server's table, and closes the pipes. */
void member_leave(const struct member *member);

#endif
