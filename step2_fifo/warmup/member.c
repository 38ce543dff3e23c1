/* See member.h. */
#include "member.h"

#include "clock.h"
#include "ends.h"
#include "journal.h"

#include <errno.h>
#include <unistd.h>

static void open_ends(struct member *member, const char *own_path)
{
    member->in = open_reading_end(own_path);
    if (member->in == -1)
        diex("open %s: %s", own_path, why_not_open());
    member->out = open_writing_end(member->server_path);
    if (member->out == -1)
        diex("open %s: %s", member->server_path, why_not_open());
}

bool member_join(struct member *member, const char *directory, const char *program,
                 const char *name)
{
    const char *own_path = make_own_fifo(directory, program);
    struct message message;

    open_ends(member, own_path);
    (void)message_make(&message, MESSAGE_JOIN, name, own_path);
    if (!member_send(member, &message) || !member_await(member, &message))
        return false;
    if (message.kind == MESSAGE_REFUSED)
        diex("join %s: %s", member->server_path, message.text);
    if (message.kind != MESSAGE_WELCOME)
        diex("join %s: the server's answer is none", member->server_path);
    return true;
}

bool member_send(const struct member *member, const struct message *message)
{
    int64_t deadline_ms = clock_ms() + SILENCE_MS;

    while (message_send(member->out, message) == -1) {
        enum ready ready;

        if (errno == EPIPE)
            diex("write to %s: the server has ended", member->server_path);
        if (errno != EAGAIN)
            die("write to %s", member->server_path);
        ready = await_writable(member->out, deadline_ms);
        if (ready == READY_STOP)
            return false;
        if (ready == READY_LATE)
            diex("write to %s: the server has not read for %d ms", member->server_path, SILENCE_MS);
    }
    return true;
}

bool member_receive(const struct member *member, struct message *message)
{
    switch (message_receive(member->in, message)) {
    case RECEIVED: return true;
    case RECEIVED_RUBBISH: diex("read from %s: this is no message", member->server_path);
    case RECEIVED_END: diex("read from %s: the server has ended, or has dropped us", member->server_path);
    case RECEIVED_NONE: break;
    }
    return false;
}

bool member_await(const struct member *member, struct message *message)
{
    int64_t deadline_ms = clock_ms() + SILENCE_MS;

    for (;;) {
        enum ready ready = await_readable(member->in, deadline_ms);

        if (ready == READY_STOP)
            return false;
        if (ready == READY_LATE)
            diex("read from %s: no answer for %d ms", member->server_path, SILENCE_MS);
        if (member_receive(member, message))
            return true;
    }
}

/* Not waited for: if the server does not read now, it finds out when it writes to us. */
void member_leave(const struct member *member)
{
    struct message message;

    (void)message_make(&message, MESSAGE_LEAVE, "", "");
    (void)message_send(member->out, &message);
    (void)close(member->out);
    (void)close(member->in);
}
