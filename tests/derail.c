/*
 * derail.c - makes a process run in an endless loop, as a bug in its main loop would.
 *
 *     derail PID
 *
 * Used by step3.bash. It writes a jump to itself where the process will go on when it is back from its system
 * call, or is now. Signal handlers still run and return into the loop: that is the difference to SIGSTOP, and what
 * tells a probe answered by the main loop from one answered by a handler. Only the memory of that one process is
 * changed: its code is mapped privately, and the write makes a copy.
 *
 * Exit status: 0 done, 1 failed, 2 not possible here (ptrace(2) is not permitted, or an unknown processor).
 */
#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { DONE = 0, FAILED = 1, NOT_POSSIBLE = 2 };
enum { NICE = 10 };

#if defined __x86_64__
typedef struct user_regs_struct registers;
static const unsigned char jump_to_itself[] = { 0xeb, 0xfe };
static uintptr_t next_instruction(const registers *seen) { return seen->rip; }
#elif defined __aarch64__
typedef struct user_regs_struct registers;
static const unsigned char jump_to_itself[] = { 0x00, 0x00, 0x00, 0x14 };
static uintptr_t next_instruction(const registers *seen) { return seen->pc; }
#else
typedef char registers;
static const unsigned char jump_to_itself[] = { 0 };
static uintptr_t next_instruction(const registers *seen) { (void)seen; exit(NOT_POSSIBLE); }
#endif

static _Noreturn void fail(const char *what)
{
    int status = errno == EPERM ? NOT_POSSIBLE : FAILED;
    fprintf(stderr, "derail: %s: %s\n", what, strerror(errno));
    exit(status);
}

/* PTRACE_SEIZE, because PTRACE_ATTACH would send SIGSTOP, which its parent could see. */
static void hold(pid_t pid)
{
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) == -1 || ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == -1)
        fail("hold the process");
    if (waitpid(pid, NULL, __WALL) == -1)
        fail("wait until it is held");
}

static void write_jump(pid_t pid, uintptr_t address)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)address, NULL);
    if (errno != 0)
        fail("read its code");
    memcpy(&word, jump_to_itself, sizeof jump_to_itself);
    if (ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)word) == -1)
        fail("write its code");
}

int main(int argc, char **argv)
{
    registers seen;
    struct iovec room = { &seen, sizeof seen };
    if (argc != 2) {
        fputs("usage: derail PID\n", stderr);
        return FAILED;
    }
    pid_t pid = (pid_t)atol(argv[1]);
    hold(pid);
    if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &room) == -1)
        fail("read its registers");
    write_jump(pid, next_instruction(&seen));
    /* It takes what the others leave: several checks at the same time are not to wait for it. */
    if (setpriority(PRIO_PROCESS, (id_t)pid, NICE) == -1)
        fail("lower its priority");
    if (ptrace(PTRACE_DETACH, pid, NULL, NULL) == -1)
        fail("let it go");
    return DONE;
}
