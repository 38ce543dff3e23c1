/* secondary: serves the clients that the principal sends, one at a time.
 *
 * Forked by the principal (policy `delegated`) or by the watchdog (`direct`). Wakes on a
 * request in its dwtube, on its clients, on a signal, when work is done, and when the
 * watchdog or the principal has ended.
 *
 * The principal writes `TYPE NUMBER TOKEN` before the client learns the token; so a token
 * that is not known when a client shows it, is either in the pipe or worth nothing.
 * To work is to let time pass, in poll(2) like all other waiting: a secondary that is
 * working still answers its probes.
 *
 * Left out on purpose: requests that were being served when a secondary died are not
 * handed to the next one; the client asks again.
 */
#include "secondary.h"

#include "clock.h"
#include "conn.h"
#include "journal.h"
#include "line.h"
#include "request.h"
#include "server.h"
#include "signals.h"
#include "todo.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Requests whose clients have not come yet: more than the principal has clients. Who
     * asks and never comes costs a place here, which the oldest loses when all are taken. */
    MAX_EXPECTED = 4 * MAX_CONNS,
    /* How many descriptors a secondary needs for itself, amply counted. */
    DESCRIPTORS = 24
};

static struct lab *lab;
static struct slot *slot;
static const struct channel *channel;
static struct line_reader reader;
static struct conns conns;
static struct request expected[MAX_EXPECTED]; /* number 0: free */

/* Tells the principal how a request goes. A line that does not fit is left out: the
 * principal is frozen, and will be replaced; if it has ended, dwtube tells. */
#define tell_principal(...) ((void)line_write(channel->out, __VA_ARGS__))

static void give_up(struct request *request, const char *reason)
{
    tell_principal("errtraitement %lld %s", request->number, reason);
    request->number = 0;
}

/* The principal's side */

static void expect(const struct request *request)
{
    struct request *place = &expected[0];

    for (int i = 1; i < MAX_EXPECTED; i++)
        if (expected[i].number < place->number)
            place = &expected[i];
    if (place->number != 0)
        give_up(place, "the client did not come");
    *place = *request;
}

/* Returns false when the pipe has ended. That is the principal's end, and ours. */
static bool read_principal(void)
{
    char line[LINE_ROOM];
    enum line_status status;
    struct request request;

    while ((status = line_read(&reader, line)) == LINE_READY) {
        if (request_parse(&request, line) == -1)
            diex("read its dwtube: '%s' is no request", line);
        expect(&request);
    }
    if (status == LINE_ERROR)
        die("read its dwtube");
    return status != LINE_END;
}

/* The clients' side */

/* Moves the request of `token` from the expected ones to `conn`: a token opens one
 * connection, once. Returns false if there is none. */
static bool claim(struct conn *conn, const char *token)
{
    // TODO 4.4: look for a request in expected[] that is there (its number is not 0) and has this
    // token. Move it to conn->request, so that its place is free (number 0) and the token opens
    // nothing a second time. Return true if there was one.
    todo("4.4", conn, token, expected);
}

/* Reads `TOKEN TEXT`, the only line a client has to say here. */
static void greet(struct conn *conn, char line[LINE_ROOM])
{
    char *text = strchr(line, ' ');

    if (text != NULL)
        *text++ = '\0';
    /* What the principal has written since we last looked comes first. If its pipe has
     * ended, the next turn of the loop will see that too. */
    if (!claim(conn, line) && (!read_principal() || !claim(conn, line))) {
        conn_refuse(conn, "wrong token");
        return;
    }
    memmove(conn->text, text != NULL ? text : "", text != NULL ? strlen(text) + 1 : 1);
    conn->was_served = true;
    conn_set_state(conn, CONN_WAITING);
}

static void read_client(struct conn *conn)
{
    char line[LINE_ROOM];

    if (conn_read(conn, line))
        greet(conn, line);
}

static void lose_client(struct conn *conn)
{
    give_up(&conn->request, "the client has gone");
    conn_close(conn);
}

/* The work */

