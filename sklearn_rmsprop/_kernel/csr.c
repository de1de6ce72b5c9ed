#include "csr.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

enum { ROWS_AHEAD = 5, LINE_BYTES = 64 };

/* A velocity shrunk by more than this no longer changes a coefficient. */
static const double NEGLIGIBLE = 1e-20;

/* What the steps last + 1, ..., i do to a coordinate whose gradient is zero in all of them: its moving averages decay, in
 * closed form; with momentum it drifts on by the schedule's rates, step by step until the velocity is spent. */
static ALWAYS_INLINE void catch_up(Coordinate *c, const Plan *plan, uint32_t i)
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
            c->coef -= drift;
            c->lead += at(plan->kept, step) * drift;
        }
        if (shrunk <= NEGLIGIBLE)
            c->velocity = 0;
    }
    c->last = i;
}

/* The update of dense_template.h, for one coordinate. Worked on in a copy: the compiler cannot know that its fields and
 * the step are apart, and would go through memory between any two lines. */
static ALWAYS_INLINE void update(Coordinate *coordinate, const Step *step, const Plan *plan)
{
    Coordinate c = *coordinate;
    catch_up(&c, plan, (uint32_t)step->i - 1);
    const double gain = 1 - step->decay, g = c.gradient * step->scale * c.inverse_unit;
    const double epsilon = plan->epsilon > DBL_MIN ? plan->epsilon : DBL_MIN;
    c.square = step->decay * c.square + gain * (g * g);
    c.gradient_mean = step->decay * c.gradient_mean + gain * g;
    const double spread = c.square - plan->centered * (c.gradient_mean * c.gradient_mean);
    const double clamped = spread < 0 ? 0 : spread;
    c.velocity = plan->momentum * c.velocity + g / (sqrt(clamped * step->correction) + epsilon);
    const double drift = step->rate * c.inverse_unit * c.velocity;
    c.coef -= drift;
    c.lead += at(plan->kept, step->i - 1) * drift;
    c.gradient = 0;
    c.last = (uint32_t)step->i;
    *coordinate = c;
}

void csr_step(CSRModel *model, const Step *shared)
{
    const Step own_step = *shared, *step = &own_step;
    const Plan own_plan = *shared->plan, *plan = &own_plan;
    const ptrdiff_t n_targets = model->n_targets, n_touched = model->n_touched;
    const int64_t *touched = model->touched;
    Coordinate *coordinates = model->coordinates;
    if (n_targets == 1)
        for (ptrdiff_t q = 0; q < n_touched; q++)
            update(coordinates + touched[q], step, plan);
    else
        for (ptrdiff_t q = 0; q < n_touched; q++)
            for (ptrdiff_t k = 0; k < n_targets; k++)
                update(coordinates + touched[q] * n_targets + k, step, plan);
    model->n_touched = 0;
    for (ptrdiff_t k = 0; k < n_targets; k++) {
        Coordinate *intercept = coordinates + model->n_features * n_targets + k;
        if (fabs(intercept->gradient) * step->scale < model->intercept_floor[k])
            intercept->gradient = 0;
        update(intercept, step, plan);
    }
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
        catch_up(c, plan, (uint32_t)i);
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
