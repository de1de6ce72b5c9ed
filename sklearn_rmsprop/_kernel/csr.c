/* The sparse operations: the update of coordinates, and their catching up on steps without a visit. */
#include "csr.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler.h"

/* ROWS_AHEAD: rows between the stages of `fetch` (2 to 8 are equally good; with 12, features come too early for a million
 * columns). ENTRIES_AHEAD: entries between prefetching the moments of a column and adding to them. LINES: cache lines that are
 * prefetched without asking how long a row is: 32 values of 8 bytes lie in 4 lines, or 5 if they begin within one. BLOCK:
 * coordinates whose square roots and divisions are computed together: three arrays of so many numbers stay in the first-level
 * cache. docs/kernel_notes.md has the measurements. */
enum { ROWS_AHEAD = 5, ENTRIES_AHEAD = 24, LINE_BYTES = 64, LINES = 5, BLOCK = 64 };

/* LANES adjacent numbers, at any alignment; one where the compiler knows no vectors. */
#ifdef VECTOR
typedef double Lanes VECTOR(double);
enum { LANES = VECTOR_BYTES / sizeof(double) };
#else
typedef double Lanes;
enum { LANES = 1 };
#endif

/* Targets are worked on in panels of up to MOST_VECTORS vectors, whose sums stay in registers; fewer targets than a vector
 * holds, one by one. */
enum { MOST_VECTORS = 2 };

static ALWAYS_INLINE int in_panels(ptrdiff_t n_targets) { return n_targets > 1 && n_targets >= LANES; }

static ALWAYS_INLINE const Lanes *lanes(const double *values) { return (const Lanes *)values; }

static ALWAYS_INLINE Lanes *lanes_to(double *values) { return (Lanes *)values; }

/* Where the panel of one vector begins that holds target `first` on: the last one ends with the last target, so that it may
 * overlap with the one before. */
static ALWAYS_INLINE ptrdiff_t last_panel(ptrdiff_t first, ptrdiff_t n_targets)
{
    return first + LANES <= n_targets ? first : n_targets - LANES;
}

/* Prefetches a part of an array. The first LINES lines need no branch: the end of a loop over the lines of a usual row would
 * be mispredicted. */
static ALWAYS_INLINE void fetch_lines(const void *start, const void *stop)
{
    const ptrdiff_t last = (const char *)stop - (const char *)start - 1;
    for (ptrdiff_t q = 0; q < LINES * LINE_BYTES; q += LINE_BYTES)
        PREFETCH((const char *)start + (q < last ? q : last));
    for (ptrdiff_t q = LINES * LINE_BYTES; q <= last; q += LINE_BYTES)
        PREFETCH((const char *)start + q);
}

/* Below, `c` points to the coefficient of a coordinate, and `p` to its threshold, or is NULL without an L1 penalty. Its other
 * numbers are multiples of n_targets further on. */

static ALWAYS_INLINE double *l1_state_of(const CSRModel *model, ptrdiff_t j, ptrdiff_t n_targets)
{
    return model->l1_state == NULL ? NULL : model->l1_state + j * N_L1_NUMBERS * n_targets;
}

/* Moves a coefficient by -distance in step t of the fit; `weight` is the average_weight before the step. */
static ALWAYS_INLINE void move(double *c, double *p, ptrdiff_t n_targets, double distance, double weight, double t)
{
    if (p != NULL) {
        const double threshold = p[THRESHOLD * n_targets], active = p[ACTIVE * n_targets];
        const double before = c[COEF * n_targets], sum = before + p[OFFSET * n_targets] - distance;
        const double offset = sum < -threshold ? -threshold : sum > threshold ? threshold : sum, after = sum - offset;
        p[OFFSET * n_targets] = offset;
        c[COEF * n_targets] = after;
        p[ACTIVE * n_targets] = ((before != 0) | (after != 0)) ? t : active;
        distance = before - after;
    } else {
        c[COEF * n_targets] -= distance;
    }
    c[WEIGHTED_DEVIATION * n_targets] += weight * distance;
}

/* The product of the decays from the end of step `a` to the end of one fixed step: factor * table[a * direction]. Constant and
 * varying decays have tables of their own (step.h); this needs one look-up per coordinate instead of three. */
typedef struct {
    const double *table;
    ptrdiff_t direction;
    double factor;
} DecaySince;

static ALWAYS_INLINE DecaySince decay_until(const StepPlan *plan, int64_t i)
{
    if (plan->decay_power == NULL)
        return (DecaySince){plan->inverse_decay_product, 1, plan->decay_product[i]};
    return (DecaySince){plan->decay_power + i, -1, 1};
}

