/* See request.h. */
#include "request.h"

#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum request_type type;
    const char *word;
} words[] = {
    { REQUEST_TYPE_1, "requetetype1" },
    { REQUEST_TYPE_2, "requetetype2" },
};

enum { WORDS = sizeof words / sizeof words[0] };

enum request_type request_type_of(const char *line)
{
    size_t length = strcspn(line, " ");

    for (int i = 0; i < WORDS; i++)
        if (length == strlen(words[i].word) && strncmp(line, words[i].word, length) == 0)
            return words[i].type;
    return REQUEST_UNKNOWN;
}

const char *request_word(enum request_type type)
{
    for (int i = 0; i < WORDS; i++)
        if (words[i].type == type)
            return words[i].word;
    return "unknown";
}

int request_parse(struct request *request, const char *line)
{
    const char *number = line + strcspn(line, " ") + 1;
    char *token;
    long long value;

    request->type = request_type_of(line);
    /* Without a space there is no number; strtoll(3) would take blanks before one. */
    if (request->type == REQUEST_UNKNOWN || number[-1] == '\0'
        || strchr("-0123456789", *number) == NULL)
        return -1;
    errno = 0;
    value = strtoll(number, &token, 10);
    if (errno != 0 || *token++ != ' ' || strlen(token) != TOKEN_ROOM - 1)
        return -1;
    request->number = value;
    memcpy(request->token, token, TOKEN_ROOM);
    return 0;
}

static void describe_system(const struct table *table, char answer[LINE_ROOM])
{
    int servers = 0;
    int restarts = 0;
    long long requests = 0;

    for (int number = 0; number <= MAX_SECONDARIES; number++) {
        const struct slot *slot = &table->slot[number];

        if (slot_state(slot) != SERVER_ABSENT)
            servers++;
        restarts += slot_restarts(slot);
        requests += atomic_load(&slot->requests_done);
    }
    (void)snprintf(answer, LINE_ROOM, "servers %d uptime_ms %" PRId64 " requests %lld restarts %d",
                   servers, clock_ms() - table->started_ms, requests, restarts);
}

void request_answer(enum request_type type, const char *text, const struct table *table,
                    char answer[LINE_ROOM])
{
    size_t i;

    if (type == REQUEST_TYPE_2) {
        describe_system(table, answer);
        return;
    }
    for (i = 0; i < LINE_LONGEST && text[i] != '\0'; i++)
        answer[i] = (char)toupper((unsigned char)text[i]);
    answer[i] = '\0';
}
