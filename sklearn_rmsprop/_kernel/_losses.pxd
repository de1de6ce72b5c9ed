cdef class Loss:
    cdef void evaluate(
        self, Py_ssize_t n, Py_ssize_t n_targets, const double *y, const double *weight, const double *z,
        const double *z_published, double *residual, double *total,
    ) noexcept nogil


cdef class SquaredError(Loss):
    pass
