from libc.stdint cimport int64_t, uint32_t

from sklearn_rmsprop._kernel._plan cimport Step, StepPlan
from sklearn_rmsprop._kernel._rows cimport Rows


cdef extern from "csr.h" nogil:
    ctypedef struct Feature:
        uint32_t last
        uint32_t slot
        double inverse_unit
        double penalty_unit
        double *numbers

    enum Number:
        COEF, WEIGHTED_DEVIATION, SQUARE, GRADIENT_MEAN, VELOCITY

    enum L1Number:
        THRESHOLD, OFFSET, ACTIVE, N_L1_NUMBERS

    ctypedef struct Visit:
        pass

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
        const double *rate_factor
        const double *l1
        const double *l2
        void *features
        double *l1_state
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

    Py_ssize_t feature_bytes(Py_ssize_t)
    Feature *feature_at(const CSRModel *, Py_ssize_t, Py_ssize_t)
    const CSROperations csr_float_int32, csr_float_int64, csr_double_int32, csr_double_int64
    void csr_step(CSRModel *, const Step *)
    void csr_start(CSRModel *, double)
    void csr_finish(CSRModel *, const StepPlan *, int64_t)


cdef class CSRRows(Rows):
    cdef CSRModel model
    cdef const CSROperations *operations
    cdef const double[:, ::1] _prediction_coef
    cdef object _inverse_unit, _real, _penalty_unit, _l1_state, _rate_factor
    cdef bint _weighted
    cdef double _average_weight
    cdef const double *_of_targets(self, str name, array) except NULL
    cdef _numbers(self, Py_ssize_t number)
