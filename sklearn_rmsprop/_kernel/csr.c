#include "csr.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

enum { ROWS_AHEAD = 5, LINE_BYTES = 64, BLOCK = 64 };

/* A velocity shrunk by more than this no longer changes a coefficient. */
static const double NEGLIGIBLE = 1e-20;

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

/* What the steps last + 1, ..., i do to a coordinate whose gradient is zero in all of them: its moving averages decay, in
 * closed form; with momentum it drifts on by the schedule's rates, step by step until the velocity is spent. */
static ALWAYS_INLINE void catch_up(Coordinate *c, Penalty *penalty, const Plan *plan, uint32_t i)
{
    const double decay = at(plan->power, i - c->last) * at(plan->decayed, i) * at(plan->inverse_decayed, c->last);
    c->square *= decay;
    c->gradient_mean *= decay;
    if (plan->momentum != 0 && c->velocity != 0) {
        double shrunk = 1;
        for (uint32_t step = c->last; step < i && shrunk > NEGLIGIBLE; step++) {
            shrunk *= plan->momentum;
            c->velocity *= plan->momentum;
            const double drift = at(plan->rate, step) * c->inverse_unit * c->velocity;
            move(c, penalty, drift, at(plan->kept, step), plan->t + step + 1);
        }
        if (shrunk <= NEGLIGIBLE)
            c->velocity = 0;
    }
    c->last = i;
}

static ALWAYS_INLINE Penalty *penalty_of(const CSRModel *model, const Coordinate *c)
{
    return model->penalties == NULL ? NULL : model->penalties + (c - model->coordinates);
}

/* The update of dense_template.h, for up to BLOCK coordinates: the square roots and divisions, in the middle, are taken
 * several at a time. One coordinate after the other, they made up a quarter of an epoch. */
static ALWAYS_INLINE void update(Coordinate *const *block, Penalty *const *penalties, ptrdiff_t n, const Step *step,
                                 const Plan *plan)
{
    double gradient[BLOCK], spread[BLOCK], metric[BLOCK];
    const double gain = 1 - step->decay, epsilon = plan->epsilon > DBL_MIN ? plan->epsilon : DBL_MIN;
    const double kept = at(plan->kept, step->i - 1), gathered = 1 / (1 - plan->momentum);
    const double t = plan->t + (double)step->i;
    for (ptrdiff_t q = 0; q < n; q++) {
        Coordinate *c = block[q];
        catch_up(c, penalties != NULL ? penalties[q] : NULL, plan, (uint32_t)step->i - 1);
        double g = c->gradient * step->scale * c->inverse_unit, slope = g;
        metric[q] = 0;
        if (penalties != NULL) {
            const Penalty *p = penalties[q];
            g += p->l2 * c->coef;
            slope = g + (c->coef > 0 ? p->l1 : c->coef < 0 ? -p->l1 : 0);
            metric[q] = step->rate * c->inverse_unit * p->l2;
        }
        const double square = step->decay * c->square + gain * (slope * slope);
        const double mean = step->decay * c->gradient_mean + gain * slope;
        gradient[q] = g;
        spread[q] = square - plan->centered * (mean * mean);
        c->square = square;
        c->gradient_mean = mean;
    }
#pragma omp simd
    for (ptrdiff_t q = 0; q < n; q++) {
        const double clamped = spread[q] < 0 ? 0 : spread[q];
        metric[q] += sqrt(clamped * step->correction) + epsilon;
        gradient[q] /= metric[q];
    }
    for (ptrdiff_t q = 0; q < n; q++) {
        Coordinate *c = block[q];
        c->velocity = plan->momentum * c->velocity + gradient[q];
        const double drift = step->rate * c->inverse_unit * c->velocity;
        if (penalties != NULL) {
            Penalty *p = penalties[q];
            const double deepest = fabs(c->coef + p->offset - drift) + SLACK * step->rate * c->inverse_unit;
            p->threshold += step->rate * c->inverse_unit * gathered * p->l1 / metric[q];
            p->threshold = p->threshold > deepest ? deepest : p->threshold;
        }
        move(c, penalties != NULL ? penalties[q] : NULL, drift, kept, t);
        c->gradient = 0;
        c->last = (uint32_t)step->i;
    }
}

static ALWAYS_INLINE void update_touched(CSRModel *model, const Step *step, const Plan *plan, int penalized)
{
    const ptrdiff_t n_targets = model->n_targets, n_touched = model->n_touched;
    Coordinate *intercept = model->coordinates + model->n_features * n_targets;
    Coordinate *block[BLOCK];
    Penalty *penalties[BLOCK];
    ptrdiff_t n = 0;
    for (ptrdiff_t q = 0; q <= n_touched; q++) {
        Coordinate *first = q < n_touched ? model->coordinates + model->touched[q] * n_targets : intercept;
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            block[n] = first + k;
            penalties[n++] = penalty_of(model, first + k);
            if (n == BLOCK) {
                update(block, penalized ? penalties : NULL, n, step, plan);
                n = 0;
            }
        }
    }
    update(block, penalized ? penalties : NULL, n, step, plan);
}

MULTIVERSION void csr_step(CSRModel *model, const Step *shared)
{
    /* copies of its own, or the compiler would read them anew after each write to a coordinate */
    const Step step = *shared;
    const Plan plan = *shared->plan;
    Coordinate *intercept = model->coordinates + model->n_features * model->n_targets;
    for (ptrdiff_t k = 0; k < model->n_targets; k++)
        if (fabs(intercept[k].gradient) * step.scale < model->intercept_floor[k])
            intercept[k].gradient = 0;
    if (model->penalties == NULL)
        update_touched(model, &step, &plan, 0);
    else
        update_touched(model, &step, &plan, 1);
    model->n_touched = 0;
}

void csr_start(CSRModel *model, const Plan *plan)
{
    const ptrdiff_t n = (model->n_features + 1) * model->n_targets;
    for (Coordinate *c = model->coordinates; c < model->coordinates + n; c++)
        c->lead = at(plan->kept, 0) * (c->lead - c->coef);
}

void csr_finish(CSRModel *model, const Plan *plan, int64_t i)
{
    const ptrdiff_t n = (model->n_features + 1) * model->n_targets;
    for (Coordinate *c = model->coordinates; c < model->coordinates + n; c++) {
        catch_up(c, penalty_of(model, c), plan, (uint32_t)i);
        c->lead = c->coef + at(plan->inverse_kept, i) * c->lead;
        c->last = c->mark = 0;
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
