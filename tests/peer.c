/*
 * peer.c - plays one side of a talk over TCP by a script: a rude client, or a server that answers nonsense.
 *
 *     peer [-t DEADLINE_MS] ACTION...
 *
 * Run by step4.bats, against the servers or against the client. Each ACTION is one argument, a verb and its
 * operands; they are done in order, and the first that fails ends us: message, exit 1. Exit 0: all went as the
 * script says. Wrong script: exit 2. Every line that we hear goes to standard output, to be awaited there.
 *
 *     connect ADDRESS PORT         the new connection is the current one, which the other verbs speak of
 *     crowd COUNT ADDRESS PORT     so many connections that stay open
 *     listen ADDRESS PORT
 *     accept PORT                  the next connection to that port is the current one
 *     serve PORT REGEX             the next line on any connection to that port, new or known; it becomes the
 *                                  current one, and the line must match. (Who asks again may do so on the old
 *                                  connection or on a new one: both are right.)
 *     send TEXT                    with \n \r \0 \\ ; all of it must go
 *     slowly TEXT                  the same, a byte at a time
 *     babble COUNT TEXT            a short TEXT so many times, as far as the other side takes it; nothing is read
 *     flood BYTES                  so many bytes without a newline, as far as the other side takes them
 *     expect REGEX                 the next line matches
 *     expect-any REGEX             the next line on any connection that we have opened; the same as in serve
 *     expect-place                 the next line is `PORT TOKEN`; from here on %p and %t stand for them
 *     expect-refusal               the next line says errtraitement, or the connection ends without a line
 *     expect-end                   end of file or a reset; what comes before is thrown away
 *     expect-close                 the same, and no reset
 *     half-close                   shutdown(2) of our writing side
 *     close | reset                the latter with unread bytes forgotten and a TCP reset
 *     silence MS                   hold everything open, without a word
 *     until PATH                   the same, until that file exists
 *     hammer PATH ADDRESS PORT     connect and reset until that file exists; then tells `refused COUNT of COUNT`
 *     tell TEXT                    on standard output
 *     times COUNT                  all that follows, so many times
 *
 * REGEX is an extended regular expression. Each waiting has the deadline, 10 seconds unless told.
 * Left out on purpose: more than one script at a time; any other address family than IPv4.
 */
#include "script.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOW_MS = 2, HAMMER_MS = 1 };

/* ---- the verbs; each gets its operands */

static void do_connect(char *rest)
{
    struct sockaddr_in address = next_address(&rest);
    current = open_conn(&address);
}

static void do_crowd(char *rest)
{
    long count = next_number(&rest);
    struct sockaddr_in address = next_address(&rest);
    while (count-- > 0)
        current = open_conn(&address);
}

static void do_listen(char *rest)
{
    struct sockaddr_in address = next_address(&rest);
    listen_at(&address);
    tell_line("listening");
}

static void do_accept(char *rest)
{
    const struct listener *listener = find_listener(next_number(&rest));
    if (!await_ready(listener->fd, POLLIN, now_ms() + deadline_ms))
        end_with(ACTION_FAILED, "nobody came in %ld ms", deadline_ms);
    current = accept_from(listener);
}

static void do_serve(char *rest)
{
    const struct listener *listener = find_listener(next_number(&rest));
    char line[MAX_LINE];
    current = hear_any(listener, line);
    must_match(line, rest);
}

static void do_expect_any(char *rest)
{
    const struct listener nobody = { .fd = -1, .port = 0 };
    char line[MAX_LINE];
    current = hear_any(&nobody, line);
    must_match(line, rest);
}

static void do_send(char *rest)
{
    send_all(the_current(), rest, unescape(rest));
}

static void do_slowly(char *rest)
{
    size_t length = unescape(rest);
    for (size_t i = 0; i < length; i++) {
        send_all(the_current(), rest + i, 1);
        sleep_ms(SLOW_MS);
    }
}

/* What is not taken in half a second will not be. */
static bool takes(const char *bytes, size_t length)
{
    return send_bytes(the_current(), bytes, length, now_ms() + 500) == length;
}

/* The block again and again, so many bytes in all, as far as they are taken. */
static void pour(const char *block, size_t size, long bytes)
{
    while (bytes > 0 && takes(block, bytes < (long)size ? (size_t)bytes : size))
        bytes -= (long)size;
}

/* Many at a time: a system call for each would take most of a slow machine's time. */
static void do_babble(char *rest)
{
    static char block[4096];
    long count = next_number(&rest);
    size_t length = unescape(rest);
    long at_once = length > 0 ? (long)(sizeof block / length) : 0;
    if (at_once == 0)
        end_with(WRONG_SCRIPT, "babble: a short TEXT");
    for (long i = 0; i < at_once; i++)
        memcpy(block + (size_t)i * length, rest, length);
    pour(block, (size_t)at_once * length, count * (long)length);
}

