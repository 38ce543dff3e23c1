/* options: what the command line has in common in all programs of the lab.
 * Wrong usage is a message and the usage on standard error, and exit status 2. */
#ifndef OPTIONS_H
#define OPTIONS_H

/* Tells print_usage() and its callers below what to print; call it first. */
void options_init(const char *program, const char *usage);

/* -h: the usage on standard output, exit status 0. */
_Noreturn void print_usage(void);

/* A message and the usage on standard error, exit status 2. */
_Noreturn void wrong_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What getopt(3) could not take: `answer` is '?' (unknown option) or ':' (its value
 * is missing), as it returns them when the option string begins with a colon. */
_Noreturn void wrong_option(int answer);

/* The value of `text`, given with option `letter`, if it is a decimal number from
 * `min` to `max`; else wrong_usage(). */
long parse_number(int letter, const char *text, long min, long max);

/* Checks that no argument is left after the options, which getopt(3) counted in
 * optind; else wrong_usage(). */
void expect_no_operand(int argc, char *const argv[]);

#endif
