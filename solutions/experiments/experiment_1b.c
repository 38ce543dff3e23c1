/* experiment 1b: two processes add to one counter in shared memory, with no synchronisation.
 *
 *     writer 1:  load 41 ... add 1 ... store 42
 *     writer 2:      load 41 ... add 1 ... store 42       one addition is lost
 *
 * counter = counter + 1 is a load, an addition and a store. In C, two processes that do it to a plain
 * variable have a data race, and anything may happen; so here the load and the store are atomic each,
 * but not the two together. That is what the machine does with the plain variable, and it is defined.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS: POSIX has it since 2024 */
#include "clock.h"
#include "experiment.h"
#include "journal.h"
#include "process.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 8000, TRY_MS = 1000 };

static struct shared {
    atomic_int ready;
    atomic_ulong counter;
    int64_t us[2];          /* what each writer took */
} *shared;

static void add_in_three_steps(unsigned long times)
{
    while (times-- > 0) {
        unsigned long value = atomic_load_explicit(&shared->counter, memory_order_relaxed);

        atomic_store_explicit(&shared->counter, value + 1, memory_order_relaxed);
    }
}

/* The same with another process in between, on purpose: on a single processor too it is the other writer. */
static void add_with_a_pause(unsigned long times)
{
    while (times-- > 0) {
        unsigned long value = atomic_load_explicit(&shared->counter, memory_order_relaxed);

        (void)sched_yield();
        atomic_store_explicit(&shared->counter, value + 1, memory_order_relaxed);
    }
}

static void add_atomically(unsigned long times)
{
    while (times-- > 0)
        (void)atomic_fetch_add(&shared->counter, 1);
}

/* Begins when the other one does. */
static _Noreturn void write_counter(int writer, void (*add)(unsigned long times), unsigned long times)
{
    int64_t before_us;

    begin_child();
    (void)atomic_fetch_add(&shared->ready, 1);
    while (atomic_load(&shared->ready) < 2)
        ;
    before_us = clock_us();
    add(times);
    shared->us[writer] = clock_us() - before_us;
    _exit(EXIT_SUCCESS);
}

/* Lets two writers add so many times each. Returns how many additions were lost. */
static unsigned long count_lost(const char *how, void (*add)(unsigned long times), unsigned long times)
{
    pid_t writers[2];
    unsigned long lost;

    atomic_store(&shared->ready, 0);
    atomic_store(&shared->counter, 0);
    for (int i = 0; i < 2; i++) {
        writers[i] = fork();
        if (writers[i] == 0)
            write_counter(i, add, times);
        note_child(writers[i]);
    }
    for (int i = 0; i < 2; i++)
        if (await_child(writers[i], WAIT_MS) != 0)
            diex("wait for a writer: it failed");
    lost = 2 * times - atomic_load(&shared->counter);
    say("%-18s  %10lu %12lu %12lu  %7.3f %%  %7.1f ms", how, times, atomic_load(&shared->counter), lost,
        100.0 * (double)lost / (2.0 * (double)times),
        (double)(shared->us[0] > shared->us[1] ? shared->us[0] : shared->us[1]) / 1000);
    return lost;
}

/* On a single processor something is lost only if that is taken from a writer between load and store:
 * then it takes many more additions. */
static unsigned long count_lost_until_seen(unsigned long times)
{
    int64_t deadline_ms = clock_ms() + TRY_MS;
    unsigned long lost;

    do {
        lost = count_lost("load, add, store", add_in_three_steps, times);
        times *= 2;
    } while (lost == 0 && clock_ms() < deadline_ms);
    return lost;
}

int main(int argc, char *argv[])
{
    unsigned long lost;

    experiment_begin(argc, argv, "1b", "Two writers, one counter: does every addition count?");
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        die("map memory");
    scene("Two writers at the same time");
    say("%-18s  %10s %12s %12s  %9s  %9s", "how", "each adds", "the sum is", "lost", "lost", "time");
    (void)count_lost("load, add, store", add_in_three_steps, 100);
    (void)count_lost("load, add, store", add_in_three_steps, 10000);
    (void)count_lost("load, add, store", add_in_three_steps, 1000000);
    lost = count_lost_until_seen(10000000);
    lost += count_lost("load, yield, store", add_with_a_pause, 100);
    claim(lost > 0, "without synchronisation %lu additions were lost", lost);
    lost = count_lost("atomic_fetch_add", add_atomically, 10000000);
    claim(lost == 0, "with an atomic addition the sum is exact");
    return experiment_end(
        "     The sum is wrong, each time by another number. With few additions it is often right, and a\n"
        "     test with few of them passes: such a mistake waits for the customer. A process that is\n"
        "     interrupted between load and store undoes, at its store, all that the other has added\n"
        "     meanwhile. The atomic addition is one step; it is exact, and has its price in time.\n");
}
