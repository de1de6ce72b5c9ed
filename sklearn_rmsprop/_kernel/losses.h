/* The losses and their derivatives, pointwise in the error e = z - y: what the classes of _losses.pyx stand for. `shape` is
 * the loss's own parameter. At a kink the derivative is a number between those on either side. NaN gives a loss of NaN. */
#ifndef SKLEARN_RMSPROP_LOSSES_H
#define SKLEARN_RMSPROP_LOSSES_H

#include <math.h>
#include <stddef.h>

#include "batch.h"
#include "compiler.h"

/* The half makes the derivative the error itself. */
static ALWAYS_INLINE double squared_error_loss(double e, double shape) { return 0.5 * e * e; }
static ALWAYS_INLINE double squared_error_derivative(double e, double shape) { return e; }

static ALWAYS_INLINE double absolute_error_loss(double e, double shape) { return fabs(e); }
static ALWAYS_INLINE double absolute_error_derivative(double e, double shape) { return (e > 0) - (e < 0); }

/* `shape`: the error at which the parabola becomes a line */
static ALWAYS_INLINE double huber_loss(double e, double shape)
{
    const double size = fabs(e);
    return size <= shape ? 0.5 * e * e : shape * (size - 0.5 * shape);
}
static ALWAYS_INLINE double huber_derivative(double e, double shape) { return e < -shape ? -shape : e > shape ? shape : e; }

/* `shape`: the quantile */
static ALWAYS_INLINE double quantile_loss(double e, double shape) { return e > 0 ? (1 - shape) * e : -shape * e; }
static ALWAYS_INLINE double quantile_derivative(double e, double shape)
{
    return (1 - shape) * (e > 0) - shape * (e < 0);
}

/* `shape`: half the width of the tube in which nothing is lost */
static ALWAYS_INLINE double excess(double e, double shape) { return fabs(e) <= shape ? 0 : fabs(e) - shape; }

static ALWAYS_INLINE double epsilon_insensitive_loss(double e, double shape) { return excess(e, shape); }
static ALWAYS_INLINE double epsilon_insensitive_derivative(double e, double shape) { return (e > shape) - (e < -shape); }

static ALWAYS_INLINE double squared_epsilon_insensitive_loss(double e, double shape)
{
    return 0.5 * excess(e, shape) * excess(e, shape);
}
static ALWAYS_INLINE double squared_epsilon_insensitive_derivative(double e, double shape)
{
    return copysign(excess(e, shape), e);
}

/* Most calls are for a whole chunk of one target: with a constant number of turns the loop has no beginning and no end. */
#define POINTWISE(function)                                                                                           \
    static ALWAYS_INLINE void function##_sized(ptrdiff_t n, const double *restrict shape, const double *restrict y,   \
                                               const double *restrict z, double *restrict result)                     \
    {                                                                                                                 \
        _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++)                                                         \
            result[i] = function(z[i] - y[i], shape[i]);                                                              \
    }                                                                                                                 \
    MULTIVERSION static void function##_each(ptrdiff_t n, const double *shape, const double *y, const double *z,      \
                                             double *result)                                                          \
    {                                                                                                                 \
        if (n == CHUNK)                                                                                               \
            function##_sized(CHUNK, shape, y, z, result);                                                             \
        else                                                                                                          \
            function##_sized(n, shape, y, z, result);                                                                 \
    }

#define LOSS(name)               \
    POINTWISE(name##_loss)       \
    POINTWISE(name##_derivative)

LOSS(squared_error)
LOSS(absolute_error)
LOSS(huber)
LOSS(quantile)
LOSS(epsilon_insensitive)
LOSS(squared_epsilon_insensitive)

#endif
