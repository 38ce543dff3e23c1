/*
 * client.c - step 4 of the lab, written a second time and in another way, to try the tests on.
 *
 *     client [-H HOST] [-p PORT] [-r RETRIES] [-t TIMEOUT_MS] [-v] [REQUEST...]
 *
 * What is different here:
 * - Blocking sockets with SO_RCVTIMEO and SO_SNDTIMEO; no poll(2), no select(2). On Linux the latter is for connect(2), too.
 * - Lines are read with stdio on the socket, a getc(3) each byte, and written with dprintf(3).
 * - The timeout is for each line of a server. What is left of it is set anew before each byte: so a server that drips
 *   does not hold us for longer than one that is silent.
 * - The connection to the principal is kept for the next request. If it has ended meanwhile, a new one is made, and
 *   that is no retry.
 * - HOST may be a name, too.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { MAX_TALK = 512, MAX_PORT = 65535, MAX_RETRIES = 1000000, MAX_MS = 86400000, PAUSE_MS = 50, LONGEST_PAUSE_MS = 1000 };

static struct {
    const char *host;
    long port, retries, timeout_ms;
    bool verbose;
} option = { .host = "127.0.0.1", .port = 2222, .retries = 3, .timeout_ms = 5000 };

/* A connection, read as a stream. NULL: none. */
struct line_to {
    FILE *stream;
    const char *whom;
};

enum heard { LINE, END, FAILURE };

struct place {
    long port;
    char token[MAX_TALK];
};

static struct line_to principal = { NULL, "the principal" };
static struct sockaddr_in server;
static char why[2 * MAX_TALK];          /* the latest attempt has failed */
static struct timespec origin;

/* ---- time, words */

static long long now_us(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == -1) {
        perror("client: read the clock");
        exit(EXIT_FAILURE);
    }
    return (now.tv_sec - origin.tv_sec) * 1000000LL + (now.tv_nsec - origin.tv_nsec) / 1000;
}

__attribute__((format(printf, 1, 2)))
static void tell(const char *format, ...)
{
    char what[2 * MAX_TALK + 128];
    va_list arguments;
    if (!option.verbose)
        return;
    va_start(arguments, format);
    int length = vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    long long us = now_us();
    if (length >= 0)                    /* if nobody hears it, the request goes on all the same */
        (void)dprintf(STDERR_FILENO, "%lld.%06lld client[%ld] %s\n", us / 1000000, us % 1000000, (long)getpid(), what);
}

/* Always false. */
__attribute__((format(printf, 1, 2)))
static bool failed(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(why, sizeof why, format, arguments) < 0)
        why[0] = '\0';
    va_end(arguments);
    return false;
}

static void pause_ms(long ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
}

/* ---- connections */

static bool set_timeout(int fd, int which, long long us)
{
    struct timeval timeout = { .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };
    return setsockopt(fd, SOL_SOCKET, which, &timeout, sizeof timeout) == 0;
}

static void hang_up(struct line_to *line)
{
    if (line->stream != NULL && fclose(line->stream) == EOF)
        tell("trouble close %s", line->whom);
    line->stream = NULL;
}

/* connect(2) after EINTR (which a SIGCONT may cause) waits on. */
static bool dial(struct line_to *line, long port)
{
    struct sockaddr_in address = server;
    int fd = socket(AF_INET, SOCK_STREAM, 0), result;
    address.sin_port = htons((in_port_t)port);
    if (fd == -1)
        return failed("make a socket: %s", strerror(errno));
    if (!set_timeout(fd, SO_SNDTIMEO, option.timeout_ms * 1000LL)) {
        failed("set a timeout: %s", strerror(errno));
    } else {
        do
            result = connect(fd, (struct sockaddr *)&address, sizeof address);
        while (result == -1 && errno == EINTR);
        if (result == 0 || errno == EISCONN)
            line->stream = fdopen(fd, "r");
        if (line->stream != NULL) {
            tell("connected %s, port %ld", line->whom, port);
            return true;
        }
        failed("connect to %s at %s, port %ld: %s", line->whom, option.host, port,
            errno == EINPROGRESS ? "no answer in time" : strerror(errno));
    }
    if (close(fd) == -1)
        tell("trouble close a socket");
    return false;
}

static bool put_line(const struct line_to *line, const char *first, const char *separator, const char *second)
{
    if (dprintf(fileno(line->stream), "%s%s%s\n", first, separator, second) >= 0)
        return true;
    return failed("write to %s: %s", line->whom, strerror(errno));
}

