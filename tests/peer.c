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
 *     babble COUNT TEXT            TEXT so many times, as far as the other side takes it; nothing is read
 *     flood BYTES                  so many bytes without a newline, as far as the other side takes them
 *     expect REGEX                 the next line matches
 *     expect-any REGEX             the next line on any connection that we have opened; the same as in serve
 *     expect-place                 the next line is `PORT TOKEN`; from here on %p and %t stand for them
 *     expect-refusal               the next line says errtraitement, or the connection ends without a line
 *     expect-end                   end of file or a reset; what comes before is thrown away
 *     half-close                   shutdown(2) of our writing side
 *     close | reset                the latter with unread bytes forgotten and a TCP reset
 *     silence MS                   hold everything open, without a word
 *     until PATH                   the same, until that file exists
 *     hammer MS ADDRESS PORT       connect and reset all that time; then tells `refused COUNT of COUNT`
 *     tell TEXT                    on standard output
 *     times COUNT                  all that follows, so many times
 *
 * REGEX is an extended regular expression. Each waiting has the deadline, 10 seconds unless told.
 * Left out on purpose: more than one script at a time; any other address family than IPv4.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ACTION_FAILED = 1, WRONG_SCRIPT = 2, MAX_CONNS = 2000, MAX_LISTENERS = 8, MAX_LINE = 4096, MAX_TEXT = 65536 };
enum { SLOW_MS = 2, HAMMER_NS = 200000 };

struct conn {
    int fd;
    int port;                   /* of the listener it came by; 0 for one we have opened */
    size_t count;               /* bytes read and not yet taken */
    char bytes[MAX_LINE];
};

struct listener {
    int fd;
    int port;
};

enum hearing { HEARD, ENDED, TOO_LATE };

static long deadline_ms = 10000;
static const char *current_action = "start";
static struct conn *conns[MAX_CONNS];
static size_t conn_count;
static struct conn *current;
static struct listener listeners[MAX_LISTENERS];
static size_t listener_count;
static char place_port[16], place_token[MAX_LINE];

__attribute__((format(printf, 2, 3)))
static _Noreturn void end_with(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "peer: %s: ", current_action);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

static _Noreturn void fail(const char *what)
{
    end_with(ACTION_FAILED, "%s: %s", what, strerror(errno));
}

/* ---- time */

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void sleep_ms(long milliseconds)
{
    poll(NULL, 0, (int)milliseconds);
}

/* Returns false at the deadline. */
static bool await_ready(int fd, short events, long long until_ms)
{
    struct pollfd wanted = { .fd = fd, .events = events };
    int ready;
    do {
        long long left = until_ms - now_ms();
        ready = poll(&wanted, 1, left > 0 ? (int)left : 0);
    } while (ready == -1 && errno == EINTR);
    return ready == 1;
}

/* ---- the operands of an action */

static long to_number(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 0)
        end_with(WRONG_SCRIPT, "'%s' is no number", text);
    return number;
}

/* Cuts the next word off. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    char *end = word + strcspn(word, " ");
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    if (*word == '\0')
        end_with(WRONG_SCRIPT, "an operand is missing");
    return word;
}

static long next_number(char **rest)
{
    return to_number(next_word(rest));
}

static struct sockaddr_in next_address(char **rest)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    if (inet_pton(AF_INET, next_word(rest), &address.sin_addr) != 1)
        end_with(WRONG_SCRIPT, "no address");
    address.sin_port = htons((uint16_t)next_number(rest));
    return address;
}

static void expand_places(const char *action, char expanded[MAX_TEXT])
{
    size_t length = 0;
    for (; *action != '\0' && length < MAX_TEXT - MAX_LINE; action++) {
        const char *place = action[0] != '%' ? NULL
            : action[1] == 'p' ? place_port : action[1] == 't' ? place_token : NULL;
        if (place == NULL) {
            expanded[length++] = *action;
            continue;
        }
        length += (size_t)sprintf(expanded + length, "%s", place);
        action++;
    }
    expanded[length] = '\0';
}

/* In place; returns the length, since there may be zero bytes. */
static size_t unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '\\' || from[1] == '\0') {
            *to++ = *from;
            continue;
        }
        from++;
        *to++ = *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from == '0' ? '\0' : *from;
    }
    return (size_t)(to - text);
}

/* ---- connections */

static void set_nonblocking(int fd)
{
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
        fail("fcntl");
}

