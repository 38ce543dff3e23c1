/* remote: asks a remote_server for the date, for a block of a file, or for a program's output.
 *
 *     remote 127.0.0.1 date
 *     remote 127.0.0.1 block notes.txt 0 4096 > notes.txt
 *     remote 127.0.0.1 run ls -l
 *
 * One request and one reply, in the protocol of frame.h. What the reply contains goes to standard
 * output as it is, and a failure to standard error.
 */
#include "clock.h"
#include "frame.h"
#include "journal.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: remote [-p PORT] [-t TIMEOUT_MS] HOST date\n"
    "       remote [-p PORT] [-t TIMEOUT_MS] HOST block PATH OFFSET LENGTH\n"
    "       remote [-p PORT] [-t TIMEOUT_MS] HOST run PROGRAM [ARGUMENT...]\n"
    "  -p PORT        TCP port (default 8080)\n"
    "  -t TIMEOUT_MS  how long to wait for the reply (default 10000)\n"
    "  -h             this text\n";

static struct {
    int port;
    int timeout_ms;
} options = { .port = DEFAULT_PORT, .timeout_ms = 10000 };

static void parse_options(int argc, char *argv[])
{
    int option;

    options_init("remote", usage);
    while ((option = getopt(argc, argv, ":hp:t:")) != -1)
        switch (option) {
        case 'p': options.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, 3600000); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (argc - optind < 2)
        wrong_usage("give HOST and a request");
}

static void append(struct frame *request, const char *bytes, size_t count)
{
    if (count > FRAME_LONGEST - request->length)
        wrong_usage("a request has at most %d bytes", FRAME_LONGEST);
    memcpy(request->content + request->length, bytes, count);
    request->length += (uint32_t)count;
}

static uint64_t parse_size(const char *what, const char *text, uint64_t max)
{
    char *end;
    uintmax_t value;

    errno = 0;
    value = strtoumax(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value > max)
        wrong_usage("%s is a number up to %" PRIu64 ", not '%s'", what, max, text);
    return value;
}

static void ask_block(struct frame *request, const char *path, const char *offset_text,
                      const char *length_text)
{
    uint64_t offset = parse_size("OFFSET", offset_text, INT64_MAX);
    char numbers[12];

    request->kind = FRAME_BLOCK;
    frame_put_number(numbers, (uint32_t)(offset >> 32));
    frame_put_number(numbers + 4, (uint32_t)(offset & 0xffffffff));
    frame_put_number(numbers + 8, (uint32_t)parse_size("LENGTH", length_text, FRAME_LONGEST));
    append(request, numbers, sizeof numbers);
    append(request, path, strlen(path));
}

/* words: date | block PATH OFFSET LENGTH | run PROGRAM [ARGUMENT...] */
static void make_request(struct frame *request, int count, char *words[])
{
    request->length = 0;
    if (strcmp(words[0], "date") == 0 && count == 1) {
        request->kind = FRAME_DATE;
    } else if (strcmp(words[0], "block") == 0 && count == 4) {
        ask_block(request, words[1], words[2], words[3]);
    } else if (strcmp(words[0], "run") == 0 && count > 1) {
        request->kind = FRAME_RUN;
        for (int i = 1; i < count; i++)
            append(request, words[i], strlen(words[i]) + 1);
    } else {
        wrong_usage("'%s' is no request, or has other arguments", words[0]);
    }
}

/* Sends the request and takes the reply. The deadline is for both. */
static void ask(const char *host, struct frame *request, struct frame *reply)
{
    int64_t deadline_ms = clock_ms() + options.timeout_ms;
    int fd = net_connect(host, options.port, options.timeout_ms);
    int result;

    if (fd == -1)
        exit(EXIT_FAILURE);
    if (net_set_nonblocking(fd) == -1)
        die("prepare the connection");
    if (frame_write(fd, deadline_ms, request) == -1)
        die("send the request");
    result = frame_read(fd, deadline_ms, reply);
    if (result == -1)
        die("read the reply");
    if (result == 0)
        diex("read the reply: the server has ended the connection");
    (void)close(fd);
}

static void print(const char *bytes, size_t count)
{
    if (net_write_all(STDOUT_FILENO, bytes, count) == -1)
        die("write the reply");
}

/* Returns the exit status: 0 if the program has ended well. */
static int print_run(const struct frame *reply)
{
    uint32_t status;

    if (reply->length < 4)
        diex("read the reply: it has no status");
    print(reply->content + 4, reply->length - 4);
    status = frame_get_number(reply->content);
    if (status != 0)
        warnx("run: the program ended with status %" PRIu32, status);
    return status == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char *argv[])
{
    static struct frame request, reply;

    parse_options(argc, argv);
    journal_init("remote", false);
    make_request(&request, argc - optind - 1, argv + optind + 1);
    ask(argv[optind], &request, &reply);
    if (reply.kind == FRAME_FAILED)
        diex("%s", reply.content);
    if (reply.kind != FRAME_DONE)
        diex("read the reply: %lu is no kind of reply", (unsigned long)reply.kind);
    if (request.kind == FRAME_RUN)
        return print_run(&reply);
    print(reply.content, reply.length);
    if (request.kind == FRAME_DATE)
        print("\n", 1);
    return EXIT_SUCCESS;
}
