/* experiment 3c: what a parent is told of its child, and what becomes of 64 signals at the same moment.
 *
 *     A  child ends, is killed, stops, goes on, spins  ==SIGCHLD==>  parent, then waitpid(2)
 *     B  64 children  ==SIGUSR2, at the same moment==>  parent, which is busy
 *
 * Signals stay blocked and are taken by sigtimedwait(2), which tells all that the kernel knows of one.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS: POSIX has it since 2024 */
#include "clock.h"
#include "experiment.h"
#include "journal.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ANSWERS = 64,
    WAIT_MS = 5000,
    QUIET_MS = 500      /* who has said nothing for so long, says nothing */
};

/* A. What a parent is told */

static const char *name_of(int code)
{
    switch (code) {
    case CLD_EXITED: return "CLD_EXITED";
    case CLD_KILLED: return "CLD_KILLED";
    case CLD_DUMPED: return "CLD_DUMPED";
    case CLD_STOPPED: return "CLD_STOPPED";
    case CLD_CONTINUED: return "CLD_CONTINUED";
    default: return "?";
    }
}

static const char *in_words(int status)
{
    static char words[64];

    if (WIFEXITED(status))
        (void)snprintf(words, sizeof words, "WIFEXITED, status %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status))
        (void)snprintf(words, sizeof words, "WIFSIGNALED, signal %d", WTERMSIG(status));
    else if (WIFSTOPPED(status))
        (void)snprintf(words, sizeof words, "WIFSTOPPED, signal %d", WSTOPSIG(status));
    else
        (void)snprintf(words, sizeof words, "WIFCONTINUED");
    return words;
}

/* The next signal of this kind, if it comes in time. */
static bool take_signal(int number, siginfo_t *info, int limit_ms)
{
    int64_t deadline_ms = clock_ms() + limit_ms;
    const struct timespec nap = { .tv_nsec = 5000000 };
    sigset_t wanted;

    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, number);
    while (sigtimedwait(&wanted, info, &nap) == -1) {
        if (errno != EAGAIN && errno != EINTR)
            die("wait for signal %d", number);
        if (clock_ms() > deadline_ms)
            return false;
        pass_ms(0);
    }
    return true;
}

/* What has happened to the child, as SIGCHLD tells it and as waitpid(2) does. */
static void expect_told(const char *what, pid_t pid, int code)
{
    siginfo_t info;
    int status;
    int flags = WNOHANG | (code == CLD_STOPPED ? WUNTRACED : code == CLD_CONTINUED ? WCONTINUED : 0);
    bool is_told = take_signal(SIGCHLD, &info, WAIT_MS) && info.si_pid == pid && info.si_code == code;
    bool is_answered = waitpid(pid, &status, flags) == pid;

    say("%-16s SIGCHLD, %s, si_status %d; waitpid: %s", what, is_told ? name_of(info.si_code) : "-",
        is_told ? info.si_status : 0, is_answered ? in_words(status) : "nothing");
    claim(is_told && is_answered, "told twice: by the signal, and by waitpid(2)");
}

static _Noreturn void spin(void)
{
    begin_child();
    for (;;)
        ;
}

static pid_t start_child(void (*run)(void))
{
    pid_t pid = fork();

    if (pid == 0)
        run();
    note_child(pid);
    return pid;
}

static void exit_with_three(void)
{
    _exit(3);
}

static void signal_child(pid_t pid, int number)
{
    if (kill(pid, number) == -1)
        die("signal child %ld", (long)pid);
}

static void show_what_is_told(void)
{
    siginfo_t info;
    pid_t pid;

    scene("A. What a parent is told of its child");
    pid = start_child(exit_with_three);
    expect_told("_exit(3)", pid, CLD_EXITED);
    pid = start_child(spin);
    claim(!take_signal(SIGCHLD, &info, QUIET_MS), "a child that spins in a loop without end: in %d ms nothing is told",
          QUIET_MS);
    signal_child(pid, SIGSTOP);
    expect_told("kill -STOP", pid, CLD_STOPPED);
    signal_child(pid, SIGCONT);
    expect_told("kill -CONT", pid, CLD_CONTINUED);
    signal_child(pid, SIGKILL);
    expect_told("kill -KILL", pid, CLD_KILLED);
}

/* B. 64 answers */

static struct shared {
    atomic_int ready;
    atomic_bool may_answer;
    atomic_int answers;
} *shared;

static int answer_pipe[2];

