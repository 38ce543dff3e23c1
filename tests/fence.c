/*
 * fence.c - keeps the program under test from signalling everybody.
 *
 * A pid that was never set may be -1, and so is what a failed fork(2) returns: kill(-1, SIGKILL) then ends all that
 * the user runs, the desktop included. A seccomp(2) filter needs no privilege and sees every system call.
 *
 * No look at the architecture: in a program of another one the number is another call's, which has no use for a
 * first argument of -1.
 */
#include "fence.h"

#if __has_include(<linux/seccomp.h>)    /* musl-gcc does not find the kernel's headers */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_IF(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (count), 0)
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))

void forbid_signals_to_everybody(void)
{
    /* Of an argument's 64 bits the lower half comes first on all that Linux runs on today, but for s390. */
    struct sock_filter filter[] = {
        LOAD(nr),
        SKIP_UNLESS(__NR_kill, 5),
        LOAD(args[0]),
        SKIP_UNLESS((uint32_t)-1, 3),
        LOAD(args[1]),
        SKIP_IF(0, 1),                  /* signal 0 asks only, and harms nobody */
        RETURN(SECCOMP_RET_KILL_PROCESS),
        RETURN(SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = sizeof filter / sizeof filter[0], .filter = filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
void forbid_signals_to_everybody(void)
{
}
#endif
