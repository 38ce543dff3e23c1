/* See options.h. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program_name;
static const char *usage_text;

void options_init(const char *program, const char *usage)
{
    program_name = program;
    usage_text = usage;
}

void print_usage(void)
{
    if (fputs(usage_text, stdout) == EOF || fflush(stdout) == EOF) {
        (void)fprintf(stderr, "%s: write the usage: %s\n", program_name, strerror(errno));
        exit(EXIT_FAILURE);
    }
    exit(EXIT_SUCCESS);
}

void wrong_usage(const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "%s: ", program_name);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "\n%s", usage_text);
    exit(2);
}

void wrong_option(int answer)
{
    if (answer == ':')
        wrong_usage("option -%c needs a value", optopt);
    wrong_usage("unknown option -%c", optopt);
}

long parse_number(int letter, const char *text, long min, long max)
{
    char *end;
    long value;

    errno = 0;
    value = strtol(text, &end, 10);
    /* strtol(3) would also take leading blanks, a sign, and stop at the first letter. */
    if (strspn(text, "0123456789") != strlen(text) || end == text || errno != 0
        || value < min || value > max)
        wrong_usage("-%c takes a number from %ld to %ld, not '%s'", letter, min, max, text);
    return value;
}

void expect_no_operand(int argc, char *const argv[])
{
    if (optind < argc)
        wrong_usage("unexpected argument '%s'", argv[optind]);
}