static ALWAYS_INLINE double decay_since(DecaySince decay, uint32_t a)
{
    return decay.factor * decay.table[(ptrdiff_t)a * decay.direction];
}

/* -1, 0 or 1: below, within or above the values that the threshold maps to a coefficient of zero. */
static ALWAYS_INLINE int side(double value, double threshold)
{
    return (value > threshold) - (value < -threshold);
}

/* Catches up on steps last + 1, ..., i without a visit when there is momentum: the coordinate moves on until its velocity is
 * spent. In closed form, unless it enters or leaves the values that L1 maps to zero on the way: then step by step. */
static void move_by_momentum(double *c, double *p, ptrdiff_t n_targets, double step_unit, const StepPlan *plan,
                             uint32_t last, uint32_t i)
{
    const double *power = plan->momentum_power;
    const double velocity = step_unit * c[VELOCITY * n_targets], shrunk = power[i - last];
    if (velocity == 0)
        return;
    const double distance = velocity * (plan->momentum_travel[last] - shrunk * plan->momentum_travel[i]);
    const double weighted = velocity * (plan->weighted_travel[last] - shrunk * plan->weighted_travel[i]);
    c[VELOCITY * n_targets] *= shrunk;
    if (p != NULL) {
        const double threshold = p[THRESHOLD * n_targets];
        const double from = c[COEF * n_targets] + p[OFFSET * n_targets], to = from - distance;
        const int side_before = side(from, threshold), side_after = side(to, threshold);
        if (side_before != side_after && threshold != 0) {
            for (uint32_t step = last; step < i && power[step + 1 - last] != 0; step++)
                move(c, p, n_targets, plan->rate[step] * power[step + 1 - last] * velocity, average_weight(plan, step),
                     plan->steps_before + step + 1);
            return;
        }
        if (side_before == 0 && threshold != 0) {
            p[OFFSET * n_targets] = to;
            return;
        }
        p[ACTIVE * n_targets] = plan->steps_before + i;
    }
    c[COEF * n_targets] -= distance;
    c[WEIGHTED_DEVIATION * n_targets] += weighted;
}

/* Catches up feature j on the steps from last + 1 to `i`; `decay` is decay_until(plan, i). */
static ALWAYS_INLINE void catch_up(CSRModel *model, ptrdiff_t j, ptrdiff_t n_targets, const StepPlan *plan, DecaySince decay,
                                   uint32_t last, uint32_t i)
{
    Feature *f = feature_at(model, j, n_targets);
    double *c = f->numbers, *p = l1_state_of(model, j, n_targets);
    const double factor = decay_since(decay, last), unit = f->inverse_unit;
#pragma omp simd
    for (ptrdiff_t k = 0; k < n_targets; k++) {
        c[SQUARE * n_targets + k] *= factor;
        c[GRADIENT_MEAN * n_targets + k] *= factor;
    }
    if (plan->momentum != 0)
        for (ptrdiff_t k = 0; k < n_targets; k++)
            move_by_momentum(c + k, p == NULL ? NULL : p + k, n_targets, unit * model->rate_factor[k], plan, last, i);
}

/* The update of dense_update_template.h, for targets first, ..., first + n - 1 of `n_visits` features: together up to BLOCK
 * coordinates. The loops over targets are vectorised; the loop with square roots and divisions, in the middle, also over
 * features. Callers pass constants for the last three arguments, so that the compiler removes what is not needed: whether
 * there is an L2 penalty, one of L1 (never without that of L2, which may be zero), and momentum or `centered`. */
