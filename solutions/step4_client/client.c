/* client: asks the principal, is sent to a secondary, and gets its answer there.
 *
 *     to the principal     requetetype1             from it     2224 TOKEN
 *     to the secondary     TOKEN hello              from it     debuttraitement
 *                                                               resultat HELLO
 *                                                               fintraitement
 *
 * An answer counts only when `fintraitement` has come: a server that dies half-way leaves
 * an end of file, and that is a failure. Whatever fails, the client asks again from the
 * beginning, a limited number of times. The connection to the principal stays open for
 * the next request.
 */
#include "clock.h"
#include "journal.h"
#include "line.h"
#include "options.h"
#include "tcp.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char usage[] =
    "usage: client [-H HOST] [-p PORT] [-r RETRIES] [-t TIMEOUT_MS] [-v] [REQUEST...]\n"
    "  -H HOST        where the principal is (default 127.0.0.1)\n"
    "  -p PORT        its port (default 2222)\n"
    "  -r RETRIES     how often to ask again when a request fails (default 3)\n"
    "  -t TIMEOUT_MS  how long a server may be silent (default 5000)\n"
    "  -v             tell what happens, on standard error\n"
    "  -h             this text\n"
    "A REQUEST is a type and a text, in one argument:\n"
    "  client 'requetetype1 hello' requetetype2\n"
    "Without any, requests are read from standard input, one a line, 480 bytes at most.\n";

enum {
    FIRST_PAUSE_MS = 20,
    LONGEST_PAUSE_MS = 200,
    LONGEST_REQUEST = 480 /* leaves room in its line for a token, which may be long */
};

struct options {
    const char *host;
    int port;
    int retries;
    int timeout_ms;
    bool verbose;
};

/* A connection to one of the servers. */
struct talk {
    int fd; /* -1 when closed */
    struct line_reader reader;
};

static struct options options = {
    .host = "127.0.0.1", .port = 2222, .retries = 3, .timeout_ms = 5000,
};
static struct in_addr address;
static struct talk principal = { .fd = -1 };
static char problem[LINE_ROOM + 64]; /* why the latest attempt failed */

static void parse_options(int argc, char *argv[])
{
    int option;

    options_init("client", usage);
    while ((option = getopt(argc, argv, ":hH:p:r:t:v")) != -1)
        switch (option) {
        case 'H': options.host = optarg; break;
        case 'p': options.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 'r': options.retries = (int)parse_number('r', optarg, 0, 1000000); break;
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, 3600000); break;
        case 'v': options.verbose = true; break;
        case 'h': print_usage();
        default: wrong_option(option);
        }
}

/* Notes why the attempt failed; returns false, for the caller to return. */
__attribute__((format(printf, 1, 2)))
static bool fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(problem, sizeof problem, format, arguments);
    va_end(arguments);
    return false;
}

static void resolve_host(void)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    int error = getaddrinfo(options.host, NULL, &hints, &found);

    if (error != 0)
        diex("find host %s: %s", options.host, gai_strerror(error));
    address = ((struct sockaddr_in *)found->ai_addr)->sin_addr;
    freeaddrinfo(found);
}

static void talk_close(struct talk *talk)
{
    if (talk->fd != -1)
        (void)close(talk->fd);
    talk->fd = -1;
}

static bool talk_open(struct talk *talk, int port)
{
    talk->fd = tcp_connect(address, port, clock_ms() + options.timeout_ms);
    if (talk->fd == -1)
        return fail("connect to port %d: %s", port, strerror(errno));
    line_reader_init(&talk->reader, talk->fd);
    return true;
}

/* Waits for the server's next line. */
static bool hear(struct talk *talk, char line[LINE_ROOM])
{
    int64_t deadline_ms = clock_ms() + options.timeout_ms;
    struct pollfd readable = { .fd = talk->fd, .events = POLLIN };
    enum line_status status;

    // TODO 4.7: read the next line (line_read()). While there is none yet, wait with poll(2) until
    // there is something to read, but not beyond the deadline (clock_left_ms()). To be interrupted
    // is no failure. For silence until the deadline, and for any error of poll(2), return fail(why).
    // SOLUTION
    while ((status = line_read(&talk->reader, line)) == LINE_NONE) {
        int ready = poll(&readable, 1, clock_left_ms(deadline_ms));

        if (ready == -1 && errno != EINTR)
            return fail("wait for the server: %s", strerror(errno));
        if (ready != 1 && clock_ms() >= deadline_ms)
            return fail("the server was silent for %d ms", options.timeout_ms);
    }
    // STUB: todo("4.7", talk, line, deadline_ms, readable, &status);
    // END
    if (status == LINE_END)
        return fail("the server closed the connection before the end");
    if (status == LINE_ERROR)
        return fail("read from the server: %s", strerror(errno));
    journal("from server: %s", line);
    return true;
}

/* Waits for the line `word`, or `word` and more; `*rest` is then what follows it. */
static bool hear_word(struct talk *talk, const char *word, char line[LINE_ROOM], char **rest)
{
    size_t length = strlen(word);

    if (!hear(talk, line))
        return false;
    if (strncmp(line, word, length) != 0 || (line[length] != '\0' && line[length] != ' '))
        return fail("the server answered '%s' instead of '%s'", line, word);
    *rest = line + length + (line[length] == ' ' ? 1 : 0);
    return true;
}

/* Asks the principal; stores what it says: the port of a secondary, and a token. */
static bool ask_principal(const char *request, int *port, char token[LINE_ROOM])
{
    char line[LINE_ROOM];
    char *end;
    long number;

    if (line_write(principal.fd, "%.*s", (int)strcspn(request, " "), request) == -1)
        return fail("write to the principal: %s", strerror(errno));
    if (!hear(&principal, line))
        return false;
    number = strtol(line, &end, 10);
    if (end == line || *end != ' ' || end[1] == '\0' || number < 1 || number > 65535)
        return fail("the principal answered '%s'", line);
    *port = (int)number;
    memmove(token, end + 1, strlen(end + 1) + 1);
    return true;
}

