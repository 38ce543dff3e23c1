/* See proxy.h. */
#include "proxy.h"

#include "clock.h"
#include "net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BAD_REQUEST = 400, TIMEOUT = 408, TOO_LARGE = 431, NOT_IMPLEMENTED = 501 };

enum { LAST_WORDS_MS = 1000 };

/* The number of a port, or 0. It is followed by the path, or by nothing. */
static int parse_port(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    long port = digits > 0 && digits <= 5 ? strtol(text, NULL, 10) : 0;

    return port <= 65535 && strchr("/?#", text[digits]) != NULL ? (int)port : 0;
}

bool proxy_split(const char *uri, struct proxy_target *target)
{
    static const char scheme[] = "http://";

    // TODO 4w.15: the URI begins with the scheme, in upper or lower case (strncasecmp()). Behind it is
    // the host: it ends at the first of `:/?#`, or at the end of the string (strcspn()). Copy it to
    // target->host, with a '\0' behind it, if there is any and both have room (PROXY_HOST_ROOM). A colon
    // behind it means that a port follows (parse_port(), which returns 0 for what is none), else it
    // is PROXY_HTTP_PORT. target->path points to where the path begins, behind the port, or to the
    // end of the string. Return false for any other URI.
    // SOLUTION
    const char *host = uri + strlen(scheme);
    size_t length;

    if (strncasecmp(uri, scheme, strlen(scheme)) != 0)
        return false;
    length = strcspn(host, ":/?#");
    if (length == 0 || length >= sizeof target->host)
        return false;
    memcpy(target->host, host, length);
    target->host[length] = '\0';
    target->port = host[length] == ':' ? parse_port(host + length + 1) : PROXY_HTTP_PORT;
    target->path = host + length + strcspn(host + length, "/?#");
    return target->port != 0;
    // STUB: todo("4w.15", uri, target, scheme, parse_port);
    // END
}

/* The blank line that ends a head, and what is behind it; or NULL. */
static char *end_of_head(char *head)
{
    char *crlf = strstr(head, "\r\n\r\n");
    char *lf = strstr(head, "\n\n");

    if (crlf != NULL && (lf == NULL || crlf < lf))
        return crlf + 4;
    return lf != NULL ? lf + 2 : NULL;
}

static bool await_bytes(int fd, int64_t deadline_ms)
{
    struct pollfd readable = { .fd = fd, .events = POLLIN };

    return poll(&readable, 1, clock_left_ms(deadline_ms)) != 0 || clock_ms() < deadline_ms;
}

