/* See per_client.h. */
#include "per_client.h"

#include "journal.h"
#include "net.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHORTAGE_MS = 100 /* between two tries where there is no descriptor or no process left */ };

static pid_t processes[PER_CLIENT_MOST];
static int process_count;

/* Ends the process and its whole group. It is not waited for before the group is dead: as long as
 * it is a zombie nobody else can have its number. */
static void end_process(int index)
{
    (void)kill(-processes[index], SIGKILL);
    while (waitpid(processes[index], NULL, 0) == -1 && errno == EINTR) {
        /* Our handlers are still there. */
    }
    processes[index] = processes[--process_count];
}

static bool has_ended(pid_t pid)
{
    siginfo_t end;

    end.si_pid = 0; /* stays so where there is nothing to tell */
    return waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 && end.si_pid == pid;
}

/* Several ends may be one SIGCHLD. */
static void reap_ended(void)
{
    for (int i = process_count - 1; i >= 0; i--)
        if (has_ended(processes[i]))
            end_process(i);
}

static int prepare(int fd)
{
    return net_set_nonblocking(fd) == -1 ? -1 : fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static _Noreturn void become_process(int listener, int client, const char *peer,
                                     void (*serve)(int client, const char *peer))
{
    (void)setpgid(0, 0);
    signals_close();
    if (signals_let_all_go() == -1)
        die("unblock signals");
    (void)close(listener);
    serve(client, peer);
    (void)close(client);
    exit(EXIT_SUCCESS);
}

/* Returns false where there are not enough processes. */
static bool start_process(int listener, int client, const char *peer,
                          void (*serve)(int client, const char *peer))
{
    sigset_t before;
    pid_t pid;

    if (signals_hold(&before) == -1)
        die("hold signals back");
    pid = fork();
    if (pid == 0)
        become_process(listener, client, peer, serve);
    if (pid == -1)
        warn("fork for client %s", peer);
    else
        processes[process_count++] = pid;
    /* The child does the same. Who comes first makes the group, which must be there in time for
     * both: for the child's children, and for our kill(2). */
    if (pid > 0)
        (void)setpgid(pid, pid);
    if (signals_let_go(&before) == -1)
        die("let signals go");
    return pid != -1;
}

/* Returns false where something is used up, so that it makes no sense to try again at once. */
static bool take_client(int listener, void (*serve)(int client, const char *peer))
{
    char peer[NET_NAME_ROOM];
    int client = net_accept(listener, peer);
    bool done;

    if (client == -1) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED)
            return true; /* it has gone */
        warn("accept a client");
        return false;
    }
    /* Here, and not in the client's process: who loses the journal ends, and that is to be all. */
    journal("client %s", peer);
    done = prepare(client) == 0 && start_process(listener, client, peer, serve);
    (void)close(client);
    return done;
}

static bool asked_to_stop(void)
{
    return signals_take(SIGTERM) || signals_take(SIGINT) || signals_take(SIGHUP);
}

void per_client_serve(int listener, void (*serve)(int client, const char *peer))
{
    static const int caught[] = { SIGCHLD, SIGINT, SIGTERM, SIGHUP, 0 };
    struct pollfd wanted[2] = { { .fd = signals_open(caught), .events = POLLIN },
                                { .events = POLLIN } };
    bool plenty = true;

    if (wanted[0].fd == -1 || prepare(listener) == -1)
        die("prepare to serve");
    while (!asked_to_stop()) {
        wanted[1].fd = plenty && process_count < PER_CLIENT_MOST ? listener : -1;
        wanted[1].revents = 0;
        if (poll(wanted, 2, plenty ? -1 : SHORTAGE_MS) == -1 && errno != EINTR)
            die("wait for clients");
        signals_drain();
        reap_ended();
        plenty = wanted[1].revents == 0 || take_client(listener, serve);
    }
    while (process_count > 0)
        end_process(process_count - 1);
    signals_close();
}
