/* See samples.h. */
#include "samples.h"

#include "journal.h"

#include <stdlib.h>

void samples_add(struct samples *samples, int64_t value)
{
    if (samples->count == samples->capacity) {
        size_t capacity = samples->capacity == 0 ? 64 : 2 * samples->capacity;
        int64_t *values = realloc(samples->values, capacity * sizeof *values);

        if (values == NULL)
            die("keep %zu samples", capacity);
        samples->values = values;
        samples->capacity = capacity;
    }
    samples->values[samples->count++] = value;
}

static int compare(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

int64_t samples_quantile(struct samples *samples, int percent)
{
    size_t rank = (samples->count * (size_t)percent + 99) / 100;

    if (samples->count == 0)
        return 0;
    qsort(samples->values, samples->count, sizeof *samples->values, compare);
    return samples->values[rank == 0 ? 0 : rank - 1];
}

void samples_free(struct samples *samples)
{
    free(samples->values);
    *samples = (struct samples){ 0 };
}
