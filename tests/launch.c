/*
 * launch.c - the supervisor's command line, its files, and the start of the program under test.
 *
 * The program gets a session of its own, default signals, three descriptors, and limits that keep it from filling
 * the disk, and no way to signal everybody; nothing of what the supervisor or bats had open or ignored.
 */
#include "launch.h"
#include "fence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 16 << 20 };

void die(const char *format, ...)
{
    int error = errno;
    va_list arguments;
    va_start(arguments, format);
    fputs("supervise: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, ": %s\n", strerror(error));
    va_end(arguments);
    exit(EXIT_OWN_FAILURE);
}

static long parse_ms(const char *text)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno == 0 && (end == text || *end != '\0' || value < 0))
        errno = EINVAL;
    if (errno != 0)
        die("not a number of milliseconds: %s", text);
    return value;
}

struct options parse_options(int argc, char **argv)
{
    struct options options = { .deadline_ms = 30000, .grace_ms = 1000, .input = "/dev/null" };
    int option;
    while ((option = getopt(argc, argv, "+t:g:i:d:r:")) != -1)
        switch (option) {
        case 't': options.deadline_ms = parse_ms(optarg); break;
        case 'g': options.grace_ms = parse_ms(optarg); break;
        case 'i': options.input = optarg; break;
        case 'd': options.out_dir = optarg; break;
        case 'r': options.run_dir = optarg; break;
        default: optind = argc;
        }
    if (options.out_dir == NULL || optind >= argc) {
        fputs("usage: supervise [-t DEADLINE_MS] [-g GRACE_MS] [-i INPUT] -d OUT_DIR [-r RUN_DIR] -- PROGRAM ARGS...\n", stderr);
        exit(EXIT_OWN_FAILURE);
    }
    if (mkdir(options.out_dir, 0700) == -1 && errno != EEXIST)
        die("make the directory %s", options.out_dir);
    options.program = argv + optind;
    return options;
}

/* bats waits for the end of file of pipes that its descendants may have inherited. */
void close_inherited(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        die("open /proc/self/fd");
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        int fd = atoi(entry->d_name);
        if (fd > STDERR_FILENO && fd != dirfd(directory))
            close(fd);
    }
    closedir(directory);
}

static int open_in_out_dir(const char *out_dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", out_dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd == -1)
        die("open %s", path);
    return fd;
}

/* Written beside it, then renamed. */
void write_in_out_dir(const char *out_dir, const char *name, const char *text)
{
    char path[4096], new_path[4096 + 4];
    snprintf(path, sizeof path, "%s/%s", out_dir, name);
    snprintf(new_path, sizeof new_path, "%s.new", path);
    FILE *file = fopen(new_path, "we");
    bool is_written = file != NULL && fputs(text, file) != EOF;
    if ((file != NULL && fclose(file) == EOF) || !is_written || rename(new_path, path) == -1)
        fprintf(stderr, "supervise: write %s: %s\n", path, strerror(errno));
}

/* In the child: nothing of ours is left when the program begins. bats starts us with SIGINT ignored. */
static void become_program(const struct options *options, int out, int err)
{
    const struct rlimit no_core = { 0, 0 }, file_size = { MAX_FILE_BYTES, MAX_FILE_BYTES };
    int input = open(options->input, O_RDONLY | O_CLOEXEC);
    if (input == -1 || dup2(input, STDIN_FILENO) == -1)
        die("open %s", options->input);
    if (dup2(out, STDOUT_FILENO) == -1 || dup2(err, STDERR_FILENO) == -1)
        die("redirect the output");
    if (setrlimit(RLIMIT_CORE, &no_core) == -1 || setrlimit(RLIMIT_FSIZE, &file_size) == -1)
        die("set limits");
    if (setsid() == -1)
        die("begin a session");
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);        /* fails for SIGKILL, SIGSTOP and libc's own: as it should */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    forbid_signals_to_everybody();
    execvp(options->program[0], options->program);
    fprintf(stderr, "supervise: run %s: %s\n", options->program[0], strerror(errno));
    _exit(EXIT_NO_PROGRAM);
}

pid_t launch(const struct options *options)
{
    char text[32], nothing;
    int running[2];
    int out = open_in_out_dir(options->out_dir, "stdout"), err = open_in_out_dir(options->out_dir, "stderr");
    if (pipe2(running, O_CLOEXEC) == -1)
        die("make a pipe");
    pid_t pid = fork();
    if (pid == -1)
        die("fork");
    if (pid == 0)
        become_program(options, out, err);
    close(out);
    close(err);
    close(running[1]);
    (void)!read(running[0], &nothing, 1);   /* end of file: exec has closed the other end */
    close(running[0]);
    snprintf(text, sizeof text, "%ld\n", (long)pid);
    write_in_out_dir(options->out_dir, "pid", text);
    return pid;
}
