/* remote_server: tells the date, parts of files, and what programs print, over a binary protocol.
 *
 *     remote --- request, length, content ---> remote_server -d DIRECTORY -x PROGRAM
 *            <--- reply, length, content ---          |
 *                                                     +-- fork, exec: PROGRAM, its output in a pipe
 *
 * The protocol is in frame.h. It has no passwords: so files are below one directory (below.h), and
 * programs are those of a list, with a limit in time and in what they write (run.h).
 *
 * Each client has a process of its own (per_client.h), which takes its requests one by one.
 */
#include "below.h"
#include "clock.h"
#include "dialogue.h"
#include "frame.h"
#include "journal.h"
#include "net.h"
#include "options.h"
#include "per_client.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: remote_server [-a ADDRESS] [-p PORT] [-d DIRECTORY] [-x PROGRAM]... [-t LIMIT_MS]\n"
    "  -a ADDRESS    where to listen (default 127.0.0.1)\n"
    "  -p PORT       TCP port (default 8080)\n"
    "  -d DIRECTORY  where the files are that it shows (default .)\n"
    "  -x PROGRAM    a program that it runs; looked for in $PATH if there is no slash in it\n"
    "  -t LIMIT_MS   how long a program may run (default 5000)\n"
    "  -h            this text\n";

enum { MOST_PROGRAMS = 16, MOST_ARGUMENTS = 64 };
enum { IDLE_MS = 60000 /* for a whole request */, REPLY_MS = 10000 /* for a whole reply */ };

static struct {
    const char *address;
    int port;
    const char *directory;
    int directory_fd;
    const char *programs[MOST_PROGRAMS];
    int program_count;
    int limit_ms;
} options = { .address = "127.0.0.1", .port = DEFAULT_PORT, .directory = ".", .limit_ms = 5000 };

static void add_program(const char *program)
{
    if (options.program_count == MOST_PROGRAMS)
        wrong_usage("-x can be given %d times", MOST_PROGRAMS);
    options.programs[options.program_count++] = program;
}

