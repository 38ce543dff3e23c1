/* visits: who comes to a secondary is served if his first line begins with a token that the
 * principal has announced, and nobody is a second time (secondary.c, conn.c). */
#include "model.h"

#include "../../step4_client/secondary.c"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char token[] = "4fd6ca66639ea683";

/* A secondary whose principal says nothing, and is told into the void. */
static void begin(void)
{
    static struct lab the_lab;
    static struct table table;
    static struct channel silent;
    int ends[2];

    if (channel != NULL)
        return;
    CLAIM(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) != -1);
    silent.in = ends[0];
    silent.out = open("/dev/null", O_WRONLY);
    CLAIM(silent.out != -1);
    the_lab.table = &table;
    lab = &the_lab;
    slot = &table.slot[1];
    channel = &silent;
    line_reader_init(&reader, silent.in);
    conns_init(&conns, -1, DESCRIPTORS);
}

/* The visitor's line, if it begins with the token; then `*text` is what follows. */
static bool is_invited(struct stream stream, char line[LINE_ROOM], const char **text)
{
    size_t length = strlen(token);
    int why;

    if (model_line(&stream, line, &why) != LINE_READY || strncmp(line, token, length) != 0
        || (line[length] != '\0' && line[length] != ' '))
        return false;
    *text = line[length] == ' ' ? line + length + 1 : "";
    return true;
}

/* Somebody comes with these words. Returns true if he is to be served: if they begin with the token, and
 * it is known still. */
static bool visit(const struct stream *stream, bool is_known)
{
    struct conn *conn = &conns.conn[0];
    char line[LINE_ROOM];
    const char *text = "";
    bool is_welcome = is_invited(*stream, line, &text) && is_known;
    int ends[2];

    connect_stream(ends, stream);
    conn->fd = ends[0];
    line_reader_init(&conn->reader, conn->fd);
    conn_set_state(conn, CONN_READING);
    while (conn->state == CONN_READING)
        read_client(conn);
    CLAIM((conn->state == CONN_WAITING) == is_welcome);
    CLAIM(!is_welcome || (conn->request.number == 7 && strcmp(conn->text, text) == 0));
    conn_close(conn);
    CLAIM(close(ends[1]) == 0);
    return is_welcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct stream stream = { bytes, size };
    bool was_welcome;

    begin();
    expected[0] = (struct request){ .type = REQUEST_TYPE_1, .number = 7 };
    memcpy(expected[0].token, token, sizeof token);
    was_welcome = visit(&stream, true);
    (void)visit(&stream, !was_welcome);
    return 0;
}
