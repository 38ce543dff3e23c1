/* model: what the fuzz targets have in common.
 *
 * A target is one function, which libFuzzer calls with bytes of its own invention, thousands
 * of times a second. It gives them to a part of the system, and says by CLAIM what must
 * hold. A target that is true to the name compares with a second, simpler way to find the same
 * answer: here the next line of a stream that is all in memory, and POSIX's regular expressions.
 */
#ifndef MODEL_H
#define MODEL_H

#include "line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Ends the process, which libFuzzer reports as a finding, if `condition` does not hold. */
#define CLAIM(condition) ((condition) ? (void)0 : claim_failed(#condition, __FILE__, __LINE__))
_Noreturn void claim_failed(const char *condition, const char *file, int line);

/* Bytes that somebody sends, and then closes. */
struct stream {
    const uint8_t *bytes;
    size_t size;
};

/* Takes the next line off `stream`. What line_read() must come to, however the bytes are cut,
 * except that there is no LINE_NONE. `*why` is the error that it must tell. */
enum line_status model_line(struct stream *stream, char line[LINE_ROOM], int *why);

/* True if the extended regular expression `pattern` matches in `line`. */
bool matches(const char *line, const char *pattern);

/* Copies bytes to `line` up to what ends a line, or up to its longest. */
void take_text(const uint8_t *bytes, size_t size, char line[LINE_ROOM]);

/* A connected pair, the first end O_NONBLOCK, as that of a server or client is; the second
 * end has sent `stream` and said that no more comes. */
void connect_stream(int ends[2], const struct stream *stream);

#endif
