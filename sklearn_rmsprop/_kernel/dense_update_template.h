/* The RMSprop update of one coordinate, for one REAL. dense_one_template.h and dense_many_template.h loop over coordinates. */

/* What the update of any coordinate needs: a copy, because the compiler would otherwise have to assume that each store to a
 * coordinate changes these pointers and numbers. */
typedef struct {
    const REAL *inverse_unit, *step_unit, *floor, *l1, *l2;
    REAL *w, *s, *m, *u, *g, *threshold, *offset, *active;
    double *average;
    REAL rate, decay, gain, scale, correction, momentum, centered, epsilon, t, most_steps_below;
    REAL momentum_sum; /* 1 + momentum + momentum^2 + ..., by which momentum lengthens equal steps */
    double average_decay;
} NAME(Context);

static ALWAYS_INLINE NAME(Context) NAME(context_of)(const DenseModel *model, const Step *step)
{
    const StepPlan *plan = step->plan;
    return (NAME(Context)){
        .inverse_unit = model->inverse_unit,
        .step_unit = model->step_unit,
        .floor = model->floor,
        .l1 = model->l1,
        .l2 = model->l2,
        .w = model->coordinates,
        .s = model->square,
        .m = model->gradient_mean,
        .u = model->velocity,
        .g = model->coordinate_gradient,
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
        /* an epsilon that rounds to 0 would give 0/0 in a coordinate without gradient */
        .epsilon = plan->epsilon > SMALLEST ? (REAL)plan->epsilon : SMALLEST,
        .t = (REAL)(plan->steps_before + (double)step->i),
        .most_steps_below = (REAL)step->most_steps_below,
        .momentum_sum = (REAL)(1 / (1 - plan->momentum)),
        .average_decay = step->average_decay,
    };
}

/* Updates coordinate j with the batch's summed gradient; returns the new coefficient. Callers pass constants for the last three
 * arguments, so that the compiler removes what is not needed, and vectorises the loop: `has_l2` and `has_l1`, whether there
 * are these penalties (the first with the second); `has_moments`, whether there is momentum or `centered`.
 *
 * Both penalties act as proximal steps scaled by the same per-coordinate step size as the gradient:
 * L2 is implicit: the step is divided by 1 + h * l2 with h = rate / (sqrt(s) + epsilon), which minimises the penalty along with
 * the step's own model.
 * L1 is dual averaging (Xiao, 2010): the coefficient is the sum of all gradient steps, soft-thresholded by the sum of all
 * L1 steps. A coefficient that belongs at zero stays there, because `threshold` grows like the number of steps, and the
 * noise of the gradients only like its root. Soft-thresholding each step on its
 * own was tried: most coefficients that belong at zero then oscillated around it for ever.
 * docs/algorithm.md ("Penalties") explains both. */
static ALWAYS_INLINE REAL NAME(update)(const NAME(Context) c, ptrdiff_t j, REAL gradient, int has_l2, int has_l1,
                                       int has_moments)
{
    /* The next batch waits for the operations between the gradient and the coefficient. Hence the parentheses below, and the
     * clamp of the variance only where it can be negative. */
    const REAL rate = c.rate * c.step_unit[j];
    const REAL mean = gradient * (c.scale * c.inverse_unit[j]);
    const REAL w = c.w[j];
    REAL g = ABS(mean) < c.floor[j] ? 0 : mean, slope = g;
    if (has_l2)
        slope = g += c.l2[j] * w;
    if (has_l1) {
        const REAL l1 = c.l1[j]; /* loaded once, or clang does not vectorise the loop; `active` below likewise */
        slope += w > 0 ? l1 : w < 0 ? -l1 : 0;
    }
    const REAL s = c.decay * c.s[j] + c.gain * (slope * slope);
    REAL variance = s;
    if (has_moments) {
        const REAL m = c.decay * c.m[j] + c.gain * slope;
        /* rounding can make the variance of a constant gradient negative; NaN must stay NaN */
        variance -= c.centered * (m * m);
        variance = variance < 0 ? 0 : variance;
        c.m[j] = m;
    }
    REAL divisor = SQRT(variance * c.correction) + c.epsilon;
    if (has_l2)
        divisor += rate * c.l2[j];
    REAL u = g / divisor, new_w;
    if (has_moments)
        c.u[j] = u = c.momentum * c.u[j] + u;
    if (has_l1) {
        const REAL sum = w + c.offset[j] - rate * u;
        const REAL active = c.active[j];
        const REAL largest = ABS(sum) + c.most_steps_below * rate;
        const REAL accumulated = c.threshold[j] + rate * c.momentum_sum * c.l1[j] / divisor;
        const REAL threshold = accumulated > largest ? largest : accumulated;
        const REAL offset = sum < -threshold ? -threshold : sum > threshold ? threshold : sum;
        new_w = sum - offset;
        c.threshold[j] = threshold;
        c.offset[j] = offset;
        c.active[j] = ((w != 0) | (new_w != 0)) ? c.t : active;
    } else {
        new_w = w - rate * u;
    }
    c.s[j] = s;
    c.w[j] = new_w;
    c.g[j] = 0;
    c.average[j] = new_w + c.average_decay * (c.average[j] - new_w);
    return new_w;
}
