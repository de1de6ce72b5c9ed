from libc.stdint cimport int64_t, uint32_t

from sklearn_rmsprop._kernel._order cimport Order
from sklearn_rmsprop._kernel._plan cimport Step, StepPlan


cdef extern from "batch.h" nogil:
    enum:
        CHUNK

    ctypedef struct Targets:
        const double *data
        Py_ssize_t row_stride
        Py_ssize_t column_stride

    void gather(
        const uint32_t *, Py_ssize_t, Py_ssize_t, Py_ssize_t, Targets, const double *, double *, double *
    )
    void multiply_rows(Py_ssize_t, Py_ssize_t, const double *, double *)
    void add_rows(Py_ssize_t, Py_ssize_t, const double *, double *)


cdef class Rows:
    cdef readonly Py_ssize_t n_rows, n_features, n_targets, n_drawn, row_cost
    cdef Order order
    cdef const uint32_t[::1] certain
    cdef Targets y
    cdef const double *weight
    cdef double common_weight
    cdef bint _fetches_targets
    cdef object _owners, _loaded
    cdef void take(
        self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *y, double *weight
    ) noexcept nogil
    cdef void forward(
        self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, const Step *step, double *z
    ) noexcept nogil
    cdef void backward(self, const uint32_t *rows, Py_ssize_t n, const double *residual) noexcept nogil
    cdef void step(self, const Step *step) noexcept nogil
    cdef void start(self, const StepPlan *plan) noexcept nogil
    cdef void finish(self, const StepPlan *plan, int64_t i) noexcept nogil
    cdef void predict(self, const uint32_t *rows, Py_ssize_t n, Py_ssize_t n_ahead, double *z) noexcept nogil


cdef Targets targets_of(y) except *
