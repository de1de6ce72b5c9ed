from libc.stdint cimport int64_t, uint32_t

from sklearn_rmsprop._kernel._plan cimport Step, StepPlan
from sklearn_rmsprop._kernel._rows cimport Rows


cdef extern from "csr.h" nogil:
    ctypedef struct Coordinate:
        double coef
        double weighted_deviation
        double square
        double gradient_mean
        double velocity
        double inverse_unit
        double step_unit
        uint32_t last
        uint32_t slot

    ctypedef struct Visit:
        pass

    ctypedef struct Penalty:
        double l1
        double l2
        double threshold
        double offset
        double active

    ctypedef struct EntryMoments:
        double mean
        double variance
        double weight
        double first

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
        void (*forward)(CSRModel *, const uint32_t *, Py_ssize_t, Py_ssize_t, const Step *, double *) noexcept nogil
        void (*backward)(CSRModel *, const uint32_t *, Py_ssize_t, const double *) noexcept nogil
        void (*predict)(const CSRModel *, const double *, const uint32_t *, Py_ssize_t, double *) noexcept nogil
        void (*moments)(
            const CSRModel *, const uint32_t *, Py_ssize_t, const double *, EntryMoments *
        ) noexcept nogil

    const CSROperations csr_float_int32, csr_float_int64, csr_double_int32, csr_double_int64
    void csr_step(CSRModel *, const Step *)
    void csr_start(CSRModel *, double)
    void csr_finish(CSRModel *, const StepPlan *, int64_t)


cdef class CSRRows(Rows):
    cdef CSRModel model
    cdef const CSROperations *operations
    cdef const double[:, ::1] _prediction_coef
    cdef object _inverse_unit, _real
    cdef bint _weighted
    cdef double _average_weight
    cdef Coordinate[:, ::1] _coordinates(self)
    cdef Penalty[:, ::1] _penalties(self)
