/* See message.h. */
#include "message.h"

#include "journal.h"
#include "todo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool message_make(struct message *message, enum message_kind kind, const char *name,
                  const char *text)
{
    int name_length, text_length;

    memset(message, 0, sizeof *message);
    message->kind = kind;
    message->sender = (int32_t)getpid();
    name_length = snprintf(message->name, NAME_ROOM, "%s", name);
    text_length = snprintf(message->text, TEXT_ROOM, "%s", text);
    return name_length >= 0 && name_length < NAME_ROOM && text_length >= 0 && text_length < TEXT_ROOM;
}

int message_send(int fd, const struct message *message)
{
    return write(fd, message, sizeof *message) == (ssize_t)sizeof *message ? 0 : -1;
}

/* What came from outside may be anything. */
static bool is_sound(const struct message *message)
{
    return message->kind >= MESSAGE_JOIN && message->kind <= MESSAGE_REFUSED && message->sender >= 0
        && memchr(message->name, '\0', NAME_ROOM) != NULL
        && memchr(message->text, '\0', TEXT_ROOM) != NULL;
}

/* Text of others must not forge a line, or move somebody's cursor. */
static void clean(char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        if (is_control(text, i) && text[i] != '\t')
            text[i] = '?';
}

/* Who has written something of another size has shifted all that lies behind it. Once the pipe
 * is empty, the next message begins at its beginning again. Not for ever: somebody may write
 * faster than this reads. */
static void empty(int fd)
{
    char bytes[4096];
    int rounds = 0;

    while (read(fd, bytes, sizeof bytes) > 0 && ++rounds < 64) {
        /* There may be more. */
    }
}

enum received message_receive(int fd, struct message *message)
{
    // TODO 2w.5: read one message, with one read(2): it is all there, or nothing is. What may come of
    // it: 0 bytes, RECEIVED_END; -1 with EAGAIN, RECEIVED_NONE, and die() for another errno. What has
    // not the size of a message, or is not is_sound(), is RECEIVED_RUBBISH: empty() the pipe before
    // you return that. For what is left, RECEIVED: clean() its name and its text first.
    todo("2w.5", fd, message, is_sound, empty, clean);
}

bool is_name(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(text);

    return length > 0 && length < NAME_ROOM && strspn(text, allowed) == length;
}
