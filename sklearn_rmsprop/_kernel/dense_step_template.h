/* The step on dense rows, for one REAL: the update, and what the next rows need to know of it. */

/* What an update works with. A copy of its own, or each store to a coordinate might change where the next one lies. */
typedef struct {
    const REAL *inverse_unit, *floor, *l1, *l2;
    REAL *w, *s, *m, *u, *g, *threshold, *offset, *active;
    double *average;
    REAL rate, decay, gain, scale, correction, momentum, centered, epsilon, t;
    REAL gathered; /* the sum that momentum makes of equal steps */
    double keep;
} NAME(Update);

static ALWAYS_INLINE NAME(Update) NAME(begin_update)(const DenseModel *model, const Step *step)
{
    const Plan *plan = step->plan;
    return (NAME(Update)){
        .inverse_unit = model->inverse_unit,
        .floor = model->floor,
        .l1 = model->l1,
        .l2 = model->l2,
        .w = model->coef,
        .s = model->square,
        .m = model->gradient_mean,
        .u = model->velocity,
        .g = model->gradient,
        .threshold = model->threshold,
        .offset = model->offset,
        .active = model->active,
        .average = model->average,
        .rate = (REAL)step->rate,
        .decay = (REAL)step->decay,
        .gain = (REAL)(1 - step->decay),
        .scale = (REAL)step->scale,
        .correction = (REAL)step->correction,
        .momentum = (REAL)plan->momentum,
        .centered = (REAL)plan->centered,
        /* an epsilon that rounds to 0 would make 0/0 of a coordinate without gradient */
        .epsilon = plan->epsilon > SMALLEST ? (REAL)plan->epsilon : SMALLEST,
        .t = (REAL)(plan->steps_before + (double)step->i),
        .gathered = (REAL)(1 / (1 - plan->momentum)),
        .keep = step->keep,
    };
}

/* The RMSprop update itself, of coordinate j with the batch's summed gradient; returns the new coefficient. Whoever calls
 * this passes constants for the last two arguments, which drop what is not needed: `extras` are momentum and `centered`, a
 * tenth of the time of single rows. Both penalties act as proximal steps in the metric of the update:
 *
 * L2, implicitly: dividing the step by 1 + step size * l2 is what minimising the penalty along with it comes to.
 *
 * L1, by dual averaging (Xiao, 2010): the coefficient is what the sum of all gradient steps exceeds the sum of all
 * thresholds by. A coefficient that belongs at zero comes to rest there, because its slack grows as the steps' sum and
 * their noise only as its root. With a threshold that forgets (plain soft-thresholding of each step) it hovered through
 * zero for ever: of 153 zeros of an independent solver 122 were missed. */
static ALWAYS_INLINE REAL NAME(update)(const NAME(Update) by, ptrdiff_t j, REAL gradient, int penalized, int extras)
{
    /* What comes between the gradient and the coefficient is what the next batch waits for, a third of an epoch over one
     * column: hence these brackets, and the clamp of `spread` where it is needed only (each took a twentieth). */
    const REAL rate = by.rate * by.inverse_unit[j], mean = gradient * (by.scale * by.inverse_unit[j]);
    const REAL w = by.w[j];
    REAL g = ABS(mean) < by.floor[j] ? 0 : mean, slope = g;
    if (penalized) {
        const REAL l1 = by.l1[j]; /* loaded once, or clang makes no vectors of the loop; `active` below likewise */
        g += by.l2[j] * w;
        slope = g + (w > 0 ? l1 : w < 0 ? -l1 : 0);
    }
    const REAL s = by.decay * by.s[j] + by.gain * (slope * slope);
    REAL spread = s;
    if (extras) {
        const REAL m = by.decay * by.m[j] + by.gain * slope;
        /* rounding can make the spread of a constant gradient negative; NaN must stay NaN */
        spread -= by.centered * (m * m);
        spread = spread < 0 ? 0 : spread;
        by.m[j] = m;
    }
    REAL metric = SQRT(spread * by.correction) + by.epsilon;
    if (penalized)
        metric += rate * by.l2[j];
    REAL u = g / metric, moved;
    if (extras)
        by.u[j] = u = by.momentum * by.u[j] + u;
    if (penalized) {
        const REAL sum = w + by.offset[j] - rate * u;
        const REAL active = by.active[j];
        const REAL deepest = ABS(sum) + SLACK * rate, threshold = by.threshold[j] + rate * by.gathered * by.l1[j] / metric;
        const REAL t = threshold > deepest ? deepest : threshold;
        const REAL offset = sum < -t ? -t : sum > t ? t : sum;
        moved = sum - offset;
        by.threshold[j] = t;
        by.offset[j] = offset;
        by.active[j] = ((w != 0) | (moved != 0)) ? by.t : active;
    } else {
        moved = w - rate * u;
    }
    by.s[j] = s;
    by.w[j] = moved;
    by.g[j] = 0;
    by.average[j] = moved + by.keep * (by.average[j] - moved);
    return moved;
}

