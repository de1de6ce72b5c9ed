"""Losses on a mini-batch: one class each, so that the choice among them is paid once a batch, not once a row."""

cdef extern from "losses.h" nogil:
    void squared_error(Py_ssize_t, const double *, const double *, const double *, double *, double *)


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
    """Half the squared residual."""

    cdef void evaluate(
        self, Py_ssize_t n, const double *y, const double *z, const double *z_published, double *derivative,
        double *loss,
    ) noexcept nogil:
        squared_error(n, y, z, z_published, derivative, loss)
