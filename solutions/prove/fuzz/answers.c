/* answers: what a client makes of the words of servers that say anything (client.c). An even
 * first byte of an input: the rest is what the principal says; odd: what the secondary says. */
#include "model.h"

int client_main(int argc, char *argv[]);

#define main client_main
#include "../../step4_client/client.c"
#undef main

/* The principal's word must be a port and a token, and what is one must be taken for it. */
static void hear_place(struct stream stream)
{
    char line[LINE_ROOM];
    char token[LINE_ROOM];
    int why;
    int port = 0;
    int ends[2];
    bool is_line;
    bool is_taken;

    connect_stream(ends, &stream);
    principal.fd = ends[0];
    line_reader_init(&principal.reader, principal.fd);
    is_taken = ask_principal("requetetype1 hello", &port, token);
    is_line = model_line(&stream, line, &why) == LINE_READY;
    if (is_taken) {
        CLAIM(is_line && port >= 1 && port <= 65535 && *token != '\0');
        CLAIM(strlen(line) > strlen(token)
              && strcmp(line + strlen(line) - strlen(token), token) == 0);
        CLAIM(atoi(line) == port);
    } else {
        CLAIM(!is_line || !matches(line, "^[1-9][0-9]{0,3} ."));
    }
    talk_close(&principal);
    CLAIM(close(ends[1]) == 0);
}

/* The next line of `stream` is the word that `pattern` begins with. */
static bool comes(struct stream *stream, const char *pattern, char line[LINE_ROOM])
{
    int why;

    return model_line(stream, line, &why) == LINE_READY && matches(line, pattern);
}

/* The result is the secondary's, if all three lines have come. */
static void hear_result(struct stream stream)
{
    struct talk secondary;
    char line[LINE_ROOM];
    char result[LINE_ROOM];
    bool is_whole;
    int ends[2];

    connect_stream(ends, &stream);
    secondary.fd = ends[0];
    line_reader_init(&secondary.reader, secondary.fd);
    *result = '\0';
    is_whole = be_served(&secondary, "requetetype1 hello", "4fd6ca66639ea683", result);
    CLAIM(is_whole == (comes(&stream, "^debuttraitement( |$)", line)
                       && comes(&stream, "^resultat( |$)", line)
                       && (!is_whole || strcmp(result, line[8] == ' ' ? line + 9 : "") == 0)
                       && comes(&stream, "^fintraitement( |$)", line)));
    talk_close(&secondary);
    CLAIM(close(ends[1]) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    journal_send_to(-1);
    if (bytes[0] % 2 == 0)
        hear_place((struct stream){ bytes + 1, size - 1 });
    else
        hear_result((struct stream){ bytes + 1, size - 1 });
    return 0;
}
