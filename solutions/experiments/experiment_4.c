/* experiment 4: a port whose server has just ended, and a listening socket that outlives its server.
 *
 *     A  server, with or without SO_REUSEADDR, closes first --- its end waits in TIME_WAIT
 *        the next server binds the same port: may it?
 *     B  keeper: listening socket --fork--> server, killed; a client connects --fork--> server
 *
 * All on one loopback address that is made from our pid, so that others' ports are not in the way.
 */
#include "clock.h"
#include "experiment.h"
#include "journal.h"
#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAIT_MS = 5000,
    ALONE_MS = 500,         /* a client is without a server for so long */
    BACKLOG = 8,
    TCP_TIME_WAIT = 6       /* in /proc/net/tcp */
};

/* Everywhere on 127/8 is this machine (on Linux). */
static struct sockaddr_in make_address(int port)
{
    const unsigned pid = (unsigned)getpid();
    const unsigned host = 127U << 24 | (32 + (pid >> 16 & 31)) << 16 | (pid & 0xffff);

    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(host) };
}

/* A socket that listens on the port, any for 0. Returns -1 with errno where it may not. */
static int listen_on(struct sockaddr_in address, bool reuse)
{
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int saved_errno;

    if (fd == -1 || (reuse && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1))
        die("make a socket");
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return -1;
}

static struct sockaddr_in address_of(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &length) == -1)
        die("ask for the address of a socket");
    return address;
}

/* Returns the client's end, or -1 with errno. On this machine nobody is far away: it does not wait. */
static int connect_to(struct sockaddr_in address)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int saved_errno;

    if (fd == -1)
        die("make a socket");
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return -1;
}

/* A. TIME_WAIT */

static void await_end_of_file(int fd)
{
    char byte;

    if (!can_read(fd, WAIT_MS) || read(fd, &byte, 1) != 0)
        diex("close a connection: the other side does not see it");
}

/* A server that has had one client, closed that connection first, and ended. Returns its address. */
static struct sockaddr_in serve_once(bool reuse, bool server_closes_first)
{
    int listener = listen_on(make_address(0), reuse);
    struct sockaddr_in address;
    int first, second;

    if (listener == -1)
        die("listen");
    address = address_of(listener);
    first = connect_to(address);
    if (first == -1 || !can_read(listener, WAIT_MS) || (second = accept(listener, NULL, NULL)) == -1)
        die("have a connection");
    (void)close(server_closes_first ? second : first);
    await_end_of_file(server_closes_first ? first : second);
    (void)close(server_closes_first ? first : second);
    (void)close(listener);
    return address;
}

/* The server's end of a connection as the kernel has it, in a line of /proc/net/tcp:
 *     0: 0100007F:1F90 0100007F:D431 06 ...      local, remote, state; addresses as they lie in memory */
static bool is_in_time_wait(struct sockaddr_in address)
{
    FILE *file = fopen("/proc/net/tcp", "r");
    bool found = false;
    unsigned host, port, state;
    char line[512];

    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, " %*u: %8X:%4X %*8X:%*4X %2X", &host, &port, &state) == 3
             && host == address.sin_addr.s_addr && port == ntohs(address.sin_port) && state == TCP_TIME_WAIT;
    (void)fclose(file);
    return found;
}

/* Returns 0 if the next server may have the port at once, else why not. */
static int try_restart(const char *what, bool first_reuses, bool server_closes_first, bool next_reuses)
{
    struct sockaddr_in address = serve_once(first_reuses, server_closes_first);
    const char *state = is_in_time_wait(address) ? "TIME_WAIT" : "-";
    int fd = listen_on(address, next_reuses);
    int error = fd == -1 ? errno : 0;

    say("%-40s %-5d %-9s  %s", what, ntohs(address.sin_port), state, error == 0 ? "listens" : strerror(error));
    if (fd != -1)
        (void)close(fd);
    return error;
}

