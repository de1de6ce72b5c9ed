/* The losses, pointwise on a few rows: what the classes of _losses.pyx stand for. */
#ifndef SKLEARN_RMSPROP_LOSSES_H
#define SKLEARN_RMSPROP_LOSSES_H

#include <stddef.h>

#include "compiler.h"

/* (z - y)^2 / 2: the half makes the derivative the residual itself. */
MULTIVERSION static void squared_error(ptrdiff_t n, const double *restrict y, const double *restrict z,
                                       const double *restrict z_published, double *restrict derivative,
                                       double *restrict loss)
{
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; i++) {
        const double error = z_published[i] - y[i];
        derivative[i] = z[i] - y[i];
        loss[i] = 0.5 * error * error;
    }
}

#endif
