/* What one call of run_steps (_steps.pyx) knows about its steps. Hyper-parameters arrive here as numbers: momentum 0 means no
 * momentum, `centered` (0 or 1) multiplies the squared mean of the gradient, `averaged` 0 reports the last iterate. */
#ifndef SKLEARN_RMSPROP_STEP_H
#define SKLEARN_RMSPROP_STEP_H

#include <math.h>
#include <stdint.h>

/* eta of the polynomial-decay average (Shamir & Zhang, 2013): step k counts like k^eta in it. 1 to 5 are equally good;
 * 0 (a plain average) and 16 are worse (docs/kernel_notes.md). `average_weight` below holds for 3 only. */
enum { AVERAGING_ETA = 3 };

/* Step t = steps_before + i of a fit is step i = 1, 2, ... of the call. Its step size is rate[i - 1]; the moving averages
 * decay by decay_limit - decay_gain / t.
 *
 * The other arrays serve the lazy updates of sparse rows and are NULL where they are not needed. Their index is the
 * number of steps done in the call, from 0. Over the steps a + 1, ..., b the decays multiply to decay_power[b - a]
 * where the decay is constant, and to decay_product[b] / decay_product[a] where it varies
 * (inverse_decay_product is 1 / decay_product). With momentum and no gradient, a
 * velocity of 1 after step a has shrunk to momentum_power[b - a] after step b, and has moved the coefficient by
 *     momentum_travel[a] - momentum_power[b - a] * momentum_travel[b],
 * where momentum_travel[a] is the sum of rate * momentum^(i - a) over all steps i > a of the call. `weighted_travel` is the
 * same sum with each step multiplied by average_weight(i - 1). */
typedef struct {
    const double *rate;
    const double *decay_power, *decay_product, *inverse_decay_product;
    const double *momentum_power, *momentum_travel, *weighted_travel;
    double decay_limit, decay_gain;
    double momentum, centered, epsilon;
    double averaged;     /* 1 if the averaged iterate is reported, 0 if the last one is */
    double steps_before; /* steps of the fit before this call */
    double forgotten;    /* first steps of the fit that the average does not count */
} StepPlan;

typedef struct {
    const StepPlan *plan;
    int64_t i;            /* number of the step within the call, from 1 */
    double rate;          /* step size */
    double decay;         /* of the moving averages */
    double average_decay; /* share of the average that stays: A <- w + average_decay * (A - w) */
    double correction;    /* 1 / (1 - product of all decays so far), or 1 without bias correction */
    double scale;         /* common weight / rows of the batch: turns the summed gradient into a mean */
    double most_steps_below; /* limit of the L1 threshold: see most_steps_below_threshold */
} Step;

/* Only ratios of the weights below matter. Of a column with tiny numbers the coefficient is near the largest float, and times
 * a weight of many steps it would overflow. This power of two keeps the product below it, and changes no digit. */
#define AVERAGE_WEIGHT_UNIT 0x1p-332

/* F(n) for the n steps in the average after step `i` of the call; 0 without averaging. The average_decay of the next step is
 * F(n) / F(n + 1) = n / (n + eta + 1). */
static inline double average_weight(const StepPlan *plan, int64_t i)
{
    const double n = plan->steps_before + (double)i - plan->forgotten;
    return AVERAGE_WEIGHT_UNIT * plan->averaged * n * (n + 1) * (n + 2) * (n + 3);
}

/* The L1 penalty (dual averaging, see docs/algorithm.md): how many steps of the current size a coefficient that the accumulated
 * threshold holds at zero may be away from leaving zero, after step `t` of the fit. In each step, a coefficient that belongs at
 * zero gains a share of a step, which is small where the gradient's noise is large, and noise moves it by about a step. With a
 * constant number of steps it keeps leaving zero if that share is small; with one that grows like the root of t, as the noise
 * of t steps does, it comes to rest however small the share is. It must not grow faster: a coefficient that does not belong at
 * zero has to make up for what the threshold has accumulated while other coefficients were far from their optimum.
 * Momentum lengthens each step. MOST_STEPS_BELOW_THRESHOLD is measured (docs/kernel_notes.md). */
enum { MOST_STEPS_BELOW_THRESHOLD = 10 };

static inline double most_steps_below_threshold(const StepPlan *plan, double t)
{
    return MOST_STEPS_BELOW_THRESHOLD * sqrt(1 + t / 100) / (1 - plan->momentum);
}

#endif
