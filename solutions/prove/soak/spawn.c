/* See spawn.h. */
#include "spawn.h"

#include "journal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

void spawn_adopt_orphans(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
        die("become the parent of orphans");
}

void spawn_pipe(int ends[2])
{
    if (pipe(ends) == -1)
        die("make a pipe");
    for (int i = 0; i < 2; i++)
        if (fcntl(ends[i], F_SETFD, FD_CLOEXEC) == -1)
            die("set a pipe to be closed by exec");
}

static void redirect(int from, int to)
{
    if (from != -1 && dup2(from, to) == -1)
        die("redirect descriptor %d", to);
}

static _Noreturn void become(const char *const argv[], int in, int out, int err,
                             int signal_number, pid_t parent)
{
    sigset_t none;

    if (setsid() == -1 || prctl(PR_SET_PDEATHSIG, signal_number) == -1)
        die("leave the session");
    if (getppid() != parent) /* it had gone before we asked to be told */
        _exit(EXIT_FAILURE);
    redirect(in, STDIN_FILENO);
    redirect(out, STDOUT_FILENO);
    redirect(err, STDERR_FILENO);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execv(argv[0], (char *const *)argv);
    warn("run %s", argv[0]);
    _exit(127);
}

pid_t spawn(const char *const argv[], int in, int out, int err, int signal_number)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0)
        become(argv, in, out, err, signal_number, parent);
    if (pid == -1)
        die("fork %s", argv[0]);
    return pid;
}
