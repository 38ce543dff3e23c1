/* proxy: what an HTTP proxy does with a request, before it is a relay.
 *
 *     client says     GET http://example.org:8000/a?b HTTP/1.1       the absolute form
 *                     Host: ...  Accept: ...
 *     server is told  GET /a?b HTTP/1.1                              the origin form
 *                     Host: example.org:8000  Accept: ...  Connection: close
 *
 * One request for each connection. GET alone; no other URIs than http.
 */
#ifndef PROXY_H
#define PROXY_H

#include <stdbool.h>
#include <stddef.h>

enum { PROXY_HEAD_LONGEST = 8192, PROXY_HOST_ROOM = 254, PROXY_HTTP_PORT = 80 };

struct proxy_target {
    char host[PROXY_HOST_ROOM];
    int port;
    const char *path;   /* what follows host and port in the URI: "", "/a?b", "?b" */
};

struct proxy_request {
    struct proxy_target target;
    size_t length;      /* of what is to be said to the target */
    char text[PROXY_HEAD_LONGEST + PROXY_HOST_ROOM + 64];
    char head[PROXY_HEAD_LONGEST + 1]; /* what the client has said; `target.path` points in here */
};

/* Takes `uri` apart. Returns false if it is not http://HOST[:PORT][PATH]. */
bool proxy_split(const char *uri, struct proxy_target *target);

/* Reads a request from `client`, and stores where it goes and what is to be said there.
 * Returns 0, or the HTTP status to refuse it with. */
int proxy_take_request(int client, int timeout_ms, struct proxy_request *request);

/* Says that no more comes, and throws away for a moment what `client` still sends: see net_discard(). */
void proxy_see_off(int client);

/* Answers with an HTTP status that is an error, and sees the client off. */
void proxy_refuse(int client, int status);

#endif
