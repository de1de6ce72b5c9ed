"""Losses on a mini-batch: one class each, so that the choice among them is paid once a batch, not once a row."""


cdef class Loss:
    """What the kernel needs of a loss."""

    cdef void evaluate(
        self, Py_ssize_t n, Py_ssize_t n_targets, const double *y, const double *weight, const double *z,
        const double *z_published, double *residual, double *total,
    ) noexcept nogil:
        """Fill `residual`, n x n_targets, with weight * dloss/dz(y, z), and add weight * loss(y, z_published) to `total`.

        `z` are the predictions of the current iterate, from which the gradient is taken; `z_published` those of the
        iterate that is going to be published, whose loss decides when to stop.
        """


cdef class SquaredError(Loss):
    """(z - y)^2 / 2: the half makes the derivative the residual itself."""

    cdef void evaluate(
        self, Py_ssize_t n, Py_ssize_t n_targets, const double *y, const double *weight, const double *z,
        const double *z_published, double *residual, double *total,
    ) noexcept nogil:
        cdef Py_ssize_t i, k, q = 0
        cdef double error
        for i in range(n):
            for k in range(n_targets):
                residual[q] = weight[i] * (z[q] - y[q])
                error = z_published[q] - y[q]
                total[k] += 0.5 * weight[i] * error * error
                q += 1
