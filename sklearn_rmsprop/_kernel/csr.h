/* A linear model on compressed sparse rows: like dense.h, but a mini-batch only touches the coordinates it meets. */
#ifndef SKLEARN_RMSPROP_CSR_H
#define SKLEARN_RMSPROP_CSR_H

#include "step.h"

/* All of one coordinate in one cache line: side by side in arrays of their own, every visit would cost eight misses. (Half a
 * line for what every visit needs, and the rest elsewhere, was slower: the unit is needed too, which made two misses of
 * one. On a million columns an epoch took half as long again.)
 *
 * The published average needs no catching up. With the step table F of step.h (`kept`), A <- w + F(i-1)/F(i) * (A - w) is
 *     A = w + lead / F(i),   lead <- lead + F(i-1) * (w before - w after),
 * and a coordinate that stands still leaves `lead` as it is. Between calls of the kernel its place is taken by A. */
typedef struct {
    double coef, lead, square, inverse_unit, gradient_mean, velocity;
    uint32_t last; /* the step whose batch has met the feature last, or up to which all else is brought */
    uint32_t slot; /* the number of the feature among those that this batch has met; of its first target */
    double unused; /* fills the cache line */
} Coordinate;

/* What a batch takes down about a feature that it meets. */
typedef struct {
    uint32_t feature;
    uint32_t last; /* that of the coordinates, which says from now on that the batch has met them */
} Visit;

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
    /* The features met in this batch, by slot; the intercept is the first. Room for n_features + 2. */
    Visit *visits;
    ptrdiff_t n_visits;
    double *gradient; /* (slots, n_targets): side by side they stay in the first-level cache */
    uint32_t *slots;  /* of the entries of the rows in the last `forward`, in their order: `backward` needs no features */
} CSRModel;

typedef struct {
    /* z = x . w + intercept; takes down which features it meets. */
    void (*forward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, const Step *step, double *z);
    /* The rows must be those of the last `forward`. */
    void (*backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *residual);
    /* Predicts like `forward`, with coefficients of one's own, one per coordinate; takes nothing down. */
    void (*predict)(const CSRModel *model, const double *coef, const uint32_t *rows, ptrdiff_t n, double *z);
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
