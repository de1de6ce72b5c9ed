/* A linear model on compressed sparse rows: like dense.h, but a mini-batch only touches the coordinates it meets. */
#ifndef SKLEARN_RMSPROP_CSR_H
#define SKLEARN_RMSPROP_CSR_H

#include "step.h"

/* All of one coordinate in one cache line: side by side in arrays of their own, every visit would cost eight misses.
 *
 * The published average needs no catching up. With the step table F of step.h (`kept`), A <- w + F(i-1)/F(i) * (A - w) is
 *     A = w + lead / F(i),   lead <- lead + F(i-1) * (w before - w after),
 * and a coordinate that stands still leaves `lead` as it is. Between calls of the kernel its place is taken by A. */
typedef struct {
    double coef, lead, square, gradient_mean, velocity, gradient, inverse_unit;
    uint32_t last; /* the step up to which the moving averages and the velocity are brought */
    uint32_t mark; /* the step whose batch has met this coordinate last */
} Coordinate;

/* The penalties on a coordinate and what they have done to it: see dense.h. A coordinate that no batch meets stands still
 * here, too: its penalties are those of the objective divided by the probability that a batch meets it, so that they add
 * up to the same. (To shrink it in every step, as if met, is not only slow but wrong: while it is not met its moving average
 * decays, and the step size that the threshold would grow by is far from that of its gradient. The optimum was missed by
 * half.) */
typedef struct {
    double l1, l2, threshold, offset, active;
} Penalty;

/* Coordinates are (n_features + 1) x n_targets as on dense rows, the intercept last. Columns are not centred: that
 * would touch all of them. */
typedef struct {
    const void *data;             /* float or double */
    const void *indices, *indptr; /* int32 or int64 */
    ptrdiff_t n_features, n_targets;
    const double *intercept_floor; /* n_targets: as in dense.h */
    Coordinate *coordinates;
    Penalty *penalties; /* one per coordinate, or NULL */
    int64_t *touched; /* the features met in this batch; room for n_features + 1 */
    ptrdiff_t n_touched;
} CSRModel;

typedef struct {
    /* z = x . w + intercept, for the iterate and the published one; takes down which features it meets. */
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

/* Begins a call: from the average to `lead`. */
void csr_start(CSRModel *model, const Plan *plan);

/* Ends a call of `i` steps: brings every coordinate there, goes back to the average, and to counting from 0. */
void csr_finish(CSRModel *model, const Plan *plan, int64_t i);

#endif
