/* See tcp.h. */
#include "tcp.h"

#include "clock.h"
#include "todo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

int tcp_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags == -1 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* Ports travel in network byte order: the most significant byte first. */
static struct sockaddr_in make_address(struct in_addr address, int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = address,
                                 .sin_port = htons((uint16_t)port) };
}

static int open_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd != -1 && tcp_set_nonblocking(fd) == -1) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static int fail_and_close(int fd)
{
    int saved_errno = errno;

    (void)close(fd);
    errno = saved_errno;
    return -1;
}

int tcp_listen(struct in_addr address, int port)
{
    struct sockaddr_in name = make_address(address, port);
    int on = 1;
    int fd = open_socket();

    if (fd == -1)
        return -1;
    // TODO 4.1: let the socket have its port although connections of the last start are still in
    // TIME_WAIT there (SO_REUSEADDR; another program that listens on it is still an error). Give the
    // socket its name, and make it listen, with room for SOMAXCONN clients in the queue. If one of
    // the three calls fails, fail_and_close().
    todo("4.1", name, on, fail_and_close);
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
    if (answer != 0 && error == 0)
        return 0;
    errno = answer == 0 ? ETIMEDOUT : error;
    return -1;
}

int tcp_connect(struct in_addr address, int port, int64_t deadline_ms)
{
    struct sockaddr_in name = make_address(address, port);
    int fd = open_socket();

    if (fd == -1)
        return -1;
    // TODO 4.6: connect. The socket is O_NONBLOCK, so to be told that the connection is under way is
    // no failure: await_connection(). For any failure, fail_and_close().
    todo("4.6", name, deadline_ms, await_connection);
}
