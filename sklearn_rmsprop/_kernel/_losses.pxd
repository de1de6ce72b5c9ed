ctypedef void (*Pointwise)(Py_ssize_t, const double *, const double *, const double *, double *) noexcept nogil


cdef class Loss:
    cdef Pointwise losses, derivatives
    cdef const double[::1] parameter
    cdef readonly Py_ssize_t n_targets

    cdef void evaluate(self, Py_ssize_t n, const double *y, const double *z, double *loss) noexcept nogil
    cdef void differentiate(self, Py_ssize_t n, const double *y, const double *z, double *derivative) noexcept nogil
