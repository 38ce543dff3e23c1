/* sessions: what a client says to the principal, line by line: a request gets a number and a
 * token of its own, any other line `errtraitement`, and a line too long ends it all
 * (principal.c, conn.c). Each request is taken as passed on at once. */
#include "model.h"

#include "../../step4_client/principal.c"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void begin(void)
{
    static struct lab the_lab;
    static struct table table;

    if (lab != NULL)
        return;
    the_lab.table = &table;
    lab = &the_lab;
    CLAIM(token_open() == 0);
    conns_init(&conns, -1, DESCRIPTORS);
}

/* What the principal has just said, "" for nothing. */
static void hear(int fd, char said[LINE_ROOM])
{
    ssize_t count = recv(fd, said, LINE_LONGEST, MSG_DONTWAIT);

    said[count > 0 ? count : 0] = '\0';
}

static void check_line(struct conn *conn, const char *line, const char *said)
{
    bool is_request = matches(line, "^requetetype[12]( |$)");

    CLAIM(conn->state == (is_request ? CONN_WAITING : CONN_READING));
    if (!is_request) {
        CLAIM(strcmp(said, "errtraitement unknown request\n") == 0);
        return;
    }
    CLAIM(*said == '\0' && conn->request.number == atomic_load(&lab->table->last_request));
    CLAIM(matches(conn->request.token, "^[0-9a-f]{16}$"));
    conn_set_state(conn, CONN_READING);
}

/* What the principal has done must be what the next line of `stream` asks for. */
static void check_turn(struct conn *conn, struct stream *stream, const char *said)
{
    char line[LINE_ROOM];
    int why;

    switch (model_line(stream, line, &why)) {
    case LINE_READY:
        check_line(conn, line, said);
        break;
    case LINE_ERROR:
        CLAIM(conn->state == CONN_DRAINING);
        CLAIM(strcmp(said, "errtraitement line too long, or not text\n") == 0);
        break;
    default:
        CLAIM(conn->state == CONN_FREE && *said == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct stream stream = { bytes, size };
    struct conn *conn = &conns.conn[0];
    char said[LINE_ROOM];
    int ends[2];

    begin();
    connect_stream(ends, &stream);
    conn->fd = ends[0];
    line_reader_init(&conn->reader, conn->fd);
    conn_set_state(conn, CONN_READING);
    while (conn->state == CONN_READING) {
        read_client(conn);
        hear(ends[1], said);
        /* Else it was half a line. */
        if (conn->state != CONN_READING || *said != '\0')
            check_turn(conn, &stream, said);
    }
    conn_close(conn);
    CLAIM(close(ends[1]) == 0);
    return 0;
}
