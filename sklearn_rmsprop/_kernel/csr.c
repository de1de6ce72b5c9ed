#include "csr.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

enum { ROWS_AHEAD = 5, LINE_BYTES = 64, LINES = 5, BLOCK = 64 };

/* Fetches a part of an array ahead. The first lines without asking how many there are: the end of a loop over those of a
 * usual row was mispredicted each time, a tenth of an epoch. */
static ALWAYS_INLINE void fetch_lines(const void *start, const void *stop)
{
    const ptrdiff_t last = (const char *)stop - (const char *)start - 1;
    for (ptrdiff_t q = 0; q < LINES * LINE_BYTES; q += LINE_BYTES)
        PREFETCH((const char *)start + (q < last ? q : last));
    for (ptrdiff_t q = LINES * LINE_BYTES; q <= last; q += LINE_BYTES)
        PREFETCH((const char *)start + q);
}

/* Moves a coefficient by -drift, in a step that keeps the share `kept` of the average; `penalty` may be NULL. */
static ALWAYS_INLINE void move(Coordinate *c, Penalty *penalty, double drift, double kept, double t)
{
    if (penalty != NULL) {
        const double before = c->coef, sum = before + penalty->offset - drift, threshold = penalty->threshold;
        penalty->offset = sum < -threshold ? -threshold : sum > threshold ? threshold : sum;
        c->coef = sum - penalty->offset;
        if (before != 0 || c->coef != 0)
            penalty->active = t;
        drift = before - c->coef;
    } else {
        c->coef -= drift;
    }
    c->lead += kept * drift;
}

static ALWAYS_INLINE Penalty *penalty_of(const CSRModel *model, const Coordinate *c)
{
    return model->penalties == NULL ? NULL : model->penalties + (c - model->coordinates);
}

/* By what moving averages decay from the end of any step to that of step `i`: `factor` * at(table, step). A constant decay
 * and a varying one have tables of their own (see step.h): to choose here leaves one look-up per coordinate instead of
 * three. */
typedef struct {
    Sequence table;
    double factor;
} Gap;

static ALWAYS_INLINE Gap gap_to(const Plan *plan, int64_t i)
{
    const Sequence power = plan->power;
    if (power.stride == 0)
        return (Gap){plan->inverse_decayed, at(plan->decayed, i)};
    return (Gap){{power.data + i * power.stride, -power.stride}, 1};
}

/* Which side of the values that a threshold takes to zero. */
static ALWAYS_INLINE int side(double value, double threshold)
{
    return (value > threshold) - (value < -threshold);
}

/* The steps last + 1, ..., i of a coordinate whose gradient is zero in all of them: with momentum it drifts on by the
 * schedule's rates until the velocity is spent. All at once, but for one that the L1 penalty stops or lets go on the way:
 * step by step, an epoch took five times as long. */
static void drift_on(Coordinate *c, Penalty *penalty, const Plan *plan, uint32_t last, uint32_t i)
{
    const double velocity = c->inverse_unit * c->velocity, faded = at(plan->fading, i - last);
    if (velocity == 0)
        return;
    const double way = velocity * (at(plan->coasting, last) - faded * at(plan->coasting, i));
    const double way_kept = velocity * (at(plan->coasting_kept, last) - faded * at(plan->coasting_kept, i));
    c->velocity *= faded;
    if (penalty != NULL) {
        const double from = c->coef + penalty->offset, to = from - way;
        const int side_before = side(from, penalty->threshold), side_after = side(to, penalty->threshold);
        if (side_before != side_after && penalty->threshold != 0) {
            for (uint32_t step = last; step < i && at(plan->fading, step + 1 - last) != 0; step++) {
                const double drift = at(plan->rate, step) * at(plan->fading, step + 1 - last) * velocity;
                move(c, penalty, drift, at(plan->kept, step), plan->steps_before + step + 1);
            }
            return;
        }
        if (side_before == 0 && penalty->threshold != 0) {
            penalty->offset = to;
            return;
        }
        penalty->active = plan->steps_before + i;
    }
    c->coef -= way;
    c->lead += way_kept;
}

/* What those steps do to a coordinate: its moving averages decay, in closed form, and with momentum it drifts on. `gap` is
 * that to step `i`. */
static ALWAYS_INLINE void catch_up(Coordinate *c, Penalty *penalty, const Plan *plan, Gap gap, uint32_t last,
                                   uint32_t i)
{
    const double decay = gap.factor * at(gap.table, last);
    c->square *= decay;
    c->gradient_mean *= decay;
    if (plan->momentum != 0)
        drift_on(c, penalty, plan, last, i);
}

/* The update of dense_step_template.h, for target `k` of up to BLOCK features: the square roots and divisions, in the middle, are
 * taken several at a time. One coordinate after the other, they made up a quarter of an epoch. Whoever calls this passes
 * constants for the last two arguments, which drop what is not needed: `extras` are momentum and `centered`. */
