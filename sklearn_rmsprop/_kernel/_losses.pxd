ctypedef void (*Pointwise)(
    Py_ssize_t, const double *, const double *, const double *, const double *, double *, double *
) noexcept nogil


cdef class Loss:
    cdef Pointwise pointwise
    cdef const double[::1] shape
    cdef readonly Py_ssize_t n_targets

    cdef void evaluate(
        self, Py_ssize_t n, const double *y, const double *z, const double *z_published, double *derivative,
        double *loss,
    ) noexcept nogil
