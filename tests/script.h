/*
 * script.h - what an action of a script is made of: a verb and its operands; and the end of the script.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <netinet/in.h>
#include <stddef.h>

enum { ACTION_FAILED = 1, WRONG_SCRIPT = 2, MAX_TEXT = 65536, MAX_WORD = 4096 };

/* Copies the action, its %p and %t replaced. Failures are told with the action's name from here on. */
void begin_action(const char *action, char text[MAX_TEXT]);

/* Message and exit. `fail` adds what errno says. */
_Noreturn void end_with(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void fail(const char *what);

/* Cut the next operand off; end the script if there is none, or no such. */
char *next_word(char **rest);
long next_number(char **rest);
struct sockaddr_in next_address(char **rest);
long to_number(const char *text);

/* Replaces \n, \r, \0, \\ in place. Returns the length, since there may be zero bytes. */
size_t unescape(char *text);

/* Takes `PORT TOKEN`, which %p and %t stand for from now on. */
void keep_place(const char *line);

/* Ends the script if the line does not match. */
void must_match(const char *line, const char *pattern);

#endif
