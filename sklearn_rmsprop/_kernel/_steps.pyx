"""The training loop of the kernel: for each mini-batch predict, take the gradient, update; without the GIL."""

from libc.stdint cimport uint32_t, uintptr_t

import numpy as np

from sklearn_rmsprop._kernel._losses cimport Loss
from sklearn_rmsprop._kernel._memory cimport LINE_BYTES, rounded_up
from sklearn_rmsprop._kernel._plan cimport Plan, Step
from sklearn_rmsprop._kernel._rows cimport CHUNK, Rows, multiply_rows
from sklearn_rmsprop._kernel._signals cimport check_signals

# An estimate of the fixed cost of a row, in numbers of X that are read.
cdef Py_ssize_t COST_OF_ROW = 8


def run_steps(Rows rows, Loss loss, Plan plan, *, Py_ssize_t batch_size, double decay_product):
    """Run the steps of a plan, in mini-batches of the rows; an epoch's last batch may be smaller.

    The first batch continues the epoch of the last call; a new epoch begins when no rows are left.

    Parameters
    ----------
    rows : Rows
        With a loaded state, which is updated.
    loss : Loss
    plan : Plan
    batch_size : int
    decay_product : float
        Product of the decays of all steps before; 0 leaves the moving average uncorrected.

    Returns
    -------
    decay_product : float
        The same, including these steps.
    """
    if loss.n_targets != rows.n_targets:
        raise ValueError(f"the loss is for {loss.n_targets} targets, the rows have {rows.n_targets}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}")
    if rows._loaded is None:
        raise ValueError("the rows need a state: load one before running steps")
    if plan.lazy != rows.lazy:
        raise ValueError(f"the plan must be made with lazy={rows.lazy} for these rows; got {plan.lazy}")
    rows._loaded = None  # until the steps are done and stored: Ctrl-C may end them in the middle
    cdef Py_ssize_t n_targets = rows.n_targets, n = rows.n_drawn, n_certain = rows.certain.shape[0]
    # on a cache line: vectors that lie across two take longer to load
    cdef double[::1] memory = np.empty(4 * CHUNK * n_targets + LINE_BYTES)
    cdef double *buffers = <double *>rounded_up(<uintptr_t>&memory[0], LINE_BYTES)
    # A weight that all rows share is not applied row by row: it is part of step.scale.
    cdef double common_weight = 1 if rows.weight != NULL else rows.common_weight
    cdef Py_ssize_t _step, place, stop, size, row_cost = rows.row_cost + COST_OF_ROW, cost = 0
    cdef double certain_share
    cdef Step step
    with nogil:
        plan.begin(&step)
        rows.start(&plan.c)
        for _step in range(plan.n_steps):
            plan.advance(&step, &decay_product)
            place = rows.order.begin_batch()
            stop = min(place + batch_size, n)
            # Horvitz-Thompson weights: the drawn rows stand for the n rows that they are drawn from, the certain ones
            # for themselves, and the gradient is the mean over n + n_certain rows
            step.scale = common_weight / (stop - place)
            if n_certain > 0:
                step.scale *= <double>n / (n + n_certain)
            certain_share = <double>(stop - place) / n
            while place < stop:
                size = min(<Py_ssize_t>CHUNK, stop - place)
                add_gradient(
                    rows, loss, &step, rows.order.rows_from(place), size, rows.order.n_ahead(place, size), 1, buffers
                )
                place += size
                cost += size * row_cost
                check_signals(&cost)
            rows.order.end_batch(stop)
            place = 0
            while place < n_certain:
                size = min(<Py_ssize_t>CHUNK, n_certain - place)
                add_gradient(rows, loss, &step, &rows.certain[place], size, size, certain_share, buffers)
                place += size
                cost += size * row_cost
            rows.step(&step)
        rows.finish(&plan.c, step.i)
    return decay_product


cdef void add_gradient(
    Rows rows, Loss loss, const Step *step, const uint32_t *selected, Py_ssize_t n, Py_ssize_t n_ahead, double share,
    double *buffers,
) noexcept nogil:
    """Add `share` times the gradient at the first `n` (at most CHUNK) of `n_ahead` rows to that of the batch."""
    cdef Py_ssize_t n_values = CHUNK * rows.n_targets, q
    cdef double *y = buffers
    cdef double *z = buffers + n_values
    cdef double *derivative = buffers + 2 * n_values
    cdef double *weight = buffers + 3 * n_values
    rows.take(selected, n, n_ahead, y, weight)
    rows.forward(selected, n, n_ahead, step, z)
    loss.differentiate(n * rows.n_targets, y, z, derivative)
    if rows.weight != NULL:
        multiply_rows(n, rows.n_targets, weight, derivative)
    if share != 1:
        for q in range(n * rows.n_targets):
            derivative[q] *= share
    rows.backward(selected, n, derivative)
