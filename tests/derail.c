/*
 * derail.c - makes a process run in an endless loop, as a bug in its main loop would.
 *
 *     derail PID
 *
 * Used by step3.bash. It writes a loop where the process will go on when it is back from its system
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
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { DONE = 0, FAILED = 1, NOT_POSSIBLE = 2 };

/* The loop: a system call that waits for ever, so that it takes no time from others, and a jump back to it.
 * pause(2) on x86-64; AArch64 has none, but ppoll(NULL, 0, NULL, NULL) is the same. */
#if defined __x86_64__
typedef struct user_regs_struct registers;
static const unsigned char loop[] = {
    0xb8, 0x22, 0x00, 0x00, 0x00, /* mov $34, %eax */
    0x0f, 0x05,                   /* syscall */
    0xeb, 0xf7,                   /* jmp to the mov */
};
static uintptr_t next_instruction(const registers *seen) { return seen->rip; }
#elif defined __aarch64__
typedef struct user_regs_struct registers;
static const unsigned char loop[] = {
    0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, /* mov x0, #0; x1; x2 */
    0x03, 0x00, 0x80, 0xd2, 0x04, 0x00, 0x80, 0xd2,                         /* mov x3, #0; x4 */
    0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4,                         /* mov x8, #73; svc #0 */
    0xf9, 0xff, 0xff, 0x17,                                                 /* b to the first mov */
};
static uintptr_t next_instruction(const registers *seen) { return seen->pc; }
#else
typedef char registers;
static const unsigned char loop[] = { 0 };
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

/* A word at a time: that is all that ptrace(2) writes. */
static void write_loop(pid_t pid, uintptr_t address)
{
    for (size_t i = 0; i < sizeof loop; i += sizeof(long)) {
        size_t rest = sizeof loop - i;
        errno = 0;
        long word = ptrace(PTRACE_PEEKTEXT, pid, (void *)(address + i), NULL);
        if (errno != 0)
            fail("read its code");
        memcpy(&word, loop + i, rest < sizeof word ? rest : sizeof word);
        if (ptrace(PTRACE_POKETEXT, pid, (void *)(address + i), (void *)word) == -1)
            fail("write its code");
    }
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
    write_loop(pid, next_instruction(&seen));
    if (ptrace(PTRACE_DETACH, pid, NULL, NULL) == -1)
        fail("let it go");
    return DONE;
}
