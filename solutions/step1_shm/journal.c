#include "journal.h"

#include <errno.h>
#include <inttypes.h>
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

static struct timespec started;
static char role[32] = "main";
static int output = STDOUT_FILENO;
static bool quiet;
static bool lost;

void journal_open(const char *first_role, bool be_quiet)
{
    (void)clock_gettime(CLOCK_MONOTONIC, &started);
    (void)signal(SIGPIPE, SIG_IGN);
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

/* Ends `line` with a newline and replaces every other control character: text that
 * came from outside must not be able to forge a line or move somebody's cursor. */
static size_t finish_line(char line[LINE_SIZE], size_t length)
{
    if (length > LINE_SIZE - 2)
        length = LINE_SIZE - 2;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
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

PRINTF_LIKE(1)
static void write_event(const char *format, va_list arguments)
{
    char line[LINE_SIZE];
    int64_t microseconds = microseconds_since_start();
    int saved_errno = errno;
    int prefix = snprintf(line, sizeof line, "%" PRId64 ".%06d %s[%ld] ",
                          microseconds / 1000000, (int)(microseconds % 1000000),
                          role, (long)getpid());
    size_t length = prefix > 0 ? (size_t)prefix : 0;

    append(line, &length, format, arguments);
    if (output != -1 && write_once(output, line, finish_line(line, length)) == -1 && !lost) {
        lost = true;
        warn("write the journal");
        (void)raise(SIGTERM);
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
    /* Nobody is left to tell when standard error fails too. */
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