/* Stores what `client` says up to the first blank line. Returns 0 or an HTTP status. */
static int read_head(int client, int64_t deadline_ms, char head[PROXY_HEAD_LONGEST + 1])
{
    size_t length = 0;

    while (length < PROXY_HEAD_LONGEST) {
        ssize_t count;
        char *end;

        if (!await_bytes(client, deadline_ms))
            return TIMEOUT;
        count = read(client, head + length, PROXY_HEAD_LONGEST - length);
        if (count == -1 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
            continue;
        if (count <= 0)
            return BAD_REQUEST;
        length += (size_t)count;
        head[length] = '\0';
        end = end_of_head(head);
        if (end != NULL) {
            *end = '\0';
            return 0;
        }
        if (strlen(head) < length) /* a zero byte */
            return BAD_REQUEST;
    }
    return TOO_LARGE;
}

/* True for the headers that are meant for the proxy, that it says itself, or that speak of a body:
 * what follows the head is not passed on. */
static bool is_ours(const char *line)
{
    static const char *const names[] = { "Host:", "Connection:", "Proxy-Connection:", "Keep-Alive:",
                                         "Proxy-Authorization:", "Content-Length:",
                                         "Transfer-Encoding:" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strncasecmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void append(struct proxy_request *request, const char *text, size_t length)
{
    if (length < sizeof request->text - request->length) {
        memcpy(request->text + request->length, text, length);
        request->length += length;
    }
}

/* NAME: VALUE, with no blank before the name or behind it: what looks like a header to one reader and
 * not to the next is how requests are smuggled. */
static bool are_headers(const char *line)
{
    for (; *line != '\0' && *line != '\r' && *line != '\n'; line += strcspn(line, "\n") + 1) {
        size_t name = strcspn(line, ": \t\r\n");

        if (name == 0 || line[name] != ':')
            return false;
    }
    return true;
}

static void append_headers(struct proxy_request *request, const char *line)
{
    size_t length;

    for (; *line != '\0' && *line != '\r' && *line != '\n'; line += length + 1) {
        length = strcspn(line, "\n");
        if (!is_ours(line))
            append(request, line, length + 1);
    }
}

/* The text fits: it has room for the longest head and host, and for what is said between. */
static void write_request(struct proxy_request *request, const char *version, const char *headers)
{
    const struct proxy_target *target = &request->target;
    /* A fragment, behind `#`, is the client's own business. */
    int length = snprintf(request->text, sizeof request->text, "GET %s%.*s %s\r\nHost: %s",
                          *target->path == '/' ? "" : "/", (int)strcspn(target->path, "#"),
                          target->path, version, target->host);

    request->length = (size_t)length;
    if (target->port != PROXY_HTTP_PORT) {
        char port[16];

        append(request, port, (size_t)snprintf(port, sizeof port, ":%d", target->port));
    }
    append(request, "\r\n", 2);
    append_headers(request, headers);
    append(request, "Connection: close\r\n\r\n", strlen("Connection: close\r\n\r\n"));
}

/* Splits the request line, which is changed. Returns 0, or the HTTP status to refuse it with. */
static int parse_request_line(char *line, struct proxy_target *target, const char **version)
{
    char *rest;
    const char *method = strtok_r(line, " \r", &rest);
    const char *uri = strtok_r(NULL, " \r", &rest);

    *version = strtok_r(NULL, " \r", &rest);
    if (*version == NULL || strncmp(*version, "HTTP/1.", strlen("HTTP/1.")) != 0
        || strtok_r(NULL, " \r", &rest) != NULL)
        return BAD_REQUEST;
    if (strcmp(method, "GET") != 0)
        return NOT_IMPLEMENTED;
    return proxy_split(uri, target) ? 0 : BAD_REQUEST;
}

int proxy_take_request(int client, int timeout_ms, struct proxy_request *request)
{
    int status = read_head(client, clock_ms() + timeout_ms, request->head);
    const char *version;
    char *newline;

    if (status != 0)
        return status;
    newline = strchr(request->head, '\n'); /* one of those that end the head */
    *newline = '\0';
    status = parse_request_line(request->head, &request->target, &version);
    if (status == 0 && !are_headers(newline + 1))
        status = BAD_REQUEST;
    if (status == 0)
        write_request(request, version, newline + 1);
    return status;
}

static const char *reason(int status)
{
    switch (status) {
    case BAD_REQUEST: return "Bad Request";
    case TIMEOUT: return "Request Timeout";
    case TOO_LARGE: return "Request Header Fields Too Large";
    case NOT_IMPLEMENTED: return "Not Implemented";
    default: return "Bad Gateway";
    }
}

void proxy_see_off(int client)
{
    int64_t deadline_ms = clock_ms() + LAST_WORDS_MS;

    if (shutdown(client, SHUT_WR) == -1)
        return;
    while (await_bytes(client, deadline_ms) && clock_ms() < deadline_ms)
        if (net_discard(client))
            return;
}

void proxy_refuse(int client, int status)
{
    char text[256];
    int length = snprintf(text, sizeof text, "HTTP/1.0 %d %s\r\nContent-Type: text/plain\r\n"
                          "Connection: close\r\n\r\n%d %s\n",
                          status, reason(status), status, reason(status));

    /* If it does not fit, or the client has gone, it is not told. */
    if (net_write_all(client, text, (size_t)length) == 0)
        proxy_see_off(client);
}
