/* See story.h. */
#include "story.h"

#include "journal.h"
#include "moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct story story;

struct event {
    int64_t at_us;
    char role[32];
    int pid;
    char word[32];
    char object[32];  /* frozen ROLE[PID]: whom it is about */
    int object_pid;
};

const char *story_role(int number)
{
    static char role[32];

    if (number == PRINCIPAL)
        return "principal";
    (void)snprintf(role, sizeof role, "secondary%d", number);
    return role;
}

/* -1 for none of the servers. */
static int number_of(const char *role)
{
    for (int number = 0; number < SERVERS; number++)
        if (strcmp(role, story_role(number)) == 0)
            return number;
    return -1;
}

void story_begin(void)
{
    for (int number = 0; number < SERVERS; number++)
        story.servers[number] = story.before[number] = (struct server){ .pid = 0 };
    story.begin_us = INT64_MAX;
}

/* A line is read a little later than it was written; never earlier. So the smallest difference of all
 * lines is the nearest to the truth. */
static int64_t to_our_clock(int64_t stamp_us)
{
    int64_t begin_us = now_us() - stamp_us;

    if (begin_us < story.begin_us)
        story.begin_us = begin_us;
    return story.begin_us + stamp_us;
}

static bool parse(const char *line, struct event *event)
{
    long seconds;
    long microseconds;
    int found;

    *event = (struct event){ .pid = 0 };
    found = sscanf(line, "%ld.%6ld %31[a-z0-9][%d] %31s %31[a-z0-9][%d]", &seconds, &microseconds,
                   event->role, &event->pid, event->word, event->object, &event->object_pid);
    if (found < 5)
        return false;
    event->at_us = to_our_clock((int64_t)seconds * 1000000 + microseconds);
    return true;
}

static void hear_start(int number, const struct event *event)
{
    story.before[number] = story.servers[number];
    story.servers[number] = (struct server){
        .pid = event->pid, .is_up = true, .up_us = event->at_us,
        .stopped_us = INT64_MAX, .thawed_us = INT64_MAX,
    };
    story.starts++;
}

static struct server *find(int number, pid_t pid)
{
    if (story.servers[number].pid == pid)
        return &story.servers[number];
    return story.before[number].pid == pid ? &story.before[number] : NULL;
}

/* Of the time in which it owed the answer, how long was it stopped, or the machine late? */
static bool had_reason(const struct server *server, int64_t at_us)
{
    int64_t from_us = at_us - TIMEOUT_MS * 1000;
    int64_t excuse_us = LATE_US + late_lately_us();
    int64_t until_us = at_us;

    if (server == NULL || server->stopped_us == INT64_MAX)
        return excuse_us >= TIMEOUT_MS * 1000;
    if (server->stopped_us > from_us)
        from_us = server->stopped_us;
    if (server->thawed_us < until_us)
        until_us = server->thawed_us;
    return until_us - from_us + excuse_us >= TIMEOUT_MS * 1000;
}

static void hear_frozen(int number, const struct event *event, const char *line)
{
    struct server *server = find(number, event->object_pid);

    if (!had_reason(server, event->at_us)) {
        story.false_kills++;
        warnx("false kill: %s", line);
    }
    if (server == NULL)
        return;
    server->is_up = false;
    story_killed(number);
}

static void hear_died(int number, const struct event *event, const char *line)
{
    struct server *server = find(number, event->object_pid);

    if (server == NULL || !server->was_killed) {
        story.own_ends++;
        warnx("ended by itself: %s", line);
    }
    if (server != NULL)
        server->is_up = false;
}

void story_hear(const char *line)
{
    struct event event;
    int number;

    if (!parse(line, &event))
        return;
    number = number_of(event.role);
    if (number != -1 && strcmp(event.word, "start") == 0)
        hear_start(number, &event);
    number = number_of(event.object);
    if (number != -1 && strcmp(event.word, "frozen") == 0)
        hear_frozen(number, &event, line);
    if (number != -1 && strcmp(event.word, "died") == 0)
        hear_died(number, &event, line);
}

bool story_is_whole(void)
{
    for (int number = 0; number < SERVERS; number++)
        if (!story.servers[number].is_up)
            return false;
    return true;
}

int64_t story_latest_start_us(void)
{
    int64_t latest_us = 0;

    for (int number = 0; number < SERVERS; number++)
        if (story.servers[number].up_us > latest_us)
            latest_us = story.servers[number].up_us;
    return latest_us;
}

void story_killed(int number)
{
    int last = number == PRINCIPAL ? SERVERS - 1 : number;

    for (int i = number; i <= last; i++) {
        story.servers[i].was_killed = true;
        story.servers[i].is_up = false;
    }
}

void story_stopped(int number, int64_t at_us)
{
    story.servers[number].stopped_us = at_us;
    story.servers[number].thawed_us = INT64_MAX;
}

void story_thawed(int number, int64_t at_us)
{
    story.servers[number].thawed_us = at_us;
}
