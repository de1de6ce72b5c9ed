"""The training loop of the kernel: for each mini-batch predict, take the gradient, update; without the GIL."""

from libc.stdint cimport uintptr_t

import numpy as np

from sklearn_rmsprop._kernel._losses cimport Loss
from sklearn_rmsprop._kernel._memory cimport LINE_BYTES, rounded_up
from sklearn_rmsprop._kernel._plan cimport Plan, Step
from sklearn_rmsprop._kernel._rows cimport CHUNK, Rows, multiply_rows
from sklearn_rmsprop._kernel._signals cimport check_signals

# What a row costs besides the numbers of X that are read, in such numbers.
cdef Py_ssize_t COST_OF_ROW = 8


def run_steps(Rows rows, Loss loss, Plan plan, *, Py_ssize_t batch_size, double decay_product):
    """Run the steps of a plan, in mini-batches of the rows; an epoch's last batch may be smaller.

    The first batch goes on where the one before it ended; a new epoch begins where the rows are used up.

    Parameters
    ----------
    rows : Rows
        With the state that is updated.
    loss : Loss
    plan : Plan
    batch_size : int
    decay_product : float
        Product of the decays of all steps before; 0 leaves the moving average uncorrected.

    Returns
    -------
    decay_product : float
        That of the steps so far.
    """
    if loss.n_targets != rows.n_targets or batch_size < 1:
        raise ValueError(f"the loss is for {loss.n_targets} targets, the rows have {rows.n_targets}")
    cdef Py_ssize_t n_targets = rows.n_targets, n = rows.n_selected
    # on a cache line: vectors that lie across two take longer to load
    cdef double[::1] memory = np.empty(4 * CHUNK * n_targets + LINE_BYTES)
    cdef double *buffers = <double *>rounded_up(<uintptr_t>&memory[0], LINE_BYTES)
    cdef double *y_chunk = buffers + 0 * CHUNK * n_targets
    cdef double *z = buffers + 1 * CHUNK * n_targets
    cdef double *derivative = buffers + 2 * CHUNK * n_targets
    cdef double *weight = buffers + 3 * CHUNK * n_targets
    # A weight that all rows share does not reach the rows: the step takes it into account.
    cdef bint weighted = rows.weight != NULL
    cdef double common_weight = 1 if weighted else rows.common_weight
    cdef Py_ssize_t _step, place, stop, size, row_cost = rows.row_cost + COST_OF_ROW, cost = 0
    cdef Step step
    with nogil:
        plan.begin(&step)
        rows.start(&plan.c)
        for _step in range(plan.n_steps):
            plan.advance(&step, &decay_product)
            place = rows.order.begin_batch()
            stop = min(place + batch_size, n)
            step.scale = common_weight / (stop - place)
            while place < stop:
                size = min(<Py_ssize_t>CHUNK, stop - place)
                rows.take(place, size, y_chunk, weight)
                rows.forward(place, size, &step, z)
                loss.differentiate(size * n_targets, y_chunk, z, derivative)
                if weighted:
                    multiply_rows(size, n_targets, weight, derivative)
                rows.backward(place, size, derivative)
                place += size
                cost += size * row_cost
                check_signals(&cost)
            rows.order.end_batch(stop)
            rows.step(&step)
        rows.finish(&plan.c, step.i)
    return decay_product
