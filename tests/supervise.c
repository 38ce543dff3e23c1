/*
 * supervise.c - runs one program under test, watches all that comes of it, ends all of it, and says what it saw.
 *
 *     supervise [-t DEADLINE_MS] [-g GRACE_MS] [-i INPUT] -d OUT_DIR [-r RUN_DIR] -- PROGRAM ARGS...
 *
 * Started by helpers.bash, one for each program. In OUT_DIR, which it makes, it writes `stdout`, `stderr` (the program's), `pid`
 * (once the program runs) and, last of all, `report`: one fact a line.
 *
 *     ended status N | ended signal N | ended hang          the program's end; hang: not before the deadline
 *     ended unsupervised                                    the supervisor was killed or stopped: see below
 *     hung PID STATE COMMAND                                who was still there at the deadline
 *     zombie PID PARENT MS                                  a child its parent did not wait for
 *     orphan PID alive|zombie before|after                  its parent ended before it; the program had not, or had
 *     gone PID MS                                           the orphan's end, after the program's end (or after
 *                                                           it became an orphan, if that was before)
 *     leftover process PID COMMAND                          still there GRACE_MS after the program's end
 *     leftover segment NAME | leftover segment sysv ID | leftover pipe PATH
 *                                                           we remove them, except after SIGUSR1
 *     too many processes N | too much memory N MB | too much written N MB
 *                                                           then all were ended; shared memory counts for each process
 *     interrupted                                           we were told to end everything
 *
 * It is a subreaper (prctl(2)): whatever loses its parent becomes our child, daemons included, so nothing
 * escapes, and waitpid(2) saying ECHILD proves that nothing is left. Our exit status: the program's,
 * 128 + signal, 124 for hang, 125 if we failed.
 *
 * It is two processes, both of them reapers. A program knows its parent and may kill that; then all that was below
 * comes to the parent's parent, the keeper, which ends it and reports. The keeper is the one that bats knows: it hands
 * on signals and the exit status. What comes from the program's side, as when a server answers the parent that it no
 * longer has, tells us nothing.
 *
 * SIGUSR1 makes us SIGKILL the program and all that is below it, at one stroke; what lies around then is no
 * fault, and stays, because a test wants to know whether the next start copes. After this report we stay, too,
 * holding what is left, until SIGTERM. SIGTERM, SIGINT, SIGHUP or the end of our parent (bats): end everything,
 * at once.
 *
 * Wakes up for SIGCHLD, for these signals, and every TICK_MS to MAX_TICK_MS to look at /proc.
 * Left out on purpose: anything not Linux; processes with threads. Malice that looks for the keeper, or for bats. Memory
 * in files that no process has mapped. kill(-1, ...) where fence.c can do nothing: it ends all that the user runs. What
 * leftovers.c and sysv.c say that they leave out.
 */
#include "launch.h"
#include "leftovers.h"
#include "proctree.h"
#include "sysv.h"
#include "zombies.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICK_MS = 20, MAX_TICK_MS = 120, MAX_PROCESSES = 500, MAX_MEMORY_MB = 1024, PROCESS_MB = 8,
       MAX_WRITTEN_MB = 256, MAX_ORPHANS = 1024, A_FEW = 64 };

enum ending { RUNNING, ENDED, HUNG, TOO_MANY, TOO_MUCH_MEMORY, TOO_MUCH_WRITTEN, KILLED, INTERRUPTED, UNSUPERVISED };

struct orphan {
    pid_t pid;
    long long since_ms;
};

static struct {
    struct options options;
    pid_t self;
    pid_t program;
    enum ending ending;
    siginfo_t program_end;              /* valid unless si_pid is 0 */
    long long started_ms, ended_ms;
    struct proc_tree tree;
    struct orphan orphans[MAX_ORPHANS]; /* our children, the program apart */
    size_t orphan_count;
    FILE *findings;
    char *findings_text;
    size_t findings_size;
} run;

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Not only those that we await: any other would end us, and an orphan may send it. */
static void block_signals(sigset_t *awaited)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGCHLD, SIG_DFL);           /* ignored, it would make our children vanish unwaited */
    sigemptyset(awaited);
    sigaddset(awaited, SIGCHLD);
    sigaddset(awaited, SIGTERM);
    sigaddset(awaited, SIGINT);
    sigaddset(awaited, SIGHUP);
    sigaddset(awaited, SIGUSR1);
}

