/* experiment 3b: an order to restart, written into the pipe of a server that is frozen.
 *
 *     experiment ---- restart, restart, ... ---> dwtube1 ---> secondary1, stopped: it reads nothing
 *
 * The system is step 3's, with one secondary; the principal pings it once, and then not for an hour, so
 * the pipe is empty before. Its watchdog probes as rarely: we are the only ones to notice.
 */
#include "experiment.h"
#include "journal.h"
#include "process.h"
#include "running.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAIT_MS = 5000,
    SETTLE_MS = 300,        /* silent for so long, the journal has told all; the first ping is answered, too */
    PATIENCE_MS = 1000,     /* who is to be seen to read nothing, or to hang, has so long */
    MANY = 10000000
};

static const char order[] = "restart\n";
static const int order_length = sizeof order - 1;
static struct running lab;

/* Reads the journal until it is silent. */
static void hear_out(void)
{
    char line[256];

    while (running_next_line(&lab, line, SETTLE_MS))
        ;
}

static void start_system(void)
{
    static const char *const options[] = { "-n", "1", "-i", "3600000", "-p", "3600000", "-t", "60000", NULL };

    running_start(&lab, options);
    running_await_secondaries(&lab, 1);
    hear_out();
}

static int open_tube(int flags)
{
    char path[300];
    int fd;

    (void)snprintf(path, sizeof path, "%s/dwtube1", lab.directory);
    fd = open(path, O_WRONLY | flags);
    if (fd == -1)
        die("open %s", path);
    return fd;
}

static bool has_room(int fd)
{
    struct pollfd wanted = { .fd = fd, .events = POLLOUT };

    return poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLOUT) != 0;
}

static void give_one_order(int fd)
{
    int64_t before_us = clock_us();
    ssize_t written = write(fd, order, sizeof order - 1);
    double us = (double)(clock_us() - before_us);

    say("write(dwtube1, \"restart\\n\", %d) = %zd, after %.0f microseconds", order_length, written, us);
    claim(written == order_length, "to the writer it looks well: all is written");
    say("$ wait %d ms for something to happen", PATIENCE_MS);
    claim(!can_read(lab.journal, PATIENCE_MS) && is_stopped(lab.secondary[1]),
          "nothing happens: the journal is silent, the secondary is the same, and still stopped");
}

static void fill(int fd)
{
    ssize_t written = order_length;
    int count = 1;

    while (count < MANY && (written = write(fd, order, sizeof order - 1)) == order_length)
        count++;
    say("%d orders of %d bytes fit, %ld bytes. The next one: %s", count, order_length, (long)count * order_length,
        written == -1 ? strerror(errno) : "in part");
    claim(written == -1 && errno == EAGAIN && count >= _POSIX_PIPE_BUF / order_length,
          "with O_NONBLOCK a full pipe is an error: EAGAIN");
    pass_ms(PATIENCE_MS);
    claim(!has_room(fd), "%d ms later there is no room: not one of %d was read", PATIENCE_MS, count);
}

/* A watchdog that is not careful. Its exit status says what became of the write(2). */
static _Noreturn void write_and_wait(void)
{
    int fd;

    begin_child();
    fd = open_tube(0);
    if (write(fd, order, sizeof order - 1) == order_length)
        _exit(EXIT_SUCCESS);
    _exit(errno == EPIPE ? 2 : EXIT_FAILURE);
}

static pid_t block_a_writer(void)
{
    pid_t pid = fork();

    if (pid == 0)
        write_and_wait();
    note_child(pid);
    pass_ms(PATIENCE_MS);
    show_ps(lab.secondary[1], pid);
    claim(state_of(pid) == 'S', "the writer %ld hangs in write(2), for %d ms now",
          (long)pid, PATIENCE_MS);
    return pid;
}

static void kill_frozen(pid_t writer)
{
    pid_t old = lab.secondary[1];
    pid_t replacement;
    int64_t before_us = clock_us();
    char line[256] = "";
    int status;

    say("$ kill -9 %ld", (long)old);
    if (kill(old, SIGKILL) == -1)
        die("kill the secondary");
    while (lab.secondary[1] == old && running_next_line(&lab, line, WAIT_MS))
        ;
    claim(lab.secondary[1] != old, "a stopped process dies of SIGKILL: replaced after %.1f ms",
          (double)(clock_us() - before_us) / 1000);
    say("%s", line);
    status = await_child(writer, WAIT_MS);
    claim(WIFEXITED(status) && WEXITSTATUS(status) == 2, "the writer is told at last: EPIPE, nobody will ever read it");
    replacement = lab.secondary[1];
    hear_out();
    claim(lab.secondary[1] == replacement, "the new one has new pipes: no old order ends it in its turn");
}

int main(int argc, char *argv[])
{
    pid_t writer;
    int fd;

    experiment_begin(argc, argv, "3b", "Can a frozen server be told through its pipe to restart?");
    start_system();
    scene("A. One order, to a secondary that is frozen");
    say("$ kill -STOP %ld", (long)lab.secondary[1]);
    if (kill(lab.secondary[1], SIGSTOP) == -1 || !eventually(is_stopped, lab.secondary[1], WAIT_MS))
        diex("stop the secondary: it runs");
    fd = open_tube(O_NONBLOCK);
    give_one_order(fd);
    scene("B. More of them");
    fill(fd);
    scene("C. A writer without O_NONBLOCK, who wants to write one more");
    writer = block_a_writer();
    scene("D. What reaches a process that does not run");
    kill_frozen(writer);
    (void)close(fd);
    running_stop(&lab);
    return experiment_end(
        "     \"Written\" means: in the pipe's buffer. The frozen process reads it, or nobody does. When the\n"
        "     buffer is full (64 KiB on Linux, by default), whoever writes more is frozen too: the watchdog,\n"
        "     of all. Only the kernel reaches a process that does not run: SIGKILL needs no cooperation.\n"
        "     A replacement needs new pipes, or it would read all the orders that killed nobody.\n");
}