/* One target: all that a step does to a coordinate in one pass. */
static ALWAYS_INLINE void NAME(step_one)(const DenseModel *model, const Step *step, int penalized, int extras)
{
    const NAME(Update) by = NAME(begin_update)(model, step);
    const REAL *mean = model->mean;
    const REAL sum = (REAL)model->residual_sum[0];
    double shift = 0;
    if (model->n_features == 1) {
        /* one after the other: put side by side in a vector, the two gradients would have to reach memory first */
        const REAL slope = NAME(update)(by, 0, by.g[0] - mean[0] * sum, penalized, extras);
        const REAL intercept = NAME(update)(by, 1, sum, penalized, extras);
        shift = (double)mean[0] * slope - intercept;
    } else {
#pragma omp simd reduction(+ : shift)
        for (ptrdiff_t j = 0; j < model->n_padded; j++)
            shift += (double)mean[j] * NAME(update)(by, j, by.g[j] - mean[j] * sum, penalized, extras);
    }
    model->shift[0] = shift;
    model->residual_sum[0] = 0;
}

/* The shifts of all targets, which share the mean of a feature, and what else is made of the coefficients. */
static ALWAYS_INLINE void NAME(derive)(const DenseModel *model)
{
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict mean = model->mean, *restrict w = model->coef;
    double *restrict shift = model->shift;
    memset(shift, 0, (size_t)n_targets * sizeof *shift);
    for (ptrdiff_t j = 0; j <= model->n_features; j++, w += n_targets) {
#pragma omp simd
        for (ptrdiff_t k = 0; k < n_targets; k++)
            shift[k] += (double)mean[j] * w[k];
    }
    if (n_targets > 1)
        NAME(fill_panels)(model);
}

static ALWAYS_INLINE void NAME(step_many)(const DenseModel *model, const Step *step, int penalized, int extras)
{
    const NAME(Update) by = NAME(begin_update)(model, step);
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict mean = model->mean;
    REAL *g = model->gradient;
    for (ptrdiff_t j = 0; j <= model->n_features; j++, g += n_targets) {
#pragma omp simd
        for (ptrdiff_t k = 0; k < n_targets; k++)
            g[k] -= mean[j] * (REAL)model->residual_sum[k];
    }
#pragma omp simd
    for (ptrdiff_t j = 0; j < model->n_padded; j++)
        NAME(update)(by, j, by.g[j], penalized, extras);
    memset(model->residual_sum, 0, (size_t)n_targets * sizeof(double));
    NAME(derive)(model);
}

static ALWAYS_INLINE void NAME(step_with)(const DenseModel *model, const Step *step, int penalized, int extras)
{
    if (model->n_targets == 1)
        NAME(step_one)(model, step, penalized, extras);
    else
        NAME(step_many)(model, step, penalized, extras);
}

MULTIVERSION static void NAME(step)(const DenseModel *model, const Step *step)
{
    const int extras = step->plan->momentum != 0 || step->plan->centered != 0;
    if (model->l1 != NULL && extras)
        NAME(step_with)(model, step, 1, 1);
    else if (model->l1 != NULL)
        NAME(step_with)(model, step, 1, 0);
    else if (extras)
        NAME(step_with)(model, step, 0, 1);
    else
        NAME(step_with)(model, step, 0, 0);
}

MULTIVERSION static void NAME(refresh)(const DenseModel *model) { NAME(derive)(model); }
