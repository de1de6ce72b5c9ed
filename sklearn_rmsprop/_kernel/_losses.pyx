"""Losses on a mini-batch: the choice among them is paid once a batch, not once a row."""

from libc.stdint cimport uint32_t

import numpy as np

from sklearn_rmsprop._kernel._rows cimport CHUNK, Sequence, add_up, gather, sequence, weigh

cdef extern from "losses.h" nogil:
    Pointwise squared_error, absolute_error, huber, quantile, epsilon_insensitive, squared_epsilon_insensitive


cdef class Loss:
    """What the kernel needs of a loss.

    Parameters
    ----------
    shape : (n_targets,) array
        The loss's own parameter for each target, in the target's unit; unused where a loss has none.
    """

    def __init__(self, shape):
        self.n_targets = len(shape)
        # one number for each of a chunk's predictions, so that the loops know nothing of targets
        repeated = np.empty((CHUNK, self.n_targets))
        repeated[:] = shape
        self.shape = repeated.ravel()

    cdef void evaluate(
        self, Py_ssize_t n, const double *y, const double *z, const double *z_published, double *derivative,
        double *loss,
    ) noexcept nogil:
        """Fill `derivative` with dloss/dz(y, z) and `loss` with loss(y, z_published), each `n` numbers.

        `n` is at most CHUNK rows times targets. `z` are the predictions of the current iterate, from which the gradient
        is taken; `z_published` those of the iterate that is going to be published, whose loss decides when to stop.
        """
        self.pointwise(n, &self.shape[0], y, z, z_published, derivative, loss)

    def derivative_and_loss(self, const double[:, ::1] y, const double[:, ::1] z):
        """dloss/dz and the loss of each prediction, two arrays of the shape (n_rows, n_targets) of the arguments."""
        cdef double[:, :, ::1] result = np.empty((2, y.shape[0], y.shape[1]))
        cdef Py_ssize_t i = 0, n_rows
        if y.shape[1] != self.n_targets or z.shape[0] != y.shape[0] or z.shape[1] != y.shape[1]:
            raise ValueError(f"expected two arrays of {self.n_targets} columns, got {y.shape[1]} and {z.shape[1]}")
        with nogil:
            while i < y.shape[0]:
                n_rows = min(<Py_ssize_t>CHUNK, y.shape[0] - i)
                self.evaluate(n_rows * self.n_targets, &y[i, 0], &z[i, 0], &z[i, 0], &result[0, i, 0], &result[1, i, 0])
                i += n_rows
        return np.asarray(result[0]), np.asarray(result[1])

    def of_constant(self, const double[:, ::1] y, const double[:] weight, const uint32_t[::1] rows, constant):
        """Weighted mean loss of predicting a constant, one per target or for all, on the rows named: (n_targets,)."""
        if y.shape[1] != self.n_targets:
            raise ValueError(f"expected {self.n_targets} columns, got {y.shape[1]}")
        cdef Sequence weights = sequence(weight)
        cdef Py_ssize_t i = 0, n, row, n_targets = self.n_targets
        cdef double total_weight = 0
        result = np.zeros(n_targets)
        cdef double[::1] total = result
        cdef double[:, ::1] chunk = np.empty((5, CHUNK * n_targets))
        np.asarray(chunk[1]).reshape(CHUNK, n_targets)[:] = constant
        with nogil:
            while i < rows.shape[0]:
                n = min(<Py_ssize_t>CHUNK, rows.shape[0] - i)
                gather(&rows[i], n, n, n_targets, &y[0, 0], weights, &chunk[0, 0], &chunk[4, 0])
                self.evaluate(n * n_targets, &chunk[0, 0], &chunk[1, 0], &chunk[1, 0], &chunk[2, 0], &chunk[3, 0])
                if weights.stride != 0:
                    weigh(n, n_targets, &chunk[4, 0], &chunk[2, 0], &chunk[3, 0])
                    for row in range(n):
                        total_weight += chunk[4, row]
                add_up(n, n_targets, &chunk[3, 0], &total[0])
                i += n
        return result / (total_weight if weights.stride != 0 else rows.shape[0])


cdef class SquaredError(Loss):
    """Half the squared error."""

    def __cinit__(self, shape):
        self.pointwise = squared_error


cdef class AbsoluteError(Loss):
    def __cinit__(self, shape):
        self.pointwise = absolute_error


cdef class Huber(Loss):
    """Half the squared error up to an error of `shape`, a straight line beyond."""

    def __cinit__(self, shape):
        self.pointwise = huber


cdef class Quantile(Loss):
    """The pinball loss, least at the quantile `shape`."""

    def __cinit__(self, shape):
        self.pointwise = quantile


cdef class EpsilonInsensitive(Loss):
    """By how much an error exceeds `shape`."""

    def __cinit__(self, shape):
        self.pointwise = epsilon_insensitive


cdef class SquaredEpsilonInsensitive(Loss):
    """Half the square of that."""

    def __cinit__(self, shape):
        self.pointwise = squared_epsilon_insensitive