/* Shows the token to the secondary, and stores the result if all three lines come. */
static bool be_served(struct talk *secondary, const char *request, const char *token,
                      char result[LINE_ROOM])
{
    const char *text = request + strcspn(request, " ");
    char line[LINE_ROOM];
    char *rest;

    // TODO 4.8: write the line `TOKEN TEXT` to the secondary (`text` begins with its space). Then hear
    // `debuttraitement`, `resultat ANSWER` and `fintraitement`, in this order, with hear_word(). Store
    // ANSWER in `result`. Return true only when all three have come: an end of file before the last
    // of them means that the server has died. For a failure of your own, return fail(why).
    // SOLUTION
    if (line_write(secondary->fd, "%s%s", token, text) == -1)
        return fail("write to the secondary: %s", strerror(errno));
    if (!hear_word(secondary, "debuttraitement", line, &rest)
        || !hear_word(secondary, "resultat", line, &rest))
        return false;
    memmove(result, rest, strlen(rest) + 1);
    return hear_word(secondary, "fintraitement", line, &rest);
    // STUB: todo("4.8", secondary, text, token, line, &rest, result, hear_word);
    // END
}

/* A connection to the principal that was kept from the last request may have ended since:
 * that is no failure of this one. */
static bool reach_principal(const char *request, int *port, char token[LINE_ROOM])
{
    bool was_open = principal.fd != -1;

    if ((was_open || talk_open(&principal, options.port))
        && ask_principal(request, port, token))
        return true;
    talk_close(&principal);
    return was_open && talk_open(&principal, options.port)
        && ask_principal(request, port, token);
}

/* One attempt, from the beginning. */
static bool try_request(const char *request, char result[LINE_ROOM])
{
    struct talk secondary = { .fd = -1 };
    char token[LINE_ROOM];
    bool served;
    int port = 0;

    journal("request: %s", request);
    if (!reach_principal(request, &port, token)) {
        journal("failed: %s", problem);
        talk_close(&principal);
        return false;
    }
    served = talk_open(&secondary, port) && be_served(&secondary, request, token, result);
    talk_close(&secondary);
    if (!served)
        journal("failed: %s", problem);
    return served;
}

/* After a failure: asks again from the beginning. Returns true if the request was answered. */
static bool try_again(const char *request, char result[LINE_ROOM])
{
    int pause_ms = FIRST_PAUSE_MS;

    // TODO 4.9: try_request() up to options.retries times, until it returns true. Before each, pause:
    // pause_ms at first, and twice as long each time, but not longer than LONGEST_PAUSE_MS. (poll(2)
    // waits for nothing but time where it is given no descriptor.)
    // SOLUTION
    for (int attempt = 1; attempt <= options.retries; attempt++) {
        (void)poll(NULL, 0, pause_ms);
        if (try_request(request, result))
            return true;
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    return false;
    // STUB: todo("4.9", request, result, pause_ms, try_request);
    // END
}

static void print_result(const char *result)
{
    if (printf("%s\n", result) < 0 || fflush(stdout) == EOF)
        die("write the result");
}

/* Returns true if the request was answered. */
static bool serve_request(const char *request)
{
    char result[LINE_ROOM];

    if (strpbrk(request, "\r\n") != NULL || strlen(request) > LONGEST_REQUEST) {
        warnx("send a request: it has more than one line, or more than %d bytes", LONGEST_REQUEST);
        return false;
    }
    if (try_request(request, result) || try_again(request, result)) {
        print_result(result);
        return true;
    }
    warnx("request '%s', attempts made: %d: %s", request, options.retries + 1, problem);
    return false;
}

static bool serve_arguments(int count, char *requests[])
{
    bool all_answered = true;

    for (int i = 0; i < count; i++)
        if (!serve_request(requests[i]))
            all_answered = false;
    return all_answered;
}

/* What is left at the end of file is a request too: a person may forget the last newline. */
static bool take_last_line(struct line_reader *reader, char line[LINE_ROOM])
{
    size_t length = reader->end - reader->start;

    if (length > LINE_LONGEST)
        length = LINE_LONGEST;
    memcpy(line, reader->bytes + reader->start, length);
    line[length] = '\0';
    reader->start = reader->end;
    return length > 0;
}

/* Returns false at the end of standard input. */
static bool next_request(struct line_reader *reader, char line[LINE_ROOM])
{
    struct pollfd readable = { .fd = reader->fd, .events = POLLIN };
    enum line_status status;

    while ((status = line_read(reader, line)) == LINE_NONE)
        if (poll(&readable, 1, -1) == -1 && errno != EINTR)
            die("wait for requests");
    if (status == LINE_ERROR)
        die("read requests");
    return status == LINE_READY || take_last_line(reader, line);
}

static bool serve_standard_input(void)
{
    struct line_reader reader;
    char line[LINE_ROOM];
    bool all_answered = true;

    line_reader_init(&reader, STDIN_FILENO);
    while (next_request(&reader, line)) {
        if (*line != '\0' && !serve_request(line))
            all_answered = false;
    }
    return all_answered;
}

int main(int argc, char *argv[])
{
    bool all_answered;

    parse_options(argc, argv);
    journal_init("client", false);
    journal_send_to(options.verbose ? STDERR_FILENO : -1);
    resolve_host();
    all_answered = optind < argc ? serve_arguments(argc - optind, argv + optind)
                                 : serve_standard_input();
    talk_close(&principal);
    return all_answered ? EXIT_SUCCESS : EXIT_FAILURE;
}
