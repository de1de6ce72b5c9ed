/* The sparse operations: the update of coordinates, and their catching up on steps without a visit. */
#include "csr.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler.h"

/* ROWS_AHEAD: rows between the stages of `fetch` (2 to 8 are equally good; with 12, coordinates come too early for a million
 * columns). ENTRIES_AHEAD: entries between prefetching the moments of a column and adding to them. LINES: cache lines that are prefetched without asking how long a row is: 32 values of 8 bytes lie in 4 lines, or 5 if
 * they begin within one. BLOCK: features whose square roots and divisions are computed together: three arrays of so many
 * numbers stay in the first-level cache. docs/kernel_notes.md has the measurements. */
enum { ROWS_AHEAD = 5, ENTRIES_AHEAD = 24, LINE_BYTES = 64, LINES = 5, BLOCK = 64 };

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

/* Moves a coefficient by -distance in step t of the fit; `weight` is the average_weight before the step. */
static ALWAYS_INLINE void move(Coordinate *c, Penalty *penalty, double distance, double weight, double t)
{
    if (penalty != NULL) {
        const double before = c->coef, sum = before + penalty->offset - distance, threshold = penalty->threshold;
        penalty->offset = sum < -threshold ? -threshold : sum > threshold ? threshold : sum;
        c->coef = sum - penalty->offset;
        if (before != 0 || c->coef != 0)
            penalty->active = t;
        distance = before - c->coef;
    } else {
        c->coef -= distance;
    }
    c->weighted_deviation += weight * distance;
}

