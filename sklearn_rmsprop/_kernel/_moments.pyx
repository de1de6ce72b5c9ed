"""Means and variances of the columns of dense arrays, and norms of the rows."""

from libc.stdint cimport uint32_t

import numpy as np

from sklearn_rmsprop._kernel._memory cimport address

from sklearn_rmsprop._kernel._order import checked_rows

cdef extern from "moments.h" nogil:
    void moments_float(const float *, Py_ssize_t, const uint32_t *, Py_ssize_t, const double *, double *, double *,
                       double *)
    void moments_double(const double *, Py_ssize_t, const uint32_t *, Py_ssize_t, const double *, double *, double *,
                        double *)
    void squared_norms_float(const float *, Py_ssize_t, const uint32_t *, Py_ssize_t, const double *, const double *,
                             double *)
    void squared_norms_double(const double *, Py_ssize_t, const uint32_t *, Py_ssize_t, const double *, const double *,
                              double *)


def column_moments(X, selected, weight):
    """Weighted mean and variance of the columns of an array over the selected rows.

    Parameters
    ----------
    X : (n_rows, n_columns), C-contiguous float32 or float64
    selected : (n,) uint32
        Numbers of the rows that count.
    weight : (n_rows,) float64 or None
        None: all rows weigh the same.

    Returns
    -------
    mean, variance : (n_columns,)
    """
    cdef Py_ssize_t n_columns = X.shape[1]
    cdef const uint32_t[::1] rows = checked_rows(selected, X.shape[0])
    cdef bint is_float = X.dtype == np.float32
    cdef const void *data = <const void *>address("X", X, np.float32 if is_float else np.float64, X.shape)
    cdef const double *weights = NULL
    cdef double[:, ::1] result = np.empty((4, n_columns))
    if weight is not None:
        weights = <const double *>address("weight", weight, np.float64, (X.shape[0],))
    with nogil:
        if is_float:
            moments_float(<const float *>data, n_columns, &rows[0], rows.shape[0], weights, &result[0, 0],
                          &result[1, 0], &result[2, 0])
        else:
            moments_double(<const double *>data, n_columns, &rows[0], rows.shape[0], weights, &result[0, 0],
                           &result[1, 0], &result[2, 0])
    return np.asarray(result[0]), np.asarray(result[1])


def squared_norms(X, selected, mean, inverse_unit):
    """The squared norm of each selected row, less `mean` and times `inverse_unit`.

    Parameters
    ----------
    X : (n_rows, n_columns), C-contiguous float32 or float64
    selected : (n,) uint32
    mean, inverse_unit : (n_columns,) float64

    Returns
    -------
    (n,) float64
    """
    cdef Py_ssize_t n_columns = X.shape[1]
    cdef const uint32_t[::1] rows = checked_rows(selected, X.shape[0])
    cdef bint is_float = X.dtype == np.float32
    cdef const void *data = <const void *>address("X", X, np.float32 if is_float else np.float64, X.shape)
    cdef const double *origin = <const double *>address("mean", mean, np.float64, (n_columns,))
    cdef const double *scale = <const double *>address("inverse_unit", inverse_unit, np.float64, (n_columns,))
    cdef double[::1] result = np.empty(rows.shape[0])
    with nogil:
        if is_float:
            squared_norms_float(<const float *>data, n_columns, &rows[0], rows.shape[0], origin, scale, &result[0])
        else:
            squared_norms_double(<const double *>data, n_columns, &rows[0], rows.shape[0], origin, scale, &result[0])
    return np.asarray(result)
