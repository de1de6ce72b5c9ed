"""Losses on a mini-batch: one class each, so that the choice among them is paid once a batch, not once a row."""


cdef class Loss:
    """What the kernel needs of a loss."""

    cdef void evaluate(
        self, Py_ssize_t n, const double *y, const double *z, const double *z_published, double *derivative,
        double *loss,
    ) noexcept nogil:
        """Fill `derivative` with dloss/dz(y, z) and `loss` with loss(y, z_published), each `n` numbers.

        `z` are the predictions of the current iterate, from which the gradient is taken; `z_published` those of the
        iterate that is going to be published, whose loss decides when to stop.
        """


cdef class SquaredError(Loss):
    """(z - y)^2 / 2: the half makes the derivative the residual itself."""

    cdef void evaluate(
        self, Py_ssize_t n, const double *y, const double *z, const double *z_published, double *derivative,
        double *loss,
    ) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(n):
            derivative[i] = z[i] - y[i]
            loss[i] = 0.5 * (z_published[i] - y[i]) * (z_published[i] - y[i])
