/* See report.h. */
#include "report.h"

#include "census.h"
#include "crowd.h"
#include "faults.h"
#include "moment.h"
#include "rude.h"
#include "story.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

static int missed;

static double to_ms(int64_t us)
{
    return (double)us / 1000.0;
}

static void print_machine(const struct outcome *outcome)
{
    struct utsname machine;

    if (uname(&machine) == -1)
        machine.sysname[0] = machine.release[0] = '\0';
    (void)printf("\nsoak: %d s, seed %lu, %d secondaries, %d clients; %s %s, %ld processors\n\n",
                 outcome->seconds, outcome->seed, SECONDARIES, CLIENTS, machine.sysname,
                 machine.release, sysconf(_SC_NPROCESSORS_ONLN));
}

static void print_requests(void)
{
    (void)printf("%-19s %9s %9s %9s %9s %11s\n", "requests", "sent", "answered", "twice", "lost",
                 "slowest ms");
    (void)printf("%-19s %9ld %9ld %9ld %9ld %11.1f\n", "", crowd.sent, crowd.answered, crowd.twice,
                 crowd.sent - crowd.answered, to_ms(crowd.slowest_us));
    (void)printf("%-19s %9ld connections, %ld words\n\n", "rude clients", rude_count.connections,
                 rude_count.words);
}

static void print_faults(void)
{
    (void)printf("%-19s %9s %9s %9s %9s %11s\n", "faults", "times", "replaced", "median ms",
                 "99 % ms", "longest ms");
    for (int i = 0; i < FAULT_KINDS; i++) {
        struct fault_count *count = &fault_counts[i];
        struct samples *heal_us = &count->heal_us;

        (void)printf("%-19s %9d %9d", count->name, count->struck, count->replaced);
        if (heal_us->count > 0)
            (void)printf(" %9.1f %9.1f %11.1f", to_ms(samples_quantile(heal_us, 50)),
                         to_ms(samples_quantile(heal_us, 99)),
                         to_ms(samples_quantile(heal_us, 100)));
        (void)printf("\n");
    }
}

static void print_takeover(const struct takeover *takeover)
{
    (void)printf("%-19s %9d    its servers gone after %.1f ms, the next ones up after %.1f\n\n",
                 "watchdog killed", takeover->times, to_ms(takeover->gone_us), to_ms(takeover->whole_us));
}

static void print_growth(const char *title, const struct growth *growth)
{
    (void)printf("%-19s %21s %23s\n", title, "descriptors", "resident kB");
    for (int role = 0; role < ROLES; role++)
        (void)printf("  %-17s %11d %9d %12ld %10ld\n", growth_role_name(role),
                     growth->start[role].descriptors, growth->end[role].descriptors,
                     growth->start[role].kb, growth->end[role].kb);
}

static void target(const char *what, long seen, bool is_met)
{
    (void)printf("%-36s %9ld   %s\n", what, seen, is_met ? "ok" : "MISSED");
    if (!is_met)
        missed++;
}

static void expect_none(const char *what, long seen)
{
    target(what, seen, seen == 0);
}

static void judge_growth(const struct growth *growth)
{
    for (int role = 0; role < ROLES; role++)
        if (growth_is_too_much(growth, role)) {
            (void)printf("%s: ", growth_role_name(role));
            expect_none("more descriptors, or kB",
                        growth->end[role].descriptors - growth->start[role].descriptors > 0
                            ? growth->end[role].descriptors - growth->start[role].descriptors
                            : growth->end[role].kb - growth->start[role].kb);
        }
}

static int count_unhealed(void)
{
    int sum = 0;

    for (int i = 0; i < FAULT_KINDS; i++)
        sum += fault_counts[i].unhealed;
    return sum;
}

static void judge(const struct outcome *outcome)
{
    (void)printf("\n%-36s %9s\n", "targets", "seen");
    target("requests answered", crowd.answered, crowd.answered > 0);
    expect_none("lost", crowd.sent - crowd.answered);
    expect_none("answered twice", crowd.twice);
    expect_none("wrong answers, failed clients", crowd.wrong + crowd.failed);
    expect_none("false kills", story.false_kills);
    expect_none("servers that ended by themselves", story.own_ends);
    expect_none("faults that did not heal", count_unhealed());
    expect_none("looks that saw two live copies", census.copies);
    expect_none("zombies", census.zombies);
    target("servers gone after the watchdog, ms", (long)to_ms(outcome->takeover.gone_us),
           outcome->takeover.is_good);
    target("orderly stop, ms", (long)to_ms(outcome->stop_us), outcome->stop_status == 0);
    expect_none("processes, pipes, segments left", outcome->left);
    for (int i = 0; i < 2; i++)
        judge_growth(&outcome->growth[i]);
}

int report(const struct outcome *outcome)
{
    print_machine(outcome);
    print_requests();
    print_faults();
    print_takeover(&outcome->takeover);
    print_growth("first watchdog", &outcome->growth[0]);
    print_growth("last watchdog", &outcome->growth[1]);
    judge(outcome);
    (void)printf("\nA kill is false if the server was not stopped for %d ms, less %d and what the machine was\n"
                 "late by: %.1f ms at the worst. /proc was looked at %ld times.\n",
                 TIMEOUT_MS, LATE_US / 1000, to_ms(late_worst_us()), census.looks);
    (void)printf(missed == 0 ? "\nAll targets are met.\n" : "\n%d targets are MISSED.\n", missed);
    return missed;
}
