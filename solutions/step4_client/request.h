/* request: the requests that clients may make, and how a secondary answers each.
 *
 * The protocol, line by line, is in the handout of this step.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "line.h"
#include "table.h"
#include "token.h"

enum request_type { REQUEST_UNKNOWN, REQUEST_TYPE_1, REQUEST_TYPE_2 };

struct request {
    enum request_type type;
    int number;             /* the principal counts them */
    char token[TOKEN_ROOM];
};

/* The type that the first word of `line` names, or REQUEST_UNKNOWN. */
enum request_type request_type_of(const char *line);

/* The word for it on the wire. */
const char *request_word(enum request_type type);

/* Reads `TYPE NUMBER TOKEN`, as the principal writes it into a dwtube.
 * Returns 0, or -1 if `line` is anything else. */
int request_parse(struct request *request, const char *line);

/* Stores the answer to a request of type `type` with the client's `text`: the text in
 * upper case, or a line about the system out of the table. */
void request_answer(enum request_type type, const char *text, const struct table *table,
                    char answer[LINE_ROOM]);

#endif
