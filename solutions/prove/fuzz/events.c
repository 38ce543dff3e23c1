/* events: whatever stands in an event, the journal has one line more, of text alone (journal.c). */
#include "journal.h"
#include "model.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_LINE = 4096, LONGEST_EVENT = 8192 };

static int ends[2] = { -1, -1 };

static void begin(void)
{
    if (ends[0] != -1)
        return;
    CLAIM(pipe(ends) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) != -1);
    journal_init("secondary2", false);
    journal_send_to(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char event[LONGEST_EVENT] = "";
    char line[LONGEST_EVENT];
    const char *shown;
    ssize_t count;

    begin();
    if (size >= sizeof event)
        return 0;
    memcpy(event, bytes, size);
    journal("%s", event);
    count = read(ends[0], line, sizeof line - 1);
    CLAIM(count > 0 && count <= LONGEST_LINE && line[count - 1] == '\n');
    line[count - 1] = '\0';
    CLAIM(matches(line, "^[0-9]+\\.[0-9]{6} secondary2\\[[0-9]+\\] "));
    shown = strchr(line, ']') + 2;
    CLAIM(strlen(shown) == strlen(event) || (strlen(event) > strlen(shown) && count > LONGEST_LINE - 3));
    for (size_t i = 0; shown[i] != '\0'; i++) {
        unsigned char byte = (unsigned char)event[i];
        bool is_c1 = i > 0 && (unsigned char)event[i - 1] == 0xc2 && byte >= 0x80 && byte <= 0x9f;
        bool is_text = byte >= 0x20 && byte != 0x7f && !is_c1;

        CLAIM(shown[i] == (is_text ? event[i] : '?'));
    }
    return 0;
}
