/* See journal.h. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Longer lines are cut. POSIX promises that a write of up to 512 bytes to a pipe is
 * not torn (PIPE_BUF); Linux keeps 4,096 whole. Only `status` with many servers is long. */
enum { LINE_SIZE = 4096 };

/* A reader that does not read (a pager, a terminal after Ctrl-S) must not hold up the lab.
 * It is waited for this long, once; then lines are dropped until it reads again. If two
 * processes see the last free place in a pipe, the slower one still waits in write(2). */
enum { PATIENCE_MS = 500 };

static struct timespec started;
static char role[32] = "main";
static int output = STDOUT_FILENO;
static bool is_vital = true;
static bool quiet;
static volatile sig_atomic_t lost; /* a handler may ask journal_is_lost() */
static unsigned long dropped; /* lines, since the last one that was written */

/* A descriptor below 3 that is closed would be given to the next file or socket, and the
 * journal written into it. Now it is there, and every use of it is an error. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
            (void)open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

void journal_init(const char *first_role, bool be_quiet)
{
    fill_standard_descriptors();
    (void)clock_gettime(CLOCK_MONOTONIC, &started);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    journal_set_role(first_role, 0);
    quiet = be_quiet;
}

void journal_set_role(const char *name, int number)
{
    if (number == 0)
        (void)snprintf(role, sizeof role, "%s", name);
    else
        (void)snprintf(role, sizeof role, "%s%d", name, number);
}

void journal_send_to(int fd)
{
    output = fd;
    is_vital = false;
}

bool journal_is_lost(void)
{
    return lost;
}

static int64_t microseconds_since_start(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)(now.tv_sec - started.tv_sec) * 1000000
         + (now.tv_nsec - started.tv_nsec) / 1000;
}

bool is_control(const char line[], size_t i)
{
    unsigned char byte = (unsigned char)line[i];

    return byte < 0x20 || byte == 0x7f
        || (byte >= 0x80 && byte < 0xa0 && i > 0 && (unsigned char)line[i - 1] == 0xc2);
}

/* Ends `line` with a newline and replaces every other control character: text that
 * came from outside must not be able to forge a line or move somebody's cursor. */
static size_t finish_line(char line[LINE_SIZE], size_t length)
{
    if (length > LINE_SIZE - 2)
        length = LINE_SIZE - 2;
    for (size_t i = 0; i < length; i++)
        if (is_control(line, i))
            line[i] = '?';
    line[length++] = '\n';
    return length;
}

#define PRINTF_LIKE(n) __attribute__((format(printf, n, 0)))

/* Appends to `line`, `*length` counting what is in it; cuts what does not fit. */
PRINTF_LIKE(3)
static void append(char line[LINE_SIZE], size_t *length, const char *format, va_list arguments)
{
    int added;

    if (*length >= LINE_SIZE)
        return;
    added = vsnprintf(line + *length, LINE_SIZE - *length, format, arguments);
    if (added > 0)
        *length += (size_t)added;
}

static int write_once(int fd, const char *line, size_t length)
{
    ssize_t written;

    do
        written = write(fd, line, length);
    while (written == -1 && errno == EINTR);
    return written == (ssize_t)length ? 0 : -1;
}

/* True if the reader takes a line now, or does within `patience_ms`. */
static bool has_room(int fd, int patience_ms)
{
    struct pollfd writable = { .fd = fd, .events = POLLOUT };

    return poll(&writable, 1, patience_ms) != 0;
}

static void lose_journal(void)
{
    if (!is_vital) {
        output = -1;
        return;
    }
    lost = true;
    warn("write the journal");
    (void)raise(SIGTERM);
}

/* SECONDS ROLE[PID] */
static size_t begin_line(char line[LINE_SIZE])
{
    int64_t microseconds = microseconds_since_start();
    int length = snprintf(line, LINE_SIZE, "%" PRId64 ".%06d %s[%ld] ", microseconds / 1000000,
                          (int)(microseconds % 1000000), role, (long)getpid());

    return length > 0 ? (size_t)length : 0;
}

static void tell_dropped(void)
{
    char line[LINE_SIZE];
    size_t length = begin_line(line);

    length += (size_t)snprintf(line + length, sizeof line - length, "dropped %lu lines", dropped);
    if (write_once(output, line, finish_line(line, length)) == 0)
        dropped = 0;
}

PRINTF_LIKE(1)
static void write_event(const char *format, va_list arguments)
{
    char line[LINE_SIZE];
    int saved_errno = errno;
    size_t length;

    if (output == -1 || lost)
        return;
    length = begin_line(line);
    append(line, &length, format, arguments);
    if (!has_room(output, dropped == 0 ? PATIENCE_MS : 0)) {
        dropped++;
    } else {
        if (dropped > 0)
            tell_dropped();
        if (write_once(output, line, finish_line(line, length)) == -1)
            lose_journal();
    }
    errno = saved_errno;
}

void journal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    write_event(format, arguments);
    va_end(arguments);
}

void journal_often(const char *format, ...)
{
    va_list arguments;

    if (quiet)
        return;
    va_start(arguments, format);
    write_event(format, arguments);
    va_end(arguments);
}

/* `why` is NULL where there is no errno to explain. */
PRINTF_LIKE(1)
static void complain(const char *format, va_list arguments, const char *why)
{
    char line[LINE_SIZE];
    int prefix = snprintf(line, sizeof line, "%s: ", role);
    size_t length = prefix > 0 ? (size_t)prefix : 0;

    append(line, &length, format, arguments);
    if (why != NULL && length < sizeof line)
        length += (size_t)snprintf(line + length, sizeof line - length, ": %s", why);
    /* Nobody is left to tell when standard error fails too, or is not read. */
    if (has_room(STDERR_FILENO, PATIENCE_MS))
        (void)write_once(STDERR_FILENO, line, finish_line(line, length));
}

void warn(const char *format, ...)
{
    const char *why = strerror(errno);
    va_list arguments;

    va_start(arguments, format);
    complain(format, arguments, why);
    va_end(arguments);
}

void warnx(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(format, arguments, NULL);
    va_end(arguments);
}

void die(const char *format, ...)
{
    const char *why = strerror(errno);
    va_list arguments;

    va_start(arguments, format);
    complain(format, arguments, why);
    va_end(arguments);
    exit(EXIT_FAILURE);
}

void diex(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain(format, arguments, NULL);
    va_end(arguments);
    exit(EXIT_FAILURE);
}