static ALWAYS_INLINE void update(const CSRModel *model, const Visit *visits, ptrdiff_t n_visits, ptrdiff_t n_targets,
                                 ptrdiff_t first, ptrdiff_t n, const double *summed, const Step *step, const StepPlan *plan,
                                 int has_l2, int has_l1, int has_moments)
{
    double gradient[BLOCK], variance[BLOCK], divisor[BLOCK];
    const double gain = 1 - step->decay, epsilon = plan->epsilon > DBL_MIN ? plan->epsilon : DBL_MIN;
    const double weight = average_weight(plan, step->i - 1), momentum_sum = 1 / (1 - plan->momentum);
    const double t = plan->steps_before + (double)step->i;
    const double *restrict rate_factor = model->rate_factor + first;
    const double *restrict l1 = has_l1 ? model->l1 + first : NULL, *restrict l2 = has_l2 ? model->l2 + first : NULL;
    const DecaySince decay_before = decay_until(plan, step->i - 1);
    for (ptrdiff_t q = 0; q < n_visits; q++) {
        Feature *f = feature_at(model, visits[q].feature, n_targets);
        double *c = f->numbers + first;
        const double decay = step->decay * decay_since(decay_before, visits[q].last);
        const double unit = f->inverse_unit, rate = step->rate * unit, penalty_unit = f->penalty_unit;
#pragma omp simd
        for (ptrdiff_t k = 0; k < n; k++) {
            double g = summed[q * n_targets + first + k] * step->scale * unit, slope = g, d = 0;
            if (has_l2) {
                const double l2_here = penalty_unit * l2[k];
                slope = g += l2_here * c[COEF * n_targets + k];
                d = rate * rate_factor[k] * l2_here;
            }
            if (has_l1) {
                const double w = c[COEF * n_targets + k], l1_here = penalty_unit * l1[k];
                slope = g + (w > 0 ? l1_here : w < 0 ? -l1_here : 0);
            }
            double v = decay * c[SQUARE * n_targets + k] + gain * (slope * slope);
            c[SQUARE * n_targets + k] = v;
            if (has_moments) {
                const double m = decay * c[GRADIENT_MEAN * n_targets + k] + gain * slope;
                c[GRADIENT_MEAN * n_targets + k] = m;
                v -= plan->centered * (m * m);
                v = v < 0 ? 0 : v;
            }
            gradient[q * n + k] = g;
            variance[q * n + k] = v;
            divisor[q * n + k] = d;
        }
    }
#pragma omp simd
    for (ptrdiff_t e = 0; e < n_visits * n; e++) {
        divisor[e] += sqrt(variance[e] * step->correction) + epsilon;
        gradient[e] /= divisor[e];
    }
    for (ptrdiff_t q = 0; q < n_visits; q++) {
        Feature *f = feature_at(model, visits[q].feature, n_targets);
        double *c = f->numbers + first, *p = has_l1 ? l1_state_of(model, visits[q].feature, n_targets) + first : NULL;
        const double feature_rate = step->rate * f->inverse_unit, penalty_unit = f->penalty_unit;
#pragma omp simd
        for (ptrdiff_t k = 0; k < n; k++) {
            const double rate = feature_rate * rate_factor[k];
            double u = gradient[q * n + k];
            if (has_moments)
                c[VELOCITY * n_targets + k] = u = plan->momentum * c[VELOCITY * n_targets + k] + u;
            const double distance = rate * u;
            if (has_l1) {
                const double sum = c[COEF * n_targets + k] + p[OFFSET * n_targets + k] - distance;
                const double largest = fabs(sum) + step->most_steps_below * rate;
                const double h = rate * momentum_sum / divisor[q * n + k];
                const double threshold = p[THRESHOLD * n_targets + k] + h * (penalty_unit * l1[k]);
                p[THRESHOLD * n_targets + k] = threshold > largest ? largest : threshold;
            }
            move(c + k, has_l1 ? p + k : NULL, n_targets, distance, weight, t);
        }
    }
}

/* Prefetches what the update of a feature needs: since `forward`, other features have displaced it from the first-level
 * cache, and `forward` has not read all of it. */
static ALWAYS_INLINE void fetch_feature(const CSRModel *model, ptrdiff_t j, ptrdiff_t n_targets, int has_l1, int has_moments)
{
    const ptrdiff_t n_numbers = (has_moments ? N_NUMBERS : SQUARE + 1) * n_targets, number = sizeof(double);
    const char *feature = (const char *)feature_at(model, j, n_targets);
    for (ptrdiff_t byte = 0; byte < (ptrdiff_t)sizeof(Feature) + n_numbers * number; byte += LINE_BYTES)
        PREFETCH(feature + byte);
    if (has_l1) {
        const char *state = (const char *)l1_state_of(model, j, n_targets);
        const ptrdiff_t last = N_L1_NUMBERS * n_targets * number - 1;
        for (ptrdiff_t byte = 0; byte < last; byte += LINE_BYTES)
            PREFETCH(state + byte);
        PREFETCH(state + last); /* it need not begin on a cache line */
    }
}

