/* talk: two people talk, each whenever he likes.
 *
 *         talk HOST                                          talk -l
 *     child, the speaker    keyboard  ---- lines ---->  parent, the hearer
 *     parent, the hearer    screen    <---- lines ----  child, the speaker
 *
 * A process that waits in read(2) for its keyboard cannot wait for its socket. So each side is
 * two processes: after fork(2) both have the keyboard, the screen and the socket, and each sees
 * to one direction. turn_chat took turns because it was only one.
 *
 * The end is the difficult part, for no process may be left over:
 *   - nothing more is typed: the speaker ends its direction with shutdown(2). close(2) would not
 *     do, because the hearer has the socket, too. Then the other side hears the end;
 *   - the hearer hears the end, or gets a signal, or fails: it kills the speaker, which waits
 *     for its keyboard, and waits for it;
 *   - the hearer is killed: the speaker sees the end of a pipe, the lifeline, whose writing end
 *     only the hearer has.
 * Either way the connection closes, and the other side ends for the same reason.
 *
 * Left out on purpose: a screen that takes nothing (`talk | less`, Ctrl-S) holds the hearer up, and
 * signals are heeded only afterwards.
 */
#include "clock.h"
#include "dialogue.h"
#include "journal.h"
#include "line.h"
#include "net.h"
#include "options.h"
#include "signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] =
    "usage: talk [-p PORT] [-t TIMEOUT_MS] [HOST]\n"
    "       talk -l [-a ADDRESS] [-p PORT] [-t TIMEOUT_MS]\n"
    "  HOST           connect to it (default 127.0.0.1)\n"
    "  -l             listen for it instead\n"
    "  -a ADDRESS     listen there (default 127.0.0.1)\n"
    "  -p PORT        the port (default 8080)\n"
    "  -t TIMEOUT_MS  how long to connect, and to wait for the other side's end after our own\n"
    "                 (default 5000)\n"
    "  -h             this text\n";

enum { GO_ON = -1 /* no exit status yet */ };

struct options {
    struct side side;
    int timeout_ms;
};

static pid_t speaker_pid; /* 0 when there is none: not yet forked, or waited for */
static int signals_fd = -1;

static struct options parse_options(int argc, char *argv[])
{
    struct options options = { { false, "127.0.0.1", DEFAULT_PORT }, 5000 };
    int option;

