/* ready: waits until a descriptor can be read or written, or until somebody wants the program
 * to end.
 *
 * SIGINT, SIGTERM and SIGHUP are held back all the time, except inside of pselect(2): so they can
 * end a wait, and nothing else. No read(2) or write(2) is interrupted, and a signal that comes
 * just before a wait ends that wait at once.
 */
#ifndef READY_H
#define READY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ready {
    READY,         /* as wanted */
    READY_LATE,    /* the deadline has come */
    READY_STOP,    /* somebody wants the program to end */
    READY_ERROR    /* errno tells; write_all() alone */
};

/* How long the other program may keep us waiting; a person may for ever (NEVER). */
enum { SILENCE_MS = 5000 };
#define NEVER INT64_MAX

/* To be called before anything is made that must be removed at the end. */
void ready_init(void);

/* True from the moment when SIGINT, SIGTERM or SIGHUP has come. */
bool asked_to_stop(void);

/* What pselect(2) takes as its last argument, to let the signals in while it waits. */
const sigset_t *signals_let_in(void);

enum ready await_readable(int fd, int64_t deadline_ms);
enum ready await_writable(int fd, int64_t deadline_ms);

/* Writes all `count` bytes, and waits for room where there is none. */
enum ready write_all(int fd, const void *bytes, size_t count, int64_t deadline_ms);

#endif
