/* chat_client: what you type goes to chat_server, which see, and what the others type comes out, as
 * `NAME: text`. A line that begins with `@NAME ` is for NAME alone; all others, and those for
 * `@everyone`, are for everyone.
 *
 * It waits for the keyboard and for its pipe at the same time: a friend's line is not held up until you
 * have typed one of your own. The end of standard input, SIGINT, SIGTERM and SIGHUP take it out of the
 * server's table; and when the server ends, it ends.
 */
#include "input.h"
#include "journal.h"
#include "member.h"
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

static const char usage[] =
    "usage: chat_client [-d DIR] FIFO [NAME]\n"
    "  FIFO    the server's pipe, as the server has announced it\n"
    "  NAME    letters, digits, - and _, at most 23 (default: the process's pid)\n"
    "  -d DIR  where to make its own pipe (default /tmp)\n"
    "  -h      this text\n";

struct options {
    const char *directory;
    const char *server_path;
    char name[NAME_ROOM];
};

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .directory = "/tmp" };
    int option;

    options_init("chat_client", usage);
    while ((option = getopt(argc, argv, ":hd:")) != -1)
        switch (option) {
        case 'd': options.directory = optarg; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (optind == argc)
        wrong_usage("the server's FIFO is missing");
    options.server_path = argv[optind++];
    if (optind < argc && !is_name(argv[optind]))
        wrong_usage("'%s' cannot be a name", argv[optind]);
    if (optind < argc)
        (void)snprintf(options.name, sizeof options.name, "%s", argv[optind++]);
    else
        (void)snprintf(options.name, sizeof options.name, "%ld", (long)getpid());
    expect_no_operand(argc, argv);
    return options;
}

static void show_message(const struct member *server)
{
    char line[NAME_ROOM + TEXT_ROOM + 4];
    struct message message;
    int length;

    if (!member_receive(server, &message))
        return;
    length = snprintf(line, sizeof line, "%s: %s\n", message.name, message.text);
    if (write_all(STDOUT_FILENO, line, (size_t)length, NEVER) == READY_ERROR)
        die("write standard output");
}

/* `@NAME text`, or just text. Returns false when somebody wants the program to end. */
static bool send_line(const struct member *server, char *line)
{
    const char *name = "everyone";
    char *text = line;
    struct message message;

    if (line[0] == '@') {
        name = line + 1;
        text = line + strcspn(line, " ");
        if (*text != '\0')
            *text++ = '\0';
        if (!is_name(name)) {
            warnx("send a line: '%s' cannot be a name", name);
            return true;
        }
    }
    (void)message_make(&message, MESSAGE_TEXT, name, text);
    return member_send(server, &message);
}

/* Takes what is there on standard input. Returns false when that has ended, or when somebody wants the
 * program to end. */
static bool pass_on_input(const struct member *server, struct input *input)
{
    switch (input_take(input)) {
    case INPUT_LINE: return send_line(server, input->line);
    case INPUT_END: return false;
    case INPUT_TOO_LONG: warnx("send a line: it is longer than %d bytes", TEXT_ROOM - 1); break;
    case INPUT_MORE: break;
    }
    return true;
}

/* Returns false when the conversation is over. */
static bool wait_and_talk(const struct member *server, struct input *input)
{
    fd_set readable;

    FD_ZERO(&readable);
    // TODO 2w.7: wait with pselect(2) until there is something to read on standard input or in the pipe,
    // server->in, or both; without a deadline. await() in ready.c does it for one descriptor. To be
    // interrupted (EINTR) is no failure, but then `readable` says nothing: return true. For other
    // failures, die(). Then show_message() if the pipe is ready; and if standard input is,
    // pass_on_input(), whose answer is yours.
    // SOLUTION
    FD_SET(STDIN_FILENO, &readable);
    FD_SET(server->in, &readable);
    if (pselect(server->in + 1, &readable, NULL, NULL, NULL, signals_let_in()) == -1) {
        if (errno != EINTR)
            die("wait for keyboard and pipe");
        return true;
    }
    if (FD_ISSET(server->in, &readable))
        show_message(server);
    return !FD_ISSET(STDIN_FILENO, &readable) || pass_on_input(server, input);
    // STUB: todo("2w.7", server, input, readable, show_message, pass_on_input, signals_let_in, errno);
    // END
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    struct member server = { .server_path = options.server_path };
    struct input input = { .length = 0 };

    journal_init("chat_client", false);
    ready_init();
    if (member_join(&server, options.directory, "chat_client", options.name))
        while (!asked_to_stop() && wait_and_talk(&server, &input)) {
            /* All is done in there. */
        }
    member_leave(&server);
    return EXIT_SUCCESS;
}