    options_init("talk", usage);
    while ((option = getopt(argc, argv, ":hla:p:t:")) != -1)
        switch (option) {
        case 'l': options.side.listens = true; break;
        case 'a': options.side.host = optarg; break;
        case 'p': options.side.port = (int)parse_number('p', optarg, 1, 65535); break;
        case 't': options.timeout_ms = (int)parse_number('t', optarg, 1, LONGEST_TIMEOUT_MS); break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    if (!options.side.listens && optind < argc)
        options.side.host = argv[optind++];
    expect_no_operand(argc, argv);
    return options;
}

/* ---- the speaker */

/* Waits until `fd` can be read (POLLIN) or written (POLLOUT). Ends with the hearer. */
static void await(int fd, short events, int lifeline)
{
    struct pollfd fds[] = {
        { .fd = fd, .events = events },
        { .fd = lifeline, .events = POLLIN },
    };

    while (poll(fds, 2, -1) == -1)
        if (errno != EINTR)
            die("wait for something to say");
    if (fds[1].revents != 0)
        exit(EXIT_FAILURE);
}

/* A write(2) could wait for an other side that does not read, longer than the hearer lives. Returns 0,
 * or -1 with errno. */
static int say(int other, const char *bytes, size_t count, int lifeline)
{
    while (count > 0) {
        ssize_t sent;

        await(other, POLLOUT, lifeline);
        sent = send(other, bytes, count, MSG_DONTWAIT);
        if (sent == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return -1;
        if (sent > 0) {
            bytes += sent;
            count -= (size_t)sent;
        }
    }
    return 0;
}

/* Sends what is typed, until nothing more is. Returns the speaker's exit status. */
static int speak(int other, int lifeline)
{
    char bytes[4096];
    ssize_t count;

    /* A terminal sends these to both processes, and it is the hearer that sees to the end. */
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    do {
        await(STDIN_FILENO, POLLIN, lifeline);
        count = read(STDIN_FILENO, bytes, sizeof bytes);
        if (count == -1)
            die("read what is typed");
        /* If the other side has gone, the hearer hears of it. */
        if (say(other, bytes, (size_t)count, lifeline) == -1)
            return EXIT_SUCCESS;
    } while (count > 0);
    if (shutdown(other, SHUT_WR) == -1 && errno != ENOTCONN)
        die("end the conversation");
    return EXIT_SUCCESS;
}

/* ---- the hearer */

/* Waits for the speaker if it has ended. Returns GO_ON if all is well with it. */
static int reap_speaker(void)
{
    int status;
    pid_t pid = speaker_pid > 0 ? waitpid(speaker_pid, &status, WNOHANG) : 0;

    if (pid == -1)
        die("wait for the speaker");
    if (pid == 0)
        return GO_ON;
    speaker_pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
        return GO_ON;
    warnx("the speaker has failed");
    return EXIT_FAILURE;
}

/* Whichever way the hearer ends, exit(3) calls this. The speaker may wait for its keyboard, or
 * be stopped: SIGKILL ends it in any case. In the speaker itself there is nothing to do. */
static void end_speaker(void)
{
    if (speaker_pid <= 0)
        return;
    (void)kill(speaker_pid, SIGKILL);
    while (waitpid(speaker_pid, NULL, 0) == -1 && errno == EINTR) {
        /* Our handlers are still there. */
    }
}

static int heed_signals(void)
{
    signals_drain();
    if (signals_take(SIGINT) || signals_take(SIGTERM) || signals_take(SIGHUP))
        return EXIT_SUCCESS;
    return signals_take(SIGCHLD) ? reap_speaker() : GO_ON;
}

/* Prints the lines that are there. At the end of the other side, returns an exit status. */
static int print_lines(struct line_reader *reader)
{
    char line[LINE_ROOM];

    do
        switch (line_read(reader, line)) {
        case LINE_READY: dialogue_print(line); break;
        case LINE_NONE: break;
        case LINE_END: return EXIT_SUCCESS;
        case LINE_ERROR: warn("read from the other side"); return EXIT_FAILURE;
        }
    while (line_is_waiting(reader));
    return GO_ON;
}

/* Waits for a line or a signal, but for the other side's end not longer than `end_ms`. */
static int hear_once(struct line_reader *reader, int64_t end_ms)
{
    struct pollfd fds[] = {
        { .fd = signals_fd, .events = POLLIN },
        { .fd = reader->fd, .events = POLLIN },
    };
    int ready = poll(fds, 2, clock_left_ms(end_ms));
    int status = GO_ON;

    if (ready == -1 && errno != EINTR) {
        warn("wait for the other side");
        return EXIT_FAILURE;
    }
    if (ready > 0 && fds[0].revents != 0)
        status = heed_signals();
    if (ready > 0 && status == GO_ON && fds[1].revents != 0)
        status = print_lines(reader);
    return status;
}

/* Prints what the other side says, until it ends. Returns the program's exit status. */
static int hear(int other, int timeout_ms)
{
    struct line_reader reader;
    int64_t end_ms = INT64_MAX; /* of the other side; until we have ended ourselves there is none */
    int status;

    line_reader_init(&reader, other);
    while ((status = hear_once(&reader, end_ms)) == GO_ON) {
        if (speaker_pid == 0 && end_ms == INT64_MAX)
            end_ms = clock_ms() + timeout_ms;
        if (clock_ms() >= end_ms) {
            warnx("the other side has not ended %d ms after us", timeout_ms);
            return EXIT_FAILURE;
        }
    }
    return status;
}

/* ---- both */

static int converse(int other, int timeout_ms)
{
    sigset_t before;
    int lifeline[2];
    int status;

    if (pipe(lifeline) == -1)
        die("make the lifeline");
    if (signals_hold(&before) == -1)
        die("hold signals back");
    // TODO 4w.5: fork(2) the speaker, and keep its pid in speaker_pid. If that fails, die(). The
    // child closes lifeline[1], or it would never see the end of it; calls signals_close(), because
    // the handlers are its parent's; lets go of the signals (signals_let_all_go(), or die()); and ends
    // with exit(3), its status being what speak() returns. The parent closes lifeline[0].
    // SOLUTION
    speaker_pid = fork();
    if (speaker_pid == -1)
        die("fork the speaker");
    if (speaker_pid == 0) {
        (void)close(lifeline[1]);
        signals_close();
        if (signals_let_all_go() == -1)
            die("let signals go");
        exit(speak(other, lifeline[0]));
    }
    (void)close(lifeline[0]);
    // STUB: todo("4w.5", other, lifeline, speak);
    // END
    if (signals_let_go(&before) == -1)
        die("let signals go");
    status = hear(other, timeout_ms);
    (void)close(lifeline[1]);
    return status;
}

int main(int argc, char *argv[])
{
    static const int wanted[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, 0 };
    struct options options = parse_options(argc, argv);
    int status;
    int other;

    journal_init("talk", false);
    dialogue_end_on_signals();
    other = dialogue_open(&options.side, options.timeout_ms);
    signals_fd = signals_open(wanted);
    if (signals_fd == -1)
        die("catch signals");
    if (atexit(end_speaker) != 0)
        diex("register the clean-up: no memory");
    status = converse(other, options.timeout_ms);
    (void)close(other);
    return status;
}