static void show_time_wait(void)
{
    struct sockaddr_in address = make_address(0);
    char text[INET_ADDRSTRLEN];
    int fd, second;

    scene("A. A server ends, and the next one wants its port at once");
    if (inet_ntop(AF_INET, &address.sin_addr, text, sizeof text) == NULL)
        die("write an address");
    say("address %s", text);
    say("%-40s %-5s %-9s  %s", "SO_REUSEADDR", "port", "state", "the next server");
    claim(try_restart("neither; the client closes first", false, false, false) == 0,
          "who closes first has TIME_WAIT: the client, here, on a port of its own");
    claim(try_restart("neither; the server closes first", false, true, false) == EADDRINUSE,
          "the server has it, here, and its port is in use: for a minute, on Linux");
    claim(try_restart("both; the server closes first", true, true, true) == 0,
          "with SO_REUSEADDR a port in TIME_WAIT can be had");
    (void)try_restart("the next alone; the server closes first", false, true, true);
    fd = listen_on(make_address(0), true);
    if (fd == -1)
        die("listen");
    second = listen_on(address_of(fd), true);
    claim(second == -1 && errno == EADDRINUSE, "two that listen on one port at once: still %s", strerror(errno));
    (void)close(fd);
}

/* B. A socket that outlives its server */

/* Tells each client its pid. */
static _Noreturn void serve(int listener)
{
    begin_child();
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char line[32];
        int length = snprintf(line, sizeof line, "%ld", (long)getpid());

        if (fd == -1 || write(fd, line, (size_t)length) != length)
            _exit(EXIT_FAILURE);
        (void)close(fd);
    }
}

static pid_t start_server(int listener)
{
    pid_t pid = fork();

    if (pid == 0)
        serve(listener);
    note_child(pid);
    return pid;
}

static void kill_server(pid_t pid)
{
    say("$ kill -9 %ld", (long)pid);
    if (kill(pid, SIGKILL) == -1)
        die("kill the server");
    (void)await_child(pid, WAIT_MS);
}

/* Who has answered, 0 for nobody. */
static pid_t hear_pid(int fd, int limit_ms)
{
    char line[32] = "";

    if (!can_read(fd, limit_ms) || read(fd, line, sizeof line - 1) <= 0)
        return 0;
    return (pid_t)strtol(line, NULL, 10);
}

static void show_lost_socket(void)
{
    int listener = listen_on(make_address(0), true);
    struct sockaddr_in address;
    pid_t server;
    int client;

    if (listener == -1)
        die("listen");
    address = address_of(listener);
    server = start_server(listener);
    (void)close(listener);
    scene("B. A server that has its listening socket alone, is killed");
    kill_server(server);
    client = connect_to(address);
    claim(client == -1 && errno == ECONNREFUSED, "then a client hears: %s", client == -1 ? strerror(errno) : "-");
}

static void show_kept_socket(void)
{
    int listener = listen_on(make_address(0), true);
    struct sockaddr_in address;
    int64_t before_us;
    pid_t server, answer;
    int client;

    if (listener == -1)
        die("listen");
    address = address_of(listener);
    scene("C. Another process has the socket, too: it has made it, and the server has inherited it");
    kill_server(start_server(listener));
    before_us = clock_us();
    client = connect_to(address);
    claim(client != -1, "a client connects, with no server there, in %.1f ms", (double)(clock_us() - before_us) / 1000);
    if (client == -1)
        return;
    claim(hear_pid(client, ALONE_MS) == 0, "it waits in the queue of the socket: %d ms without an answer", ALONE_MS);
    server = start_server(listener);
    answer = hear_pid(client, WAIT_MS);
    say("A new server is there, %ld. The client is answered by %ld, after %.0f ms in all.", (long)server, (long)answer,
        (double)(clock_us() - before_us) / 1000);
    claim(answer == server, "the client has waited, and was never refused");
    (void)close(client);
    (void)close(listener);
}

int main(int argc, char *argv[])
{
    experiment_begin(argc, argv, "4", "What becomes of a port whose server ends?");
    show_time_wait();
    show_lost_socket();
    show_kept_socket();
    return experiment_end(
        "     Who closes first keeps the connection's port for a while (TIME_WAIT), for segments that are\n"
        "     still on their way. A server that is to be restarted at once sets SO_REUSEADDR before bind(2),\n"
        "     each time: on Linux it does not help if only the second one has it. It never lets two listen\n"
        "     on one port. A listening socket lives as long as somebody holds it. The watchdog makes it and\n"
        "     holds it, so a client waits while a server is replaced, and is not refused.\n");
}
