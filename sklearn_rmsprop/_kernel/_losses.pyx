"""Losses of chunks of predictions, chosen once per call instead of once per row, and mean losses of many rows."""

from libc.stdint cimport uint32_t

import numpy as np

from sklearn_rmsprop._kernel._memory cimport address
from sklearn_rmsprop._kernel._rows cimport CHUNK, Rows, Targets, add_rows, gather, multiply_rows, targets_of
from sklearn_rmsprop._kernel._signals cimport check_signals

from sklearn_rmsprop._kernel._order import checked_rows

cdef extern from "losses.h" nogil:
    Pointwise squared_error_loss_each, squared_error_derivative_each
    Pointwise absolute_error_loss_each, absolute_error_derivative_each
    Pointwise huber_loss_each, huber_derivative_each
    Pointwise quantile_loss_each, quantile_derivative_each
    Pointwise epsilon_insensitive_loss_each, epsilon_insensitive_derivative_each
    Pointwise squared_epsilon_insensitive_loss_each, squared_epsilon_insensitive_derivative_each


cdef class Loss:
    """A loss and its derivative dloss/dz, as functions of (y, prediction z, parameter).

    Parameters
    ----------
    parameter : (n_targets,) array
        The loss's own parameter for each target: delta in the target's unit, or the quantile; else unused.
    """

    def __init__(self, parameter):
        if self.losses == NULL:
            raise TypeError("Loss is abstract: use one of its subclasses")
        self.n_targets = len(parameter)
        # one number for each prediction of a chunk, so that the loops need not know about targets
        repeated = np.empty((CHUNK, self.n_targets))
        repeated[:] = parameter
        self.parameter = repeated.ravel()

    cdef void evaluate(self, Py_ssize_t n, const double *y, const double *z, double *loss) noexcept nogil:
        """The loss of each of `n` predictions, at most CHUNK rows times targets."""
        self.losses(n, &self.parameter[0], y, z, loss)

    cdef void differentiate(self, Py_ssize_t n, const double *y, const double *z, double *derivative) noexcept nogil:
        """dloss/dz of each of `n` predictions, likewise."""
        self.derivatives(n, &self.parameter[0], y, z, derivative)

    def derivative_and_loss(self, const double[:, ::1] y, const double[:, ::1] z):
        """dloss/dz and the loss of each prediction, two arrays of the shape (n_rows, n_targets) of the arguments."""
        cdef double[:, :, ::1] result = np.empty((2, y.shape[0], y.shape[1]))
        cdef Py_ssize_t i = 0, n
        if y.shape[1] != self.n_targets or z.shape[0] != y.shape[0] or z.shape[1] != y.shape[1]:
            raise ValueError(
                f"y and z must have the same shape with {self.n_targets} columns; "
                f"got {(y.shape[0], y.shape[1])} and {(z.shape[0], z.shape[1])}"
            )
        with nogil:
            while i < y.shape[0]:
                n = min(<Py_ssize_t>CHUNK, y.shape[0] - i)
                self.differentiate(n * self.n_targets, &y[i, 0], &z[i, 0], &result[0, i, 0])
                self.evaluate(n * self.n_targets, &y[i, 0], &z[i, 0], &result[1, i, 0])
                i += n
        return np.asarray(result[0]), np.asarray(result[1])

    def of_constant(self, y, weight, selected, constant):
        """Weighted mean loss of a constant prediction over the selected rows, per target.

        Parameters
        ----------
        y : (n_rows, n_targets) float64
        weight : (n_rows,) float64 or float
            A float weighs all rows equally.
        selected : (n,) uint32
            Numbers of the rows that count.
        constant : float or (n_targets,) array

        Returns
        -------
        (n_targets,) array
        """
        cdef const double *weights = NULL
        if isinstance(weight, np.ndarray):
            weights = <const double *>address("weight", weight, np.float64, (y.shape[0],))
        constants = np.empty(self.n_targets)
        constants[:] = constant
        if y.shape[1] != self.n_targets:
            raise ValueError(f"expected {self.n_targets} columns, got {y.shape[1]}")
        return mean_loss(self, None, constants, targets_of(y), weights, checked_rows(selected, y.shape[0]))

    def of_model(self, Rows rows, coef, selected):
        """Weighted mean loss of the model with these coordinates, float64, over the selected ones of `rows`:
        (n_targets,).
        """
        if rows.n_targets != self.n_targets:
            raise ValueError(f"expected {self.n_targets} targets, got {rows.n_targets}")
        rows.set_prediction_coef(coef)
        return mean_loss(self, rows, None, rows.y, rows.weight, checked_rows(selected, rows.n_rows))


