/* See rude.h. */
#include "rude.h"

#include "dice.h"
#include "journal.h"
#include "moment.h"
#include "story.h"
#include "subject.h"
#include "tcp.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    RUDE = 16,                /* connections at a time */
    LONGEST_PAUSE_US = 20000, /* between two acts of all of them */
    LONGEST_WORD = 2000       /* bytes: more than a line may have */
};

struct rude_count rude_count;

static struct dice dice;
static int sockets[RUDE];
static int64_t next_us;

void rude_init(uint64_t seed)
{
    dice_init(&dice, seed, 2);
    for (int i = 0; i < RUDE; i++)
        sockets[i] = -1;
}

/* It does not wait for the connection: what is said before that is lost. */
static void connect_somewhere(int *fd)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_addr = subject_address(),
        .sin_port = htons((uint16_t)(PORT + dice_between(&dice, 0, SECONDARIES))),
    };

    *fd = socket(AF_INET, SOCK_STREAM, 0);
    if (*fd == -1 || tcp_set_nonblocking(*fd) == -1
        || fcntl(*fd, F_SETFD, FD_CLOEXEC) == -1)
        die("make a socket");
    (void)connect(*fd, (const struct sockaddr *)&name, sizeof name);
    rude_count.connections++;
}

/* In half of the cases by a reset, which to the other side is an error and no end of file. */
static void vanish(int *fd)
{
    struct linger at_once = { .l_onoff = dice_between(&dice, 0, 1), .l_linger = 0 };

    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(*fd);
    *fd = -1;
}

static void say(int fd, const char *text, size_t length)
{
    rude_count.words++;
    (void)!send(fd, text, length, MSG_NOSIGNAL);
}

static void babble(int fd)
{
    char bytes[LONGEST_WORD];
    size_t length = (size_t)dice_between(&dice, 1, LONGEST_WORD);

    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)dice_between(&dice, 0, 255);
    say(fd, bytes, length);
}

/* The requests that are right are rude too: nobody comes for the answer. */
static void speak(int fd)
{
    static const char *const words[] = {
        "requetetype1\n", "requetetype2\n", "requetetype1", "requetetype3\n", "\n", "\r\n",
        "0123456789abcdef hello\n", "fintraitement 1\n",
    };
    enum { WORDS = sizeof words / sizeof words[0] };
    int choice = dice_between(&dice, 0, WORDS + 1);

    if (choice < WORDS)
        say(fd, words[choice], strlen(words[choice]));
    else
        babble(fd);
}

void rude_act(void)
{
    int *fd;

    if (now_us() < next_us)
        return;
    next_us = now_us() + dice_between(&dice, 1, LONGEST_PAUSE_US);
    fd = &sockets[dice_between(&dice, 0, RUDE - 1)];
    if (*fd == -1)
        connect_somewhere(fd);
    else if (dice_between(&dice, 1, 4) == 1)
        vanish(fd);
    else
        speak(*fd);
}

void rude_vanish(void)
{
    for (int i = 0; i < RUDE; i++)
        if (sockets[i] != -1)
            vanish(&sockets[i]);
}