static void parse_options(int argc, char *argv[])
{
    int option;

    options_init("remote_server", usage);
    while ((option = getopt(argc, argv, ":ha:p:d:x:t:")) != -1)
        switch (option) {
        case 'a': options.address = optarg; break;
        case 'p': options.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 'd': options.directory = optarg; break;
        case 'x': add_program(optarg); break;
        case 't': options.limit_ms = (int)parse_number('t', optarg, 1, 3600000); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
}

/* Makes `reply` a failure, with the reason. */
static void fail(struct frame *reply, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void fail(struct frame *reply, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(reply->content, sizeof reply->content, format, arguments);
    va_end(arguments);
    reply->kind = FRAME_FAILED;
    reply->length = length < 0 ? 0 : length > FRAME_LONGEST ? FRAME_LONGEST : (uint32_t)length;
}

static void tell_date(struct frame *reply)
{
    time_t now = time(NULL);
    struct tm utc;

    if (now == (time_t)-1 || gmtime_r(&now, &utc) == NULL)
        fail(reply, "the date is not known");
    else
        reply->length = (uint32_t)strftime(reply->content, sizeof reply->content,
                                           "%Y-%m-%dT%H:%M:%SZ", &utc);
}

static void read_block(int fd, uint64_t offset, uint32_t count, struct frame *reply)
{
    ssize_t length = pread(fd, reply->content, count, (off_t)offset);

    if (length == -1)
        fail(reply, "read: %s", strerror(errno));
    else
        reply->length = (uint32_t)length;
}

/* In the content: offset, count, path, and the '\0' that frame_read() has put behind it. */
static void tell_block(const struct frame *request, struct frame *reply)
{
    const char *numbers = request->content;
    const char *path = request->content + 12;
    uint64_t offset;
    int fd;

    if (request->length < 12 || strlen(path) != request->length - 12) {
        fail(reply, "a request for a block is offset, count and path");
        return;
    }
    offset = (uint64_t)frame_get_number(numbers) << 32 | frame_get_number(numbers + 4);
    if (offset > INT64_MAX || frame_get_number(numbers + 8) > FRAME_LONGEST) {
        fail(reply, "a block has at most %d bytes", FRAME_LONGEST);
        return;
    }
    fd = below_open(options.directory_fd, path);
    if (fd == -1) {
        fail(reply, "open %s: %s", path, strerror(errno));
        return;
    }
    read_block(fd, offset, frame_get_number(numbers + 8), reply);
    (void)close(fd);
}

/* The program that the client may call `name`, or NULL. */
static const char *find_program(const char *name)
{
    for (int i = 0; i < options.program_count; i++) {
        const char *slash = strrchr(options.programs[i], '/');

        if (strcmp(slash == NULL ? options.programs[i] : slash + 1, name) == 0)
            return options.programs[i];
    }
    return NULL;
}

/* Makes a list for execvp(3) of the strings in the content. Returns false if it is none. */
static bool split_arguments(struct frame *request, char *argv[MOST_ARGUMENTS + 1])
{
    char *end = request->content + request->length;
    int count = 0;

    if (request->length == 0 || end[-1] != '\0')
        return false;
    for (char *string = request->content; string < end; string += strlen(string) + 1) {
        if (count == MOST_ARGUMENTS)
            return false;
        argv[count++] = string;
    }
    argv[count] = NULL;
    return true;
}

static void run(struct frame *request, struct frame *reply)
{
    char *argv[MOST_ARGUMENTS + 1];
    const char *program;
    size_t length;
    int status;

    if (!split_arguments(request, argv)) {
        fail(reply, "a request to run is a program and up to %d arguments", MOST_ARGUMENTS - 1);
        return;
    }
    program = find_program(argv[0]);
    if (program == NULL) {
        fail(reply, "run %s: not allowed", argv[0]);
        return;
    }
    status = run_program(program, argv, options.limit_ms, reply->content + 4, FRAME_LONGEST - 4,
                         &length);
    if (status == -1) {
        fail(reply, "run %s: %s", argv[0], strerror(errno));
        return;
    }
    status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); /* as shells do */
    frame_put_number(reply->content, (uint32_t)status);
    reply->length = (uint32_t)length + 4;
}

static void answer(struct frame *request, struct frame *reply)
{
    reply->kind = FRAME_DONE;
    reply->length = 0;
    switch (request->kind) {
    case FRAME_DATE: tell_date(reply); break;
    case FRAME_BLOCK: tell_block(request, reply); break;
    case FRAME_RUN: run(request, reply); break;
    default: fail(reply, "request %lu is not known", (unsigned long)request->kind);
    }
}

static void serve(int client, const char *peer)
{
    static struct frame request, reply; /* too large for a stack, and of this process alone */
    int result;

    while ((result = frame_read(client, clock_ms() + IDLE_MS, &request)) == 1) {
        answer(&request, &reply);
        journal("request %lu of %s: %s %lu bytes", (unsigned long)request.kind, peer,
                reply.kind == FRAME_DONE ? "done" : "failed", (unsigned long)reply.length);
        if (frame_write(client, clock_ms() + REPLY_MS, &reply) == -1) {
            warn("reply to %s", peer);
            return;
        }
    }
    if (result == -1)
        warn("read the request of %s", peer);
    journal("end %s", peer);
}

int main(int argc, char *argv[])
{
    int listener;

    parse_options(argc, argv);
    journal_init("remote_server", false);
    dialogue_end_on_signals(); /* until per_client_serve() takes over */
    options.directory_fd = open(options.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (options.directory_fd == -1)
        die("open directory %s", options.directory);
    listener = net_listen(options.address, options.port);
    if (listener == -1)
        exit(EXIT_FAILURE);
    journal("listening on %s:%d", options.address, options.port);
    per_client_serve(listener, serve);
    (void)close(listener);
    (void)close(options.directory_fd);
    journal("exit");
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