static void open_findings(void)
{
    run.findings = open_memstream(&run.findings_text, &run.findings_size);
    if (run.findings == NULL)
        die("allocate memory");
}

static void become_reaper(pid_t parent)
{
    run.self = getpid();
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1 || prctl(PR_SET_PDEATHSIG, SIGTERM) == -1)
        die("become the reaper");
    if (getppid() != parent)            /* it ended before PR_SET_PDEATHSIG could tell us */
        exit(EXIT_OWN_FAILURE);
}

/* The kernel hands us the orphans of a process in one step with its end: once an orphan of the program is
 * seen, so is the program's end. */
static bool program_has_ended(void)
{
    if (run.program_end.si_pid == 0
        && waitid(P_PID, (id_t)run.program, &run.program_end, WEXITED | WNOHANG | WNOWAIT) == 0
        && run.program_end.si_pid != 0)
        run.ended_ms = now_ms();
    return run.program_end.si_pid != 0;
}

static struct orphan *find_orphan(pid_t pid)
{
    for (size_t i = 0; i < run.orphan_count; i++)
        if (run.orphans[i].pid == pid)
            return &run.orphans[i];
    return NULL;
}

static struct orphan *note_orphan(pid_t pid, bool is_zombie)
{
    struct orphan *orphan = find_orphan(pid);
    if (orphan != NULL || run.orphan_count == MAX_ORPHANS)
        return orphan;
    bool after = program_has_ended();
    orphan = &run.orphans[run.orphan_count++];
    *orphan = (struct orphan){ .pid = pid, .since_ms = after ? run.ended_ms : now_ms() };
    fprintf(run.findings, "orphan %ld %s %s\n", (long)pid, is_zombie ? "zombie" : "alive", after ? "after" : "before");
    return orphan;
}

static void bury_orphan(pid_t pid)
{
    struct orphan *orphan = note_orphan(pid, true);
    if (orphan == NULL)
        return;
    fprintf(run.findings, "gone %ld %lld\n", (long)pid, now_ms() - orphan->since_ms);
    *orphan = run.orphans[--run.orphan_count];
}

/* Wait for children that have ended; returns false once there is no child left at all. Not for more than
 * `max_count`: who forks without end hands us dead orphans without end, and we must come back to looking. */
static bool reap(int max_count, bool report_orphans)
{
    for (int count = 0; count < max_count; count++) {
        siginfo_t child = { .si_pid = 0 };
        if (waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == -1)
            return false;
        if (child.si_pid == 0)
            return true;
        if (child.si_pid == run.program)
            program_has_ended();
        else if (report_orphans)
            bury_orphan(child.si_pid);
        waitid(P_PID, (id_t)child.si_pid, &child, WEXITED);
    }
    return true;
}

/* Whose they are is seen only as long as he lives. */
static void look_at_segments(void)
{
    segments_watch(&run.tree, now_ms());
    sysv_note_processes(&run.tree);
}

static void look(void)
{
    if (proc_tree_read(&run.tree, run.self, 0) == -1)
        return;
    long long now = now_ms();
    for (size_t i = 0; i < run.tree.count; i++) {
        const struct proc *proc = &run.tree.procs[i];
        if (proc->parent == run.self && proc->pid != run.program)
            note_orphan(proc->pid, proc->state == 'Z');
    }
    zombies_watch(&run.tree, run.self, now, run.findings);
    look_at_segments();
}

/* What it really has, not what it asks for: AddressSanitizer asks for terabytes. */
static long memory_mb(void)
{
    return run.tree.below_resident_pages / ((1 << 20) / sysconf(_SC_PAGESIZE));
}

static long written_mb(void)
{
    return (long)(run.tree.below_written_bytes >> 20);
}

/* If there was too much of something at the last look, that is the ending. Some memory any process has by itself:
 * hundreds of clients with AddressSanitizer in them are no fault. */