/* All four ways, at the same moment as the others. */
static _Noreturn void answer(int number)
{
    const struct timespec nap = { .tv_nsec = 1000000 };
    const pid_t parent = getppid();

    begin_child();
    (void)atomic_fetch_add(&shared->ready, 1);
    while (!atomic_load(&shared->may_answer))
        (void)nanosleep(&nap, NULL);
    (void)atomic_fetch_add(&shared->answers, 1);
    if (kill(parent, SIGUSR2) == -1 || write(answer_pipe[1], "!", 1) != 1
        || sigqueue(parent, SIGRTMIN, (union sigval){ .sival_int = number }) == -1)
        _exit(EXIT_FAILURE);
    _exit(EXIT_SUCCESS);
}

static void let_all_answer(void)
{
    pid_t pids[ANSWERS];
    int64_t deadline_ms = clock_ms() + WAIT_MS;

    for (int i = 0; i < ANSWERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            answer(i);
        note_child(pids[i]);
    }
    while (atomic_load(&shared->ready) < ANSWERS && clock_ms() < deadline_ms)
        pass_ms(1);
    atomic_store(&shared->may_answer, true);
    for (int i = 0; i < ANSWERS; i++)
        if (await_child(pids[i], WAIT_MS) != 0)
            diex("wait for answer %d: it was not sent", i + 1);
}

static int count_signals(int number)
{
    siginfo_t info;
    int count = 0;

    while (take_signal(number, &info, 0))
        count++;
    return count;
}

static int count_bytes(void)
{
    char bytes[2 * ANSWERS];
    ssize_t length = can_read(answer_pipe[0], 0) ? read(answer_pipe[0], bytes, sizeof bytes) : 0;

    return length == -1 ? 0 : (int)length;
}

static void show_answers(void)
{
    int standard, queued, bytes, ends;

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || pipe(answer_pipe) == -1)
        die("make memory and a pipe");
    scene("B. 64 processes answer at the same moment, while the one they answer is busy");
    let_all_answer();
    standard = count_signals(SIGUSR2);
    queued = count_signals(SIGRTMIN);
    bytes = count_bytes();
    ends = count_signals(SIGCHLD);
    (void)close(answer_pipe[0]);
    (void)close(answer_pipe[1]);
    say("kill(SIGUSR2)        %d sent, %2d arrived", ANSWERS, standard);
    say("sigqueue(SIGRTMIN)   %d sent, %2d arrived", ANSWERS, queued);
    say("a byte in a pipe     %d sent, %2d arrived", ANSWERS, bytes);
    say("counted in memory    %d", atomic_load(&shared->answers));
    say("their end (SIGCHLD)  %d ended, %d arrived", ANSWERS, ends);
    claim(standard >= 1 && standard < ANSWERS, "few of %d standard signals arrive: %d", ANSWERS, standard);
    claim(ends >= 1 && ends < ANSWERS, "SIGCHLD is one of them: who takes it waits for all that have ended");
    claim(queued == ANSWERS && bytes == ANSWERS, "real-time signals queue, and so do bytes");
    claim(atomic_load(&shared->answers) == ANSWERS, "what is counted in shared memory is counted");
}

static void block_what_is_taken(void)
{
    struct sigaction defaults = { .sa_handler = SIG_DFL };  /* no SA_NOCLDSTOP: stops are told too */
    sigset_t taken;

    (void)sigemptyset(&taken);
    (void)sigaddset(&taken, SIGCHLD);
    (void)sigaddset(&taken, SIGUSR2);
    (void)sigaddset(&taken, SIGRTMIN);
    (void)sigemptyset(&defaults.sa_mask);
    if (sigaction(SIGCHLD, &defaults, NULL) == -1 || sigprocmask(SIG_BLOCK, &taken, NULL) == -1)
        die("block signals");
}

int main(int argc, char *argv[])
{
    experiment_begin(argc, argv, "3c", "Is a parent told of its child? Are 64 signals 64?");
    block_what_is_taken();
    show_what_is_told();
    show_answers();
    return experiment_end(
        "     A parent is told of an end, a stop and a continuation: SIGCHLD says that, waitpid(2) says it\n"
        "     again, and again is what counts, because SIGCHLD is a standard signal. These do not queue: one\n"
        "     that comes while another of its kind is pending is no second one. So SIGUSR2 can only mean\n"
        "     \"look\", and what there is to see is in the table in shared memory. Nobody is told of a\n"
        "     child that spins: that is what probes are for.\n");
}
