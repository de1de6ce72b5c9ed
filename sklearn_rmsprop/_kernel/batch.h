/* What surrounds the loss on a few rows: fetch their targets and weights, and weigh what the loss returns. */
#ifndef SKLEARN_RMSPROP_BATCH_H
#define SKLEARN_RMSPROP_BATCH_H

#include <string.h>

#include "compiler.h"
#include "step.h"

/* Rows predicted before their gradients are taken: few enough that they are still in the cache then. */
enum { CHUNK = 32 };

enum { TARGETS_AHEAD = 32 };

/* The targets and weights of the first `n` of the `n_ahead` rows named, side by side; one weight for all rows is left to
 * the step. The loops over one target are written out, here and below: with an inner loop of length 1 they took longer than
 * all else on a table of one column. */
static inline void gather(const uint32_t *restrict rows, ptrdiff_t n, ptrdiff_t n_ahead, ptrdiff_t n_targets,
                          const double *restrict y, Sequence weight, double *restrict y_chunk,
                          double *restrict weight_chunk)
{
    if (weight.stride != 0)
        for (ptrdiff_t i = 0; i < n; i++)
            weight_chunk[i] = at(weight, rows[i]);
    const ptrdiff_t n_fetched = n + TARGETS_AHEAD < n_ahead ? n + TARGETS_AHEAD : n_ahead;
    if (n_targets == 1) {
        for (ptrdiff_t i = TARGETS_AHEAD; i < n_fetched; i++)
            PREFETCH(y + rows[i]);
        UNROLL(4) for (ptrdiff_t i = 0; i < n; i++)
            y_chunk[i] = y[rows[i]];
    } else {
        for (ptrdiff_t i = TARGETS_AHEAD; i < n_fetched; i++)
            PREFETCH(y + (size_t)rows[i] * (size_t)n_targets);
        for (ptrdiff_t i = 0; i < n; i++)
            memcpy(y_chunk + i * n_targets, y + (size_t)rows[i] * (size_t)n_targets, (size_t)n_targets * sizeof(double));
    }
}

/* A sum in two halves side by side, because each addition waits for the one before it. */
static ALWAYS_INLINE double sum_of(const double *values, ptrdiff_t n)
{
    double first = 0, second = 0;
    const ptrdiff_t half = n / 2;
#pragma omp simd reduction(+ : first, second)
    for (ptrdiff_t i = 0; i < half; i++) {
        first += values[i];
        second += values[half + i];
    }
    return first + second + (n % 2 ? values[n - 1] : 0);
}

/* total += loss, per target. The loop over one target is written out here too. */
static inline void add_up(ptrdiff_t n, ptrdiff_t n_targets, const double *restrict loss, double *restrict total)
{
    if (n_targets == 1) {
        total[0] += n == CHUNK ? sum_of(loss, CHUNK) : sum_of(loss, n);
    } else {
        for (ptrdiff_t i = 0; i < n; i++, loss += n_targets) {
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++)
                total[k] += loss[k];
        }
    }
}

/* Multiply the values of each row by its weight. */
static inline void weigh(ptrdiff_t n, ptrdiff_t n_targets, const double *restrict weight, double *restrict values)
{
    if (n_targets == 1) {
#pragma omp simd
        for (ptrdiff_t i = 0; i < n; i++)
            values[i] *= weight[i];
    } else {
        for (ptrdiff_t i = 0; i < n; i++, values += n_targets) {
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++)
                values[k] *= weight[i];
        }
    }
}

#endif
