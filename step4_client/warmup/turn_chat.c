/* turn_chat: two people take turns, a line each.
 *
 *     turn_chat HOST                         turn_chat -l
 *     types a line     ---- line ---->       waits, and prints it
 *     waits, prints    <---- line ----       types a line
 *     types a line     ---- line ---->       ...
 *
 * The same loop runs on both sides, and only its beginning differs: the client speaks first,
 * the server waits first. -s and -w change that for one side. If then both begin with the same
 * half of the loop, the order that each relies on is not there: both wait, and nothing will
 * ever be said; or both speak, and each is answered before it was heard.
 *
 * It ends when either side has nothing more to type (Ctrl-D), or has gone. (That the other side has
 * gone is not seen while a line of its, said out of turn, waits in front of its end.)
 */
#include "dialogue.h"
#include "journal.h"
#include "line.h"
#include "options.h"
#include "todo.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static const char usage[] =
    "usage: turn_chat [-s | -w] [-p PORT] [-t TIMEOUT_MS] [HOST]\n"
    "       turn_chat -l [-a ADDRESS] [-s | -w] [-p PORT] [-t TIMEOUT_MS]\n"
    "  HOST           connect to it (default 127.0.0.1), and speak first\n"
    "  -l             listen for it instead, and wait first\n"
    "  -a ADDRESS     listen there (default 127.0.0.1)\n"
    "  -p PORT        the port (default 8080)\n"
    "  -s             speak first\n"
    "  -w             wait first\n"
    "  -t TIMEOUT_MS  how long to connect; after so long without a line, say so (default 10000)\n"
    "  -h             this text\n";

struct options {
    struct side side;
    int first; /* 's', 'w', or 0: as the side has it */
    int timeout_ms;
};

struct dialogue {
    struct line_reader keyboard;
    struct line_reader other;
    int timeout_ms;
};

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { { false, "127.0.0.1", DEFAULT_PORT }, 0, 10 * 1000 };
    int option;

    options_init("turn_chat", usage);
    while ((option = getopt(argc, argv, ":hla:p:swt:")) != -1)
        switch (option) {
        case 'l': options.side.listens = true; break;
        case 'a': options.side.host = optarg; break;
        case 'p': options.side.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 's':
        case 'w': options.first = option; break;
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, LONGEST_TIMEOUT_MS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (!options.side.listens && optind < argc)
        options.side.host = argv[optind++];
    expect_no_operand(argc, argv);
    return options;
}

/* Returns true if there was a line, false if the dialogue is over. */
static bool is_a_line(enum line_status status, const char *who)
{
    if (status == LINE_ERROR)
        die("read from %s", who);
    if (status != LINE_READY)
        warnx("end of %s", who);
    return status == LINE_READY;
}

/* Waits for one line from the other side, and prints it. Returns false if there is none. */
static bool hear(struct dialogue *dialogue)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = dialogue_await(&dialogue->other, dialogue->timeout_ms, line)) == LINE_NONE)
        warnx("no line for %d ms: does the other side wait, too?", dialogue->timeout_ms);
    if (!is_a_line(status, "the other side"))
        return false;
    dialogue_print(line);
    return true;
}

/* Waits for one typed line. While nobody types, the other side may end; or speak, out of turn:
 * that is left where it is, and `*crossed` is true. Returns as line_read(), and LINE_NONE if
 * the other side has ended. */
static enum line_status await_typed(struct dialogue *dialogue, char line[LINE_ROOM], bool *crossed)
{
    struct pollfd fds[] = {
        { .fd = dialogue->other.fd, .events = POLLIN },
        { .fd = dialogue->keyboard.fd, .events = POLLIN },
    };
    enum line_status status = LINE_NONE;

    *crossed = line_is_waiting(&dialogue->other);
    while (status == LINE_NONE) {
        bool typed_before = line_is_waiting(&dialogue->keyboard);
        int ready = poll(fds, 2, typed_before ? 0 : -1);

        if (ready == -1 && errno != EINTR)
            die("wait for a typed line");
        if (ready > 0 && fds[0].revents != 0) {
            if (dialogue_has_ended(dialogue->other.fd))
                return LINE_NONE;
            *crossed = true;
            fds[0].fd = -1; /* poll(2) does not look at it any more */
        }
        if (typed_before || (ready > 0 && fds[1].revents != 0))
            status = line_read(&dialogue->keyboard, line);
    }
    return status;
}

/* Waits for one typed line, and sends it. Returns false if there is none. */
static bool speak(struct dialogue *dialogue)
{
    char line[LINE_ROOM];
    enum line_status status;
    bool crossed;

    if (isatty(STDIN_FILENO))
        (void)!write(STDERR_FILENO, "> ", 2);
    status = await_typed(dialogue, line, &crossed);
    if (!is_a_line(status, status == LINE_NONE ? "the other side" : "what is typed"))
        return false;
    if (crossed)
        warnx("the lines cross: the other side speaks in our turn");
    if (line_write(dialogue->other.fd, "%s", line) == -1)
        die("write to the other side");
    return true;
}

static void take_turns(struct dialogue *dialogue, bool my_turn)
{
    // TODO 4w.4: take turns until one side ends: in my turn speak(), else hear(). Both do one
    // line, and return false if there is none any more.
    todo("4w.4", dialogue, my_turn, speak, hear);
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);
    bool speak_first = options.first == 0 ? !options.side.listens : options.first == 's';
    struct dialogue dialogue = { .timeout_ms = options.timeout_ms };

    journal_init("turn_chat", false);
    dialogue_end_on_signals();
    line_reader_init(&dialogue.keyboard, STDIN_FILENO);
    line_reader_init(&dialogue.other, dialogue_open(&options.side, options.timeout_ms));
    take_turns(&dialogue, speak_first);
    (void)close(dialogue.other.fd);
    return EXIT_SUCCESS;
}
