/* message: what goes through the pipes of many_* and chat_*: records of one size.
 *
 * POSIX promises that a write(2) of up to PIPE_BUF bytes, which is at least 512, goes into a pipe
 * whole or not at all. All writers of one pipe keep to one size, at most that: so there are whole
 * messages in it and nothing else, and to read one message's size is to read one message.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { NAME_ROOM = 24, TEXT_ROOM = 480 }; /* with the final '\0' */

enum message_kind {
    MESSAGE_JOIN = 1, /* to the server: `name` wants to take part, and reads at the path `text` */
    MESSAGE_TEXT,     /* to the server: for `name`. From the server: written by `name` */
    MESSAGE_LEAVE,    /* to the server */
    MESSAGE_WELCOME,  /* from the server: you take part now */
    MESSAGE_REFUSED   /* from the server: you do not, and why */
};

struct message {
    int32_t kind;
    int32_t sender; /* the client's pid; 0 for the server */
    char name[NAME_ROOM];
    char text[TEXT_ROOM];
};

_Static_assert(sizeof(struct message) <= _POSIX_PIPE_BUF, "a message is written whole");

enum received {
    RECEIVED,          /* a message was stored */
    RECEIVED_NONE,     /* nothing there now */
    RECEIVED_RUBBISH,  /* no message: what lay in the pipe behind it was thrown away, too */
    RECEIVED_END       /* nobody has the writing end open any more */
};

/* A message from this process. False if `name` or `text` is too long. */
bool message_make(struct message *message, enum message_kind kind, const char *name,
                  const char *text);

/* Returns 0, or -1 with errno: EAGAIN if there is no room, EPIPE if nobody reads any more. */
int message_send(int fd, const struct message *message);

/* Takes one message out of the pipe. Its strings end, and hold no control characters but tabs. */
enum received message_receive(int fd, struct message *message);

/* Letters, digits, `-`, `_`; at most NAME_ROOM - 1 of them, and at least one. */
bool is_name(const char *text);

#endif