/* Updates `n` targets of a feature at once; while one block of coordinates is updated, the next one is prefetched. */
static ALWAYS_INLINE void update_visited(const CSRModel *model, ptrdiff_t n_targets, ptrdiff_t n, const Step *step,
                                         const StepPlan *plan, int has_l2, int has_l1, int has_moments)
{
    const ptrdiff_t n_features = BLOCK / n;
    for (ptrdiff_t q = 0; q < model->n_visits; q += n_features) {
        const ptrdiff_t left = model->n_visits - q, n_here = left < n_features ? left : n_features;
        const double *summed = model->gradient + q * n_targets;
        if (n_targets > 1 || has_l1)
            for (ptrdiff_t f = q + n_features; f < q + 2 * n_features && f < model->n_visits; f++)
                fetch_feature(model, model->visits[f].feature, n_targets, has_l1, has_moments);
        for (ptrdiff_t k = 0; k < n_targets; k += n)
            update(model, model->visits + q, n_here, n_targets, k, n_targets - k < n ? n_targets - k : n, summed, step, plan,
                   has_l2, has_l1, has_moments);
    }
}

/* Callers pass a constant 1 for `n_targets` and `n` where possible, which removes loops over targets. */
static ALWAYS_INLINE void update_with(const CSRModel *model, ptrdiff_t n_targets, ptrdiff_t n, const Step *step,
                                      const StepPlan *plan)
{
    const int has_moments = plan->momentum != 0 || plan->centered != 0;
    if (model->l1_state != NULL && has_moments)
        update_visited(model, n_targets, n, step, plan, 1, 1, 1);
    else if (model->l1_state != NULL)
        update_visited(model, n_targets, n, step, plan, 1, 1, 0);
    else if (model->l2 != NULL && has_moments)
        update_visited(model, n_targets, n, step, plan, 1, 0, 1);
    else if (model->l2 != NULL)
        update_visited(model, n_targets, n, step, plan, 1, 0, 0);
    else if (has_moments)
        update_visited(model, n_targets, n, step, plan, 0, 0, 1);
    else
        update_visited(model, n_targets, n, step, plan, 0, 0, 0);
}

/* Begins the batch of step i + 1: the intercept is in all of them. */
static void begin_batch(CSRModel *model, int64_t i)
{
    model->visits[0] = (Visit){(uint32_t)model->n_features, (uint32_t)i};
    model->n_visits = 1;
}

MULTIVERSION void csr_step(CSRModel *model, const Step *shared)
{
    /* copies, because the compiler would otherwise read them anew after each write to a coordinate */
    const Step step = *shared;
    const StepPlan plan = *shared->plan;
    const CSRModel copy = *model;
    for (ptrdiff_t k = 0; k < copy.n_targets; k++)
        if (fabs(copy.gradient[k]) * step.scale < copy.intercept_floor[k])
            copy.gradient[k] = 0;
    if (copy.n_targets == 1)
        update_with(&copy, 1, 1, &step, &plan);
    else if (!in_panels(copy.n_targets))
        update_with(&copy, copy.n_targets, 1, &step, &plan);
    else
        update_with(&copy, copy.n_targets, copy.n_targets < BLOCK ? copy.n_targets : BLOCK, &step, &plan);
    memset(copy.gradient, 0, (size_t)(copy.n_visits * copy.n_targets) * sizeof(double));
    begin_batch(model, step.i);
}

void csr_start(CSRModel *model, double factor)
{
    if (factor != 1)
        for (ptrdiff_t j = 0; j <= model->n_features; j++) {
            double *deviation = feature_at(model, j, model->n_targets)->numbers + WEIGHTED_DEVIATION * model->n_targets;
            for (ptrdiff_t k = 0; k < model->n_targets; k++)
                deviation[k] *= factor;
        }
    begin_batch(model, 0);
}

void csr_finish(CSRModel *model, const StepPlan *plan, int64_t i)
{
    const DecaySince decay = decay_until(plan, i);
    for (ptrdiff_t j = 0; j <= model->n_features; j++) {
        Feature *f = feature_at(model, j, model->n_targets);
        catch_up(model, j, model->n_targets, plan, decay, j < model->n_features ? f->last : (uint32_t)i, (uint32_t)i);
        f->last = 0;
    }
}

#define DATA float
#define INDEX int32_t
#define NAME(name) name##_float_int32
#include "csr_template.h"
#undef INDEX
#undef NAME

#define INDEX int64_t
#define NAME(name) name##_float_int64
#include "csr_template.h"
#undef DATA
#undef INDEX
#undef NAME

#define DATA double
#define INDEX int32_t
#define NAME(name) name##_double_int32
#include "csr_template.h"
#undef INDEX
#undef NAME

#define INDEX int64_t
#define NAME(name) name##_double_int64
#include "csr_template.h"
