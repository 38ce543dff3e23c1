/* relay: stands between clients and a server, and hands on what each of them says.
 *
 *     client --- connection ---> relay --- connection ---> server
 *            <--------------------------------------------
 *
 * Neither of the two has to know the other's address, or that there is a relay. It can look at what
 * passes, refuse it, count it. Here it counts. With -h it is an HTTP proxy: there the client says
 * in its request which server it wants (proxy.h).
 *
 * Each connection has a process of its own (per_client.h), so a client that does not read holds
 * nobody else up. In that process two streams (stream.h) share one poll(2).
 *
 * Left out on purpose: a connection that is reset is closed on the other side as if it had ended.
 */
#include "clock.h"
#include "dialogue.h"
#include "journal.h"
#include "net.h"
#include "options.h"
#include "per_client.h"
#include "proxy.h"
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: relay [-a ADDRESS] [-t IDLE_MS] LISTEN-PORT HOST PORT\n"
    "       relay -h [-a ADDRESS] [-t IDLE_MS] LISTEN-PORT\n"
    "  -h          be an HTTP proxy for GET; alone: this text\n"
    "  -a ADDRESS  where to listen (default 127.0.0.1)\n"
    "  -t IDLE_MS  a connection on which nothing happens for so long is ended (default 300000)\n";

enum { CONNECT_MS = 5000, REQUEST_MS = 10000, BAD_GATEWAY = 502 };

static struct {
    const char *address;
    int listen_port;
    bool is_proxy;
    const char *host;
    int port;
    int idle_ms;
} options = { .address = "127.0.0.1", .idle_ms = 300000 };

static int parse_port(const char *what, const char *text)
{
    int port = net_parse_port(text);

    if (port == -1)
        wrong_usage("%s is a number from 1 to 65535, not '%s'", what, text);
    return port;
}

static void parse_options(int argc, char *argv[])
{
    int option;

    options_init("relay", usage);
    while ((option = getopt(argc, argv, ":ha:t:")) != -1)
        switch (option) {
        case 'h': options.is_proxy = true; break;
        case 'a': options.address = optarg; break;
        case 't': options.idle_ms = (int)parse_number('t', optarg, 1, LONGEST_TIMEOUT_MS); break;
        default: wrong_option(option);
        }
    if (options.is_proxy && argc == 2)
        print_usage();
    if (argc - optind != (options.is_proxy ? 1 : 3))
        wrong_usage(options.is_proxy ? "-h takes LISTEN-PORT" : "give LISTEN-PORT, HOST and PORT");
    options.listen_port = parse_port("LISTEN-PORT", argv[optind]);
    if (options.is_proxy)
        return;
    options.host = argv[optind + 1];
    options.port = parse_port("PORT", argv[optind + 2]);
}

/* Moves bytes until both streams are done; for a proxy, whose client may never say that it is, until
 * the answer is. Returns 0, or -1 with errno. */
static int move_all(struct stream *there, struct stream *back)
{
    struct pollfd wanted[4];

    for (;;) {
        int ready;

        if (stream_move(there, wanted) == -1 || stream_move(back, wanted + 2) == -1)
            return -1;
        if (back->done && (there->done || options.is_proxy))
            return 0;
        ready = poll(wanted, 4, options.idle_ms);
        if (ready == -1 && errno != EINTR)
            return -1;
        if (ready == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

/* A proxy's request has been said already: what its client adds is thrown away. */
static void relay(int client, const char *peer, int server)
{
    static struct stream there, back; /* of this process, which has no other connection */

    stream_init(&there, client, options.is_proxy ? -1 : server);
    stream_init(&back, server, client);
    if (move_all(&there, &back) == -1)
        warn("relay %s", peer);
    else if (options.is_proxy)
        proxy_see_off(client);
    journal("closed %s there %llu back %llu", peer, there.passed, back.passed);
}

static int connect_to(const char *peer, const char *host, int port)
{
    int server = net_connect(host, port, CONNECT_MS);

    if (server == -1) {
        journal("unreachable %s to %s:%d", peer, host, port);
        return -1;
    }
    if (net_set_nonblocking(server) == -1)
        die("prepare the connection to %s", host);
    journal("connected %s to %s:%d", peer, host, port);
    return server;
}

static void serve(int client, const char *peer)
{
    int server = connect_to(peer, options.host, options.port);

    if (server == -1)
        return;
    relay(client, peer, server);
    (void)close(server);
}

static void serve_as_proxy(int client, const char *peer)
{
    static struct proxy_request request;
    int status = proxy_take_request(client, REQUEST_MS, &request);
    int server = -1;

    if (status == 0) {
        server = connect_to(peer, request.target.host, request.target.port);
        /* A new connection takes this much at once. */
        if (server == -1 || net_write_all(server, request.text, request.length) == -1)
            status = BAD_GATEWAY;
    }
    if (status == 0) {
        relay(client, peer, server);
    } else {
        journal("refused %s status %d", peer, status);
        proxy_refuse(client, status);
    }
    if (server != -1)
        (void)close(server);
}

int main(int argc, char *argv[])
{
    int listener;

    parse_options(argc, argv);
    journal_init("relay", false);
    dialogue_end_on_signals(); /* until per_client_serve() takes over */
    listener = net_listen(options.address, options.listen_port);
    if (listener == -1)
        exit(EXIT_FAILURE);
    journal("listening on %s:%d", options.address, options.listen_port);
    per_client_serve(listener, options.is_proxy ? serve_as_proxy : serve);
    (void)close(listener);
    journal("exit");
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
