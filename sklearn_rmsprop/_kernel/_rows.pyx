"""Rows of X together with the coefficients that act on them: what a mini-batch does, whatever the storage.

The classes below own the memory that the C structures point into; the work itself is in dense.c, csr.c and the
templates beside them. A state is any object with the C-contiguous arrays named below, each (n_features + 1, n_targets)
with the intercept last; `average` is double, the others of the rows' type. `penalties` are None or two such arrays,
those of the L1 and of the L2 penalty.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uintptr_t
from libc.string cimport memcpy, memset

import numpy as np

from sklearn_rmsprop._kernel._order import CACHED_BYTES

COORDINATE_ARRAYS = ("coef", "square", "gradient_mean", "velocity", "average")
PENALTY_ARRAYS = ("threshold", "offset", "active")
STATE_ARRAYS = COORDINATE_ARRAYS + PENALTY_ARRAYS


cdef uintptr_t address(array, dtype, tuple shape, bint writable=False) except? 0:
    """Where an array's data is, once it is known to be what C will take it for."""
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        raise TypeError(
            f"expected a C-contiguous array of {dtype} and shape {shape}, got {array.dtype} and {array.shape}"
        )
    if writable and not array.flags.writeable:
        raise ValueError("an array to be updated is read-only")
    # array.ctypes.data takes ten times as long, which a fit of a few rows feels: it asks for 14 addresses
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE)
    PyBuffer_Release(&buffer)
    return <uintptr_t>buffer.buf


