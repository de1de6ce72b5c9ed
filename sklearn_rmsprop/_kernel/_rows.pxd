from libc.stdint cimport int64_t, uint32_t, uint64_t, uintptr_t

from sklearn_rmsprop._kernel._order cimport Order


cdef extern from "step.h" nogil:
    ctypedef struct Sequence:
        const double *data
        Py_ssize_t stride

    ctypedef struct Plan:
        Sequence rate
        Sequence power
        Sequence decayed
        Sequence inverse_decayed
        Sequence kept
        Sequence fading
        Sequence coasting
        Sequence coasting_kept
        double decay_limit
        double decay_gain
        double average
        double eta
        double forgotten
        double momentum
        double centered
        double epsilon
        double steps_before

    ctypedef struct Step:
        const Plan *plan
        int64_t i
        double rate
        double decay
        double keep
        double correction
        double scale


cdef enum:
    LINE_BYTES = 64


cdef inline uintptr_t rounded_up(uintptr_t n, uintptr_t unit) noexcept:
    """The next multiple of the unit."""
    return (n + unit - 1) // unit * unit


cdef inline Sequence sequence(const double[:] values) noexcept:
    """A C view of numbers that may repeat for ever (stride 0); the caller keeps them alive. None: there are none."""
    cdef Sequence result
    if values is None:
        result.data, result.stride = NULL, 0
        return result
    result.data = &values[0]
    # of a single number NumPy does not tell the stride that it was given
    result.stride = values.strides[0] // <Py_ssize_t>sizeof(double) if values.shape[0] > 1 else 0
    return result


cdef extern from "batch.h" nogil:
    enum:
        CHUNK
    void gather(const uint32_t *, Py_ssize_t, Py_ssize_t, Py_ssize_t, const double *, Sequence, double *, double *)
    void weigh(Py_ssize_t, Py_ssize_t, const double *, double *)
    void add_up(Py_ssize_t, Py_ssize_t, const double *, double *)


cdef extern from "shuffle.h" nogil:
    void shuffle_pairs(double *pairs, size_t n, uint64_t *state)


cdef extern from "dense.h" nogil:
    enum:
        LONGEST_VECTOR
        WIDEST_NARROW

    ctypedef struct DenseModel:
        const void *x
        Py_ssize_t n_features
        Py_ssize_t n_targets
        Py_ssize_t n_padded
        const void *mean
        const void *inverse_unit
        const void *floor
        void *coef
        void *square
        void *gradient_mean
        void *velocity
        double *average
        const void *l1
        const void *l2
        void *threshold
        void *offset
        void *active
        void *gradient
        double *residual_sum
        void *columns
        void *panels
        double *shift

    ctypedef struct DenseOperations:
        Py_ssize_t lanes
        void (*forward)(const DenseModel *, const uint32_t *, Py_ssize_t, Py_ssize_t, double *) noexcept nogil
        void (*backward)(const DenseModel *, const uint32_t *, Py_ssize_t, const double *) noexcept nogil
        void (*unpack)(const DenseModel *, const double *, Py_ssize_t, double *) noexcept nogil
        void (*predict)(const DenseModel *, Py_ssize_t, double *) noexcept nogil
        void (*step)(const DenseModel *, const Step *) noexcept nogil
        void (*refresh)(const DenseModel *) noexcept nogil
        void (*moments)(
            const void *, Py_ssize_t, const uint32_t *, Py_ssize_t, Sequence, double *, double *, double *
        ) noexcept nogil

    int has_wide_vectors()
    const DenseOperations *dense_operations(size_t, int)


cdef extern from "csr.h" nogil:
    ctypedef struct Coordinate:
        double coef
        double lead
        double square
        double inverse_unit
        double gradient_mean
        double velocity
        uint32_t last
        uint32_t slot
        double unused

    ctypedef struct Visit:
        pass

    ctypedef struct Penalty:
        double l1
        double l2
        double threshold
        double offset
        double active

    ctypedef struct CSRModel:
        const void *data
        const void *indices
        const void *indptr
        Py_ssize_t n_features
        Py_ssize_t n_targets
        const double *intercept_floor
        Coordinate *coordinates
        Penalty *penalties
        Visit *visits
        double *gradient
        uint32_t *slots

    ctypedef struct CSROperations:
        void (*forward)(
            CSRModel *, const uint32_t *, Py_ssize_t, Py_ssize_t, const Step *, double *
        ) noexcept nogil
        void (*backward)(CSRModel *, const uint32_t *, Py_ssize_t, const double *) noexcept nogil
        void (*predict)(const CSRModel *, const double *, const uint32_t *, Py_ssize_t, double *) noexcept nogil
        void (*mean_square)(
            const CSRModel *, const uint32_t *, Py_ssize_t, Sequence, double *, double *
        ) noexcept nogil

    const CSROperations csr_float_int32, csr_float_int64, csr_double_int32, csr_double_int64
    void csr_step(CSRModel *, const Step *)
    void csr_start(CSRModel *, const Plan *)
    void csr_finish(CSRModel *, const Plan *, int64_t)


cdef class Rows:
    cdef readonly Py_ssize_t n_rows, n_features, n_targets, n_examples, row_cost
    cdef Order order
    cdef const double[:, ::1] y
    cdef Sequence weights
    cdef bint _fetches_targets
    cdef object _owners
    cdef void renew(self) noexcept nogil
    cdef void take(self, Py_ssize_t start, Py_ssize_t n, double *y, double *weight) noexcept nogil
    cdef void forward(self, Py_ssize_t start, Py_ssize_t n, const Step *step, double *z) noexcept nogil
    cdef void backward(self, Py_ssize_t start, Py_ssize_t n, const double *residual) noexcept nogil
    cdef void step(self, const Step *step) noexcept nogil
    cdef void start(self, const Plan *plan) noexcept nogil
    cdef void finish(self, const Plan *plan, int64_t i) noexcept nogil
    cdef void predict(self, const uint32_t *named, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil


cdef class DenseRows(Rows):
    cdef DenseModel model, published
    cdef const DenseOperations *operations
    cdef object _state
    cdef char *_room
    cdef void *_zeros(self, Py_ssize_t n_bytes) noexcept
    cdef void *_numbers(self, array, dtype) except NULL


cdef class PairedRows(DenseRows):
    cdef double[:, ::1] _pairs
    cdef uint64_t[::1] _generator


cdef class CSRRows(Rows):
    cdef CSRModel model
    cdef const CSROperations *operations
    cdef const double[:, ::1] published
    cdef object _state
    cdef Coordinate[:, ::1] _records(self)
    cdef Penalty[:, ::1] _penalties(self)
