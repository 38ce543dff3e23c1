/* babble: a client with bad manners, for demo.sh.   babble PORT
 *
 * Keeps a few connections to the principal on PORT and to secondary 1 on PORT + 1, each with
 * a bad habit, and connects again whenever the server has hung up. Prints `babbling` when
 * it has begun. SIGTERM ends it: it then prints, for each habit, how often it has
 * connected, how much it has said, and what the server last answered.
 *
 * Everything happens once a tick and nothing is waited for. A flood, which would only show
 * how fast the machine is, is left out on purpose.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 50, MOUTHS_PER_HABIT = 3, ANSWER_SIZE = 64 };

struct habit {
    const char *name;
    const char *words;
    bool once;           /* says it once, then stays silent; else at every tick */
    int port_offset;
    int connections;
    long bytes;
    char answer[ANSWER_SIZE];
    int fds[MOUTHS_PER_HABIT];
};

static char endless[4096]; /* of one line that never ends */

static struct habit habits[] = {
    { .name = "silence", .words = "", .once = true },
    { .name = "half a line", .words = "requetety", .once = true },
    { .name = "an endless line", .words = endless },
    { .name = "garbage", .words = "\x7f\x01%n%s\xff\xfe;rm *\n" },
    { .name = "a guessed token", .words = "0123456789abcdef hello\n", .port_offset = 1 },
};
enum { HABITS = sizeof habits / sizeof habits[0] };

static volatile sig_atomic_t is_over;

static void note_end(int signal_number)
{
    (void)signal_number;
    is_over = 1;
}

static void say(struct habit *habit, int fd)
{
    ssize_t count = write(fd, habit->words, strlen(habit->words));

    if (count > 0)
        habit->bytes += count;
}

/* Returns a connection that never blocks, -1 if there is none to be had now. */
static int open_mouth(struct habit *habit, int port)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) },
                                .sin_port = htons((uint16_t)(port + habit->port_offset)) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd == -1)
        return -1;
    if (connect(fd, (struct sockaddr *)&name, sizeof name) == -1
        || fcntl(fd, F_SETFL, O_NONBLOCK) == -1) {
        (void)close(fd);
        return -1;
    }
    habit->connections++;
    say(habit, fd);
    return fd;
}

/* Keeps the first line of what the server says. Returns false if it has hung up. */
static bool listen_to(struct habit *habit, int fd)
{
    char text[ANSWER_SIZE] = "";
    ssize_t count = read(fd, text, sizeof text - 1);

    if (count > 0)
        (void)snprintf(habit->answer, sizeof habit->answer, "%.*s",
                       (int)strcspn(text, "\r\n"), text);
    return count > 0 || (count == -1 && errno == EAGAIN);
}

static void tick(struct habit *habit, int port)
{
    for (int i = 0; i < MOUTHS_PER_HABIT; i++) {
        int *fd = &habit->fds[i];

        if (*fd != -1 && !listen_to(habit, *fd)) {
            (void)close(*fd);
            *fd = -1;
        }
        if (*fd == -1)
            *fd = open_mouth(habit, port);
        else if (!habit->once)
            say(habit, *fd);
    }
}

int main(int argc, char *argv[])
{
    const struct timespec pause = { .tv_nsec = TICK_MS * 1000000L };
    struct sigaction action = { .sa_handler = note_end };
    int port = argc == 2 ? atoi(argv[1]) : 0;

    if (port < 1 || port > 65534) {
        (void)fprintf(stderr, "usage: babble PORT\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigaction(SIGTERM, &action, NULL);
    memset(endless, 'a', sizeof endless - 1);
    for (int i = 0; i < HABITS; i++)
        memset(habits[i].fds, -1, sizeof habits[i].fds);
    for (bool begun = false; !is_over; begun = true) {
        for (int i = 0; i < HABITS; i++)
            tick(&habits[i], port);
        if (!begun && (printf("babbling\n") < 0 || fflush(stdout) == EOF))
            return EXIT_FAILURE;
        (void)nanosleep(&pause, NULL);
    }
    (void)printf("%-15s %6s %8s  %s\n", "HABIT", "CONNS", "BYTES", "ANSWER");
    for (int i = 0; i < HABITS; i++)
        (void)printf("%-15s %6d %8ld  %s\n", habits[i].name, habits[i].connections,
                     habits[i].bytes, *habits[i].answer != '\0' ? habits[i].answer : "-");
    return fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}
