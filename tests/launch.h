/*
 * launch.h - the supervisor's command line, its files, and the start of the program under test.
 *
 * Used by supervise.c.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <sys/types.h>

enum { EXIT_HANG = 124, EXIT_OWN_FAILURE = 125, EXIT_NO_PROGRAM = 127 };

struct options {
    long deadline_ms;
    long grace_ms;
    const char *input;
    const char *out_dir;
    const char *run_dir;
    char **program;
};

/* `supervise: WHAT: why` on standard error, and the end. */
_Noreturn void die(const char *format, ...);

struct options parse_options(int argc, char **argv);

/* Close whatever our parent left open, but for the three standard descriptors. */
void close_inherited(void);

/* Start the program; once it runs its pid is in OUT_DIR/pid. */
pid_t launch(const struct options *options);

/* A reader sees the whole file or none. */
void write_in_out_dir(const char *out_dir, const char *name, const char *text);

#endif
