cdef class Loss:
    cdef void evaluate(
        self, Py_ssize_t n, const double *y, const double *z, const double *z_published, double *derivative,
        double *loss,
    ) noexcept nogil


cdef class SquaredError(Loss):
    pass
