/* numbers: an option's value is taken if it is decimal digits alone, and a number from the least to the
 * most that may be (options.c). The first two bytes of an input choose these two. */
#include "model.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf refused;
static FILE *nowhere;

/* Wrong usage ends the program, with its reason on standard error. Not here. */
_Noreturn static void leave(int status)
{
    longjmp(refused, status);
}

#define exit leave
#undef stderr
#define stderr nowhere
#include "../../step4_client/options.c"
#undef exit

/* The value of `text`, -1 if it is none. Larger ones than a number can be are all the same. */
static long model_number(const char *text)
{
    long value = 0;

    if (*text == '\0')
        return -1;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return -1;
        if (value < 100000000000)
            value = value * 10 + (*text - '0');
    }
    return value;
}

/* Returns true if the option's value is taken, and stores it. */
static bool takes(const char *text, long min, long max, long *value)
{
    if (setjmp(refused) != 0)
        return false;
    *value = parse_number('n', text, min, max);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const long least[] = { 0, 1, 16 };
    static const long most[] = { 64, 65535, 1000000, 3600000 };
    char text[LINE_ROOM];
    long value = -1;
    long min;
    long max;
    long model;

    if (size < 2 || (nowhere == NULL && (nowhere = fopen("/dev/null", "w")) == NULL))
        return 0;
    options_init("fuzz", "usage\n");
    min = least[bytes[0] % 3];
    max = most[bytes[1] % 4];
    take_text(bytes + 2, size - 2, text);
    model = model_number(text);
    CLAIM(takes(text, min, max, &value) == (model >= min && model <= max));
    CLAIM(value == -1 || value == model);
    return 0;
}
