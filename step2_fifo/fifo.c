/* See fifo.h. */
#include "fifo.h"
#include "todo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct pair_names {
    char to_secondary[24];
    char to_principal[24];
};

static struct pair_names name_pair(int number)
{
    struct pair_names names;

    (void)snprintf(names.to_secondary, sizeof names.to_secondary, "dwtube%d", number);
    (void)snprintf(names.to_principal, sizeof names.to_principal, "wdtube%d", number);
    return names;
}

static int remove_name(int rundir_fd, const char *name)
{
    return unlinkat(rundir_fd, name, 0) == -1 && errno != ENOENT ? -1 : 0;
}

int fifo_remove_pair(int rundir_fd, int number)
{
    struct pair_names names = name_pair(number);

    if (remove_name(rundir_fd, names.to_secondary) == -1) {
        int first_errno = errno;

        (void)remove_name(rundir_fd, names.to_principal);
        errno = first_errno;
        return -1;
    }
    return remove_name(rundir_fd, names.to_principal);
}

int fifo_make_pair(int rundir_fd, int number)
{
    struct pair_names names = name_pair(number);

    // TODO 2.1: remove what is left of an old pair, then make both named pipes, mode 0600, in the
    // directory open at rundir_fd.
    todo("2.1", rundir_fd, number, names);
}

static int open_end(int rundir_fd, const char *name, int access)
{
    return openat(rundir_fd, name, access | O_NONBLOCK | O_NOFOLLOW);
}

static int check_open(struct channel *channel)
{
    int saved_errno = errno;

    if (channel->in != -1 && channel->out != -1)
        return 0;
    channel_close(channel);
    errno = saved_errno;
    return -1;
}

int fifo_open_secondary_side(struct channel *channel, int rundir_fd, int number)
{
    struct pair_names names = name_pair(number);

    channel->in = channel->out = -1;
    // TODO 2.2: open the secondary's ends with open_end(): channel->in reads from the principal,
    // channel->out writes to it. Nobody has the reading end of that second pipe open yet, so a
    // writing end would not open (ENXIO): open a reading end too, as a placeholder, and close it
    // when it has served. Failures are check_open()'s business, below.
    todo("2.2", channel, rundir_fd, names, open_end);
    return check_open(channel);
}

int fifo_open_principal_side(struct channel *channel, int rundir_fd, int number)
{
    struct pair_names names = name_pair(number);

    channel->out = -1;
    channel->in = open_end(rundir_fd, names.to_principal, O_RDONLY);
    if (channel->in != -1)
        channel->out = open_end(rundir_fd, names.to_secondary, O_WRONLY);
    return check_open(channel);
}

void channel_close(struct channel *channel)
{
    if (channel->in != -1)
        (void)close(channel->in);
    if (channel->out != -1)
        (void)close(channel->out);
    channel->in = channel->out = -1;
}