static struct conn *find_working(void)
{
    for (int i = 0; i < conns.used; i++)
        if (conns.conn[i].state == CONN_WORKING)
            return &conns.conn[i];
    return NULL;
}

static void begin_work(struct conn *conn)
{
    if (line_write(conn->fd, "debuttraitement") == -1) {
        lose_client(conn);
        return;
    }
    tell_principal("debuttraitement %lld", conn->request.number);
    conn_set_state(conn, CONN_WORKING);
}

static void end_work(struct conn *conn)
{
    char answer[LINE_ROOM];

    request_answer(conn->request.type, conn->text, lab->table, answer);
    // TODO 4.5: write the client the result (`resultat ANSWER`). If that fails, lose_client(). The
    // request is done: count it in slot->requests_done, take the client off slot->clients, and tell
    // the principal (`fintraitement NUMBER`). Only then write the client its `fintraitement`: its
    // next request may come at once. If that fails, close; else conn_finish().
    todo("4.5", conn, answer, slot, lose_client);
}

/* Ends the work that is done, and begins what can be begun: of those who have shown their
 * tokens, the one whose request is the oldest. */
static void work(void)
{
    for (;;) {
        struct conn *conn = find_working();

        if (conn != NULL && conn->since_ms + lab->work_ms > clock_ms())
            return;
        if (conn != NULL)
            end_work(conn);
        else if ((conn = conns_find_oldest_waiting(&conns)) != NULL)
            begin_work(conn);
        else
            return;
    }
}

/* The earlier of `until_ms` and the moment at which the work in hand will be done. */
static int64_t work_wake_ms(int64_t until_ms)
{
    const struct conn *conn = find_working();

    if (conn != NULL && conn->since_ms + lab->work_ms < until_ms)
        return conn->since_ms + lab->work_ms;
    return until_ms;
}

/* Tells the principal, by the table, how many clients are here on business. */
static void publish_clients(void)
{
    int count = 0;

    for (int i = 0; i < conns.used; i++)
        if (conns.conn[i].state == CONN_WAITING || conns.conn[i].state == CONN_WORKING)
            count++;
    atomic_store(&slot->clients, count);
}

static void attend_clients(const struct pollfd wanted[])
{
    for (int i = 0; i < conns.used; i++) {
        if (conns_is_lost(&conns, wanted, i))
            lose_client(&conns.conn[i]);
        else if (conns_is_readable(&conns, wanted, i))
            read_client(&conns.conn[i]);
    }
    conns_attend(&conns, wanted);
}

static int serve(int number)
{
    enum { POLL_PRINCIPAL = SERVER_SLOTS, POLL_CLIENTS, SLOTS = POLL_CLIENTS + CONN_SLOTS };
    static struct pollfd wanted[SLOTS];

    do {
        nfds_t count;

        work();
        publish_clients();
        wanted[POLL_PRINCIPAL] = (struct pollfd){ .fd = channel->in, .events = POLLIN };
        count = (nfds_t)(POLL_CLIENTS + conns_watch(&conns, wanted + POLL_CLIENTS));
        server_poll(lab, wanted, count,
                    work_wake_ms(conns_wake_ms(&conns, clock_ms() + LONGEST_WAIT_MS)));
        if (wanted[POLL_PRINCIPAL].revents != 0 && !read_principal())
            return EXIT_FAILURE;
        attend_clients(wanted + POLL_CLIENTS);
    } while (server_attend(lab, number, wanted));
    return EXIT_SUCCESS;
}

int secondary_run(struct lab *the_lab, int number, const struct channel *the_channel)
{
    static const int signals[] = { SIGUSR1, SIGTERM, 0 };
    int status;

    lab = the_lab;
    slot = &lab->table->slot[number];
    channel = the_channel;
    lab_keep_listener(lab, number);
    server_begin(lab, number, signals);
    line_reader_init(&reader, channel->in);
    conns_init(&conns, lab->listeners[number], DESCRIPTORS);
    status = serve(number);
    journal("exit");
    conns_close(&conns);
    signals_close();
    return journal_is_lost() ? EXIT_FAILURE : status;
}
