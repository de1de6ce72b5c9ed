from libc.stdint cimport uint32_t

from sklearn_rmsprop._kernel._plan cimport Step
from sklearn_rmsprop._kernel._rows cimport Rows


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
        const void *step_unit
        const void *floor
        void *coef
        void *square
        void *gradient_mean
        void *velocity
        double *average
        void *coordinates
        void *coordinate_gradient
        const void *basis
        Py_ssize_t basis_stride
        const void *ridge
        const void *l1
        const void *l2
        void *threshold
        void *offset
        void *active
        void *gradient
        double *residual_sum
        void *columns
        double *shift

    ctypedef struct DenseOperations:
        Py_ssize_t lanes
        void (*forward)(const DenseModel *, const uint32_t *, Py_ssize_t, Py_ssize_t, double *) noexcept nogil
        void (*backward)(const DenseModel *, const uint32_t *, Py_ssize_t, const double *) noexcept nogil
        void (*step)(const DenseModel *, const Step *) noexcept nogil
        void (*refresh)(const DenseModel *) noexcept nogil

    int has_wide_vectors()
    const DenseOperations *dense_operations(size_t, Py_ssize_t, int, int)


cdef class DenseRows(Rows):
    cdef DenseModel model, prediction
    cdef const DenseOperations *operations
    cdef object _real
    cdef char *_room
    cdef void *_step_unit
    cdef tuple _shape(self)
    cdef void *_reserve(self, Py_ssize_t n_bytes) noexcept
    cdef void *_reserve_numbers(self, str name, array, tuple shape) except NULL
    cdef int _reserve_basis(self, basis, ridge) except -1
    cdef int _copy_in(self, void *to, str name, array, dtype) except -1
    cdef object _copy_out(self, const void *numbers, dtype)
