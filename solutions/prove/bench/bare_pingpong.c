/* bare_pingpong: what ping-pong over two FIFOs costs at the least: write(2) and read(2), nothing else.
 *
 *     bare_pingpong COUNT DIRECTORY
 *
 * The measure of step 2, whose two processes also wait for signals and a deadline, keep half lines and
 * count. Prints round trips a second. Run both on one processor (taskset -c 0): on two, waking the
 * other one costs most of the time, and that is all that would be measured.
 */
#include "clock.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LENGTH = 5 /* of "ping\n" */ };

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* For reading and writing, so that nobody has to meet anybody. */
static int open_fifo(const char *directory, const char *name)
{
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    if (mkfifo(path, 0600) == -1 || (fd = open(path, O_RDWR)) == -1 || unlink(path) == -1)
        die(path);
    return fd;
}

static void answer(int in, int out, long count)
{
    char bytes[LENGTH];

    for (; count > 0; count--)
        if (read(in, bytes, LENGTH) != LENGTH || write(out, "pong\n", LENGTH) != LENGTH)
            die("answer");
}

static void ask(int in, int out, long count)
{
    char bytes[LENGTH];

    for (; count > 0; count--)
        if (write(out, "ping\n", LENGTH) != LENGTH || read(in, bytes, LENGTH) != LENGTH)
            die("ask");
}

int main(int argc, char *argv[])
{
    long count = argc == 3 ? atol(argv[1]) : 0;
    int there, back, status;
    int64_t begin_ms;
    pid_t pid;

    if (count <= 0) {
        (void)fprintf(stderr, "usage: bare_pingpong COUNT DIRECTORY\n");
        return 2;
    }
    there = open_fifo(argv[2], "there");
    back = open_fifo(argv[2], "back");
    begin_ms = clock_ms();
    pid = fork();
    if (pid == -1)
        die("fork");
    if (pid == 0) {
        answer(there, back, count);
        return EXIT_SUCCESS;
    }
    ask(back, there, count);
    if (waitpid(pid, &status, 0) == -1 || status != 0)
        die("wait for the other side");
    (void)printf("%.0f\n", (double)count * 1000.0 / (double)(clock_ms() - begin_ms));
    return EXIT_SUCCESS;
}