static bool is_beyond_limit(void)
{
    if (run.tree.below_count > MAX_PROCESSES)
        run.ending = TOO_MANY;
    else if (memory_mb() > MAX_MEMORY_MB + PROCESS_MB * (long)run.tree.below_count)
        run.ending = TOO_MUCH_MEMORY;
    else if (written_mb() > MAX_WRITTEN_MB)
        run.ending = TOO_MUCH_WRITTEN;
    else
        return false;
    return true;
}

static bool is_below(pid_t pid)
{
    if (proc_tree_read(&run.tree, run.self, 0) == -1)
        return false;
    const struct proc *proc = proc_tree_find(&run.tree, pid);
    return proc != NULL && proc->below;
}

/* Sleep until a child changes, a tick has passed, or we are told to end everything: then note it. */
static void wait_a_tick(const sigset_t *awaited, long milliseconds)
{
    struct timespec tick = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000 };
    siginfo_t signal_info;
    int number = sigtimedwait(awaited, &signal_info, &tick);
    if (number != -1 && number != SIGCHLD && !is_below(signal_info.si_pid))
        run.ending = number == SIGUSR1 ? KILLED : INTERRUPTED;
}

static long cpu_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (long)(used.tv_sec * 1000000 + used.tv_nsec / 1000);
}

/* A look costs more the more processes the machine has: take about a twentieth of a processor for it, if that
 * is enough to see what must be seen: many supervisors may share the machine. */
static long look_and_get_tick_ms(void)
{
    long before_us = cpu_us();
    look();
    long tick_ms = 20 * (cpu_us() - before_us) / 1000;
    return tick_ms < TICK_MS ? TICK_MS : tick_ms > MAX_TICK_MS ? MAX_TICK_MS : tick_ms;
}

static void watch_until_end(const sigset_t *awaited)
{
    long tick_ms = TICK_MS;
    long long next_look_ms = 0;
    while (run.ending == RUNNING) {
        if (now_ms() >= next_look_ms) {
            tick_ms = look_and_get_tick_ms();
            next_look_ms = now_ms() + tick_ms;
        }
        if (program_has_ended()) {
            look();                     /* who is left, before reaping hides it */
            run.ending = ENDED;
        } else if (is_beyond_limit()) {
            break;
        } else if (now_ms() - run.started_ms > run.options.deadline_ms) {
            run.ending = HUNG;
        } else {
            reap(A_FEW, true);
            wait_a_tick(awaited, tick_ms);
        }
    }
}

static void let_orphans_go(const sigset_t *awaited)
{
    while (reap(A_FEW, true) && run.ending == ENDED && !is_beyond_limit()
           && now_ms() - run.ended_ms <= run.options.grace_ms) {
        look();
        wait_a_tick(awaited, TICK_MS / 2);
    }
}

static void report_living(const char *finding, bool with_state)
{
    proc_tree_read(&run.tree, run.self, 0);
    for (size_t i = 0; i < run.tree.count; i++) {
        const struct proc *proc = &run.tree.procs[i];
        if (!proc->below || proc->state == 'Z')
            continue;
        fprintf(run.findings, "%s %ld ", finding, (long)proc->pid);
        if (with_state)
            fprintf(run.findings, "%c ", proc->state);
        proc_print_command(run.findings, proc->pid);
        fputc('\n', run.findings);
    }
}

static void report_ending(void)
{
    switch (run.ending) {
    case ENDED: report_living("leftover process", false); break;
    case HUNG: report_living("hung", true); break;
    case TOO_MANY: fprintf(run.findings, "too many processes %zu\n", run.tree.below_count); break;
    case TOO_MUCH_MEMORY: fprintf(run.findings, "too much memory %ld MB\n", memory_mb()); break;
    case TOO_MUCH_WRITTEN: fprintf(run.findings, "too much written %ld MB\n", written_mb()); break;
    case INTERRUPTED: fputs("interrupted\n", run.findings); break;
    case KILLED: case RUNNING: case UNSUPERVISED: break;
    }
}

/* Stopped first, nobody can fork any more while the others are killed. A killed process hands its children
 * to us; when there is no child left, nobody is. */