static struct conn *add_conn(int fd, int port)
{
    int on = 1;
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL || conn_count == MAX_CONNS)
        end_with(ACTION_FAILED, "too many connections");
    set_nonblocking(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn->fd = fd;
    conn->port = port;
    conns[conn_count++] = conn;
    return conn;
}

static void drop_conn(struct conn *conn)
{
    for (size_t i = 0; i < conn_count; i++)
        if (conns[i] == conn)
            memmove(&conns[i], &conns[i + 1], (--conn_count - i) * sizeof conns[0]);
    if (current == conn)
        current = NULL;
    close(conn->fd);
    free(conn);
}

static struct conn *the_current(void)
{
    if (current == NULL)
        end_with(WRONG_SCRIPT, "no connection is open");
    return current;
}

/* Returns the descriptor, or -1 with errno. */
static int try_connect(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        fail("socket");
    set_nonblocking(fd);
    int error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
    socklen_t size = sizeof error;
    if (error == EINPROGRESS) {
        error = ETIMEDOUT;
        if (await_ready(fd, POLLOUT, now_ms() + deadline_ms))
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static struct conn *open_conn(const struct sockaddr_in *address)
{
    int fd = try_connect(address);
    if (fd == -1)
        fail("connect");
    return add_conn(fd, 0);
}

static const struct listener *find_listener(long port)
{
    for (size_t i = 0; i < listener_count; i++)
        if (listeners[i].port == port)
            return &listeners[i];
    end_with(WRONG_SCRIPT, "nobody listens on port %ld", port);
}

static struct conn *accept_from(const struct listener *listener)
{
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd == -1)
        fail("accept");
    return add_conn(fd, listener->port);
}

/* ---- lines */

static bool take_line(struct conn *conn, char line[MAX_LINE])
{
    char *newline = memchr(conn->bytes, '\n', conn->count);
    if (newline == NULL)
        return false;
    size_t length = (size_t)(newline - conn->bytes);
    memcpy(line, conn->bytes, length);
    line[length] = '\0';
    conn->count -= length + 1;
    memmove(conn->bytes, newline + 1, conn->count);
    return true;
}

/* Returns false when the connection has ended, by end of file or by reset. */
static bool read_more(struct conn *conn)
{
    if (conn->count == MAX_LINE)
        end_with(ACTION_FAILED, "heard %d bytes without a newline", MAX_LINE);
    ssize_t count = read(conn->fd, conn->bytes + conn->count, MAX_LINE - conn->count);
    if (count > 0)
        conn->count += (size_t)count;
    return count > 0 || (count == -1 && (errno == EAGAIN || errno == EINTR));
}

static void tell_line(const char *line)
{
    puts(line);
    fflush(stdout);
}

static enum hearing hear(struct conn *conn, char line[MAX_LINE])
{
    long long until_ms = now_ms() + deadline_ms;
    while (!take_line(conn, line)) {
        if (!await_ready(conn->fd, POLLIN, until_ms))
            return TOO_LATE;
        if (!read_more(conn))
            return ENDED;
    }
    tell_line(line);
    return HEARD;
}

static void hear_or_fail(struct conn *conn, char line[MAX_LINE])
{
    enum hearing hearing = hear(conn, line);
    if (hearing == ENDED)
        end_with(ACTION_FAILED, "the connection ended without a line");
    if (hearing == TOO_LATE)
        end_with(ACTION_FAILED, "no line came in %ld ms", deadline_ms);
}

static bool matches(const char *line, const char *pattern)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        end_with(WRONG_SCRIPT, "not a regular expression");
    bool found = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static void must_match(const char *line, const char *pattern)
{
    if (!matches(line, pattern))
        end_with(ACTION_FAILED, "heard '%s'", line);
}

/* ---- bytes */

/* Returns how many bytes went: less than `length` if the other side has gone, or takes no more until then. */
static size_t send_bytes(struct conn *conn, const char *bytes, size_t length, long long until_ms)
{
    size_t sent = 0;
    while (sent < length && await_ready(conn->fd, POLLOUT, until_ms)) {
        ssize_t count = send(conn->fd, bytes + sent, length - sent, MSG_NOSIGNAL);
        if (count == -1 && errno != EAGAIN && errno != EINTR)
            break;
        sent += count > 0 ? (size_t)count : 0;
    }
    return sent;
}

static void send_all(struct conn *conn, const char *bytes, size_t length)
{
    if (send_bytes(conn, bytes, length, now_ms() + deadline_ms) < length)
        end_with(ACTION_FAILED, "the other side has gone, or takes no more");
}

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
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1
        || bind(fd, (struct sockaddr *)&address, sizeof address) == -1 || listen(fd, SOMAXCONN) == -1)
        fail("listen");
    if (listener_count == MAX_LISTENERS)
        end_with(WRONG_SCRIPT, "too many ports");
    listeners[listener_count++] = (struct listener){ fd, ntohs(address.sin_port) };
    tell_line("listening");
}

