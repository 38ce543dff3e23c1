/* samples: measured times, of which the median and the like are asked at the end. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    int64_t *values;
    size_t count;
    size_t capacity;
};

/* Dies when there is no memory. */
void samples_add(struct samples *samples, int64_t value);

/* The value that `percent` of all are not above; 100: the greatest. Sorts. 0 where there is none. */
int64_t samples_quantile(struct samples *samples, int percent);

void samples_free(struct samples *samples);

#endif
