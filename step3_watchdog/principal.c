/* principal: plays ping-pong with every secondary, and under `delegated` keeps them alive
 * (peers.c).
 *
 * Forked by the watchdog. One poll(2) for everything: lines from the wdtubes, signals, the
 * watchdog's end, the time of the next ping. It never waits for one secondary alone, so
 * one that is frozen holds up nobody, and does not make the principal look frozen.
 *
 * SIGUSR1 says "look": for a probe to answer, for a secondary that the watchdog condemned
 * (`delegated`: it is our child, so its pid is certain), for one that the watchdog has
 * replaced (`direct`).
 */
#include "principal.h"

#include "clock.h"
#include "journal.h"
#include "line.h"
#include "peers.h"
#include "server.h"
#include "signals.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* The game with one secondary. */
struct game {
    int generation;      /* of the secondary that it is played with */
    int pings;
    bool awaiting_pong;
    int64_t next_ping_ms;
};

/* A pong that has not come for so long will not: somebody else has read the ping, with
 * `cat dwtube1` perhaps. Then the game goes on with another one. */
enum { LOST_MS = 2000 };

static struct lab *lab;
static struct game games[1 + MAX_SECONDARIES]; /* games[K] is with peers[K] */

/* Closes what is ours alone, for a newborn secondary, and at the end. */
static void shed(void)
{
    signals_close();
    peers_close();
}

/* The game with secondary `number`, begun anew if it is a new secondary. */
static struct game *game_with(int number)
{
    struct game *game = &games[number];

    if (game->generation != peers[number].generation)
        *game = (struct game){ .generation = peers[number].generation };
    return game;
}

static void send_ping(struct game *game, int number)
{
    if (line_write(peers[number].channel.out, "ping") == -1) {
        peer_disconnect(&peers[number]);
        return;
    }
    game->awaiting_pong = true;
    game->next_ping_ms = clock_ms() + lab->interval_ms;
    journal_often("ping %d secondary%d", ++game->pings, number);
}

static void read_peer(int number)
{
    char line[LINE_ROOM];
    enum line_status status;

    while ((status = line_read(&peers[number].reader, line)) == LINE_READY) {
        if (strcmp(line, "pong") != 0) {
            warnx("read wdtube%d: '%s' is no pong", number, line);
            status = LINE_END;
            break;
        }
        game_with(number)->awaiting_pong = false;
    }
    if (status != LINE_NONE)
        peer_disconnect(&peers[number]);
}

/* Sends the pings that are due. Returns when the next one is, `until_ms` at the latest. */
static int64_t send_due_pings(int64_t until_ms)
{
    for (int number = 1; number <= lab->secondaries; number++) {
        struct game *game = game_with(number);
        int64_t due_ms = game->next_ping_ms + (game->awaiting_pong ? LOST_MS : 0);

        if (!peer_is_connected(&peers[number]))
            continue;
        if (due_ms <= clock_ms())
            send_ping(game, number);
        else if (due_ms < until_ms)
            until_ms = due_ms;
    }
    return until_ms;
}

static void serve(void)
{
    struct pollfd wanted[SERVER_SLOTS + MAX_SECONDARIES];
    struct pollfd *from_peers = &wanted[SERVER_SLOTS - 1]; /* [K]: from secondary K */
    nfds_t count = (nfds_t)(SERVER_SLOTS + lab->secondaries);

    do {
        int64_t wake_ms = send_due_pings(peers_look_after());

        for (int number = 1; number <= lab->secondaries; number++)
            from_peers[number] = (struct pollfd){ .fd = peers[number].channel.in,
                                                  .events = POLLIN };
        server_poll(lab, wanted, count, wake_ms);
        for (int number = 1; number <= lab->secondaries; number++)
            if (from_peers[number].revents != 0)
                read_peer(number);
    } while (server_attend(lab, PRINCIPAL, wanted));
}

int principal_run(struct lab *the_lab)
{
    static const int signals[] = { SIGUSR1, SIGTERM, SIGCHLD, 0 };

    lab = the_lab;
    server_begin(lab, PRINCIPAL, signals);
    peers_init(lab, shed);
    serve();
    peers_stop();
    journal("exit");
    shed();
    lab_leave(lab);
    return journal_is_lost() ? EXIT_FAILURE : EXIT_SUCCESS;
}
