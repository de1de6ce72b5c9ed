/* A linear model on compressed sparse rows: like dense.h, but a mini-batch only touches the coordinates it meets. */
#ifndef SKLEARN_RMSPROP_CSR_H
#define SKLEARN_RMSPROP_CSR_H

#include "step.h"

/* All of one coordinate in one cache line: side by side in arrays of their own, every visit would cost eight misses. */
typedef struct {
    double coef, average, square, gradient_mean, velocity, gradient, inverse_unit;
    int64_t last; /* the step this coordinate has seen last */
} Coordinate;

/* Coordinates are (n_features + 1) x n_targets as on dense rows, the intercept last. Columns are not centred: that
 * would touch all of them. */
typedef struct {
    const void *data;             /* float or double */
    const void *indices, *indptr; /* int32 or int64 */
    ptrdiff_t n_features, n_targets;
    const double *target_size; /* n_targets */
    Coordinate *coordinates;
    int64_t *touched; /* the features met in this batch; room for n_features */
    ptrdiff_t n_touched;
} CSRModel;

typedef struct {
    /* z = x . w + intercept, for the iterate and the published one; brings the coordinates it meets up to date. */
    void (*forward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, const Step *step, double *z,
                    double *z_published);
    void (*backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *residual);
    /* Weighted mean square of each column's entries that are not zero. `square` and `total`: n_features. */
    void (*mean_square)(const CSRModel *model, const uint32_t *rows, ptrdiff_t n, Sequence weight, double *square,
                        double *total);
} CSROperations;

extern const CSROperations csr_float_int32, csr_float_int64, csr_double_int32, csr_double_int64;

/* The update of what the batch has touched. */
void csr_step(CSRModel *model, const Step *step);

/* Brings every coordinate to step `i` and starts counting from 0 again. */
void csr_finish(CSRModel *model, const Plan *plan, int64_t i);

#endif
