/* A linear model on compressed sparse rows: like dense.h, but a mini-batch reads and writes only the coordinates of features
 * that its rows contain ("visits" them). Updates are lazy: at its next visit a coordinate catches up on the steps
 * without one, mostly in closed form. */
#ifndef SKLEARN_RMSPROP_CSR_H
#define SKLEARN_RMSPROP_CSR_H

#include <stddef.h>
#include <stdint.h>

#include "step.h"

/* All numbers of one feature, from the start of a cache line on: in separate arrays, each would cost a cache miss per visit.
 * `numbers` has one array per Number, with a number for each target. So loops over targets read neighbouring numbers, and
 * the feature of a single target fills one line.
 *
 * The average needs no catching up. With F of step.h (`average_weight`), the update A <- w + F(i-1)/F(i) * (A - w) is
 *     A = w + weighted_deviation / F(i),   weighted_deviation <- weighted_deviation + F(i-1) * (w before - w after),
 * and a coordinate that does not move keeps its weighted_deviation. */
typedef struct {
    uint32_t last;       /* the last step that visited the feature, within the call */
    uint32_t slot;       /* the number of the feature among those that this batch has visited */
    double inverse_unit; /* 0 for a feature whose coefficients must not move */
    double penalty_unit; /* factor of the penalties */
    double numbers[];
} Feature;

enum Number { COEF, WEIGHTED_DEVIATION, SQUARE, GRADIENT_MEAN, VELOCITY, N_NUMBERS };

_Static_assert(sizeof(Feature) + N_NUMBERS * sizeof(double) == 64, "a feature of one target must fill a cache line");

/* The state of the L1 penalty of one feature: see dense.h. Likewise one array per L1Number. It is not part of Feature, because
 * with an L2 penalty alone it does not exist. */
enum L1Number { THRESHOLD, OFFSET, ACTIVE, N_L1_NUMBERS };

/* What a batch records about a feature that it visits. */
typedef struct {
    uint32_t feature;
    uint32_t last; /* its `last` before this batch */
} Visit;

/* The entries of a column, side by side, because each is a cache miss. While they are summed up, `mean` and `variance` are sums
 * of distances from `first`, an entry of the column, and of their squares: squares of the entries themselves would cancel
 * where a column is far from zero. */
typedef struct {
    double mean, variance, weight, first;
} EntryMoments;

/* Columns are not centred: that would touch all coordinates in each step.
 *
 * A penalty acts on a coordinate only when a batch visits it, and is divided by the probability that one does (in
 * `penalty_unit`), so that those of an epoch add up as on dense rows. Applying them in every step, by catching up, is not only
 * slow but wrong: without a visit the moving average decays, and the step size that the threshold grows by is then far from
 * that of the coordinate's gradient. */
typedef struct {
    const void *data;             /* float or double */
    const void *indices, *indptr; /* int32 or int64 */
    ptrdiff_t n_features, n_targets;
    const double *intercept_floor; /* n_targets: the `floor` of dense.h for the intercepts */
    const double *rate_factor;     /* n_targets: factors of the step sizes */
    const double *l1, *l2;         /* n_targets: the penalties in units of the gradient, over penalty_unit; NULL without any */
    void *features;                /* n_features + 1 times feature_bytes; the intercept is the last */
    double *l1_state;              /* (n_features + 1, N_L1_NUMBERS, n_targets), or NULL without an L1 penalty */
    Visit *visits;                 /* the features that this batch has visited, by slot; the intercept is the first */
    ptrdiff_t n_visits;
    double *gradient; /* (slots, n_targets): side by side they stay in the first-level cache */
    uint32_t *slots;  /* of the entries of the rows in the last `forward`, in their order; `backward` needs no indices */
} CSRModel;

/* The bytes of a feature, up to the next cache line. */
static inline ptrdiff_t feature_bytes(ptrdiff_t n_targets)
{
    const ptrdiff_t line = 64, bytes = (ptrdiff_t)(sizeof(Feature) + N_NUMBERS * (size_t)n_targets * sizeof(double));
    return (bytes + line - 1) / line * line;
}

static inline Feature *feature_at(const CSRModel *model, ptrdiff_t j, ptrdiff_t n_targets)
{
    return (Feature *)((char *)model->features + j * feature_bytes(n_targets));
}

typedef struct {
    /* z = x . w + intercept of the first `n` of `n_ahead` selected rows; records which features they visit. The later rows
     * come next and are prefetched. */
    void (*forward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, const Step *step, double *z);
    /* Adds the rows' residuals times features to the gradient; the rows must be those of the last `forward`. */
    void (*backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *residual);
    /* Predicts like `forward` with other coefficients, (n_features + 1, n_targets), and records nothing. */
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
