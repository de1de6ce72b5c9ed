"""Dense rows: owns the memory that the functions of dense.h work on."""

from libc.stdint cimport uint32_t, uintptr_t
from libc.string cimport memcpy, memset

import numpy as np

from sklearn_rmsprop._kernel._memory cimport LINE_BYTES, address, rounded_up
from sklearn_rmsprop._kernel._plan cimport Step
from sklearn_rmsprop._kernel._rows cimport CHUNK, Rows

# Whether several targets are worked on in vectors of 64 bytes. A global, so that tests can try both.
cdef bint wide_vectors = has_wide_vectors()


def use_wide_vectors(bint wanted):
    """Switch 64-byte vectors off or on (where there are any) for rows made later; return whether they are on."""
    global wide_vectors
    wide_vectors = wanted and has_wide_vectors()
    return wide_vectors


cdef class DenseRows(Rows):
    """C-contiguous float32 or float64 rows, centred by `mean` on the fly.

    Parameters
    ----------
    X, y, weight, selected, shuffle, certain
        As in Rows.
    mean : (n_features,) of X's type
    inverse_unit : (n_features + 1, n_targets) of X's type
        1 / unit of each coordinate, and 0 for one that must not move.
    floor : (n_features + 1, n_targets) of X's type
        Smaller mean gradients count as zero: they are rounding.
    penalties : None or two arrays like `inverse_unit`
        Those of L1 and L2, in units of the gradient.
    basis : (n_features, n_features) of X's type, or None
        The coefficients are basis @ coordinates, and the state belongs to the coordinates. Then there is no L1 penalty,
        and that of L2 is in units of the gradient of the coefficients.
    """

    def __init__(self, X, y, weight, selected, shuffle, mean, inverse_unit, floor, penalties, basis=None, certain=None):
        if X.dtype != np.float64 and X.dtype != np.float32:
            raise ValueError(f"X must be of float64 or float32; got {X.dtype}.")
        Rows.__init__(self, X, X.nbytes, y, weight, selected, shuffle, certain)
        self.row_cost = self.n_features * self.n_targets
        self.operations = dense_operations(X.itemsize, self.n_targets, basis is not None, wide_vectors)
        self._real = real = X.dtype
        cdef DenseModel *model = &self.model
        cdef Py_ssize_t n_coordinates = (self.n_features + 1) * self.n_targets
        cdef Py_ssize_t n_columns = WIDEST_NARROW * CHUNK
        model.n_features = self.n_features
        model.n_targets = self.n_targets
        model.n_padded = rounded_up(n_coordinates, self.operations.lanes)
        # All arrays in one piece, with room to spare: pages that are never touched cost nothing. Each begins on a cache
        # line, because vectors that lie across two load more slowly.
        # 8 bytes a number, also for float32. Vectors read up to LONGEST_VECTOR numbers beyond an array.
        cdef Py_ssize_t n_numbers = 21 * model.n_padded + 3 * self.n_targets + n_columns + LONGEST_VECTOR
        if basis is not None:
            n_numbers += rounded_up(self.n_features, 4) * rounded_up(self.n_features, self.operations.lanes)
        memory = np.zeros(8 * n_numbers + 32 * LINE_BYTES, np.uint8)
        self._room = <char *>address("memory", memory, np.uint8, memory.shape)
        self._room = <char *>rounded_up(<uintptr_t>self._room, LINE_BYTES)
        self._owners += (memory,)

        model.x = <const void *>address("X", X, real, (self.n_rows, self.n_features))
        model.mean = self._reserve_numbers("mean", np.append(mean, real.type(-1)), (self.n_features + 1,))
        model.inverse_unit = self._reserve_numbers("inverse_unit", inverse_unit, self._shape())
        model.step_unit = model.inverse_unit
        self._step_unit = NULL
        model.floor = self._reserve_numbers("floor", floor, self._shape())
        model.coef = self._reserve(8 * model.n_padded)
        model.square = self._reserve(8 * model.n_padded)
        model.gradient_mean = self._reserve(8 * model.n_padded)
        model.velocity = self._reserve(8 * model.n_padded)
        model.average = <double *>self._reserve(8 * model.n_padded)
        if basis is not None:
            self._reserve_basis(basis, None if penalties is None else penalties[1])
        elif penalties is not None:
            model.l2 = self._reserve_numbers("l2", penalties[1], self._shape())
            if penalties[0].any():
                model.l1 = self._reserve_numbers("l1", penalties[0], self._shape())
                model.threshold = self._reserve(8 * model.n_padded)
                model.offset = self._reserve(8 * model.n_padded)
                model.active = self._reserve(8 * model.n_padded)
        model.gradient = self._reserve(8 * model.n_padded)
        model.coordinates, model.coordinate_gradient = model.coef, model.gradient
        if basis is not None:
            model.coordinates = self._reserve(8 * model.n_padded)
            model.coordinate_gradient = self._reserve(8 * model.n_padded)
        model.residual_sum = <double *>self._reserve(8 * self.n_targets)
        model.shift = <double *>self._reserve(8 * self.n_targets)
        model.columns = self._reserve(8 * n_columns)
        self.prediction = self.model
        self.prediction.coef = self._reserve(8 * model.n_padded)
        self.prediction.shift = <double *>self._reserve(8 * self.n_targets)
        self.prediction.coordinates = self.prediction.coef
        if basis is not None:
            self.prediction.coordinates = self._reserve(8 * model.n_padded)

    cdef tuple _shape(self):
        """The shape of an array with a number per coordinate."""
        return self.n_features + 1, self.n_targets

    cdef void *_reserve(self, Py_ssize_t n_bytes) noexcept:
        """The next piece of the memory, all zeros."""
        cdef void *piece = self._room
        self._room += rounded_up(n_bytes, LINE_BYTES)
        return piece

    cdef void *_reserve_numbers(self, str name, array, tuple shape) except NULL:
        """The next piece of the memory, filled with an array of X's type and padded with zeros."""
        cdef void *piece = self._reserve(8 * self.model.n_padded)
        memcpy(piece, <const void *>address(name, array, self._real, shape), array.nbytes)
        return piece

    cdef int _reserve_basis(self, basis, ridge) except -1:
        """Take the basis, its rows padded with zeros, and the L2 penalty of the coefficients."""
        cdef Py_ssize_t stride = rounded_up(self.n_features, self.operations.lanes)
        cdef Py_ssize_t n_rows = rounded_up(self.n_features, 4)
        address("basis", basis, self._real, (self.n_features, self.n_features))
        padded = np.zeros((n_rows, stride), self._real)
        padded[:self.n_features, :self.n_features] = basis
        cdef void *piece = self._reserve(padded.nbytes)
        memcpy(piece, <const void *>address("basis", padded, self._real, padded.shape), padded.nbytes)
        self.model.basis, self.model.basis_stride = piece, stride
        if ridge is not None:
            self.model.ridge = self._reserve_numbers("l2", ridge, self._shape())
        return 0

    cdef int _copy_in(self, void *to, str name, array, dtype) except -1:
        """Fill a number per coordinate from an array, or with zeros."""
        memset(to, 0, 8 * self.model.n_padded)
        if array is not None:
            memcpy(to, <const void *>address(name, array, dtype, self._shape()), array.nbytes)
        return 0

    cdef object _copy_out(self, const void *numbers, dtype):
        """A number per coordinate as a new array."""
        array = np.empty(self._shape(), dtype)
        memcpy(<void *>address("array", array, dtype, array.shape), numbers, array.nbytes)
        return array

    def _load(self, state, rate_factors):
        cdef DenseModel *model = &self.model
        real = self._real
        # an interrupted or overflowed run may have left something in the working memory, padding included
        memset(model.gradient, 0, 8 * model.n_padded)
        memset(model.coordinate_gradient, 0, 8 * model.n_padded)
        memset(model.residual_sum, 0, 8 * self.n_targets)
        self._copy_in(model.coordinates, "coef", state.coef, real)
        self._copy_in(model.average, "average", state.average, np.float64)
        self._copy_in(model.square, "square", state.square, real)
        self._copy_in(model.gradient_mean, "gradient_mean", state.gradient_mean, real)
        self._copy_in(model.velocity, "velocity", state.velocity, real)
        if model.l1 != NULL:
            self._copy_in(model.threshold, "threshold", state.threshold, real)
            self._copy_in(model.offset, "offset", state.offset, real)
            self._copy_in(model.active, "active", state.active, real)
        model.step_unit = model.inverse_unit
        if rate_factors is not None and self.n_targets > 1:
            if self._step_unit == NULL:
                self._step_unit = self._reserve(8 * model.n_padded)
            inverse_unit = self._copy_out(model.inverse_unit, real)
            step_unit = np.ascontiguousarray(inverse_unit * np.asarray(rate_factors), dtype=real)
            self._copy_in(self._step_unit, "rate_factors", step_unit, real)
            model.step_unit = self._step_unit
        self.operations.refresh(model)

    def _store(self, moments):
        cdef DenseModel *model = &self.model
        real = self._real
        result = {
            "coef": self._copy_out(model.coordinates, real),
            "average": self._copy_out(model.average, np.float64),
            "square": self._copy_out(model.square, real),
        }
        if moments:
            result["gradient_mean"] = self._copy_out(model.gradient_mean, real)
            result["velocity"] = self._copy_out(model.velocity, real)
        if model.l1 != NULL:
            result["threshold"] = self._copy_out(model.threshold, real)
            result["offset"] = self._copy_out(model.offset, real)
            result["active"] = self._copy_out(model.active, real)
        return result

    def set_prediction_coef(self, coef):
        rounded = coef.astype(self._real, copy=False)
        self._copy_in(self.prediction.coordinates, "coef", rounded, self._real)
        self.operations.refresh(&self.prediction)

    cdef void forward(
        self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, const Step *step, double *z
    ) noexcept nogil:
        self.operations.forward(&self.model, rows, n, n_ahead, z)

    cdef void backward(self, const uint32_t *rows, Py_ssize_t n, const double *residual) noexcept nogil:
        self.operations.backward(&self.model, rows, n, residual)

    cdef void step(self, const Step *step) noexcept nogil:
        self.operations.step(&self.model, step)

    cdef void predict(self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        self.operations.forward(&self.prediction, rows, n, n if self.order.cached else n_ahead, z)
