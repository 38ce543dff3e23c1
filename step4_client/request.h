/* request: the requests that clients may make, and how a secondary answers each.
 *
 *     client to principal       requetetype1              or requetetype2
 *     principal to client       2224 TOKEN                the port of a secondary
 *     client to secondary       TOKEN hello               on a connection of its own
 *     secondary to client       debuttraitement           the work begins
 *                               resultat HELLO
 *                               fintraitement             and the connection ends
 *     either of them, instead   errtraitement REASON
 *
 *     principal to secondary    requetetype1 17 TOKEN     by dwtubeK; 17 is its number
 *     secondary to principal    debuttraitement 17        by wdtubeK
 *                               fintraitement 17          or errtraitement 17 REASON
 */
#ifndef REQUEST_H
#define REQUEST_H

#include "line.h"
#include "table.h"
#include "token.h"

enum request_type { REQUEST_UNKNOWN, REQUEST_TYPE_1, REQUEST_TYPE_2 };

struct request {
    enum request_type type;
    long long number;       /* the principal counts them */
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