cdef mean_loss(
    Loss loss, Rows model, const double[::1] constants, Targets y, const double *weights, const uint32_t[::1] selected,
):
    """Weighted mean loss over the selected rows, of the predictions of `model` or of constants."""
    cdef Py_ssize_t i = 0, n, row, k, n_targets = loss.n_targets, row_cost = 0, cost = 0
    cdef double[:, ::1] chunk = np.empty((4, CHUNK * n_targets))
    cdef double *y_chunk = &chunk[0, 0]
    cdef double *z = &chunk[1, 0]
    cdef double *losses = &chunk[2, 0]
    cdef double *weight = &chunk[3, 0]
    cdef bint weighted = weights != NULL, predicts = model is not None
    cdef double total_weight = 0
    result = np.zeros(n_targets)
    cdef double[::1] total = result
    if predicts:
        row_cost = model.row_cost
    else:
        for row in range(CHUNK):
            for k in range(n_targets):
                z[row * n_targets + k] = constants[k]
    with nogil:
        while i < selected.shape[0]:
            n = min(<Py_ssize_t>CHUNK, selected.shape[0] - i)
            gather(&selected[i], n, n, n_targets, y, weights, y_chunk, weight)
            if predicts:
                model.predict(&selected[i], n, selected.shape[0] - i, z)
            loss.evaluate(n * n_targets, y_chunk, z, losses)
            if weighted:
                multiply_rows(n, n_targets, weight, losses)
                for row in range(n):
                    total_weight += weight[row]
            add_rows(n, n_targets, losses, &total[0])
            i += n
            cost += n * row_cost
            check_signals(&cost)
    if not weighted:
        total_weight = selected.shape[0]
    for k in range(n_targets):
        total[k] /= total_weight
    return result


cdef class SquaredError(Loss):
    """Half the squared error."""

    def __cinit__(self, parameter):
        self.losses, self.derivatives = squared_error_loss_each, squared_error_derivative_each


cdef class AbsoluteError(Loss):
    """The absolute error."""

    def __cinit__(self, parameter):
        self.losses, self.derivatives = absolute_error_loss_each, absolute_error_derivative_each


cdef class Huber(Loss):
    """Half the squared error up to an error of `parameter`, a straight line beyond."""

    def __cinit__(self, parameter):
        self.losses, self.derivatives = huber_loss_each, huber_derivative_each


cdef class Quantile(Loss):
    """The pinball loss, least at the quantile `parameter`."""

    def __cinit__(self, parameter):
        self.losses, self.derivatives = quantile_loss_each, quantile_derivative_each


cdef class EpsilonInsensitive(Loss):
    """The excess of the absolute error over `parameter`, or 0."""

    def __cinit__(self, parameter):
        self.losses, self.derivatives = epsilon_insensitive_loss_each, epsilon_insensitive_derivative_each


cdef class SquaredEpsilonInsensitive(Loss):
    """Half the square of the excess of the absolute error over `parameter`."""

    def __cinit__(self, parameter):
        self.losses = squared_epsilon_insensitive_loss_each
        self.derivatives = squared_epsilon_insensitive_derivative_each
