/* See lab.h. */
#include "lab.h"

#include "clock.h"
#include "fifo.h"
#include "journal.h"
#include "options.h"
#include "tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: watchdog [-n SECONDARIES] [-p PERIOD_MS] [-t TIMEOUT_MS]\n"
    "                [-r delegated|direct] [-a ADDRESS] [-P PORT] [-w WORK_MS]\n"
    "                [-d DIR] [-q]\n"
    "  -n SECONDARIES  how many secondary servers, 1 to 64 (default 1)\n"
    "  -p PERIOD_MS    time between two probes (default 2000)\n"
    "  -t TIMEOUT_MS   time a server has to answer one (default 1000)\n"
    "  -r delegated    the principal starts and replaces the secondaries (default)\n"
    "  -r direct       the watchdog does\n"
    "  -a ADDRESS      IPv4 address on which the servers listen (default 127.0.0.1)\n"
    "  -P PORT         the principal's port; secondary K has PORT + K (default 2222)\n"
    "  -w WORK_MS      how long a secondary works on a request (default 200)\n"
    "  -d DIR          run directory (default $OSPS_DIR, or /tmp/osps-UID)\n"
    "  -q              tell only what happens once in a process's life\n"
    "  -h              this text\n";

enum { LONGEST_MS = 3600 * 1000, HIGHEST_PORT = 65535, DYING_MS = 500 };

static enum policy parse_policy(const char *text)
{
    if (strcmp(text, "delegated") == 0)
        return DELEGATED;
    if (strcmp(text, "direct") == 0)
        return DIRECT;
    wrong_usage("-r takes 'delegated' or 'direct', not '%s'", text);
}

static struct in_addr parse_address(const char *text)
{
    struct in_addr address;

    if (inet_pton(AF_INET, text, &address) != 1)
        wrong_usage("-a takes an IPv4 address, such as 127.0.0.1, not '%s'", text);
    return address;
}

void lab_parse(struct lab *lab, int argc, char *argv[])
{
    int option;

    *lab = (struct lab){
        .secondaries = 1, .period_ms = 2000, .timeout_ms = 1000,
        .address = { htonl(INADDR_LOOPBACK) }, .port = 2222, .work_ms = 200,
        .rundir = { .fd = -1, .lock_fd = -1, .alive_fd = -1 },
        .lifeline = { .watchdog_end = -1, .server_end = -1 },
    };
    for (int number = 0; number <= MAX_SECONDARIES; number++)
        lab->listeners[number] = -1;
    options_init("watchdog", usage);
    while ((option = getopt(argc, argv, ":hn:p:t:r:a:P:w:d:q")) != -1)
        switch (option) {
        case 'n': lab->secondaries = (int)parse_number('n', optarg, 1, MAX_SECONDARIES); break;
        case 'p': lab->period_ms = (int)parse_number('p', optarg, 1, LONGEST_MS); break;
        case 't': lab->timeout_ms = (int)parse_number('t', optarg, 1, LONGEST_MS); break;
        case 'r': lab->policy = parse_policy(optarg); break;
        case 'a': lab->address = parse_address(optarg); break;
        case 'P': lab->port = (int)parse_number('P', optarg, 1, HIGHEST_PORT); break;
        case 'w': lab->work_ms = (int)parse_number('w', optarg, 0, LONGEST_MS); break;
        case 'd': lab->directory = optarg; break;
        case 'q': lab->quiet = true; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
    if (lab->port + lab->secondaries > HIGHEST_PORT)
        wrong_usage("with -P %d and -n %d the last port would be above %d",
                    lab->port, lab->secondaries, HIGHEST_PORT);
}

/* When a watchdog was killed, its servers' sockets close a moment after their run directory is free. So a port that
 * is in use is asked for again, for a little while. */
static int listen_in_time(struct in_addr address, int port)
{
    const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };
    int64_t until_ms = clock_ms() + DYING_MS;
    int fd;

    while ((fd = tcp_listen(address, port)) == -1 && errno == EADDRINUSE && clock_ms() < until_ms)
        (void)nanosleep(&pause, NULL);
    return fd;
}

static void open_listeners(struct lab *lab)
{
    for (int number = 0; number <= lab->secondaries; number++) {
        int port = lab->port + number;

        lab->listeners[number] = listen_in_time(lab->address, port);
        if (lab->listeners[number] == -1)
            die("listen on port %d for the %s", port, lab->table->slot[number].role);
    }
}

static void close_listener(struct lab *lab, int number)
{
    if (lab->listeners[number] != -1)
        (void)close(lab->listeners[number]);
    lab->listeners[number] = -1;
}

static void close_listeners(struct lab *lab)
{
    for (int number = 0; number <= lab->secondaries; number++)
        close_listener(lab, number);
}

void lab_keep_listener(struct lab *lab, int keep)
{
    for (int number = 0; number <= lab->secondaries; number++)
        if (number != keep)
            close_listener(lab, number);
}

void lab_open(struct lab *lab)
{
    lab->watchdog_pid = getpid();
    if (rundir_take(&lab->rundir, lab->directory) == -1)
        diex("%s", lab->rundir.problem);
    if (segment_create(&lab->segment, lab->rundir.fd, sizeof *lab->table) == -1)
        die("make shared memory segment %s", lab->segment.name);
    lab->table = lab->segment.memory;
    table_init(lab->table);
    lab->table->started_ms = clock_ms();
    open_listeners(lab);
}

/* All that there may be: those too of an earlier start that had more secondaries and was
 * killed. */
static void remove_pipes(const struct lab *lab)
{
    for (int number = 1; number <= MAX_SECONDARIES; number++)
        if (fifo_remove_pair(lab->rundir.fd, number) == -1)
            warn("remove the pipes of secondary%d from %s", number, lab->rundir.path);
}

void lab_close(struct lab *lab)
{
    /* No table: somebody else's run directory, perhaps, and not our pipes. */
    if (lab->table != NULL)
        remove_pipes(lab);
    lab->table = NULL;
    segment_remove(&lab->segment);
    close_listeners(lab);
    lifeline_close(&lab->lifeline);
    if (rundir_release(&lab->rundir) == -1)
        warn("leave run directory %s", lab->rundir.path);
}

void lab_leave(struct lab *lab)
{
    close_listeners(lab);
    lifeline_close(&lab->lifeline);
    rundir_leave(&lab->rundir);
}
