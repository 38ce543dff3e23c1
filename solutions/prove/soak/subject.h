/* subject: the system under test, as its watchdog: begun, killed, stopped; and its journal. */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PORT = 2222 };

/* An address and a run directory of its own, made from our pid. `programs` is the directory of
 * watchdog and client; the journal is copied to the file `journal` (NULL: nowhere). */
void subject_init(const char *programs, const char *journal);

const char *subject_program(const char *name);
const char *subject_address_text(void);
struct in_addr subject_address(void);

/* Starts the watchdog with -r `policy`. */
void subject_start(const char *policy);

/* Its pid; 0 when there is none. */
pid_t subject_pid(void);

/* The descriptor of its journal, to be watched for reading, -1 for none; and what has come there. */
int subject_fd(void);
void subject_hear(void);

/* Adds a line of ours to the copy of the journal. */
void subject_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

void subject_signal(int signal_number);

/* A child of ours has ended: true if it was the watchdog. */
bool subject_has_ended(pid_t pid, int status);

/* The wait status of the last one. */
int subject_status(void);

/* Pipes and segment that are left, when there is no watchdog. */
int subject_count_left(void);

/* Removes the run directory and all that is in it. */
void subject_remove(void);

#endif
