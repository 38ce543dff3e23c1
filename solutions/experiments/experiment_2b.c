/* experiment 2b: what is a zombie, and how does it go?
 *
 *     experiment --- child, ends at once, is not waited for: a zombie
 *         |
 *         +--------- parent --- its child, ends at once: a zombie, until the parent ends
 *
 * That a process is a zombie is no matter of timing: waitid(2) with WNOWAIT says that it has
 * ended, and leaves it as it is.
 */
#include "experiment.h"
#include "journal.h"
#include "process.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAIT_MS = 5000,
    SETTLE_MS = 200     /* what would happen by itself, has happened by then */
};

static void show_waited_for(void)
{
    int status;
    pid_t pid;

    scene("A. A child ends, and its parent does not ask how");
    pid = fork();
    if (pid == 0)
        _exit(3);
    note_child(pid);
    say("The child %ld has called _exit(3). Its parent, %ld, has not called waitpid().", (long)pid,
        (long)getpid());
    claim(eventually(is_zombie, pid, WAIT_MS), "the child is a zombie, state Z");
    show_ps(pid, 0);
    say("$ kill -9 %ld", (long)pid);
    if (kill(pid, SIGKILL) == -1)
        die("kill the zombie");
    pass_ms(SETTLE_MS);
    claim(is_zombie(pid), "kill -9 changes nothing: it has already ended");

    scene("B. The parent asks");
    status = await_child(pid, WAIT_MS);
    say("waitpid(%ld) says: ended by itself, status %d. That was all the zombie was there for.", (long)pid,
        WEXITSTATUS(status));
    claim(WIFEXITED(status) && WEXITSTATUS(status) == 3, "the status was kept: 3, not the signal");
    claim(is_gone(pid), "then there is no such process");
    show_ps(pid, 0);
}

/* Tells the pid of its child, and never waits for it. */
static _Noreturn void be_careless_parent(int tell)
{
    pid_t pid;

    begin_child();
    pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid == -1 || write(tell, &pid, sizeof pid) != (ssize_t)sizeof pid)
        _exit(EXIT_FAILURE);
    for (;;)
        (void)pause();
}

static pid_t read_pid(int fd)
{
    pid_t pid;

    if (!can_read(fd, WAIT_MS) || read(fd, &pid, sizeof pid) != (ssize_t)sizeof pid)
        diex("read the pid of the grandchild: it did not come");
    (void)close(fd);
    return pid;
}

static void show_parent_ended(void)
{
    pid_t parent;
    pid_t new_parent;
    pid_t pid;
    int ends[2];
    int64_t before_us;
    bool has_gone;

    scene("C. The parent never asks, and ends");
    if (pipe(ends) == -1)
        die("make a pipe");
    parent = fork();
    if (parent == 0)
        be_careless_parent(ends[1]);
    (void)close(ends[1]);
    note_child(parent);
    pid = read_pid(ends[0]);
    claim(eventually(is_zombie, pid, WAIT_MS), "a zombie %ld again, below the parent %ld", (long)pid, (long)parent);
    show_ps(parent, pid);
    say("$ kill -9 %ld        the parent, this time", (long)parent);
    before_us = clock_us();
    if (kill(parent, SIGKILL) == -1)
        die("kill the parent");
    (void)await_child(parent, WAIT_MS);
    new_parent = parent_of(pid);
    if (new_parent != 0)
        say("The zombie has another parent at once: %ld.", (long)new_parent);
    has_gone = eventually(is_gone, pid, WAIT_MS);
    if (!has_gone)
        say("That waits for nobody: a container without an init (docker run --init).");
    claim(has_gone, "the zombie has gone, %.1f ms after its parent's end", (double)(clock_us() - before_us) / 1000);
}

int main(int argc, char *argv[])
{
    experiment_begin(argc, argv, "2b", "What is a zombie, and how does it go?");
    show_waited_for();
    show_parent_ended();
    return experiment_end(
        "     A zombie is the answer to a question that nobody has asked yet: a pid and a status, no\n"
        "     memory, no descriptors. It goes when its parent waits for it, or when its parent ends:\n"
        "     then it gets another parent (process 1, or who has asked for that), which waits for it.\n"
        "     So the secondary ends first: its parent, the principal, is there to wait for it.\n");
}