/* FAILURE is more than the END of the connection; `why` is told for both. */
static enum heard get_line(const struct line_to *line, char text[MAX_TALK])
{
    long long end_us = now_us() + option.timeout_ms * 1000LL;
    size_t length = 0;
    for (;;) {
        long long left_us = end_us - now_us();
        if (left_us <= 0) {
            failed("read from %s: no whole line in %ld ms", line->whom, option.timeout_ms);
            return FAILURE;
        }
        if (!set_timeout(fileno(line->stream), SO_RCVTIMEO, left_us)) {
            failed("set a timeout: %s", strerror(errno));
            return FAILURE;
        }
        errno = 0;
        int byte = getc(line->stream);
        if (byte == EOF && ferror(line->stream) && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            clearerr(line->stream);
            continue;                   /* the clock decides */
        }
        if (byte == EOF) {
            failed("read from %s: %s", line->whom, ferror(line->stream) ? strerror(errno) : "the connection has ended");
            return END;
        }
        if (byte == '\n')
            break;
        if (byte == '\0' || length == MAX_TALK - 1) {
            failed("read from %s: that is no line of ours", line->whom);
            return FAILURE;
        }
        text[length++] = (char)byte;
    }
    if (length > 0 && text[length - 1] == '\r')
        length--;
    text[length] = '\0';
    tell("heard %s", text);
    return LINE;
}

/* ---- a request */

static bool read_place(const char *line, struct place *place)
{
    char *end;
    if (line[0] < '0' || line[0] > '9')
        return failed("the principal says: %s", line);
    place->port = strtol(line, &end, 10);       /* too large a number is out of range, too */
    if (place->port < 1 || place->port > MAX_PORT || *end != ' ' || end[1] == '\0' || strchr(end + 1, ' ') != NULL)
        return failed("the principal says no place: %s", line);
    strcpy(place->token, end + 1);      /* a part of a line, and there is room for a whole one */
    return true;
}

static bool ask_principal(const char *type, struct place *place)
{
    char line[MAX_TALK];
    for (;;) {
        bool kept = principal.stream != NULL;
        if (!kept && !dial(&principal, option.port))
            return false;
        enum heard heard = put_line(&principal, type, "", "") ? get_line(&principal, line) : END;
        if (heard == LINE)
            return read_place(line, place);
        hang_up(&principal);
        if (heard == FAILURE || !kept)
            return false;
        tell("again the kept connection has ended");
    }
}

/* One line of the answer: `word`, or `word REST` with REST to be kept. */
static bool expect(const struct line_to *line, const char *word, char *rest)
{
    char text[MAX_TALK];
    size_t length = strlen(word);
    if (get_line(line, text) != LINE)
        return false;
    if (strncmp(text, word, length) != 0 || (rest == NULL && text[length] != '\0')
        || (text[length] != '\0' && text[length] != ' '))
        return failed("the secondary says: %s", text);
    if (rest != NULL)
        strcpy(rest, text[length] == ' ' ? text + length + 1 : "");
    return true;
}

static bool ask_secondary(const struct place *place, const char *text, char result[MAX_TALK])
{
    struct line_to secondary = { NULL, "the secondary" };
    if (strlen(place->token) + 1 + strlen(text) + 1 > MAX_TALK)
        return failed("the text is too long for a line of %d bytes", MAX_TALK);
    if (!dial(&secondary, place->port))
        return false;
    bool answered = put_line(&secondary, place->token, text[0] == '\0' ? "" : " ", text)
        && expect(&secondary, "debuttraitement", NULL) && expect(&secondary, "resultat", result)
        && expect(&secondary, "fintraitement", NULL);
    hang_up(&secondary);
    return answered;
}

static bool is_a_line(const char *request)
{
    if (strlen(request) >= MAX_TALK)
        return failed("it is longer than a line may be, %d bytes", MAX_TALK);
    if (request[0] == '\0' || request[0] == ' ')
        return failed("it has no type");
    return strpbrk(request, "\r\n") == NULL || failed("it is more than one line");
}

