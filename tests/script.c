/*
 * script.c - see script.h.
 */
#include "script.h"

#include <arpa/inet.h>
#include <errno.h>
#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *current_action = "start";
static char place_port[16], place_token[MAX_WORD];

_Noreturn void end_with(int status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "peer: %s: ", current_action);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(status);
}

_Noreturn void fail(const char *what)
{
    end_with(ACTION_FAILED, "%s: %s", what, strerror(errno));
}

long to_number(const char *text)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < 0)
        end_with(WRONG_SCRIPT, "'%s' is no number", text);
    return number;
}

char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    char *end = word + strcspn(word, " ");
    *rest = *end == '\0' ? end : end + 1;
    *end = '\0';
    if (*word == '\0')
        end_with(WRONG_SCRIPT, "an operand is missing");
    return word;
}

long next_number(char **rest)
{
    return to_number(next_word(rest));
}

struct sockaddr_in next_address(char **rest)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    if (inet_pton(AF_INET, next_word(rest), &address.sin_addr) != 1)
        end_with(WRONG_SCRIPT, "no address");
    address.sin_port = htons((uint16_t)next_number(rest));
    return address;
}

void begin_action(const char *action, char text[MAX_TEXT])
{
    size_t length = 0;
    current_action = action;
    for (; *action != '\0' && length < MAX_TEXT - MAX_WORD; action++) {
        const char *place = action[0] != '%' ? NULL
            : action[1] == 'p' ? place_port : action[1] == 't' ? place_token : NULL;
        if (place == NULL) {
            text[length++] = *action;
            continue;
        }
        length += (size_t)sprintf(text + length, "%s", place);
        action++;
    }
    text[length] = '\0';
}

size_t unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '\\' || from[1] == '\0') {
            *to++ = *from;
            continue;
        }
        from++;
        *to++ = *from == 'n' ? '\n' : *from == 'r' ? '\r' : *from == '0' ? '\0' : *from;
    }
    return (size_t)(to - text);
}

void keep_place(const char *line)
{
    must_match(line, "^[0-9]{1,5} [^ ]+\r?$");
    sscanf(line, "%15s %4095s", place_port, place_token);
}

static bool matches(const char *line, const char *pattern)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        end_with(WRONG_SCRIPT, "not a regular expression");
    bool found = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

void must_match(const char *line, const char *pattern)
{
    if (!matches(line, pattern))
        end_with(ACTION_FAILED, "heard '%s'", line);
}