static ALWAYS_INLINE void update(CSRModel *model, const Visit *visits, const double *summed, ptrdiff_t n,
                                 ptrdiff_t n_targets, ptrdiff_t k, const Step *step, const Plan *plan, int penalized,
                                 int extras)
{
    double gradient[BLOCK], spread[BLOCK], metric[BLOCK];
    const double gain = 1 - step->decay, epsilon = plan->epsilon > DBL_MIN ? plan->epsilon : DBL_MIN;
    const double kept = at(plan->kept, step->i - 1), gathered = 1 / (1 - plan->momentum);
    const double t = plan->steps_before + (double)step->i;
    const Gap gap = gap_to(plan, step->i - 1);
    for (ptrdiff_t q = 0; q < n; q++) {
        const ptrdiff_t place = visits[q].feature * n_targets + k;
        Coordinate *c = model->coordinates + place;
        const double decay = step->decay * (gap.factor * at(gap.table, visits[q].last));
        double g = summed[q * n_targets + k] * step->scale * c->inverse_unit, slope = g;
        metric[q] = 0;
        if (penalized) {
            const Penalty *p = model->penalties + place;
            g += p->l2 * c->coef;
            slope = g + (c->coef > 0 ? p->l1 : c->coef < 0 ? -p->l1 : 0);
            metric[q] = step->rate * c->inverse_unit * p->l2;
        }
        c->square = spread[q] = decay * c->square + gain * (slope * slope);
        if (extras) {
            c->gradient_mean = decay * c->gradient_mean + gain * slope;
            spread[q] -= plan->centered * (c->gradient_mean * c->gradient_mean);
            spread[q] = spread[q] < 0 ? 0 : spread[q];
        }
        gradient[q] = g;
    }
#pragma omp simd
    for (ptrdiff_t q = 0; q < n; q++) {
        metric[q] += sqrt(spread[q] * step->correction) + epsilon;
        gradient[q] /= metric[q];
    }
    for (ptrdiff_t q = 0; q < n; q++) {
        const ptrdiff_t place = visits[q].feature * n_targets + k;
        Coordinate *c = model->coordinates + place;
        const double rate = step->rate * c->inverse_unit;
        if (extras)
            gradient[q] = c->velocity = plan->momentum * c->velocity + gradient[q];
        const double drift = rate * gradient[q];
        if (penalized) {
            Penalty *p = model->penalties + place;
            const double deepest = fabs(c->coef + p->offset - drift) + SLACK * rate;
            p->threshold += rate * gathered * p->l1 / metric[q];
            p->threshold = p->threshold > deepest ? deepest : p->threshold;
        }
        move(c, penalized ? model->penalties + place : NULL, drift, kept, t);
    }
}

static ALWAYS_INLINE void update_visited(CSRModel *model, ptrdiff_t n_targets, const Step *step, const Plan *plan,
                                         int penalized, int extras)
{
    for (ptrdiff_t first = 0; first < model->n_visits; first += BLOCK) {
        const ptrdiff_t left = model->n_visits - first, n = left < BLOCK ? left : BLOCK;
        for (ptrdiff_t k = 0; k < n_targets; k++)
            update(model, model->visits + first, model->gradient + first * n_targets, n, n_targets, k, step, plan,
                   penalized, extras);
    }
}

/* Before the batch of step i + 1 meets anything: the intercept is in all of them. */
static void begin_batch(CSRModel *model, int64_t i)
{
    model->visits[0] = (Visit){(uint32_t)model->n_features, (uint32_t)i};
    model->n_visits = 1;
}

MULTIVERSION void csr_step(CSRModel *model, const Step *shared)
{
    /* copies of its own, or the compiler would read them anew after each write to a coordinate */
    const Step step = *shared;
    const Plan plan = *shared->plan;
    const ptrdiff_t n_targets = model->n_targets;
    const int extras = plan.momentum != 0 || plan.centered != 0;
    for (ptrdiff_t k = 0; k < n_targets; k++)
        if (fabs(model->gradient[k]) * step.scale < model->intercept_floor[k])
            model->gradient[k] = 0;
    if (model->penalties != NULL && extras)
        update_visited(model, n_targets, &step, &plan, 1, 1);
    else if (model->penalties != NULL)
        update_visited(model, n_targets, &step, &plan, 1, 0);
    else if (extras)
        update_visited(model, n_targets, &step, &plan, 0, 1);
    else if (n_targets > 1)
        update_visited(model, n_targets, &step, &plan, 0, 0);
    else /* the constant took 4 % off an epoch */
        update_visited(model, 1, &step, &plan, 0, 0);
    memset(model->gradient, 0, (size_t)(model->n_visits * n_targets) * sizeof(double));
    begin_batch(model, step.i);
}

void csr_start(CSRModel *model, const Plan *plan)
{
    const ptrdiff_t n = (model->n_features + 1) * model->n_targets;
    for (Coordinate *c = model->coordinates; c < model->coordinates + n; c++)
        c->lead = at(plan->kept, 0) * (c->lead - c->coef);
    begin_batch(model, 0);
}

void csr_finish(CSRModel *model, const Plan *plan, int64_t i)
{
    const Gap gap = gap_to(plan, i);
    const double kept = at(plan->kept, i), inverse_kept = kept > 0 ? 1 / kept : 0;
    Coordinate *c = model->coordinates;
    for (ptrdiff_t j = 0; j <= model->n_features; j++) {
        const uint32_t last = j < model->n_features ? c->last : (uint32_t)i;
        for (ptrdiff_t k = 0; k < model->n_targets; k++, c++) {
            catch_up(c, penalty_of(model, c), plan, gap, last, (uint32_t)i);
            c->lead = c->coef + inverse_kept * c->lead;
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
