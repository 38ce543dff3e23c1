/*
 * await.c - waits until a line of a growing file matches, with a deadline.
 *
 *     await [-n COUNT] [-s OFFSET] [-e END_FILE] [-g ERRORS_FILE] FILE REGEX DEADLINE_MS
 *
 * Used by helpers.bash, which would otherwise fork a grep and a sleep a hundred times a second. It waits for FILE, and
 * prints the COUNTth line (default: the first) after its byte OFFSET that matches the extended REGEX.
 * Exit status: 0 it came, 1 the deadline came first, 2 END_FILE exists (nobody will write any more) and
 * the line is not there, 3 a process has said in ERRORS_FILE that it has come to the TODO $OSPS_TODO, or to one before
 * it, which is still to write (todo.h): so the line will not come; 125 wrong use.
 */
#include <errno.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { IT_CAME = 0, TOO_LATE = 1, ITS_OVER = 2, GAP = 3, WRONG_USE = 125, POLL_MS = 10 };

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "await: %s: %s\n", what, why);
    exit(WRONG_USE);
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void nap(void)
{
    struct timespec moment = { .tv_nsec = POLL_MS * 1000000 };
    nanosleep(&moment, NULL);
}

static long parse_number(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 0)
        fail(text, "not a number");
    return number;
}

static int await_file(const char *path, long long deadline_ms)
{
    while (access(path, F_OK) == -1) {
        if (now_ms() > deadline_ms)
            return TOO_LATE;
        nap();
    }
    return IT_CAME;
}

/* Read what has been added; a line without its end is put back for the next time. */
static bool find_line(FILE *file, const regex_t *regex, long *missing_count)
{
    static char *line;
    static size_t size;
    long line_start = ftell(file);
    clearerr(file);
    while (getline(&line, &size, file) != -1) {
        size_t length = strlen(line);
        if (length == 0 || line[length - 1] != '\n')
            break;
        line[length - 1] = '\0';
        if (regexec(regex, line, 0, NULL, 0) == 0 && --*missing_count <= 0) {
            puts(line);
            return true;
        }
        line_start = ftell(file);
    }
    fseek(file, line_start, SEEK_SET);
    return false;
}

/* True if there is a line `FILE:LINE: TODO 3.2 is still to write` in it, and $OSPS_TODO is 3.2 or later. */
static bool tells_of_gap(const char *path)
{
    const char *own = getenv("OSPS_TODO"), *point = own == NULL ? NULL : strchr(own, '.');
    FILE *file = path == NULL || point == NULL ? NULL : fopen(path, "re");
    char line[512];
    int number;
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strstr(line, " is still to write") != NULL && sscanf(line, "%*s TODO %*d.%d", &number) == 1
            && number <= atoi(point + 1);
    if (file != NULL)
        fclose(file);
    return found;
}

/* Whether the end has come is asked before the file is read: what was written before the end is then seen. */
static int await_line(FILE *file, const regex_t *regex, long count, const char *end_file, const char *errors_file,
                      long long deadline_ms)
{
    for (;;) {
        bool gap = tells_of_gap(errors_file);
        bool over = end_file != NULL && access(end_file, F_OK) == 0;
        bool late = now_ms() > deadline_ms;
        if (find_line(file, regex, &count))
            return IT_CAME;
        if (gap || over || late)
            return gap ? GAP : over ? ITS_OVER : TOO_LATE;
        nap();
    }
}

int main(int argc, char **argv)
{
    long count = 1, offset = 0;
    const char *end_file = NULL, *errors_file = NULL;
    int option;
    while ((option = getopt(argc, argv, "+n:s:e:g:")) != -1)
        switch (option) {
        case 'n': count = parse_number(optarg); break;
        case 's': offset = parse_number(optarg); break;
        case 'e': end_file = optarg; break;
        case 'g': errors_file = optarg; break;
        default: return WRONG_USE;
        }
    if (argc - optind != 3)
        fail("usage", "await [OPTIONS] FILE REGEX DEADLINE_MS");
    const char *path = argv[optind], *pattern = argv[optind + 1];
    long long deadline_ms = now_ms() + parse_number(argv[optind + 2]);
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        fail(pattern, "not a regular expression");
    if (await_file(path, deadline_ms) != IT_CAME)
        return TOO_LATE;
    FILE *file = fopen(path, "r");
    if (file == NULL || fseek(file, offset, SEEK_SET) == -1)
        fail(path, strerror(errno));
    return await_line(file, &regex, count, end_file, errors_file, deadline_ms);
}
