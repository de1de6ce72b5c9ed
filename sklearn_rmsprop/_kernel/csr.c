#include "csr.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

enum { ROWS_AHEAD = 3, LINE_BYTES = 64 };

/* A velocity shrunk by more than this no longer changes a coefficient. */
static const double NEGLIGIBLE = 1e-20;

/* What the steps last + 1, ..., i do to a coordinate whose gradient is zero in all of them. Without momentum it stands
 * still, its moving averages decay, and the published average draws nearer: closed forms, exact. With momentum it
 * drifts on by the schedule's rates, step by step until the velocity is spent. */
static ALWAYS_INLINE void catch_up(Coordinate *c, const Plan *plan, int64_t i)
{
    int64_t last = c->last;
    const double decay = at(plan->power, i - last) * at(plan->decayed, i) * at(plan->inverse_decayed, last);
    c->square *= decay;
    c->gradient_mean *= decay;
    if (plan->momentum != 0 && c->velocity != 0) {
        double shrunk = 1;
        while (last < i && shrunk > NEGLIGIBLE) {
            shrunk *= plan->momentum;
            c->velocity *= plan->momentum;
            c->coef -= at(plan->rate, last) * c->inverse_unit * c->velocity;
            c->average = c->coef + at(plan->keep, last) * (c->average - c->coef);
            last++;
        }
        if (last < i)
            c->velocity = 0;
    }
    if (last < i)
        c->average = c->coef + at(plan->kept, last) * at(plan->inverse_kept, i) * (c->average - c->coef);
    c->last = i;
}

/* The update of dense_template.h, for one coordinate that is up to date. */
static ALWAYS_INLINE void update(Coordinate *c, const Step *step)
{
    const Plan *plan = step->plan;
    const double gain = 1 - step->decay, g = c->gradient * step->scale * c->inverse_unit;
    const double epsilon = plan->epsilon > DBL_MIN ? plan->epsilon : DBL_MIN;
    c->square = step->decay * c->square + gain * (g * g);
    c->gradient_mean = step->decay * c->gradient_mean + gain * g;
    const double spread = c->square - plan->centered * (c->gradient_mean * c->gradient_mean);
    const double clamped = spread < 0 ? 0 : spread;
    c->velocity = plan->momentum * c->velocity + g / (sqrt(clamped * step->correction) + epsilon);
    c->coef -= step->rate * c->inverse_unit * c->velocity;
    c->average = c->coef + step->keep * (c->average - c->coef);
    c->gradient = 0;
    c->last = step->i;
}

void csr_step(CSRModel *model, const Step *step)
{
    const ptrdiff_t n_targets = model->n_targets;
    for (ptrdiff_t q = 0; q < model->n_touched; q++)
        for (ptrdiff_t k = 0; k < n_targets; k++)
            update(model->coordinates + model->touched[q] * n_targets + k, step);
    model->n_touched = 0;
    for (ptrdiff_t k = 0; k < n_targets; k++) {
        Coordinate *intercept = model->coordinates + model->n_features * n_targets + k;
        intercept->gradient = without_rounding(intercept->gradient, step, model->target_size[k], DBL_EPSILON);
        update(intercept, step);
    }
}

void csr_finish(CSRModel *model, const Plan *plan, int64_t i)
{
    const ptrdiff_t n = (model->n_features + 1) * model->n_targets;
    for (ptrdiff_t q = 0; q < n; q++) {
        if (model->coordinates[q].last < i)
            catch_up(model->coordinates + q, plan, i);
        model->coordinates[q].last = 0;
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
