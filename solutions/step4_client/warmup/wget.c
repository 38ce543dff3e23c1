/* wget: fetches one document over HTTP/1.0, and writes it on standard output.
 *
 *         GET /hello.txt HTTP/1.0      -->
 *         Host: localhost:8000         -->
 *         (an empty line)              -->
 *                                      <--  HTTP/1.0 200 OK          the status
 *     wget                             <--  Content-Length: 6        fields, as many as there are   server
 *                                      <--  (an empty line)
 *                                      <--  hello                    the body: any bytes
 *                                      <--  (end of file)
 *
 * A protocol of text can be spoken by hand. Its two halves are read differently: the header is
 * lines, the body is bytes; and read(2) knows nothing of the border between the two.
 *
 * Left out on purpose: https; a redirection is followed by nobody, and is a failure; more than
 * one request for each connection; bodies in chunks, which HTTP/1.0 does not know.
 */
#include "clock.h"
#include "journal.h"
#include "net.h"
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char usage[] =
    "usage: wget [-t TIMEOUT_MS] HOST[:PORT] PATH\n"
    "  HOST[:PORT]    the server, and its port (default 80)\n"
    "  PATH           the document, as /index.html\n"
    "  -t TIMEOUT_MS  how long the server may be silent (default 5000)\n"
    "  -h             this text\n";

enum { HTTP_PORT = 80, NAME_ROOM = 256, REQUEST_ROOM = 2048, REPLY_ROOM = 16 * 1024 };

struct options {
    const char *server; /* HOST[:PORT], as it was given */
    const char *path;
    char host[NAME_ROOM];
    int port;
    int timeout_ms;
};

struct reply {
    int fd;
    int timeout_ms;
    size_t count;           /* how many bytes have been read */
    size_t header;          /* how many of them are header, its empty line included */
    char bytes[REPLY_ROOM]; /* the longest header */
};

/* A blank or a newline would be the end of what it stands in, and begin something new. */
static bool is_one_word(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!isgraph((unsigned char)*c))
            return false;
    return *text != '\0';
}

static void split_server(struct options *options)
{
    const char *colon = strrchr(options->server, ':');
    size_t length = colon != NULL ? (size_t)(colon - options->server) : strlen(options->server);

    if (!is_one_word(options->server) || length == 0 || length >= sizeof options->host)
        wrong_usage("'%s' is no HOST[:PORT]", options->server);
    memcpy(options->host, options->server, length);
    options->host[length] = '\0';
    options->port = colon != NULL ? net_parse_port(colon + 1) : HTTP_PORT;
    if (options->port == -1)
        wrong_usage("'%s' is no port", colon + 1);
}

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .timeout_ms = 5000 };
    int option;

    options_init("wget", usage);
    while ((option = getopt(argc, argv, ":ht:")) != -1)
        switch (option) {
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, 600000); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (argc - optind != 2)
        wrong_usage("it takes HOST[:PORT] and PATH");
    options.server = argv[optind];
    options.path = argv[optind + 1];
    split_server(&options);
    if (options.path[0] != '/' || !is_one_word(options.path))
        wrong_usage("'%s' is no path: it begins with /, and has no blanks", options.path);
    return options;
}

/* `server` is the HOST[:PORT] that the user gave: that is what Host wants too. A machine that
 * has several names may have a site for each. */
static void send_request(int fd, const char *server, const char *path)
{
    char request[REQUEST_ROOM];

    // TODO 4w.7: write the request into `request` with snprintf(3): the line `GET PATH HTTP/1.0`, the line
    // `Host: SERVER`, and an empty line. A line ends with "\r\n" here. If it does not fit
    // (snprintf's result tells), diex(). Send all of it with net_write_all(); if that fails, die().
    // SOLUTION
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, server);

    if (length < 0 || (size_t)length >= sizeof request)
        diex("ask %s: a path of %zu bytes is too long", server, strlen(path));
    if (net_write_all(fd, request, (size_t)length) == -1)
        die("ask %s for %s", server, path);
    // STUB: todo("4w.7", fd, server, path, request);
    // END
}

/* Reads what is there into `bytes`, `room` at most, and waits for it if nothing is, but not
 * longer than the time-out. Returns how many bytes, 0 at the end of file. */
static size_t read_some(const struct reply *reply, char *bytes, size_t room)
{
    struct pollfd readable = { .fd = reply->fd, .events = POLLIN };
    int64_t deadline_ms = clock_ms() + reply->timeout_ms;
    ssize_t count = -1;
    int ready;

    do
        ready = poll(&readable, 1, clock_left_ms(deadline_ms));
    while ((ready == -1 && errno == EINTR) || (ready == 0 && clock_ms() < deadline_ms));
    if (ready == 0)
        diex("read the reply: nothing came for %d ms", reply->timeout_ms);
    if (ready == 1)
        count = read(reply->fd, bytes, room);
    if (count == -1)
        die("read the reply");
    return (size_t)count;
}