static void do_flood(char *rest)
{
    static char block[1 << 16];
    memset(block, 'x', sizeof block);
    pour(block, sizeof block, next_number(&rest));
}

static void do_expect(char *rest)
{
    char line[MAX_LINE];
    hear_or_fail(the_current(), line);
    must_match(line, rest);
}

static void do_expect_place(char *rest)
{
    char line[MAX_LINE];
    (void)rest;
    hear_or_fail(the_current(), line);
    keep_place(line);
}

static void do_expect_refusal(char *rest)
{
    char line[MAX_LINE];
    (void)rest;
    enum hearing hearing = hear(the_current(), line);
    if (hearing == TOO_LATE)
        end_with(ACTION_FAILED, "neither a line nor the end came in %ld ms", deadline_ms);
    if (hearing == HEARD)
        must_match(line, "^errtraitement");
}

static void do_expect_end(char *rest)
{
    struct conn *conn = the_current();
    long long until_ms = now_ms() + deadline_ms;
    (void)rest;
    do {
        conn->count = 0;
        if (!await_ready(conn->fd, POLLIN, until_ms))
            end_with(ACTION_FAILED, "the connection did not end in %ld ms", deadline_ms);
        errno = 0;
    } while (read_more(conn));
}

static void do_expect_close(char *rest)
{
    do_expect_end(rest);
    if (errno != 0)
        end_with(ACTION_FAILED, "the connection was reset");
}

static void do_half_close(char *rest)
{
    (void)rest;
    if (shutdown(the_current()->fd, SHUT_WR) == -1 && errno != ENOTCONN)
        fail("shutdown");
}

static void do_close(char *rest)
{
    (void)rest;
    drop_conn(the_current());
}

/* The next close(2) resets the connection, and leaves no TIME_WAIT behind. */
static void prepare_reset(int fd)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void do_reset(char *rest)
{
    prepare_reset(the_current()->fd);
    do_close(rest);
}

static void do_silence(char *rest)
{
    long long until_ms = now_ms() + next_number(&rest);
    for (long long left; (left = until_ms - now_ms()) > 0;)
        sleep_ms((long)left);
}

static void do_until(char *path)
{
    long long until_ms = now_ms() + deadline_ms;
    while (access(path, F_OK) == -1) {
        if (now_ms() > until_ms)
            end_with(ACTION_FAILED, "not in %ld ms", deadline_ms);
        sleep_ms(10);
    }
}

static void do_hammer(char *rest)
{
    const char *path = next_word(&rest);
    struct sockaddr_in address = next_address(&rest);
    long count = 0, refused = 0;
    for (; access(path, F_OK) == -1; count++) {
        int fd = try_connect(&address);
        if (fd == -1) {
            refused++;
        } else {
            prepare_reset(fd);
            close(fd);
        }
        sleep_ms(HAMMER_MS);
    }
    printf("refused %ld of %ld\n", refused, count);
}

static void do_tell(char *rest)
{
    tell_line(rest);
}

static const struct {
    const char *verb;
    void (*act)(char *rest);
} verbs[] = {
    { "connect", do_connect },       { "crowd", do_crowd },
    { "listen", do_listen },         { "accept", do_accept },
    { "serve", do_serve },           { "send", do_send },
    { "slowly", do_slowly },         { "babble", do_babble },
    { "flood", do_flood },           { "expect", do_expect },
    { "expect-any", do_expect_any }, { "expect-place", do_expect_place },
    { "expect-end", do_expect_end }, { "expect-refusal", do_expect_refusal },
    { "expect-close", do_expect_close },
    { "half-close", do_half_close }, { "silence", do_silence },
    { "close", do_close },           { "reset", do_reset },
    { "until", do_until },           { "hammer", do_hammer },
    { "tell", do_tell },
};

/* ---- the script */

static void perform(const char *action)
{
    static char text[MAX_TEXT];
    begin_action(action, text);
    char *rest = text, *verb = next_word(&rest);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verb, verbs[i].verb) == 0) {
            verbs[i].act(rest);
            return;
        }
    end_with(WRONG_SCRIPT, "no such verb");
}

static void perform_all(char **actions)
{
    for (; *actions != NULL; actions++)
        if (strncmp(*actions, "times ", 6) == 0) {
            for (long count = to_number(*actions + 6); count > 0; count--)
                perform_all(actions + 1);
            return;
        } else {
            perform(*actions);
        }
}

/* A crowd needs descriptors: as many as we may have. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "+t:")) != -1)
        if (option == 't')
            deadline_ms = to_number(optarg);
        else
            optind = argc;
    if (optind >= argc) {
        fputs("usage: peer [-t DEADLINE_MS] ACTION...\n", stderr);
        return WRONG_SCRIPT;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_limit();
    perform_all(argv + optind);
    return 0;
}
