/* input: lines from standard input, without waiting for a whole one.
 *
 * One byte at a time: slow, and simple. Nothing is ever read ahead, so pselect(2), which knows
 * nothing of what a program has in its buffers, tells the truth. (With fgets(3) it would not.)
 */
#ifndef INPUT_H
#define INPUT_H

#include "message.h"

#include <stdbool.h>
#include <stddef.h>

enum input_status {
    INPUT_MORE,     /* no whole line yet */
    INPUT_LINE,     /* input->line is one, without its newline */
    INPUT_TOO_LONG, /* one has ended that no message can carry; it was thrown away */
    INPUT_END
};

struct input { /* all zero at the beginning */
    char line[TEXT_ROOM];
    size_t length;
    bool too_long;
};

/* Takes one byte; waits if there is none. A zero byte, which no string can hold, becomes a `?`. */
enum input_status input_take(struct input *input);

#endif
