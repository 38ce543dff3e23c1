/* See crowd.h. */
#include "crowd.h"

#include "journal.h"
#include "line.h"
#include "moment.h"
#include "spawn.h"
#include "subject.h"
#include "tcp.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct client {
    pid_t pid;
    int to;                    /* its standard input; -1 when closed */
    int from;                  /* its standard output */
    struct line_reader reader;
    int number;                /* of its latest request */
    bool is_waiting;           /* for the answer to that */
    int64_t asked_us;
    int to_ask;                /* so many more */
};

struct crowd crowd;

static struct client clients[CLIENTS];

static void start_client(struct client *client)
{
    char port[16];
    int in[2];
    int out[2];

    (void)snprintf(port, sizeof port, "%d", PORT);
    spawn_pipe(in);
    spawn_pipe(out);
    *client = (struct client){ .to = in[1], .from = out[0] };
    if (tcp_set_nonblocking(client->from) == -1)
        die("set a client's pipe to not block");
    client->pid = spawn((const char *const[]){ subject_program("client"),
                        "-H", subject_address_text(), "-p", port, "-r", "1000000", NULL },
                        in[0], out[1], -1, SIGKILL);
    (void)close(in[0]);
    (void)close(out[1]);
    line_reader_init(&client->reader, client->from);
}

void crowd_start(void)
{
    for (int i = 0; i < CLIENTS; i++)
        start_client(&clients[i]);
}

static void ask(struct client *client)
{
    if (client->to == -1 || client->is_waiting || client->to_ask == 0)
        return;
    client->number++;
    client->to_ask--;
    client->is_waiting = true;
    client->asked_us = now_us();
    crowd.sent++;
    if (line_write(client->to, "requetetype1 c%d-%d", (int)(client - clients), client->number) == -1)
        warn("send a request to client %ld", (long)client->pid);
}

static void set_to_ask(int count)
{
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].to_ask = count;
        ask(&clients[i]);
    }
}

void crowd_ask(void)
{
    set_to_ask(INT_MAX);
}

void crowd_ask_once(void)
{
    set_to_ask(1);
}

void crowd_rest(void)
{
    set_to_ask(0);
}

bool crowd_is_idle(void)
{
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].is_waiting || clients[i].to_ask > 0)
            return false;
    return true;
}

static void take_answer(struct client *client, const char *line)
{
    int index;
    int number;

    if (sscanf(line, "C%d-%d", &index, &number) != 2 || index != (int)(client - clients)
        || number > client->number) {
        crowd.wrong++;
        warnx("wrong answer for client %d: %s", (int)(client - clients), line);
    } else if (number < client->number || !client->is_waiting) {
        crowd.twice++;
        warnx("answered twice: %s", line);
    } else {
        crowd.answered++;
        client->is_waiting = false;
        if (now_us() - client->asked_us > crowd.slowest_us)
            crowd.slowest_us = now_us() - client->asked_us;
    }
}

static void read_answers(struct client *client)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&client->reader, line)) == LINE_READY)
        take_answer(client, line);
    if (status != LINE_NONE) {
        (void)close(client->from);
        client->from = -1;
    }
    ask(client);
}

void crowd_watch(struct pollfd wanted[])
{
    for (int i = 0; i < CLIENTS; i++)
        wanted[i] = (struct pollfd){ .fd = clients[i].from, .events = POLLIN };
}

void crowd_attend(const struct pollfd wanted[])
{
    for (int i = 0; i < CLIENTS; i++)
        if (wanted[i].revents != 0)
            read_answers(&clients[i]);
}

static void close_input(struct client *client)
{
    if (client->to != -1)
        (void)close(client->to);
    client->to = -1;
}

void crowd_dismiss(void)
{
    for (int i = 0; i < CLIENTS; i++)
        close_input(&clients[i]);
}

pid_t crowd_pid(int index)
{
    return clients[index].pid;
}

int crowd_count(void)
{
    int count = 0;

    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].pid != 0)
            count++;
    return count;
}

bool crowd_has(pid_t pid)
{
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].pid == pid)
            return true;
    return false;
}

bool crowd_has_ended(pid_t pid, int status)
{
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].pid == pid) {
            clients[i].pid = 0;
            close_input(&clients[i]);
            if (status != 0)
                crowd.failed++;
            return true;
        }
    return false;
}
