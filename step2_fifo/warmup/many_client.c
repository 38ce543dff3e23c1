/* many_client: sends the lines of standard input to many_server, which see, and writes what comes
 * back on standard output.
 *
 * It takes turns, as echo_client does: a line out, a line back. The end of standard input, SIGINT,
 * SIGTERM and SIGHUP take it out of the server's table; SIGKILL does not.
 */
#include "input.h"
#include "journal.h"
#include "member.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: many_client [-d DIR] FIFO\n"
    "  FIFO    the server's pipe, as the server has announced it\n"
    "  -d DIR  where to make its own (default /tmp)\n"
    "  -h      this text\n";

struct options {
    const char *directory;
    const char *server_path;
};

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .directory = "/tmp" };
    int option;

    options_init("many_client", usage);
    while ((option = getopt(argc, argv, ":hd:")) != -1)
        switch (option) {
        case 'd': options.directory = optarg; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (optind == argc)
        wrong_usage("the server's FIFO is missing");
    options.server_path = argv[optind++];
    expect_no_operand(argc, argv);
    return options;
}

/* Returns false when somebody wants the program to end. */
static bool exchange(const struct member *server, const char *line)
{
    struct message message;
    size_t length;

    (void)message_make(&message, MESSAGE_TEXT, "", line);
    if (!member_send(server, &message) || !member_await(server, &message))
        return false;
    /* The newline takes the place of the '\0'. */
    length = strlen(message.text);
    message.text[length] = '\n';
    if (write_all(STDOUT_FILENO, message.text, length + 1, NEVER) == READY_ERROR)
        die("write standard output");
    return true;
}

static void take_turns(const struct member *server)
{
    struct input input = { .length = 0 };

    while (await_readable(STDIN_FILENO, NEVER) == READY)
        switch (input_take(&input)) {
        case INPUT_MORE: break;
        case INPUT_TOO_LONG: warnx("send a line: it is longer than %d bytes", TEXT_ROOM - 1); break;
        case INPUT_END: return;
        case INPUT_LINE:
            if (!exchange(server, input.line))
                return;
        }
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    struct member server = { .server_path = options.server_path };
    char name[NAME_ROOM];

    journal_init("many_client", false);
    ready_init();
    (void)snprintf(name, sizeof name, "%ld", (long)getpid());
    if (member_join(&server, options.directory, "many_client", name))
        take_turns(&server);
    member_leave(&server);
    return EXIT_SUCCESS;
}
