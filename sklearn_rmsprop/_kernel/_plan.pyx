"""The StepPlan of step.h for one call of the kernel: hyper-parameters and sequences, filled in one place."""

import numpy as np

ETA = AVERAGING_ETA

# Powers of the momentum below this count as zero: they change no coefficient.
NEGLIGIBLE_POWER = 1e-20

# A product of decays below this counts as zero: it no longer changes the bias correction, and would become a subnormal
# number, with which operations are slow.
cdef double NEGLIGIBLE_PRODUCT = 1e-30


cdef class Plan:
    """The numbers that steps t + 1, t + 2, ... of a fit need.

    Parameters
    ----------
    rate : (n_steps,) array
        Step sizes.
    decay_limit, decay_gain : float
        In step t the moving averages decay by decay_limit - decay_gain / t.
    momentum, epsilon : float
    centered, average : bool
    t : int
        Steps done before.
    forgotten : int
        Steps that the average takes as not done.
    lazy : bool
        Whether coordinates catch up on steps without a visit (sparse rows), which takes tables.
    """

    def __init__(self, rate, *, double decay_limit, double decay_gain, double momentum, bint centered, double epsilon,
                 bint average, Py_ssize_t t, Py_ssize_t forgotten, bint lazy):
        if len(rate) == 0:
            raise ValueError("a plan needs at least one step")
        self._owners = []
        self.n_steps, self.lazy = len(rate), lazy
        self.c.rate = self._keep_alive(rate)
        self.c.decay_limit, self.c.decay_gain = decay_limit, decay_gain
        self.c.momentum, self.c.centered, self.c.epsilon = momentum, centered, epsilon
        self.c.averaged, self.c.steps_before, self.c.forgotten = average, t, forgotten
        if not lazy:
            return
        counts = np.arange(self.n_steps + 1)
        if decay_gain == 0:
            self.c.decay_power = self._keep_alive(np.power(decay_limit, counts))
        else:
            product = np.cumprod(np.append(1.0, decay_limit - decay_gain / (t + counts[1:])))
            self.c.decay_product = self._keep_alive(product)
            self.c.inverse_decay_product = self._keep_alive(1 / product)
        if momentum > 0:
            power = np.power(momentum, counts.astype(np.float64))
            weights = np.empty(self.n_steps)
            fill_average_weights(&self.c, weights)
            self.c.momentum_power = self._keep_alive(np.where(power > NEGLIGIBLE_POWER, power, 0))
            self.c.momentum_travel = self._keep_alive(discounted_sums(rate, momentum))
            self.c.weighted_travel = self._keep_alive(discounted_sums(rate * weights, momentum))

    cdef const double *_keep_alive(self, values) except NULL:
        """A C pointer to these numbers, valid as long as the plan."""
        cdef const double[::1] array = np.ascontiguousarray(values, dtype=np.float64)
        self._owners.append(array)
        return &array[0]

    cdef void begin(self, Step *step) noexcept nogil:
        """Set `step` to before the first step."""
        step.plan = &self.c
        step.i = 0

    cdef void advance(self, Step *step, double *decay_product) noexcept nogil:
        """Go to the next step. `decay_product` is that of all decays of the fit, or 0 without bias correction."""
        cdef const StepPlan *plan = &self.c
        cdef double n_averaged = plan.steps_before + step.i - plan.forgotten
        step.rate = plan.rate[step.i]
        step.i += 1
        step.most_steps_below = most_steps_below_threshold(plan, plan.steps_before + step.i)
        step.decay = plan.decay_limit - plan.decay_gain / (plan.steps_before + step.i)
        step.average_decay = plan.averaged * n_averaged / (n_averaged + (AVERAGING_ETA + 1))
        decay_product[0] *= step.decay
        if decay_product[0] < NEGLIGIBLE_PRODUCT:
            decay_product[0] = 0
        step.correction = 1 / (1 - decay_product[0])


cdef int fill_average_weights(const StepPlan *plan, double[::1] weights) except -1:
    """The weight of the average before each step."""
    cdef Py_ssize_t i
    for i in range(weights.shape[0]):
        weights[i] = average_weight(plan, i)
    return 0


def discounted_sums(const double[::1] values, double factor):
    """sums[a] = sum over k = 1, 2, ... of factor^k * values[a + k - 1], for a = 0..n; sums[n] = 0."""
    result = np.zeros(values.shape[0] + 1)
    cdef double[::1] sums = result
    cdef Py_ssize_t i
    for i in range(values.shape[0] - 1, -1, -1):
        sums[i] = factor * (values[i] + sums[i + 1])
    return result