/* How many of the bytes are header: up to the first empty line, which belongs to it. 0 if that
 * has not come yet. Lines end with "\r\n"; a "\n" alone is forgiven. */
static size_t find_body(const struct reply *reply)
{
    size_t line_length = 0;

    for (size_t i = 0; i < reply->count; i++) {
        if (reply->bytes[i] == '\n') {
            if (line_length == 0)
                return i + 1;
            line_length = 0;
        } else if (reply->bytes[i] != '\r') {
            line_length++;
        }
    }
    return 0;
}

static void read_header(struct reply *reply)
{
    // TODO 4w.8: read until the whole header is there, and set reply->header to its length: find_body()
    // knows it, or says 0 for "not yet". Then read more: read_some() puts it where you say, which is
    // behind the bytes that are there already. Count them in reply->count. If the end comes
    // before the header is whole, diex(). If it fills all of reply->bytes and is not whole, diex().
    // What was read behind the header stays there: it is the body's beginning.
    // SOLUTION
    while ((reply->header = find_body(reply)) == 0) {
        size_t room = sizeof reply->bytes - reply->count;
        size_t count;

        if (room == 0)
            diex("read the reply: its header has more than %d bytes", REPLY_ROOM);
        count = read_some(reply, reply->bytes + reply->count, room);
        if (count == 0)
            diex("read the reply: it ends within its header");
        reply->count += count;
    }
    // STUB: todo("4w.8", reply, find_body, read_some);
    // END
    /* A string from here on: the last newline of it is not needed. */
    reply->bytes[reply->header - 1] = '\0';
    if (strlen(reply->bytes) != reply->header - 1)
        diex("read the reply: there is a zero byte in its header");
}

/* The value of a field of the header, up to the end of its line and beyond; or NULL. */
static const char *find_field(const char *header, const char *name)
{
    size_t length = strlen(name);

    for (const char *end = strchr(header, '\n'); end != NULL; end = strchr(end + 1, '\n')) {
        const char *line = end + 1;

        if (strncasecmp(line, name, length) == 0 && line[length] == ':')
            return line + length + 1 + strspn(line + length + 1, " \t");
    }
    return NULL;
}

/* Only 2xx means that the body is what was asked for; else it is a page for people to read. */
static void expect_success(const char *header, const char *path)
{
    int line_length = (int)strcspn(header, "\r\n");
    int status;
    int end = 0;

    /* Three digits behind one blank, and nothing that would make them another number. */
    if (sscanf(header, "HTTP/%*1[0-9].%*1[0-9]%*1[ ]%3d%n", &status, &end) != 1 || end != 12
        || strchr(" \r\n", header[end]) == NULL)
        diex("read the reply: '%.*s' is no status of HTTP", line_length, header);
    if (status < 200 || status > 299)
        diex("get %s: %.*s", path, line_length, header);
    if (find_field(header, "Transfer-Encoding") != NULL)
        diex("read the reply: a body in chunks is an answer to HTTP/1.1, not to HTTP/1.0");
}

/* How long the server says that the body is, or -1 if it does not. */
static long long promised_length(const char *header)
{
    const char *value = find_field(header, "Content-Length");
    char *end;
    long long length;

    if (value == NULL)
        return -1;
    errno = 0;
    length = strtoll(value, &end, 10);
    end += strspn(end, " \t\r");
    if (!isdigit((unsigned char)*value) || errno != 0 || (*end != '\n' && *end != '\0'))
        diex("read the reply: '%.*s' is no Content-Length", (int)strcspn(value, "\r\n"), value);
    return length;
}

/* Any bytes, zero bytes too: no string function looks at them. The end of file is the end of
 * the body; where a length was promised, it shows whether that is all of it. */
static void print_body(struct reply *reply, long long promised)
{
    const char *bytes = reply->bytes + reply->header;
    size_t count = reply->count - reply->header;
    long long total = 0;

    do {
        total += (long long)count;
        if (promised != -1 && total > promised)
            diex("read the reply: the body has more than the %lld bytes promised", promised);
        if (net_write_all(STDOUT_FILENO, bytes, count) == -1)
            die("write the body");
        bytes = reply->bytes;
        count = read_some(reply, reply->bytes, sizeof reply->bytes);
    } while (count > 0);
    if (total < promised)
        diex("read the reply: the body ends after %lld of %lld bytes", total, promised);
}

int main(int argc, char *argv[])
{
    static struct reply reply;
    struct options options = parse_options(argc, argv);

    journal_init("wget", false);
    reply.timeout_ms = options.timeout_ms;
    reply.fd = net_connect(options.host, options.port, options.timeout_ms);
    if (reply.fd == -1)
        return EXIT_FAILURE;
    send_request(reply.fd, options.server, options.path);
    read_header(&reply);
    expect_success(reply.bytes, options.path);
    print_body(&reply, promised_length(reply.bytes));
    (void)close(reply.fd);
    return EXIT_SUCCESS;
}
