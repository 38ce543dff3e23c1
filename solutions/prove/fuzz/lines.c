/* lines: the line reader (line.c) gives the same lines and the same error at the end of them,
 * in whatever pieces the bytes come. The first byte of an input chooses the pieces. */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Many small pieces, some that fill the reader. */
static size_t choose_piece(unsigned *chance, size_t left)
{
    size_t piece;

    *chance = *chance * 1103515245u + 12345u;
    piece = 1 + (*chance >> 16) % (2u << (*chance >> 26) % 10);
    return piece < left ? piece : left;
}

/* Sends the next piece, or closes when there is none. Returns the descriptor, -1 if closed. */
static int send_piece(int fd, struct stream *unsent, unsigned *chance)
{
    size_t piece = choose_piece(chance, unsent->size);

    if (fd == -1)
        return -1;
    if (piece == 0) {
        CLAIM(close(fd) == 0);
        return -1;
    }
    CLAIM(write(fd, unsent->bytes, piece) == (ssize_t)piece);
    unsent->bytes += piece;
    unsent->size -= piece;
    return fd;
}

/* Returns true if there may be another line. */
static bool compare_line(enum line_status status, const char *line, struct stream *model)
{
    char expected[LINE_ROOM];
    int error = errno;
    int why;

    CLAIM(status == model_line(model, expected, &why));
    CLAIM(status != LINE_ERROR || error == why);
    CLAIM(status != LINE_READY || strcmp(line, expected) == 0);
    return status == LINE_READY;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    unsigned chance = size > 0 ? bytes[0] : 0;
    struct stream unsent = { bytes + (size > 0), size - (size > 0) };
    struct stream model = unsent;
    struct line_reader reader;
    char line[LINE_ROOM];
    bool goes_on = true;
    int ends[2];

    CLAIM(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) != -1);
    line_reader_init(&reader, ends[0]);
    while (goes_on) {
        bool is_waiting = line_is_waiting(&reader);
        enum line_status status = line_read(&reader, line);

        CLAIM(!is_waiting || status == LINE_READY || status == LINE_ERROR);
        if (status == LINE_NONE)
            ends[1] = send_piece(ends[1], &unsent, &chance);
        else
            goes_on = compare_line(status, line, &model);
    }
    if (ends[1] != -1)
        CLAIM(close(ends[1]) == 0);
    CLAIM(close(ends[0]) == 0);
    return 0;
}