static void end_everything(void)
{
    sigset_t child_only;
    sigemptyset(&child_only);
    sigaddset(&child_only, SIGCHLD);
    long long give_up_ms = now_ms() + 10000;    /* a process in an uninterruptible wait */
    if (run.ending != ENDED && proc_tree_read(&run.tree, run.self, SIGSTOP) != -1)
        segments_look(&run.tree);               /* the last chance to see whose they are */
    while (reap(INT_MAX, false)) {
        if (now_ms() > give_up_ms) {
            report_living("cannot end", true);
            return;
        }
        proc_tree_read(&run.tree, run.self, SIGSTOP);
        proc_tree_signal_below(&run.tree, SIGKILL);
        wait_a_tick(&child_only, 5);
    }
}

static void report_leftovers(void)
{
    zombies_finish(run.findings);
    proc_tree_read(&run.tree, run.self, 0);
    sysv_report(run.findings, &run.tree);
    if (run.ending != KILLED)
        sysv_remove_reported();
    if (run.options.run_dir == NULL)
        return;
    pipes_report(run.findings, run.options.run_dir, run.ending == KILLED);
    segments_report(run.findings, &run.tree, run.ending == KILLED);
}

static int write_report(void)
{
    char *text;
    size_t size;
    bool exited = run.program_end.si_code == CLD_EXITED;
    FILE *report = open_memstream(&text, &size);
    fclose(run.findings);
    if (report == NULL)
        die("allocate memory");
    if (run.ending == HUNG)
        fputs("ended hang\n", report);
    else if (run.ending == UNSUPERVISED)
        fputs("ended unsupervised\n", report);
    else
        fprintf(report, "ended %s %d\n", exited ? "status" : "signal", run.program_end.si_status);
    fputs(run.findings_text, report);
    fclose(report);
    write_in_out_dir(run.options.out_dir, "report", text);
    return run.ending == HUNG ? EXIT_HANG
        : run.ending == UNSUPERVISED ? EXIT_OWN_FAILURE
        : run.program_end.si_status + (exited ? 0 : 128);
}

static void hold_segments(void)
{
    proc_tree_read(&run.tree, run.self, 0);
    segments_hold(&run.tree);
}

static void hold_until_told(const sigset_t *awaited)
{
    int number;
    do
        number = sigwaitinfo(awaited, NULL);
    while (number == SIGCHLD || number == SIGUSR1);
    segments_remove_held();
    sysv_remove_reported();
}

static int supervise(const sigset_t *awaited)
{
    run.started_ms = now_ms();
    run.program = launch(&run.options);
    sysv_note_process(run.program);
    watch_until_end(awaited);
    if (run.ending == ENDED)
        let_orphans_go(awaited);
    else if (run.ending == KILLED)
        hold_segments();
    report_ending();
    end_everything();
    report_leftovers();
    int status = write_report();
    if (run.ending == KILLED)
        hold_until_told(awaited);
    return status;
}

/* In place of a supervisor that was killed, or stopped and so as good as dead. */
static int take_over(pid_t supervisor)
{
    run.ending = UNSUPERVISED;
    kill(supervisor, SIGKILL);
    if (proc_tree_read(&run.tree, run.self, 0) == 0)
        look_at_segments();
    end_everything();
    report_leftovers();
    return write_report();
}

static int keep(pid_t supervisor, const sigset_t *awaited)
{
    int status;
    while (waitpid(supervisor, &status, WNOHANG | WUNTRACED) == 0) {
        int number = sigwaitinfo(awaited, NULL);
        if (number != -1 && number != SIGCHLD)
            kill(supervisor, number);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : take_over(supervisor);
}

int main(int argc, char **argv)
{
    sigset_t awaited;
    pid_t parent = getppid();
    run.options = parse_options(argc, argv);
    close_inherited();
    block_signals(&awaited);
    open_findings();
    become_reaper(parent);
    segments_remember();
    sysv_remember();
    pid_t keeper = getpid(), supervisor = fork();
    if (supervisor == -1)
        die("fork");
    if (supervisor != 0)
        return keep(supervisor, &awaited);
    become_reaper(keeper);
    return supervise(&awaited);
}
