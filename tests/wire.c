/*
 * wire.c - see wire.h.
 */
#include "wire.h"

#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNS = 2000, MAX_LISTENERS = 8 };

long deadline_ms = 10000;
struct conn *current;
static struct conn *conns[MAX_CONNS];
static size_t conn_count;
static struct listener listeners[MAX_LISTENERS];
static size_t listener_count;

/* ---- time */

long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void sleep_ms(long milliseconds)
{
    poll(NULL, 0, (int)milliseconds);
}

bool await_ready(int fd, short events, long long until_ms)
{
    struct pollfd wanted = { .fd = fd, .events = events };
    int ready;
    do {
        long long left = until_ms - now_ms();
        ready = poll(&wanted, 1, left > 0 ? (int)left : 0);
    } while (ready == -1 && errno == EINTR);
    return ready == 1;
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

void drop_conn(struct conn *conn)
{
    for (size_t i = 0; i < conn_count; i++)
        if (conns[i] == conn)
            memmove(&conns[i], &conns[i + 1], (--conn_count - i) * sizeof conns[0]);
    if (current == conn)
        current = NULL;
    close(conn->fd);
    free(conn);
}

struct conn *the_current(void)
{
    if (current == NULL)
        end_with(WRONG_SCRIPT, "no connection is open");
    return current;
}

int try_connect(const struct sockaddr_in *address)
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

struct conn *open_conn(const struct sockaddr_in *address)
{
    int fd = try_connect(address);
    if (fd == -1)
        fail("connect");
    return add_conn(fd, 0);
}

void listen_at(const struct sockaddr_in *address)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1
        || bind(fd, (const struct sockaddr *)address, sizeof *address) == -1 || listen(fd, SOMAXCONN) == -1)
        fail("listen");
    if (listener_count == MAX_LISTENERS)
        end_with(WRONG_SCRIPT, "too many ports");
    listeners[listener_count++] = (struct listener){ fd, ntohs(address->sin_port) };
}

const struct listener *find_listener(long port)
{
    for (size_t i = 0; i < listener_count; i++)
        if (listeners[i].port == port)
            return &listeners[i];
    end_with(WRONG_SCRIPT, "nobody listens on port %ld", port);
}

struct conn *accept_from(const struct listener *listener)
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

bool read_more(struct conn *conn)
{
    if (conn->count == MAX_LINE)
        end_with(ACTION_FAILED, "heard %d bytes without a newline", MAX_LINE);
    ssize_t count = read(conn->fd, conn->bytes + conn->count, MAX_LINE - conn->count);
    if (count > 0)
        conn->count += (size_t)count;
    return count > 0 || (count == -1 && (errno == EAGAIN || errno == EINTR));
}

void tell_line(const char *line)
{
    puts(line);
    fflush(stdout);
}

enum hearing hear(struct conn *conn, char line[MAX_LINE])
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

void hear_or_fail(struct conn *conn, char line[MAX_LINE])
{
    enum hearing hearing = hear(conn, line);
    if (hearing == ENDED)
        end_with(ACTION_FAILED, "the connection ended without a line");
    if (hearing == TOO_LATE)
        end_with(ACTION_FAILED, "no line came in %ld ms", deadline_ms);
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

struct conn *hear_any(const struct listener *listener, char line[MAX_LINE])
{
    long long until_ms = now_ms() + deadline_ms;
    struct conn *speaker;
    while ((speaker = find_speaker(listener->port, line)) == NULL)
        attend(listener, until_ms);
    tell_line(line);
    return speaker;
}

/* ---- bytes */

size_t send_bytes(struct conn *conn, const char *bytes, size_t length, long long until_ms)
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

void send_all(struct conn *conn, const char *bytes, size_t length)
{
    if (send_bytes(conn, bytes, length, now_ms() + deadline_ms) < length)
        end_with(ACTION_FAILED, "the other side has gone, or takes no more");
}
