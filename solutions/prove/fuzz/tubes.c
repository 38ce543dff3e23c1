/* tubes: what a secondary reads out of its dwtube, `TYPE NUMBER TOKEN`, is taken if it is as the
 * principal writes it, and nothing else is (request.c); and every answer fits in its line. */
#include "model.h"
#include "request.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_PATTERN "^requetetype[12] -?0*[0-9]{1,19} .{16}$"

/* As the principal would. */
static bool is_request(const char *line)
{
    errno = 0;
    (void)strtoll(line + strcspn(line, " "), NULL, 10);
    return matches(line, REQUEST_PATTERN) && errno == 0;
}

static void check_again(const struct request *request, const char *line)
{
    char written[LINE_ROOM];
    struct request again;

    CLAIM(strstr(line, request->token) != NULL && strlen(request->token) == TOKEN_ROOM - 1);
    (void)snprintf(written, sizeof written, "%s %lld %s", request_word(request->type),
                   request->number, request->token);
    CLAIM(request_parse(&again, written) == 0);
    CLAIM(again.type == request->type && again.number == request->number
          && strcmp(again.token, request->token) == 0);
}

static void check_answers(const char *text)
{
    static struct table table;
    char answer[LINE_ROOM];
    size_t i;

    request_answer(REQUEST_TYPE_1, text, &table, answer);
    for (i = 0; text[i] != '\0'; i++)
        CLAIM(answer[i] == (char)toupper((unsigned char)text[i]));
    CLAIM(answer[i] == '\0');
    request_answer(REQUEST_TYPE_2, text, &table, answer);
    CLAIM(matches(answer, "^servers 0 uptime_ms [0-9]+ requests 0 restarts 0$"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char line[LINE_ROOM];
    struct request request;
    bool is_taken;

    take_text(bytes, size, line);
    CLAIM((request_type_of(line) != REQUEST_UNKNOWN) == matches(line, "^requetetype[12]( |$)"));
    is_taken = request_parse(&request, line) == 0;
    CLAIM(is_taken == is_request(line));
    if (is_taken)
        check_again(&request, line);
    check_answers(line);
    return 0;
}
