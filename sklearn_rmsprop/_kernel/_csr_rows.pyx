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
    inverse_unit : (n_features + 1, n_targets) of X's type
        1 / unit of each coordinate, and 0 for one that must not move.
    intercept_floor : (n_targets,) float64
        Smaller mean gradients of an intercept count as zero: they are rounding.
    penalties : None or two arrays like `inverse_unit`
        Those of L1 and L2, in units of the gradient, divided by the probability that a batch visits the column.
    """

    def __init__(self, X, y, weight, selected, shuffle, inverse_unit, intercept_floor, penalties, certain=None):
        Rows.__init__(self, X, X.data.nbytes + X.indices.nbytes, y, weight, selected, shuffle, certain)
        self.row_cost = self.n_targets * (1 + COST_OF_VISIT * X.nnz // max(1, self.n_rows))
        cdef Py_ssize_t n_coordinates = self.n_features + 1
        if n_coordinates >= 1 << 32:
            raise ValueError(f"A sparse X must have fewer than {(1 << 32) - 1} columns; got {self.n_features}.")
        shape = (n_coordinates, self.n_targets)
        self._real = X.data.dtype
        address("inverse_unit", inverse_unit, self._real, shape)
        self._inverse_unit = inverse_unit
        # one record per cache line: NumPy aligns to 16 bytes only, so that room for one more is needed
        records = np.empty(shape[0] * shape[1] * sizeof(Coordinate) + LINE_BYTES, np.uint8)
        # room for all that a batch can visit, and one that is overwritten; untouched pages take no memory
        visits = np.empty((n_coordinates + 1) * sizeof(Visit), np.uint8)
        gradient = np.zeros(shape)
        slots = np.empty(CHUNK * int(np.diff(X.indptr).max(initial=0)) + 1, np.uint32)
        self._owners += (X.data, X.indices, X.indptr, intercept_floor, records, visits, gradient, slots)
        set_data(&self.model, &self.operations, X)
        self.model.n_targets = self.n_targets
        self.model.intercept_floor = <const double *>address(
            "intercept_floor", intercept_floor, np.float64, (self.n_targets,)
        )
        cdef uintptr_t start = address("records", records, np.uint8, records.shape)
        self.model.coordinates = <Coordinate *>rounded_up(start, LINE_BYTES)
        self.model.visits = <Visit *>address("visits", visits, np.uint8, visits.shape)
        self.model.gradient = <double *>address("gradient", gradient, np.float64, shape)
        self.model.slots = <uint32_t *>address("slots", slots, np.uint32, slots.shape)
        if penalties is not None:
            table = np.zeros((*shape, 5))
            table[..., 0], table[..., 1] = penalties
            self._owners += (table,)
            self.model.penalties = <Penalty *>address("penalties", table, np.float64, (*shape, 5))

    @property
    def lazy(self):
        return True

    cdef Coordinate[:, ::1] _coordinates(self):
        return <Coordinate[:self.n_features + 1, :self.n_targets]>self.model.coordinates

    cdef Penalty[:, ::1] _penalties(self):
        return <Penalty[:self.n_features + 1, :self.n_targets]>self.model.penalties

    def _load(self, state, rate_factors):
        shape = (self.n_features + 1, self.n_targets)
        factors = np.ones(self.n_targets) if rate_factors is None else np.ascontiguousarray(rate_factors, np.float64)
        address("rate_factors", factors, np.float64, (self.n_targets,))
        arrays = {name: getattr(state, name) for name in STATE_ARRAYS}
        for name, array in arrays.items():
            if array is not None or name in COORDINATE_ARRAYS:
                address(name, array, np.float64 if name == "average" else self._real, shape)
        fill_coordinates(
            self._coordinates(), self._inverse_unit, factors, arrays["coef"], arrays["average"], arrays["square"]
        )
        self._weighted = False
        # an interrupted run may have left something in the working memory
        memset(self.model.gradient, 0, (self.n_features + 1) * self.n_targets * sizeof(double))
        coordinates = np.asarray(self._coordinates())
        for name in MOMENT_ARRAYS:
            if arrays[name] is not None:
                coordinates[name] = arrays[name]
        if self.model.penalties != NULL:
            penalties = np.asarray(self._penalties())
            for name in PENALTY_ARRAYS:
                penalties[name] = 0 if arrays[name] is None else arrays[name]

    def _store(self, moments):
        shape = (self.n_features + 1, self.n_targets)
        result = {
            "coef": np.empty(shape, self._real), "average": np.empty(shape), "square": np.empty(shape, self._real)
        }
        copy_coordinates(self._coordinates(), result["coef"], result["average"], result["square"], self._average_weight)
        if moments:
            coordinates = np.asarray(self._coordinates())
            result.update({name: coordinates[name].astype(self._real) for name in MOMENT_ARRAYS})
        if self.model.penalties != NULL:
            penalties = np.asarray(self._penalties())
            result.update({name: penalties[name].astype(self._real) for name in PENALTY_ARRAYS})
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


def fill_coordinates(
    Coordinate[:, ::1] coordinates, const Real[:, ::1] inverse_unit, const double[::1] rate_factors,
    const Real[:, ::1] coef, const double[:, ::1] average, const Real[:, ::1] square,
):
    """Fill the records from arrays, all in one pass. The deviations are not weighted yet: `csr_start` does that."""
    cdef Py_ssize_t j, k
    for j in range(coordinates.shape[0]):
        for k in range(coordinates.shape[1]):
            coordinates[j, k] = Coordinate(
                coef=coef[j, k], weighted_deviation=average[j, k] - coef[j, k], square=square[j, k], gradient_mean=0,
                velocity=0, inverse_unit=inverse_unit[j, k], step_unit=inverse_unit[j, k] * rate_factors[k],
                last=0, slot=0,
            )


def copy_coordinates(
    const Coordinate[:, ::1] coordinates, Real[:, ::1] coef, double[:, ::1] average, Real[:, ::1] square,
    double weight,
):
    """Copy the records into arrays, all in one pass: array by array, each pass would read all of every record.

    `weight`: that of the average, which the deviations are multiplied by.
    """
    cdef Py_ssize_t j, k
    cdef double inverse_weight = 1 / weight if weight > 0 else 0
    for j in range(coordinates.shape[0]):
        for k in range(coordinates.shape[1]):
            coef[j, k] = <Real>coordinates[j, k].coef
            average[j, k] = coordinates[j, k].coef + inverse_weight * coordinates[j, k].weighted_deviation
            square[j, k] = <Real>coordinates[j, k].square


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
