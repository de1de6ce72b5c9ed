"""The epochs between two checks: shuffle, predict, gradient, update, without the GIL."""

from libc.stdint cimport uintptr_t

import numpy as np

from sklearn_rmsprop._kernel._losses cimport Loss
from sklearn_rmsprop._kernel._rows cimport CHUNK, LINE_BYTES, Plan, Rows, Step, rounded_up, sequence, weigh
from sklearn_rmsprop._kernel._signals cimport check_signals

# A product of decays that no longer changes its correction. Left to shrink on it becomes a subnormal number, with which
# each operation takes a hundred times as long: a third of all time on one column.
cdef double NEGLIGIBLE = 1e-30


def run_epochs(
    Rows rows, Loss loss, plan, *, Py_ssize_t n_epochs, Py_ssize_t batch_size, double decay_product
):
    """Run whole epochs of mini-batch RMSprop.

    Parameters
    ----------
    rows : Rows
        The examples, and the state that is updated.
    loss : Loss
    plan : object
        Numbers and sequences of step.h as attributes, for all steps of this call; the sequences of lazy updates may be
        None for rows that make none.
    n_epochs, batch_size : int
    decay_product : float
        Product of the decay rates of all steps before this call; 0 leaves the moving average uncorrected.

    Returns
    -------
    decay_product : float
        That of the steps so far.
    """
    cdef const double[:] rate = plan.rate
    cdef Py_ssize_t n_targets = rows.n_targets, n = rows.n_examples
    # on a cache line: vectors that lie across two took a twelfth of an epoch over one column
    cdef double[::1] memory = np.empty(4 * CHUNK * n_targets + LINE_BYTES)
    cdef double *buffers = <double *>rounded_up(<uintptr_t>&memory[0], LINE_BYTES)
    cdef double *y_chunk = buffers + 0 * CHUNK * n_targets
    cdef double *z = buffers + 1 * CHUNK * n_targets
    cdef double *derivative = buffers + 2 * CHUNK * n_targets
    cdef double *chunk_weight = buffers + 3 * CHUNK * n_targets
    # Equal weights do not reach the rows: the step takes them into account.
    cdef bint weighted = rows.weights.stride != 0
    cdef double common_weight = 1 if weighted else rows.weights.data[0]
    cdef Py_ssize_t _epoch, start, stop, size, row_cost = rows.row_cost + 8, cost = 0
    cdef double n_averaged
    cdef Plan c_plan
    cdef Step step
    c_plan.rate = sequence(rate)
    c_plan.decay_limit, c_plan.decay_gain = plan.decay_limit, plan.decay_gain
    c_plan.average, c_plan.eta, c_plan.forgotten = plan.average, plan.eta, plan.forgotten
    c_plan.power = sequence(plan.power)
    c_plan.decayed, c_plan.inverse_decayed = sequence(plan.decayed), sequence(plan.inverse_decayed)
    c_plan.kept = sequence(plan.kept)
    c_plan.fading = sequence(plan.fading)
    c_plan.coasting, c_plan.coasting_kept = sequence(plan.coasting), sequence(plan.coasting_kept)
    c_plan.momentum, c_plan.centered, c_plan.epsilon = plan.momentum, plan.centered, plan.epsilon
    c_plan.steps_before = plan.steps_before
    step.plan = &c_plan
    step.i = 0
    with nogil:
        rows.start(&c_plan)
        for _epoch in range(n_epochs):
            rows.renew()
            start = 0
            while start < n:
                stop = min(start + batch_size, n)
                step.rate = rate[step.i]
                n_averaged = c_plan.steps_before + step.i - c_plan.forgotten
                step.i += 1
                step.decay = c_plan.decay_limit - c_plan.decay_gain / (c_plan.steps_before + step.i)
                step.keep = c_plan.average * n_averaged / (n_averaged + (c_plan.eta + 1))
                decay_product *= step.decay
                if decay_product < NEGLIGIBLE:
                    decay_product = 0
                step.correction = 1 / (1 - decay_product)
                step.scale = common_weight / (stop - start)
                while start < stop:
                    size = min(<Py_ssize_t>CHUNK, stop - start)
                    rows.take(start, size, y_chunk, chunk_weight)
                    rows.forward(start, size, &step, z)
                    loss.differentiate(size * n_targets, y_chunk, z, derivative)
                    if weighted:
                        weigh(size, n_targets, chunk_weight, derivative)
                    rows.backward(start, size, derivative)
                    start += size
                    cost += size * row_cost
                    check_signals(&cost)
                rows.step(&step)
        rows.finish(&c_plan, step.i)
    return decay_product