/* `TYPE` or `TYPE TEXT`. */
static bool answer(const char *request)
{
    char type[MAX_TALK], result[MAX_TALK] = "";
    struct place place;
    bool answered = false, valid = is_a_line(request);
    if (valid) {
        size_t length = strcspn(request, " ");
        const char *text = request[length] == ' ' ? request + length + 1 : "";
        memcpy(type, request, length);
        type[length] = '\0';
        for (long attempt = 0; !answered && attempt <= option.retries; attempt++) {
            if (attempt > 0)
                pause_ms(attempt < LONGEST_PAUSE_MS / PAUSE_MS ? attempt * PAUSE_MS : LONGEST_PAUSE_MS);
            tell("attempt %ld %s", attempt + 1, request);
            answered = ask_principal(type, &place) && ask_secondary(&place, text, result);
            if (!answered) {
                hang_up(&principal);
                tell("failed %s", why);
            }
        }
    }
    if (!answered) {
        fprintf(stderr, "client: '%.80s%s' is not answered: %s\n", request, strlen(request) > 80 ? "..." : "", why);
        return false;
    }
    if (printf("%s\n", result) < 0 || fflush(stdout) == EOF) {
        perror("client: write a result");
        exit(EXIT_FAILURE);
    }
    return true;
}

/* One a line; what is empty is none. */
static bool answer_standard_input(void)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    bool all = true;
    errno = 0;
    while ((length = getline(&line, &size, stdin)) != -1) {
        if (length > 0 && line[length - 1] == '\n')
            line[--length] = '\0';
        if (length > 0 && line[length - 1] == '\r')
            line[--length] = '\0';
        if (strlen(line) < (size_t)length) {
            fprintf(stderr, "client: read a request: it has a zero byte\n");
            all = false;
        } else if (length > 0 && !answer(line)) {
            all = false;
        }
        errno = 0;
    }
    if (ferror(stdin) || errno == ENOMEM) {
        perror("client: read requests");
        all = false;
    }
    free(line);
    return all;
}

/* ---- options */

static int print_usage(FILE *stream)
{
    return fprintf(stream,
        "usage: client [-H HOST] [-p PORT] [-r RETRIES] [-t TIMEOUT_MS] [-v] [REQUEST...]\n"
        "  REQUEST  a type, then text: 'requetetype1 hello'; without any, they are read from standard input, one a line\n"
        "  -H  where the principal is (127.0.0.1)\n"
        "  -p  its port (2222)\n"
        "  -r  how often to ask again (3)\n"
        "  -t  milliseconds to wait for each line of an answer (5000)\n"
        "  -v  tell on standard error what happens\n"
        "  -h  this text\n");
}

static _Noreturn void wrong_usage(void)
{
    print_usage(stderr);                /* if that fails, the exit status still tells */
    exit(2);
}

static long number(const char *text, long least, long most, char letter)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && value >= least && value <= most)
        return value;
    fprintf(stderr, "client: -%c takes a number from %ld to %ld, not '%s'\n", letter, least, most, text);
    wrong_usage();
}

static void read_options(int argc, char **argv)
{
    int letter;
    while ((letter = getopt(argc, argv, "H:p:r:t:vh")) != -1) {
        switch (letter) {
        case 'H': option.host = optarg; break;
        case 'p': option.port = number(optarg, 1, MAX_PORT, 'p'); break;
        case 'r': option.retries = number(optarg, 0, MAX_RETRIES, 'r'); break;
        case 't': option.timeout_ms = number(optarg, 1, MAX_MS, 't'); break;
        case 'v': option.verbose = true; break;
        case 'h': exit(print_usage(stdout) < 0 || fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS);
        default: wrong_usage();
        }
    }
}

static bool find_host(void)
{
    struct addrinfo wanted, *found;
    memset(&wanted, 0, sizeof wanted);
    wanted.ai_family = AF_INET;
    wanted.ai_socktype = SOCK_STREAM;
    int error = getaddrinfo(option.host, NULL, &wanted, &found);
    if (error != 0) {
        fprintf(stderr, "client: find %s: %s\n", option.host, error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return false;
    }
    memcpy(&server, found->ai_addr, sizeof server);
    freeaddrinfo(found);
    return true;
}

int main(int argc, char **argv)
{
    bool all = true;
    read_options(argc, argv);
    if (clock_gettime(CLOCK_MONOTONIC, &origin) == -1 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        perror("client: prepare");
        return EXIT_FAILURE;
    }
    if (!find_host())
        return EXIT_FAILURE;
    for (int i = optind; i < argc; i++)
        all = answer(argv[i]) && all;
    if (optind == argc)
        all = answer_standard_input();
    hang_up(&principal);
    return all ? EXIT_SUCCESS : EXIT_FAILURE;
}