cdef class Rows:
    """The examples in the order of an epoch, and what the training loop needs of them: predictions, gradient, update.

    Parameters
    ----------
    X : array or CSR matrix of shape (n_rows, n_features)
    n_bytes : int
        What an epoch reads of it.
    examples : object
        Which rows take part, in units of the kernel: `order`, their numbers (uint32); `y` (n_rows, n_targets) and
        `weight` (n_rows,) of all rows; `generator` of their orders, or None to take them as they come.
    """

    def __init__(self, X, Py_ssize_t n_bytes, examples):
        self.n_rows, self.n_features = X.shape
        self.y = examples.y
        self.n_targets = self.y.shape[1]
        self.n_examples = len(examples.order)
        self.weights = sequence(examples.weight)
        self.order = Order(examples.order, examples.generator, n_bytes)
        # beside the rows that pass through it the cache holds targets of half its size: to fetch these ahead as well
        # takes a twentieth of an epoch on 26 columns, not to fetch more of them a fifth on 30
        self._fetches_targets = 2 * examples.y.nbytes > CACHED_BYTES
        self._owners = (X, examples)

    cdef void renew(self) noexcept nogil:
        """Draw the order of the next epoch."""
        self.order.renew()

    cdef void take(self, Py_ssize_t start, Py_ssize_t n, double *y, double *weight) noexcept nogil:
        """Fetch the targets of the `n` examples from place `start` on, and their weights unless these are equal.

        The methods below are called for the examples taken last.
        """
        cdef Py_ssize_t n_ahead = self.order.n_ahead(start, n) if self._fetches_targets else n
        gather(self.order.named(start), n, n_ahead, self.n_targets, &self.y[0, 0], self.weights, y, weight)

    cdef void forward(self, Py_ssize_t start, Py_ssize_t n, const Step *step, double *z) noexcept nogil:
        """Predict."""

    cdef void backward(self, Py_ssize_t start, Py_ssize_t n, const double *residual) noexcept nogil:
        """Add residual * features to the gradient."""

    cdef void step(self, const Step *step) noexcept nogil:
        """Update the coefficients, and set the gradient to zero."""

    cdef void start(self, const Plan *plan) noexcept nogil:
        """Get ready for a call's steps."""

    cdef void finish(self, const Plan *plan, int64_t i) noexcept nogil:
        """Leave every coordinate as of step `i`, the last of a call."""

    def store(self):
        """Write what was learned into the arrays of the state."""

    def publish(self, coef):
        """Take these coordinates, float64 like the average, for `predict`."""

    cdef void predict(self, const uint32_t *named, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        """Predict the first `n` of `n_ahead` rows named, with the coordinates published last."""


cdef int write(const void *numbers, array) except -1:
    """Fill an array from memory."""
    memcpy(<void *>address(array, array.dtype, array.shape, True), numbers, array.nbytes)
    return 0


# Whether dense rows are worked on in vectors of 64 bytes. A global, so that tests can have it both ways.
cdef bint wide_vectors = has_wide_vectors()


def use_wide_vectors(bint wanted):
    """Switch longer vectors off, or on again where there are any; return whether they are on now."""
    global wide_vectors
    wide_vectors = wanted and has_wide_vectors()
    return wide_vectors


# What a chunk of narrow rows holds.
cdef Py_ssize_t NARROW_CHUNK = WIDEST_NARROW * CHUNK

# The longest that the dense kernel has.
cdef Py_ssize_t LONGEST_VECTOR_BYTES = LONGEST_VECTOR * sizeof(float)


cdef class DenseRows(Rows):
    """C-contiguous float32 or float64 rows, centred by `mean` on the fly."""

    def __init__(self, X, examples, state, mean, inverse_unit, floor, penalties):
        Rows.__init__(self, X, X.nbytes, examples)
        self.row_cost = self.n_features * self.n_targets
        cdef bint long_enough = self.n_targets > 1 or self.n_features * X.itemsize > 2 * LONGEST_VECTOR_BYTES
        self.operations = dense_operations(X.itemsize, wide_vectors and long_enough)
        self._state = state
        real = X.dtype
        cdef DenseModel *model = &self.model
        cdef Py_ssize_t n_coordinates = (self.n_features + 1) * self.n_targets
        cdef Py_ssize_t n_panels = self.n_features * (self.n_targets + LONGEST_VECTOR) if self.n_targets > 1 else 0
        model.n_features = self.n_features
        model.n_targets = self.n_targets
        model.n_padded = rounded_up(n_coordinates, self.operations.lanes)
        # all arrays in one piece, with room to spare: pages that are never touched cost nothing. Each begins on a cache
        # line, because a vector of numbers that lies across two takes longer to load.
        cdef Py_ssize_t n_numbers = 16 * model.n_padded + 2 * n_panels + 3 * self.n_targets + NARROW_CHUNK
        memory = np.zeros(8 * n_numbers + 24 * LINE_BYTES, np.uint8)
        self._room = <char *>address(memory, np.uint8, memory.shape)
        self._room = <char *>rounded_up(<uintptr_t>self._room, LINE_BYTES)
        self._owners += (memory,)

        model.x = <const void *>address(X, real, (self.n_rows, self.n_features))
        model.mean = self._numbers(np.append(mean, real.type(-1)), real)
        model.inverse_unit = self._numbers(inverse_unit, real)
        model.floor = self._numbers(floor, real)
        model.coef = self._numbers(state.coef, real)
        model.square = self._numbers(state.square, real)
        model.gradient_mean = self._numbers(state.gradient_mean, real)
        model.velocity = self._numbers(state.velocity, real)
        model.average = <double *>self._numbers(state.average, np.float64)
        if penalties is not None:
            model.l1 = self._numbers(penalties[0], real)
            model.l2 = self._numbers(penalties[1], real)
            model.threshold = self._numbers(state.threshold, real)
            model.offset = self._numbers(state.offset, real)
            model.active = self._numbers(state.active, real)
        model.gradient = self._zeros(8 * model.n_padded)
        model.residual_sum = <double *>self._zeros(8 * self.n_targets)
        model.shift = <double *>self._zeros(8 * self.n_targets)
        model.columns = self._zeros(8 * NARROW_CHUNK)
        model.panels = self._zeros(8 * n_panels)
        self.operations.refresh(model)
        self.published = self.model
        self.published.coef = self._zeros(8 * model.n_padded)
        self.published.shift = <double *>self._zeros(8 * self.n_targets)
        self.published.panels = self._zeros(8 * n_panels)

    cdef void *_zeros(self, Py_ssize_t n_bytes) noexcept:
        """The next piece of the memory."""
        cdef void *piece = self._room
        self._room += rounded_up(n_bytes, LINE_BYTES)
        return piece

    cdef void *_numbers(self, array, dtype) except NULL:
        """A copy of a number per coordinate or feature, padded with zeros."""
        cdef void *piece = self._zeros(8 * self.model.n_padded)
        memcpy(piece, <const void *>address(array, dtype, array.shape), array.nbytes)
        return piece

    def store(self):
        """Write what was learned into the arrays of the state."""
        write(self.model.coef, self._state.coef)
        write(self.model.square, self._state.square)
        write(self.model.gradient_mean, self._state.gradient_mean)
        write(self.model.velocity, self._state.velocity)
        write(self.model.average, self._state.average)
        if self.model.l1 != NULL:
            write(self.model.threshold, self._state.threshold)
            write(self.model.offset, self._state.offset)
            write(self.model.active, self._state.active)

    cdef void forward(self, Py_ssize_t start, Py_ssize_t n, const Step *step, double *z) noexcept nogil:
        self.operations.forward(&self.model, self.order.named(start), n, self.order.n_ahead(start, n), z)

    cdef void backward(self, Py_ssize_t start, Py_ssize_t n, const double *residual) noexcept nogil:
        self.operations.backward(&self.model, self.order.named(start), n, residual)

    cdef void step(self, const Step *step) noexcept nogil:
        self.operations.step(&self.model, step)

    def publish(self, coef):
        """Take these coordinates, float64 like the average, for `predict`."""
        like = self._state.coef
        rounded = coef.astype(like.dtype, copy=False)
        memcpy(self.published.coef, <const void *>address(rounded, like.dtype, like.shape), rounded.nbytes)
        self.operations.refresh(&self.published)

    cdef void predict(self, const uint32_t *named, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        self.operations.forward(&self.published, named, n, n if self.order.cached else n_ahead, z)


cdef class PairedRows(DenseRows):
    """Rows of one number, copied side by side with their targets: these pairs themselves are shuffled.

    The next rows lie one after the other then. To look up row and target by number took a quarter of an epoch. (With
    two or three columns a shuffle of such records takes as much longer as they save.)
    """

    def __init__(self, X, examples, *args):
        DenseRows.__init__(self, X, examples, *args)
        self._generator = examples.generator
        # doubles for floats, too: targets are never rounded
        self._pairs = np.empty((self.n_examples, 2))
        pair_up(examples.order, X, examples.y, self._pairs)

    cdef void renew(self) noexcept nogil:
        if self._generator is not None:
            shuffle_pairs(&self._pairs[0, 0], self.n_examples, &self._generator[0])

    cdef void take(self, Py_ssize_t start, Py_ssize_t n, double *y, double *weight) noexcept nogil:
        self.operations.unpack(&self.model, &self._pairs[start, 0], n, y)

    cdef void forward(self, Py_ssize_t start, Py_ssize_t n, const Step *step, double *z) noexcept nogil:
        self.operations.predict(&self.model, n, z)


def dense_rows(X, examples, *args):
    """DenseRows, or PairedRows where that pays: in cache, beyond which moving pairs costs more than moving numbers."""
    one_column = X.shape[1] == examples.y.shape[1] == 1
    weighted = sequence(examples.weight).stride != 0
    if one_column and not weighted and 2 * sizeof(double) * len(examples.order) <= CACHED_BYTES:
        return PairedRows(X, examples, *args)
    return DenseRows(X, examples, *args)


cdef class CSRRows(Rows):
    """CSR rows of float32 or float64, 32- or 64-bit indices. The state lives in one record per coordinate meanwhile."""

    def __init__(self, X, examples, state, inverse_unit, intercept_floor, penalties):
        Rows.__init__(self, X, X.data.nbytes + X.indices.nbytes, examples)
        # a random visit to a coordinate costs about as much as ten numbers read in order
        self.row_cost = self.n_targets * (1 + 10 * X.nnz // max(1, self.n_rows))
        shape = (self.n_features + 1, self.n_targets)
        if shape[0] >= 1 << 32:
            raise ValueError(f"a sparse X must have fewer than {(1 << 32) - 1} columns; got {self.n_features}")
        # one record per cache line: NumPy aligns to 16 bytes only, so that one more is asked for
        records = np.empty((shape[0] * shape[1] + 1) * sizeof(Coordinate), np.uint8)
        # room for the most that a batch, or a chunk of it, may meet; memory that is never written to is never taken
        visits = np.empty((shape[0] + 1) * sizeof(Visit), np.uint8)
        gradient = np.zeros(shape)
        slots = np.empty(min(X.nnz, CHUNK * int(np.diff(X.indptr).max(initial=0))), np.uint32)
        self._owners += (X.data, X.indices, X.indptr, intercept_floor, records, visits, gradient, slots)
        self._state = state
        set_csr(&self.model, &self.operations, X)
        self.model.n_targets = self.n_targets
        self.model.intercept_floor = <const double *>address(intercept_floor, np.float64, (self.n_targets,))
        cdef uintptr_t start = address(records, np.uint8, records.shape)
        self.model.coordinates = <Coordinate *>rounded_up(start, sizeof(Coordinate))
        self.model.visits = <Visit *>address(visits, np.uint8, visits.shape)
        self.model.gradient = <double *>address(gradient, np.float64, shape)
        self.model.slots = <uint32_t *>address(slots, np.uint32, slots.shape)

        if penalties is not None:
            table = np.ascontiguousarray(np.stack(
                [*penalties, *(getattr(state, name) for name in PENALTY_ARRAYS)], axis=-1
            ), dtype=np.float64)
            self._owners += (table,)
            self.model.penalties = <Penalty *>address(table, np.float64, (*shape, 5), True)
        read_records(self._records(), inverse_unit, state.coef, state.square, state.gradient_mean, state.velocity,
                     state.average)

    cdef Coordinate[:, ::1] _records(self):
        return <Coordinate[:self.n_features + 1, :self.n_targets]>self.model.coordinates

    cdef Penalty[:, ::1] _penalties(self):
        return <Penalty[:self.n_features + 1, :self.n_targets]>self.model.penalties

    def store(self):
        """Write what was learned into the arrays of the state."""
        state = self._state
        write_records(self._records(), state.coef, state.square, state.gradient_mean, state.velocity, state.average)
        if self.model.penalties != NULL:
            penalties = np.asarray(self._penalties())
            for name in PENALTY_ARRAYS:
                getattr(self._state, name)[...] = penalties[name]

    cdef void forward(self, Py_ssize_t start, Py_ssize_t n, const Step *step, double *z) noexcept nogil:
        self.operations.forward(&self.model, self.order.named(start), n, self.order.n_ahead(start, n), step, z)

    cdef void backward(self, Py_ssize_t start, Py_ssize_t n, const double *residual) noexcept nogil:
        self.operations.backward(&self.model, self.order.named(start), n, residual)

    cdef void step(self, const Step *step) noexcept nogil:
        csr_step(&self.model, step)

    def publish(self, coef):
        """Take these coordinates, float64 like the average, for `predict`."""
        if coef.shape != (self.n_features + 1, self.n_targets):
            raise TypeError(f"expected coordinates of shape {(self.n_features + 1, self.n_targets)}, got {coef.shape}")
        self.published = coef

    cdef void predict(self, const uint32_t *named, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil:
        self.operations.predict(&self.model, &self.published[0, 0], named, n, z)

    cdef void start(self, const Plan *plan) noexcept nogil:
        csr_start(&self.model, plan)

    cdef void finish(self, const Plan *plan, int64_t i) noexcept nogil:
        csr_finish(&self.model, plan, i)


ctypedef fused Real:
    float
    double


def pair_up(const uint32_t[::1] rows, const Real[:, ::1] X, const double[:, ::1] y, double[:, ::1] pairs):
    """The only number of each row named, and its target beside it."""
    cdef Py_ssize_t i
    for i in range(rows.shape[0]):
        pairs[i, 0] = X[rows[i], 0]
        pairs[i, 1] = y[rows[i], 0]


def read_records(
    Coordinate[:, ::1] records, const Real[:, ::1] inverse_unit, const Real[:, ::1] coef, const Real[:, ::1] square,
    const Real[:, ::1] gradient_mean, const Real[:, ::1] velocity, const double[:, ::1] average,
):
    """Fill the records from arrays."""
    cdef Py_ssize_t j, k
    for j in range(records.shape[0]):
        for k in range(records.shape[1]):
            records[j, k] = Coordinate(
                coef=coef[j, k], lead=average[j, k], square=square[j, k], inverse_unit=inverse_unit[j, k],
                gradient_mean=gradient_mean[j, k], velocity=velocity[j, k], last=0, slot=0, unused=0,
            )


def write_records(
    const Coordinate[:, ::1] records, Real[:, ::1] coef, Real[:, ::1] square, Real[:, ::1] gradient_mean,
    Real[:, ::1] velocity, double[:, ::1] average,
):
    """Copy the records into arrays, all in one pass: one after the other, each would read all of every record."""
    cdef Py_ssize_t j, k
    for j in range(records.shape[0]):
        for k in range(records.shape[1]):
            coef[j, k] = <Real>records[j, k].coef
            square[j, k] = <Real>records[j, k].square
            gradient_mean[j, k] = <Real>records[j, k].gradient_mean
            velocity[j, k] = <Real>records[j, k].velocity
            average[j, k] = records[j, k].lead


cdef int set_csr(CSRModel *model, const CSROperations **operations, X) except -1:
    """Point the model at X's three arrays, and choose the operations for their types."""
    wide = X.indices.dtype == np.int64
    if X.data.dtype == np.float32:
        operations[0] = &csr_float_int64 if wide else &csr_float_int32
    else:
        operations[0] = &csr_double_int64 if wide else &csr_double_int32
    index = np.int64 if wide else np.int32
    real = np.float32 if X.data.dtype == np.float32 else np.float64
    memset(model, 0, sizeof(CSRModel))
    model.n_features = X.shape[1]
    model.data = <const void *>address(X.data, real, X.data.shape)
    model.indices = <const void *>address(X.indices, index, X.data.shape)
    model.indptr = <const void *>address(X.indptr, index, (X.shape[0] + 1,))
    return 0


def column_moments(X, const uint32_t[::1] rows, const double[:] weight):
    """Weighted mean and variance of the columns of a C-contiguous array over the rows named."""
    cdef Py_ssize_t n_columns = X.shape[1]
    cdef const DenseOperations *operations = dense_operations(X.itemsize, False)
    cdef const void *data = <const void *>address(X, np.float32 if X.dtype == np.float32 else np.float64, X.shape)
    cdef double[:, ::1] result = np.empty((4, n_columns))
    cdef Sequence weights = sequence(weight)
    with nogil:
        operations.moments(data, n_columns, &rows[0], rows.shape[0], weights, &result[0, 0], &result[1, 0],
                           &result[2, 0])
    return np.asarray(result[0]), np.asarray(result[1])


def column_mean_square(X, const uint32_t[::1] rows, const double[:] weight):
    """Weighted mean square of the nonzero entries of each column of a CSR matrix over the rows named."""
    cdef CSRModel model
    cdef const CSROperations *operations
    set_csr(&model, &operations, X)
    cdef double[:, ::1] result = np.empty((2, X.shape[1]))
    cdef Sequence weights = sequence(weight)
    with nogil:
        operations.mean_square(&model, &rows[0], rows.shape[0], weights, &result[0, 0], &result[1, 0])
    return np.asarray(result[0])


def discounted(values, double factor):
    """For each place 0..n the sum of factor^k times the value k places on, k = 1, 2, ...: (n + 1,), the last one 0."""
    cdef const double[:] x = np.asarray(values, dtype=np.float64)
    result = np.zeros(x.shape[0] + 1)
    cdef double[::1] sums = result
    cdef Py_ssize_t i
    for i in range(x.shape[0] - 1, -1, -1):
        sums[i] = factor * (x[i] + sums[i + 1])
    return result
