/* See net.h. */
#include "net.h"

#include "clock.h"
#include "journal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int net_parse_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port;

    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return -1;
    port = strtol(text, NULL, 10);
    return port >= 1 && port <= 65535 ? (int)port : -1;
}

/* Ports travel in network byte order: the most significant byte first. */
bool net_find(struct sockaddr_in *address, const char *host, int port)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    int error = getaddrinfo(host, NULL, &hints, &found);

    if (error != 0) {
        warnx("find host %s: %s", host, gai_strerror(error));
        return false;
    }
    memcpy(address, found->ai_addr, sizeof *address);
    address->sin_port = htons((uint16_t)port);
    freeaddrinfo(found);
    return true;
}

void net_name(const struct sockaddr_in *address, char name[NET_NAME_ROOM])
{
    char host[INET_ADDRSTRLEN] = "?";

    (void)inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    (void)snprintf(name, NET_NAME_ROOM, "%s:%d", host, ntohs(address->sin_port));
}

static int give_up(int fd, const char *what, const char *host, int port)
{
    warn("%s %s port %d", what, host, port);
    if (fd != -1)
        (void)close(fd);
    return -1;
}

int net_listen(const char *host, int port)
{
    struct sockaddr_in address;
    int on = 1;
    int fd;

    if (!net_find(&address, host, port))
        return -1;
    // TODO 4w.1: make a TCP socket and store it in fd. Let it have its port although connections of an
    // earlier start are still in TIME_WAIT there (SO_REUSEADDR). Give it its address, and make it
    // listen, with room for SOMAXCONN clients in the queue. If one of the four calls fails, return
    // give_up(fd, "listen on", host, port).
    // SOLUTION
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1
        || bind(fd, (struct sockaddr *)&address, sizeof address) == -1
        || listen(fd, SOMAXCONN) == -1)
        return give_up(fd, "listen on", host, port);
    // STUB: fd = -1;
    // STUB: todo("4w.1", address, on, fd, give_up);
    // END
    return fd;
}

int net_accept(int listener, char peer[NET_NAME_ROOM])
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd;

    do
        fd = accept(listener, (struct sockaddr *)&address, &size);
    while (fd == -1 && errno == EINTR);
    if (fd == -1)
        return -1;
    net_name(&address, peer);
    return fd;
}

/* Waits for the end of a connect(2) that is under way. Returns 0, or -1 with errno. */
static int await_connection(int fd, int64_t deadline_ms)
{
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    int error = 0;
    socklen_t size = sizeof error;
    int answer;

    do
        answer = poll(&writable, 1, clock_left_ms(deadline_ms));
    while ((answer == -1 && errno == EINTR) || (answer == 0 && clock_ms() < deadline_ms));
    if (answer == -1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == -1)
        return -1;
    errno = answer == 0 ? ETIMEDOUT : error;
    return errno == 0 ? 0 : -1;
}

/* While it connects the socket is O_NONBLOCK, or a host that says nothing would be waited for
 * for minutes; afterwards it waits again. */
static int connect_in_time(int fd, const struct sockaddr_in *address, int timeout_ms)
{
    int64_t deadline_ms = clock_ms() + timeout_ms;
    int flags = fcntl(fd, F_GETFL);

    if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
        return -1;
    // TODO 4w.2: connect to the address (a pointer here: its size is that of what it points to). The
    // socket is O_NONBLOCK for the moment, so to be told that the connection is under way
    // (EINPROGRESS) is no failure: await_connection(). For a failure, return -1.
    // SOLUTION
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) == -1
        && (errno != EINPROGRESS || await_connection(fd, deadline_ms) == -1))
        return -1;
    // STUB: todo("4w.2", address, deadline_ms, await_connection);
    // END
    return fcntl(fd, F_SETFL, flags);
}

int net_connect(const char *host, int port, int timeout_ms)
{
    struct sockaddr_in address;
    int fd;

    if (!net_find(&address, host, port))
        return -1;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd == -1 || connect_in_time(fd, &address, timeout_ms) == -1)
        return give_up(fd, "connect to", host, port);
    return fd;
}

int net_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

bool net_discard(int fd)
{
    char bytes[4096];
    ssize_t count = read(fd, bytes, sizeof bytes);

    return count == 0 || (count == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

int net_write_all(int fd, const void *bytes, size_t count)
{
    const char *rest = bytes;

    while (count > 0) {
        ssize_t written = write(fd, rest, count);

        if (written == -1 && errno != EINTR)
            return -1;
        if (written > 0) {
            rest += written;
            count -= (size_t)written;
        }
    }
    return 0;
}
