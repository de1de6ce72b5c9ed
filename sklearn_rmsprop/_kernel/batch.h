/* Around the loss of a chunk of rows: copy its targets and weights, weight the values, sum them. */
#ifndef SKLEARN_RMSPROP_BATCH_H
#define SKLEARN_RMSPROP_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

/* Rows that are predicted before their gradients are taken: few enough to be still in the first-level cache then, and one
 * default batch, for which loops are compiled with a constant length. 8 and 16 are slower; 64 and 128 gain only in longer
 * batches (docs/kernel_notes.md). */
enum { CHUNK = 32 };

/* How many rows ahead targets are prefetched, the first and the last of a row: one default batch. */
enum { TARGETS_AHEAD = 32 };

/* The targets: number (row, k) is at data[row * row_stride + k * column_stride]. column_stride is 1, or 0 where all columns of
 * coefficients share one column of targets. */
typedef struct {
    const double *data;
    ptrdiff_t row_stride, column_stride;
} Targets;

/* Copies targets and weights of the first `n` selected rows; prefetches targets up to `n_ahead`. `weight` is NULL where all
 * rows weigh the same. Here and below the loop over one target is written out: an inner loop of length 1 would dominate the
 * time on a table of one column. */
static inline void gather(const uint32_t *restrict rows, ptrdiff_t n, ptrdiff_t n_ahead, ptrdiff_t n_targets, Targets y,
                          const double *restrict weight, double *restrict y_chunk, double *restrict weight_chunk)
{
    const double *restrict data = y.data;
    if (weight != NULL)
        for (ptrdiff_t i = 0; i < n; i++)
            weight_chunk[i] = weight[rows[i]];
    const ptrdiff_t n_fetched = n + TARGETS_AHEAD < n_ahead ? n + TARGETS_AHEAD : n_ahead;
    const ptrdiff_t last = y.column_stride * (n_targets - 1);
    for (ptrdiff_t i = TARGETS_AHEAD; i < n_fetched; i++) {
        const double *of_row = data + (ptrdiff_t)rows[i] * y.row_stride;
        PREFETCH(of_row);
        if (last > 0)
            PREFETCH(of_row + last);
    }
    if (n_targets == 1 && y.row_stride == 1) {
        UNROLL(4) for (ptrdiff_t i = 0; i < n; i++)
            y_chunk[i] = data[rows[i]];
    } else {
        for (ptrdiff_t i = 0; i < n; i++, y_chunk += n_targets) {
            const double *restrict of_row = data + (ptrdiff_t)rows[i] * y.row_stride;
            if (y.column_stride == 1) {
                memcpy(y_chunk, of_row, (size_t)n_targets * sizeof *y_chunk);
            } else {
                const double shared = of_row[0];
                for (ptrdiff_t k = 0; k < n_targets; k++)
                    y_chunk[k] = shared;
            }
        }
    }
}

/* A sum in two independent halves, because each addition waits for the one before it. */
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

/* total[k] += the values of target k in all rows. */
static inline void add_rows(ptrdiff_t n, ptrdiff_t n_targets, const double *restrict values, double *restrict total)
{
    if (n_targets == 1) {
        total[0] += n == CHUNK ? sum_of(values, CHUNK) : sum_of(values, n);
    } else {
        for (ptrdiff_t i = 0; i < n; i++, values += n_targets) {
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++)
                total[k] += values[k];
        }
    }
}

/* Multiplies the values of each row by its weight. */
static inline void multiply_rows(ptrdiff_t n, ptrdiff_t n_targets, const double *restrict weight, double *restrict values)
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