static void do_accept(char *rest)
{
    const struct listener *listener = find_listener(next_number(&rest));
    if (!await_ready(listener->fd, POLLIN, now_ms() + deadline_ms))
        end_with(ACTION_FAILED, "nobody came in %ld ms", deadline_ms);
    current = accept_from(listener);
}

/* Sleeps until somebody comes to that port, or has something to say there. Who left is dropped. */
static void attend(const struct listener *listener, long long until_ms)
{
    struct pollfd wanted[1 + MAX_CONNS] = { { .fd = listener->fd, .events = POLLIN } };
    size_t count = conn_count;
    for (size_t i = 0; i < count; i++)
        wanted[1 + i] = (struct pollfd){ .fd = conns[i]->port == listener->port ? conns[i]->fd : -1, .events = POLLIN };
    long long left = until_ms - now_ms();
    if (left <= 0 || poll(wanted, 1 + count, (int)left) == 0)
        end_with(ACTION_FAILED, "nobody said a line in %ld ms", deadline_ms);
    for (size_t i = count; i-- > 0;)
        if (wanted[1 + i].revents != 0 && !read_more(conns[i]))
            drop_conn(conns[i]);
    if (wanted[0].revents != 0)
        accept_from(listener);
}

static struct conn *find_speaker(int port, char line[MAX_LINE])
{
    for (size_t i = 0; i < conn_count; i++)
        if (conns[i]->port == port && take_line(conns[i], line))
            return conns[i];
    return NULL;
}

static void hear_any(const struct listener *listener, const char *pattern)
{
    long long until_ms = now_ms() + deadline_ms;
    char line[MAX_LINE];
    while ((current = find_speaker(listener->port, line)) == NULL)
        attend(listener, until_ms);
    tell_line(line);
    must_match(line, pattern);
}

static void do_serve(char *rest)
{
    const struct listener *listener = find_listener(next_number(&rest));
    hear_any(listener, rest);
}

static void do_expect_any(char *rest)
{
    const struct listener nobody = { .fd = -1, .port = 0 };
    hear_any(&nobody, rest);
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

/* Half a second without a byte taken is enough. */
static bool takes(const char *bytes, size_t length)
{
    return send_bytes(the_current(), bytes, length, now_ms() + 500) == length;
}

static void do_babble(char *rest)
{
    long count = next_number(&rest);
    size_t length = unescape(rest);
    while (count-- > 0 && takes(rest, length))
        ;
}

static void do_flood(char *rest)
{
    static char block[1 << 16];
    long bytes = next_number(&rest);
    memset(block, 'x', sizeof block);
    while (bytes > 0 && takes(block, bytes < (long)sizeof block ? (size_t)bytes : sizeof block))
        bytes -= sizeof block;
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
    must_match(line, "^[0-9]{1,5} [^ ]+\r?$");
    sscanf(line, "%15s %4095s", place_port, place_token);
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
    } while (read_more(conn));
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
    long long until_ms = now_ms() + next_number(&rest);
    struct sockaddr_in address = next_address(&rest);
    const struct timespec moment = { .tv_nsec = HAMMER_NS };
    long count = 0, refused = 0;
    for (; now_ms() < until_ms; count++) {
        int fd = try_connect(&address);
        if (fd == -1) {
            refused++;
        } else {
            prepare_reset(fd);
            close(fd);
        }
        nanosleep(&moment, NULL);
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
    { "half-close", do_half_close }, { "silence", do_silence },
    { "close", do_close },           { "reset", do_reset },
    { "until", do_until },           { "hammer", do_hammer },
    { "tell", do_tell },
};

/* ---- the script */

static void perform(const char *action)
{
    static char text[MAX_TEXT];
    current_action = action;
    expand_places(action, text);
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
