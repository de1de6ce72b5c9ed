/* A linear model on compressed sparse rows: like dense.h, but a mini-batch reads and writes only the coordinates of features
 * that its rows contain ("visits" them). Updates are lazy: at its next visit a coordinate catches up on the steps
 * without one, mostly in closed form. */
#ifndef SKLEARN_RMSPROP_CSR_H
#define SKLEARN_RMSPROP_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "step.h"

/* All numbers of one coordinate, in one cache line: in separate arrays, each would cost a cache miss per visit. Half a
 * line for what every visit needs and the rest elsewhere was slower: each visit needs the unit too, which makes two misses.
 *
 * The average needs no catching up. With F of step.h (`average_weight`), the update A <- w + F(i-1)/F(i) * (A - w) is
 *     A = w + weighted_deviation / F(i),   weighted_deviation <- weighted_deviation + F(i-1) * (w before - w after),
 * and a coordinate that does not move keeps its weighted_deviation. */
typedef struct {
    double coef, weighted_deviation, square, gradient_mean, velocity;
    double inverse_unit; /* 0 for a coordinate that must not move */
    double step_unit;    /* inverse_unit times the factor of its target's step sizes */
    uint32_t last;       /* the last step that visited the feature, within the call; stored with its first target */
    uint32_t slot;       /* the number of the feature among those that this batch has visited; likewise */
} Coordinate;

_Static_assert(sizeof(Coordinate) == 64, "a coordinate must fill a cache line");

/* What a batch records about a feature that it visits. */
typedef struct {
    uint32_t feature;
    uint32_t last; /* the `last` of its coordinate before this batch */
} Visit;

/* The penalties on a coordinate and their state: see dense.h. A penalty acts on a coordinate only when a batch visits it, and
 * is divided by the probability that one does, so that those of an epoch add up as on dense rows. Applying them in every
 * step, by catching up, is not only slow but wrong: without a visit the moving average decays, and the step size that the
 * threshold grows by is then far from that of the coordinate's gradient. */
typedef struct {
    double l1, l2, threshold, offset, active;
} Penalty;

/* The entries of a column, side by side, because each is a cache miss. While they are summed up, `mean` and `variance` are sums
 * of distances from `first`, an entry of the column, and of their squares: squares of the entries themselves would cancel
 * where a column is far from zero. */
typedef struct {
    double mean, variance, weight, first;
} EntryMoments;

/* Coordinates are (n_features + 1) x n_targets as on dense rows, the intercept last. Columns are not centred: that would touch
 * all coordinates in each step. */
typedef struct {
    const void *data;             /* float or double */
    const void *indices, *indptr; /* int32 or int64 */
    ptrdiff_t n_features, n_targets;
    const double *intercept_floor; /* n_targets: the `floor` of dense.h for the intercepts */
    Coordinate *coordinates;
    Penalty *penalties; /* one per coordinate, or NULL */
    Visit *visits;      /* the features that this batch has visited, by slot; the intercept is the first */
    ptrdiff_t n_visits;
    double *gradient; /* (slots, n_targets): side by side they stay in the first-level cache */
    uint32_t *slots;  /* of the entries of the rows in the last `forward`, in their order; `backward` needs no indices */
} CSRModel;

typedef struct {
    /* z = x . w + intercept of the first `n` of `n_ahead` selected rows; records which features they visit. The later rows
     * come next and are prefetched. */
    void (*forward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, const Step *step, double *z);
    /* Adds the rows' residuals times features to the gradient; the rows must be those of the last `forward`. */
    void (*backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *residual);
    /* Predicts like `forward` with other coefficients, one per coordinate; records nothing. */
    void (*predict)(const CSRModel *model, const double *coef, const uint32_t *rows, ptrdiff_t n, double *z);
    /* Weighted moments of each column's entries that are not zero: n_features. `weight` has a number per row of the data, or
     * is NULL. */
    void (*moments)(const CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *weight, EntryMoments *moments);
} CSROperations;

extern const CSROperations csr_float_int32, csr_float_int64, csr_double_int32, csr_double_int64;

/* Updates what the batch has visited, and sets the gradient to zero. */
void csr_step(CSRModel *model, const Step *step);

/* Begins a call of the kernel. `factor` turns A - w into weighted_deviation (average_weight), or is 1 if that is already done. */
void csr_start(CSRModel *model, double factor);

/* Ends a call of `i` steps: brings every coordinate to its last step. */
void csr_finish(CSRModel *model, const StepPlan *plan, int64_t i);

#endif