static ALWAYS_INLINE Penalty *penalty_of(const CSRModel *model, const Coordinate *c)
{
    return model->penalties == NULL ? NULL : model->penalties + (c - model->coordinates);
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
static void move_by_momentum(Coordinate *c, Penalty *penalty, const StepPlan *plan, uint32_t last, uint32_t i)
{
    const double *power = plan->momentum_power;
    const double velocity = c->step_unit * c->velocity, shrunk = power[i - last];
    if (velocity == 0)
        return;
    const double distance = velocity * (plan->momentum_travel[last] - shrunk * plan->momentum_travel[i]);
    const double weighted = velocity * (plan->weighted_travel[last] - shrunk * plan->weighted_travel[i]);
    c->velocity *= shrunk;
    if (penalty != NULL) {
        const double from = c->coef + penalty->offset, to = from - distance;
        const int side_before = side(from, penalty->threshold), side_after = side(to, penalty->threshold);
        if (side_before != side_after && penalty->threshold != 0) {
            for (uint32_t step = last; step < i && power[step + 1 - last] != 0; step++)
                move(c, penalty, plan->rate[step] * power[step + 1 - last] * velocity, average_weight(plan, step),
                     plan->steps_before + step + 1);
            return;
        }
        if (side_before == 0 && penalty->threshold != 0) {
            penalty->offset = to;
            return;
        }
        penalty->active = plan->steps_before + i;
    }
    c->coef -= distance;
    c->weighted_deviation += weighted;
}

/* Catches up on the steps from last + 1 to `i`; `decay` is decay_until(plan, i). */
static ALWAYS_INLINE void catch_up(Coordinate *c, Penalty *penalty, const StepPlan *plan, DecaySince decay, uint32_t last,
                                   uint32_t i)
{
    const double factor = decay_since(decay, last);
    c->square *= factor;
    c->gradient_mean *= factor;
    if (plan->momentum != 0)
        move_by_momentum(c, penalty, plan, last, i);
}

/* The update of dense_update_template.h, for target `k` of up to BLOCK features. The square roots and divisions, in the middle,
 * are vectorised. Callers pass constants for the last two arguments, so that the compiler removes what is not needed. */
static ALWAYS_INLINE void update(CSRModel *model, const Visit *visits, const double *summed, ptrdiff_t n,
                                 ptrdiff_t n_targets, ptrdiff_t k, const Step *step, const StepPlan *plan, int penalized,
                                 int has_moments)
{
    double gradient[BLOCK], variance[BLOCK], divisor[BLOCK];
    const double gain = 1 - step->decay, epsilon = plan->epsilon > DBL_MIN ? plan->epsilon : DBL_MIN;
    const double weight = average_weight(plan, step->i - 1), momentum_sum = 1 / (1 - plan->momentum);
    const double t = plan->steps_before + (double)step->i;
    const DecaySince decay_before = decay_until(plan, step->i - 1);
    for (ptrdiff_t q = 0; q < n; q++) {
        const ptrdiff_t place = visits[q].feature * n_targets + k;
        Coordinate *c = model->coordinates + place;
        const double decay = step->decay * decay_since(decay_before, visits[q].last);
        double g = summed[q * n_targets + k] * step->scale * c->inverse_unit, slope = g;
        divisor[q] = 0;
        if (penalized) {
            const Penalty *p = model->penalties + place;
            g += p->l2 * c->coef;
            slope = g + (c->coef > 0 ? p->l1 : c->coef < 0 ? -p->l1 : 0);
            divisor[q] = step->rate * c->step_unit * p->l2;
        }
        c->square = variance[q] = decay * c->square + gain * (slope * slope);
        if (has_moments) {
            c->gradient_mean = decay * c->gradient_mean + gain * slope;
            variance[q] -= plan->centered * (c->gradient_mean * c->gradient_mean);
            variance[q] = variance[q] < 0 ? 0 : variance[q];
        }
        gradient[q] = g;
    }
#pragma omp simd
    for (ptrdiff_t q = 0; q < n; q++) {
        divisor[q] += sqrt(variance[q] * step->correction) + epsilon;
        gradient[q] /= divisor[q];
    }
    for (ptrdiff_t q = 0; q < n; q++) {
        const ptrdiff_t place = visits[q].feature * n_targets + k;
        Coordinate *c = model->coordinates + place;
        const double rate = step->rate * c->step_unit;
        if (has_moments)
            gradient[q] = c->velocity = plan->momentum * c->velocity + gradient[q];
        const double distance = rate * gradient[q];
        if (penalized) {
            Penalty *p = model->penalties + place;
            const double largest = fabs(c->coef + p->offset - distance) + step->most_steps_below * rate;
            p->threshold += rate * momentum_sum * p->l1 / divisor[q];
            p->threshold = p->threshold > largest ? largest : p->threshold;
        }
        move(c, penalized ? model->penalties + place : NULL, distance, weight, t);
    }
}

static ALWAYS_INLINE void update_visited(CSRModel *model, ptrdiff_t n_targets, const Step *step, const StepPlan *plan,
                                         int penalized, int has_moments)
{
    for (ptrdiff_t first = 0; first < model->n_visits; first += BLOCK) {
        const ptrdiff_t left = model->n_visits - first, n = left < BLOCK ? left : BLOCK;
        for (ptrdiff_t k = 0; k < n_targets; k++)
            update(model, model->visits + first, model->gradient + first * n_targets, n, n_targets, k, step, plan,
                   penalized, has_moments);
    }
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
    const ptrdiff_t n_targets = model->n_targets;
    const int has_moments = plan.momentum != 0 || plan.centered != 0;
    for (ptrdiff_t k = 0; k < n_targets; k++)
        if (fabs(model->gradient[k]) * step.scale < model->intercept_floor[k])
            model->gradient[k] = 0;
    if (model->penalties != NULL && has_moments)
        update_visited(model, n_targets, &step, &plan, 1, 1);
    else if (model->penalties != NULL)
        update_visited(model, n_targets, &step, &plan, 1, 0);
    else if (has_moments)
        update_visited(model, n_targets, &step, &plan, 0, 1);
    else if (n_targets > 1)
        update_visited(model, n_targets, &step, &plan, 0, 0);
    else /* the usual case, with n_targets as a constant */
        update_visited(model, 1, &step, &plan, 0, 0);
    memset(model->gradient, 0, (size_t)(model->n_visits * n_targets) * sizeof(double));
    begin_batch(model, step.i);
}

void csr_start(CSRModel *model, double factor)
{
    const ptrdiff_t n = (model->n_features + 1) * model->n_targets;
    if (factor != 1)
        for (Coordinate *c = model->coordinates; c < model->coordinates + n; c++)
            c->weighted_deviation *= factor;
    begin_batch(model, 0);
}

void csr_finish(CSRModel *model, const StepPlan *plan, int64_t i)
{
    const DecaySince decay = decay_until(plan, i);
    Coordinate *c = model->coordinates;
    for (ptrdiff_t j = 0; j <= model->n_features; j++) {
        const uint32_t last = j < model->n_features ? c->last : (uint32_t)i;
        for (ptrdiff_t k = 0; k < model->n_targets; k++, c++) {
            catch_up(c, penalty_of(model, c), plan, decay, last, (uint32_t)i);
            c->last = 0;
        }
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
