/* What one call of the kernel knows of its update steps. Options arrive here as numbers, never as flags:
 * momentum 0 is no momentum, centered 0 or 1 multiplies the squared mean, average 0 publishes the last iterate. */
#ifndef SKLEARN_RMSPROP_STEP_H
#define SKLEARN_RMSPROP_STEP_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* A sequence of numbers; stride 0 repeats one number for ever, so that a constant costs no memory. */
typedef struct {
    const double *data;
    ptrdiff_t stride;
} Sequence;

static inline double at(Sequence sequence, int64_t i) { return sequence.data[i * sequence.stride]; }

/* Steps are counted 1, 2, ... within the call. `rate` holds step i at index i - 1. Those that follow in closed form are not
 * tabulated, which took a tenth of an epoch over one column: in step t = steps_before + i of the fit
 *     decay = decay_limit - decay_gain / t
 *     keep = average * n / (n + eta + 1), n = t - 1 - forgotten.
 * The other sequences are indexed by a step count 0..T and serve the lazy updates of a sparse model. Over a gap (a, b] the
 * decays multiply to
 *     power[b - a] * decayed[b] * inverse_decayed[a]
 * (a constant decay uses the first factor, a varying one the other two). `kept` is an F with keep = F(i-1) / F(i). With
 * momentum, a velocity 1 in step a makes way in the steps after it:
 *     coasting[a] - fading[b - a] * coasting[b]
 * up to step b, where fading[k] = momentum^k and coasting[a] = sum of rate * momentum^(i - a) over all steps i > a. In
 * `coasting_kept` each step counts F(i-1) times. */
typedef struct {
    Sequence rate;
    Sequence power, decayed, inverse_decayed, kept, fading, coasting, coasting_kept;
    double decay_limit, decay_gain, average, eta, forgotten;
    double momentum, centered, epsilon;
    double steps_before; /* this call */
} Plan;

/* Steps at the current size that may lie between a coefficient kept at zero by the L1 penalty and its leaving zero. Without
 * a limit, what the penalty gathers while the other coefficients are far off keeps some at zero that do not belong there:
 * sparse fits missed up to 1e-2 of the null loss, and 1e-3 with this. With 10, noise makes most others leave. */
static const int SLACK = 20;

typedef struct {
    const Plan *plan;
    int64_t i;         /* number of the step within the call, from 1 */
    double rate;       /* step size */
    double decay;      /* of the moving averages */
    double keep;       /* share of the published average that stays: A <- w + keep * (A - w) */
    double correction; /* 1 / (1 - product of all decays so far), or 1 without bias correction */
    double scale;      /* 1 / rows in the batch, times the weight if all have one: makes the summed gradient a mean */
} Step;

#endif
