/* See lab.h. */
#include "lab.h"

#include "fifo.h"
#include "journal.h"
#include "options.h"

#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: watchdog [-n SECONDARIES] [-p PERIOD_MS] [-t TIMEOUT_MS]\n"
    "                [-r delegated|direct] [-i INTERVAL_MS] [-d DIR] [-q]\n"
    "  -n SECONDARIES  how many secondary servers, 1 to 64 (default 1)\n"
    "  -p PERIOD_MS    time between two probes (default 2000)\n"
    "  -t TIMEOUT_MS   time a server has to answer one (default 1000)\n"
    "  -r delegated    the principal starts and replaces the secondaries (default)\n"
    "  -r direct       the watchdog does\n"
    "  -i INTERVAL_MS  time between two exchanges with a secondary (default 500)\n"
    "  -d DIR          run directory (default $OSPS_DIR, or /tmp/osps-UID)\n"
    "  -q              tell only what happens once in a process's life\n"
    "  -h              this text\n";

enum { LONGEST_MS = 3600 * 1000 };

static enum policy parse_policy(const char *text)
{
    if (strcmp(text, "delegated") == 0)
        return DELEGATED;
    if (strcmp(text, "direct") == 0)
        return DIRECT;
    wrong_usage("-r takes 'delegated' or 'direct', not '%s'", text);
}

void lab_parse(struct lab *lab, int argc, char *argv[])
{
    int option;

    *lab = (struct lab){
        .secondaries = 1, .period_ms = 2000, .timeout_ms = 1000, .interval_ms = 500,
        .rundir = { .fd = -1, .lock_fd = -1, .alive_fd = -1 },
        .lifeline = { .watchdog_end = -1, .server_end = -1 },
    };
    options_init("watchdog", usage);
    while ((option = getopt(argc, argv, ":hn:p:t:r:i:d:q")) != -1)
        switch (option) {
        case 'n': lab->secondaries = (int)parse_number('n', optarg, 1, MAX_SECONDARIES); break;
        case 'p': lab->period_ms = (int)parse_number('p', optarg, 1, LONGEST_MS); break;
        case 't': lab->timeout_ms = (int)parse_number('t', optarg, 1, LONGEST_MS); break;
        case 'r': lab->policy = parse_policy(optarg); break;
        case 'i': lab->interval_ms = (int)parse_number('i', optarg, 0, LONGEST_MS); break;
        case 'd': lab->directory = optarg; break;
        case 'q': lab->quiet = true; break;
        case 'h': print_usage(); /* and does not come back */
        default: wrong_option(option);
        }
    expect_no_operand(argc, argv);
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
    lifeline_close(&lab->lifeline);
    if (rundir_release(&lab->rundir) == -1)
        warn("leave run directory %s", lab->rundir.path);
}

void lab_leave(struct lab *lab)
{
    lifeline_close(&lab->lifeline);
    rundir_leave(&lab->rundir);
}
