"""Sparse rows: owns the memory that the functions of csr.h work on."""

from libc.stdint cimport int64_t, uint32_t, uintptr_t
from libc.string cimport memset

import numpy as np

from sklearn_rmsprop._kernel._memory cimport LINE_BYTES, address, rounded_up
from sklearn_rmsprop._kernel._plan cimport Step, StepPlan, average_weight
from sklearn_rmsprop._kernel._rows cimport CHUNK, Rows

from sklearn_rmsprop._kernel._order import checked_rows
from sklearn_rmsprop._kernel._rows import COORDINATE_ARRAYS, MOMENT_ARRAYS, PENALTY_ARRAYS, STATE_ARRAYS

# An estimate: a random visit to a coordinate costs as much as so many numbers of X read in order.
cdef Py_ssize_t COST_OF_VISIT = 10


cdef class CSRRows(Rows):
    """CSR rows of float32 or float64 with 32- or 64-bit indices. While they are trained, all computations are in
    double.

    Parameters
    ----------
    X, y, weight, selected, shuffle, certain
        As in Rows. The indices of X must lie within it.
    inverse_unit : (n_features + 1,) of X's type
        1 / unit of each feature and of the intercept, and 0 for one that must not move.
    intercept_floor : (n_targets,) float64
        Smaller mean gradients of an intercept count as zero: they are rounding.
    penalties : None or (penalty_unit, l1, l2), float64 of shapes (n_features + 1,), (n_targets,) and (n_targets,)
        The penalties of a coordinate, in units of the gradient and divided by the probability that a batch visits the
        column, are the products of `penalty_unit` and those of its target.
    """

    def __init__(self, X, y, weight, selected, shuffle, inverse_unit, intercept_floor, penalties, certain=None):
        Rows.__init__(self, X, X.data.nbytes + X.indices.nbytes, y, weight, selected, shuffle, certain)
        self.row_cost = self.n_targets * (1 + COST_OF_VISIT * X.nnz // max(1, self.n_rows))
        cdef Py_ssize_t n_coordinates = self.n_features + 1
        if n_coordinates >= 1 << 32:
            raise ValueError(f"A sparse X must have fewer than {(1 << 32) - 1} columns; got {self.n_features}.")
        self._real = X.data.dtype
        address("inverse_unit", inverse_unit, self._real, (n_coordinates,))
        self._inverse_unit = inverse_unit
        self._rate_factor = np.ones(self.n_targets)
        # features begin on cache lines: NumPy aligns to 16 bytes only, so that room for one more is needed
        features = np.empty(n_coordinates * feature_bytes(self.n_targets) + LINE_BYTES, np.uint8)
        # room for all that a batch can visit, and one that is overwritten; untouched pages take no memory
        visits = np.empty((n_coordinates + 1) * sizeof(Visit), np.uint8)
        gradient = np.zeros((n_coordinates, self.n_targets))
        slots = np.empty(CHUNK * int(np.diff(X.indptr).max(initial=0)) + 1, np.uint32)
        self._owners += (X.data, X.indices, X.indptr, intercept_floor, features, visits, gradient, slots, penalties)
        set_data(&self.model, &self.operations, X)
        self.model.n_targets = self.n_targets
        self.model.intercept_floor = self._of_targets("intercept_floor", intercept_floor)
        self.model.rate_factor = self._of_targets("rate_factor", self._rate_factor)
        cdef uintptr_t start = address("features", features, np.uint8, features.shape)
        self.model.features = <void *>rounded_up(start, LINE_BYTES)
        self.model.visits = <Visit *>address("visits", visits, np.uint8, visits.shape)
        self.model.gradient = <double *>address("gradient", gradient, np.float64, gradient.shape)
        self.model.slots = <uint32_t *>address("slots", slots, np.uint32, slots.shape)
        if penalties is None:
            self._penalty_unit = np.zeros(n_coordinates)
        else:
            self._penalty_unit, l1, l2 = penalties
            address("penalty_unit", self._penalty_unit, np.float64, (n_coordinates,))
            self.model.l1, self.model.l2 = self._of_targets("l1", l1), self._of_targets("l2", l2)
            if l1.any():
                shape = n_coordinates, N_L1_NUMBERS, self.n_targets
                self._l1_state = np.zeros(shape)
                self.model.l1_state = <double *>address("l1_state", self._l1_state, np.float64, shape)

    cdef const double *_of_targets(self, str name, array) except NULL:
        """The address of an array with a number per target."""
        return <const double *>address(name, array, np.float64, (self.n_targets,))

    @property
    def lazy(self):
        return True

    cdef _numbers(self, Py_ssize_t number):
        """A view of one Number of all coordinates: (n_features + 1, n_targets)."""
        cdef Py_ssize_t n = feature_bytes(self.n_targets) // sizeof(double)
        cdef Py_ssize_t first = (sizeof(Feature) // sizeof(double)) + number * self.n_targets
        cdef double[:, ::1] all_numbers = <double[:self.n_features + 1, :n]><double *>self.model.features
        return np.asarray(all_numbers)[:, first : first + self.n_targets]

    def _load(self, state, rate_factors):
        shape = (self.n_features + 1, self.n_targets)
        factors = np.ones(self.n_targets) if rate_factors is None else np.ascontiguousarray(rate_factors, np.float64)
        address("rate_factors", factors, np.float64, (self.n_targets,))
        self._rate_factor[:] = factors
        arrays = {name: getattr(state, name) for name in STATE_ARRAYS}
        for name, array in arrays.items():
            if array is not None or name in COORDINATE_ARRAYS:
                address(name, array, np.float64 if name == "average" else self._real, shape)
        fill_features(
            self, self._inverse_unit, self._penalty_unit, arrays["coef"], arrays["average"], arrays["square"]
        )
        self._weighted = False
        # an interrupted run may have left something in the working memory
        memset(self.model.gradient, 0, (self.n_features + 1) * self.n_targets * sizeof(double))
        for name, number in zip(MOMENT_ARRAYS, (GRADIENT_MEAN, VELOCITY)):
            if arrays[name] is not None:
                self._numbers(number)[:] = arrays[name]
        if self._l1_state is not None:
            for number, name in enumerate(PENALTY_ARRAYS):
                self._l1_state[:, number] = 0 if arrays[name] is None else arrays[name]

    def _store(self, moments):
        shape = (self.n_features + 1, self.n_targets)
        result = {
            "coef": np.empty(shape, self._real), "average": np.empty(shape), "square": np.empty(shape, self._real)
        }
        copy_features(self, result["coef"], result["average"], result["square"], self._average_weight)
        if moments:
            for name, number in zip(MOMENT_ARRAYS, (GRADIENT_MEAN, VELOCITY)):
                result[name] = self._numbers(number).astype(self._real, order="C")
        if self._l1_state is not None:
            for number, name in enumerate(PENALTY_ARRAYS):
                result[name] = self._l1_state[:, number].astype(self._real, order="C")
        return result

    def set_prediction_coef(self, coef):
        address("coef", coef, np.float64, (self.n_features + 1, self.n_targets))
        self._prediction_coef = coef

    cdef void forward(
        self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, const Step *step, double *z
    ) noexcept nogil:
        self.operations.forward(&self.model, rows, n, n_ahead, step, z)

    cdef void backward(self, const uint32_t *rows, Py_ssize_t n, const double *residual) noexcept nogil:
        self.operations.backward(&self.model, rows, n, residual)

    cdef void step(self, const Step *step) noexcept nogil:
        csr_step(&self.model, step)

    cdef void start(self, const StepPlan *plan) noexcept nogil:
        csr_start(&self.model, 1 if self._weighted else average_weight(plan, 0))
        self._weighted = True

    cdef void finish(self, const StepPlan *plan, int64_t i) noexcept nogil:
        csr_finish(&self.model, plan, i)
        self._average_weight = average_weight(plan, i)

    cdef void predict(self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        self.operations.predict(&self.model, &self._prediction_coef[0, 0], rows, n, z)


ctypedef fused Real:
    float
    double


def fill_features(
    CSRRows rows, const Real[::1] inverse_unit, const double[::1] penalty_unit,
    const Real[:, ::1] coef, const double[:, ::1] average, const Real[:, ::1] square,
):
    """Fill the features from arrays, all in one pass. The deviations are not weighted yet: `csr_start` does that."""
    cdef Py_ssize_t j, k, n = rows.n_targets
    cdef Feature *feature
    for j in range(coef.shape[0]):
        feature = feature_at(&rows.model, j, n)
        feature.last = feature.slot = 0
        feature.inverse_unit, feature.penalty_unit = inverse_unit[j], penalty_unit[j]
        for k in range(n):
            feature.numbers[COEF * n + k] = coef[j, k]
            feature.numbers[WEIGHTED_DEVIATION * n + k] = average[j, k] - coef[j, k]
            feature.numbers[SQUARE * n + k] = square[j, k]
            feature.numbers[GRADIENT_MEAN * n + k] = feature.numbers[VELOCITY * n + k] = 0


def copy_features(CSRRows rows, Real[:, ::1] coef, double[:, ::1] average, Real[:, ::1] square, double weight):
    """Copy the features into arrays, all in one pass: array by array, each pass would read all of every feature.

    `weight`: that of the average, which the deviations are multiplied by.
    """
    cdef Py_ssize_t j, k, n = rows.n_targets
    cdef double inverse_weight = 1 / weight if weight > 0 else 0
    cdef const double *numbers
    for j in range(coef.shape[0]):
        numbers = feature_at(&rows.model, j, n).numbers
        for k in range(n):
            coef[j, k] = <Real>numbers[COEF * n + k]
            average[j, k] = numbers[COEF * n + k] + inverse_weight * numbers[WEIGHTED_DEVIATION * n + k]
            square[j, k] = <Real>numbers[SQUARE * n + k]


cdef int set_data(CSRModel *model, const CSROperations **operations, X) except -1:
    """Point the model at X's three arrays, and choose the operations for their types."""
    long_indices = X.indices.dtype == np.int64
    if X.data.dtype == np.float32:
        operations[0] = &csr_float_int64 if long_indices else &csr_float_int32
    else:
        operations[0] = &csr_double_int64 if long_indices else &csr_double_int32
    index = np.int64 if long_indices else np.int32
    real = np.float32 if X.data.dtype == np.float32 else np.float64
    memset(model, 0, sizeof(CSRModel))
    model.n_features = X.shape[1]
    model.data = <const void *>address("X.data", X.data, real, X.data.shape)
    model.indices = <const void *>address("X.indices", X.indices, index, X.data.shape)
    model.indptr = <const void *>address("X.indptr", X.indptr, index, (X.shape[0] + 1,))
    return 0


def entry_moments(X, selected, weight):
    """Weighted moments of the entries of each column of a CSR matrix that are not zero.

    Parameters
    ----------
    X : CSR matrix of float32 or float64
    selected : (n,) uint32
        Numbers of the rows that count.
    weight : (n_rows,) float64 or None
        None: all rows weigh 1.

    Returns
    -------
    mean, variance, total_weight : (n_features,)
    """
    cdef CSRModel model
    cdef const CSROperations *operations
    set_data(&model, &operations, X)
    cdef const uint32_t[::1] rows = checked_rows(selected, X.shape[0])
    result = np.empty((X.shape[1], sizeof(EntryMoments) // sizeof(double)))
    cdef EntryMoments *moments = <EntryMoments *><uintptr_t>address("result", result, np.float64, result.shape)
    cdef const double *weights = NULL
    if weight is not None:
        weights = <const double *>address("weight", weight, np.float64, (X.shape[0],))
    with nogil:
        operations.moments(&model, &rows[0], rows.shape[0], weights, moments)
    return tuple(np.ascontiguousarray(column) for column in result.T[:3])
