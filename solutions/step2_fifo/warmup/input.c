/* See input.h. */
#include "input.h"

#include "journal.h"

#include <errno.h>
#include <unistd.h>

static void append(struct input *input, char byte)
{
    if (input->length == TEXT_ROOM - 1)
        input->too_long = true;
    else
        input->line[input->length++] = byte == '\0' ? '?' : byte;
}

static enum input_status finish(struct input *input)
{
    enum input_status status = input->too_long ? INPUT_TOO_LONG : INPUT_LINE;

    input->line[input->length] = '\0';
    input->length = 0;
    input->too_long = false;
    return status;
}

enum input_status input_take(struct input *input)
{
    char byte;
    ssize_t count = read(STDIN_FILENO, &byte, 1);

    if (count == -1 && errno != EAGAIN)
        die("read standard input");
    if (count == -1)
        return INPUT_MORE;
    if (count == 0)
        return input->length == 0 ? INPUT_END : finish(input);
    if (byte == '\n')
        return finish(input);
    append(input, byte);
    return INPUT_MORE;
}
