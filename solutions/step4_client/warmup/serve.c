/* serve: the universal server. It runs a command for each client, and the socket is what the
 * command reads and writes: any program that knows standard input and output becomes a service.
 *
 *     client 1 <---------------------------------+
 *     client 2 <-------------------+             |
 *                                  |             |
 *     serve ---- fork --> child ---|-- fork --> COMMAND, for client 1
 *       |                   |      |             whose parent has gone
 *       |<---- waitpid -----+ _exit at once
 *       |                          |
 *       +------- fork --> child -- fork --> COMMAND, for client 2
 *
 * Two forks, so that nobody has to wait for the command's end. When the child in between has
 * ended, the command belongs to process 1, which waits for all that it is given. The server waits
 * for the child alone, and that is gone at once. No zombie, no SIGCHLD.
 *
 * Left out on purpose: the server does not know what becomes of a command, nor how many there are.
 * A conversation under way goes on when the server ends: its socket is its own.
 */
#include "dialogue.h"
#include "journal.h"
#include "net.h"
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: serve [-a ADDRESS] PORT COMMAND [ARG...]\n"
    "  -a ADDRESS  where to listen (default 127.0.0.1)\n"
    "  PORT        from 1 to 65535\n"
    "  COMMAND     is run for each client; it reads and writes the client's connection\n"
    "  -h          this text\n";

enum { COMMAND_NOT_FOUND = 127 /* as the shell has it */ };

struct options {
    const char *address;
    int port;
    char **command; /* with its arguments, and NULL behind them */
};

/* The server's standard error, for a process whose own is the client. */
static int log_fd = -1;

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { .address = "127.0.0.1" };
    int option;

    options_init("serve", usage);
    /* The plus: what begins with a dash behind PORT is an option of the command, not ours. */
    while ((option = getopt(argc, argv, "+:ha:")) != -1)
        switch (option) {
        case 'a': options.address = optarg; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (argc - optind < 2)
        wrong_usage("it takes PORT and COMMAND");
    options.port = net_parse_port(argv[optind]);
    if (options.port == -1)
        wrong_usage("'%s' is no port", argv[optind]);
    options.command = argv + optind + 1;
    return options;
}

/* What is closed on exec the command does not have. dup2(2)'s copies are not. */
static int close_on_exec(int fd)
{
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static int set_up(const struct options *options)
{
    int listener;

    dialogue_end_on_signals();
    log_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (log_fd == -1)
        die("copy standard error");
    listener = net_listen(options->address, options->port);
    if (listener == -1)
        exit(EXIT_FAILURE);
    if (close_on_exec(listener) == -1)
        die("keep the listening socket from the commands");
    journal("listening on %s:%d", options->address, options->port);
    return listener;
}

/* Becomes the command. A handler ends with exec by itself, but what is ignored would stay so:
 * journal_init() has done that, and the command may count on dying by SIGPIPE. */
static _Noreturn void run_command(char *command[])
{
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
    (void)execvp(command[0], command);
    /* Still here: it is the operator's mistake, and no business of the client. */
    (void)dup2(log_fd, STDERR_FILENO);
    warn("run %s", command[0]);
    _exit(COMMAND_NOT_FOUND);
}

static void serve_client(int client, char *command[])
{
    // TODO 4w.9: fork a child, and wait for it with waitpid(2), also if a signal interrupts (EINTR). The
    // child forks once more, and ends at once with _exit(2). Its own child makes the client its
    // standard input, output and error with dup2(2) (if that fails, it ends), then calls
    // run_command(), which does not come back. If a fork fails, warn(): this client is not served,
    // the server goes on.
    // SOLUTION
    pid_t child = fork();

    if (child == 0) {
        pid_t grandchild = fork();

        if (grandchild == -1)
            warn("fork for a client");
        if (grandchild != 0)
            _exit(EXIT_SUCCESS);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
            if (dup2(client, fd) == -1)
                _exit(EXIT_FAILURE);
        run_command(command);
    }
    if (child == -1)
        warn("fork for a client");
    while (child > 0 && waitpid(child, NULL, 0) == -1 && errno == EINTR) {
        /* A signal came first. */
    }
    // STUB: todo("4w.9", client, command, run_command);
    // END
}

static _Noreturn void serve_all(int listener, char *command[])
{
    char peer[NET_NAME_ROOM];

    for (;;) {
        int client = dialogue_accept(listener, peer);

        journal("accepted %s", peer);
        if (close_on_exec(client) == -1)
            warn("keep the client's socket from other commands");
        else
            serve_client(client, command);
        /* The command has its own copies. With ours open, the client would never see the end. */
        (void)close(client);
    }
}

int main(int argc, char *argv[])
{
    struct options options = parse_options(argc, argv);

    journal_init("serve", false);
    serve_all(set_up(&options), options.command);
}
