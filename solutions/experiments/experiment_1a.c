/* experiment 1a: three kinds of shared memory: who can attach, what survives kill -9, what a name costs.
 *
 *     experiment --fork--> maker, makes the memory --fork--> its child, looks
 *         |
 *         +-- looks as well: it was there before the memory, and has inherited nothing
 *
 * How much memory there is of all that is shared on this machine, the kernel tells in /proc/meminfo (Shmem). Our
 * pieces are large, so that others' changes do not hide them.
 */
#include "clock.h"
#include "experiment.h"
#include "journal.h"
#include "kinds.h"
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    VALUE = 42,
    TIMES = 1000,
    WAIT_MS = 5000
};

static struct result {
    bool child_reads;
    int stranger_reads;
    int survivor_reads; /* after kill -9 of all who had it */
    long left_mib;
    int second_error;   /* of a second start that makes it anew; 0: it can */
    long removed_mib;   /* left after it was removed */
    double us;          /* to make it, map it, unmap it and remove it */
} results[KINDS];

static void remove_all(void)
{
    for (int i = 0; i < KINDS; i++)
        if (kinds[i].remove != NULL)
            (void)kinds[i].remove();
}

static long shared_mib(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    long kib = 0;
    char line[128];

    if (file == NULL)
        die("open /proc/meminfo");
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Shmem: %ld", &kib) != 1)
        ;
    (void)fclose(file);
    return kib / 1024;
}

/* How much more there is than before. The kernel's sum may be a little late. */
static long settled_mib(long before_mib, long expected_mib)
{
    int64_t deadline_ms = clock_ms() + WAIT_MS / 5;
    long mib;

    do {
        pass_ms(10);
        mib = shared_mib() - before_mib;
    } while (labs(mib - expected_mib) > SIZE_MIB / 4 && clock_ms() < deadline_ms);
    return mib;
}

static bool is_near(long mib, long expected_mib)
{
    return labs(mib - expected_mib) <= SIZE_MIB / 4;
}

/* Tells whether its child reads the value, and stays. */
static _Noreturn void make_and_stay(const struct kind *kind, int tell)
{
    unsigned char *memory;
    int status = 1;
    pid_t pid;

    begin_child();
    memory = kind->make();
    if (memory == NULL)
        die("make %s", kind->name);
    memset(memory, VALUE, (size_t)SIZE_MIB << 20);
    pid = fork();
    if (pid == 0)
        _exit(memory[0] == VALUE ? EXIT_SUCCESS : EXIT_FAILURE);
    if (pid == -1 || waitpid(pid, &status, 0) != pid || write(tell, status == 0 ? "y" : "n", 1) != 1)
        die("have a child that looks");
    for (;;)
        (void)pause();
}

static void look_and_kill(const struct kind *kind, struct result *result)
{
    char answer = 0;
    int ends[2];
    pid_t maker;

    if (pipe(ends) == -1)
        die("make a pipe");
    maker = fork();
    if (maker == 0)
        make_and_stay(kind, ends[1]);
    note_child(maker);
    (void)close(ends[1]);
    if (!can_read(ends[0], WAIT_MS) || read(ends[0], &answer, 1) != 1)
        diex("make %s: it was not made", kind->name);
    (void)close(ends[0]);
    result->child_reads = answer == 'y';
    result->stranger_reads = kind->look();
    if (kill(maker, SIGKILL) == -1)
        die("kill the maker");
    (void)await_child(maker, WAIT_MS);
    result->survivor_reads = kind->look();
}

static void start_again(const struct kind *kind, struct result *result)
{
    void *memory = kind->make();

    result->second_error = memory == NULL ? errno : 0;
    if (memory != NULL)
        kind->leave(memory);
}

static void measure_cost(const struct kind *kind, struct result *result)
{
    int64_t before_us = clock_us();

    for (int i = 0; i < TIMES; i++) {
        void *memory = kind->make();

        if (memory == NULL)
            die("make %s", kind->name);
        kind->leave(memory);
        if (kind->remove != NULL && kind->remove() == -1)
            die("remove %s", kind->name);
    }
    result->us = (double)(clock_us() - before_us) / TIMES;
}

static void try_kind(const struct kind *kind, struct result *result)
{
    long before_mib = shared_mib();

    look_and_kill(kind, result);
    result->left_mib = settled_mib(before_mib, kind->remove == NULL ? 0 : SIZE_MIB);
    start_again(kind, result);
    if (kind->remove != NULL && kind->remove() == -1)
        die("remove %s", kind->name);
    result->removed_mib = settled_mib(before_mib, 0);
    measure_cost(kind, result);
}

static const char *read_in_words(int value)
{
    static char words[2][16];
    static int next;

    if (value == NOTHING)
        return "nothing";
    next = !next;
    (void)snprintf(words[next], sizeof words[next], "reads %d", value);
    return words[next];
}

static void tell_results(void)
{
    scene("A process makes 16 MiB, writes 42 into it, has a child; then kill -9");
    say("%-16s %-9s %-9s %-12s %-11s %-12s %s", "", "its", "a", "a stranger", "left after", "a second", "to make and");
    say("%-16s %-9s %-9s %-12s %-11s %-12s %s", "kind", "child", "stranger", "after -9", "-9", "start", "remove it");
    for (int i = 0; i < KINDS; i++) {
        const struct result *result = &results[i];

        say("%-16s %-9s %-9s %-12s %3ld MiB     %-12s %5.1f us", kinds[i].name, result->child_reads ? "reads 42" : "nothing",
            read_in_words(result->stranger_reads), read_in_words(result->survivor_reads), result->left_mib,
            result->second_error == 0 ? "works" : strerror(result->second_error), result->us);
    }
}

static void claim_all(void)
{
    const struct result *anonymous = &results[0];

    scene("So");
    claim(anonymous->child_reads && anonymous->stranger_reads != VALUE,
          "anonymous: shared with who is forked afterwards; the same call elsewhere gives other memory");
    claim(is_near(anonymous->left_mib, 0) && anonymous->second_error == 0, "it goes with its last process, by kill -9 too");
    for (int i = 1; i < KINDS; i++) {
        const struct result *result = &results[i];

        claim(result->child_reads && result->stranger_reads == VALUE, "%s: who knows the name attaches", kinds[i].name);
        claim(result->survivor_reads == VALUE && is_near(result->left_mib, SIZE_MIB),
              "it survives everybody: %ld MiB that nobody uses, with what was in it", result->left_mib);
        claim(result->second_error == EEXIST, "the next start finds the name in use: %s", strerror(result->second_error));
        claim(is_near(result->removed_mib, 0), "removed, its memory is back: %ld MiB left", result->removed_mib);
    }
}

int main(int argc, char *argv[])
{
    experiment_begin(argc, argv, "1a", "Three kinds of shared memory: what is the difference?");
    name_kinds(getpid());
    at_end(remove_all);
    for (int i = 0; i < KINDS; i++)
        try_kind(&kinds[i], &results[i]);
    tell_results();
    claim_all();
    return experiment_end(
        "     Memory without a name is the simplest, and leaves nothing; only descendants have it. A name\n"
        "     lets anybody attach who may (mode 0600: the same user). Its cost is not time, but that it\n"
        "     outlives its makers until somebody removes it: after kill -9, that is the next start, which\n"
        "     must know that the old one is dead. System V's are in no directory: see ipcs(1), ipcrm(1).\n");
}
