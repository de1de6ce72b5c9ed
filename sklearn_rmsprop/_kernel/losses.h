/* The losses and their derivatives dloss/dz for one row and target; the classes of _losses.pyx use them.
 * They are functions of the target y, the prediction z and the loss's own parameter, if it has one. At a kink the derivative
 * is a subgradient. A NaN gives a loss of NaN, but not always a derivative of NaN. */
#ifndef SKLEARN_RMSPROP_LOSSES_H
#define SKLEARN_RMSPROP_LOSSES_H

#include <math.h>
#include <stddef.h>

#include "batch.h"
#include "compiler.h"

/* The half makes the derivative the error itself. */
static ALWAYS_INLINE double squared_error_loss(double y, double z, double unused) { return 0.5 * (z - y) * (z - y); }
static ALWAYS_INLINE double squared_error_derivative(double y, double z, double unused) { return z - y; }

static ALWAYS_INLINE double absolute_error_loss(double y, double z, double unused) { return fabs(z - y); }
static ALWAYS_INLINE double absolute_error_derivative(double y, double z, double unused) { return (z > y) - (z < y); }

/* `delta`: the error at which the parabola becomes a line */
static ALWAYS_INLINE double huber_loss(double y, double z, double delta)
{
    const double error = fabs(z - y);
    return error <= delta ? 0.5 * error * error : delta * (error - 0.5 * delta);
}
static ALWAYS_INLINE double huber_derivative(double y, double z, double delta)
{
    const double error = z - y;
    return error < -delta ? -delta : error > delta ? delta : error;
}

static ALWAYS_INLINE double quantile_loss(double y, double z, double quantile)
{
    const double error = z - y;
    return error > 0 ? (1 - quantile) * error : -quantile * error;
}
static ALWAYS_INLINE double quantile_derivative(double y, double z, double quantile)
{
    const double error = z - y;
    return (1 - quantile) * (error > 0) - quantile * (error < 0);
}

/* By how much the error exceeds `delta`, half the width of the tube in which the loss is zero. */
static ALWAYS_INLINE double excess_error(double error, double delta) { return fabs(error) <= delta ? 0 : fabs(error) - delta; }

static ALWAYS_INLINE double epsilon_insensitive_loss(double y, double z, double delta) { return excess_error(z - y, delta); }
static ALWAYS_INLINE double epsilon_insensitive_derivative(double y, double z, double delta)
{
    const double error = z - y;
    return (error > delta) - (error < -delta);
}

static ALWAYS_INLINE double squared_epsilon_insensitive_loss(double y, double z, double delta)
{
    return 0.5 * excess_error(z - y, delta) * excess_error(z - y, delta);
}
static ALWAYS_INLINE double squared_epsilon_insensitive_derivative(double y, double z, double delta)
{
    return copysign(excess_error(z - y, delta), z - y);
}

/* function_each: the function for each of `n` predictions. Most calls are for a whole chunk of one target: with a constant
 * number of iterations the loop has no remainder. */
#define POINTWISE(function)                                                                                               \
    static ALWAYS_INLINE void function##_sized(ptrdiff_t n, const double *restrict parameter, const double *restrict y,  \
                                               const double *restrict z, double *restrict result)                         \
    {                                                                                                                     \
        _Pragma("omp simd") for (ptrdiff_t i = 0; i < n; i++)                                                             \
            result[i] = function(y[i], z[i], parameter[i]);                                                               \
    }                                                                                                                     \
    MULTIVERSION static void function##_each(ptrdiff_t n, const double *parameter, const double *y, const double *z,      \
                                             double *result)                                                              \
    {                                                                                                                     \
        if (n == CHUNK)                                                                                                   \
            function##_sized(CHUNK, parameter, y, z, result);                                                             \
        else                                                                                                              \
            function##_sized(n, parameter, y, z, result);                                                                 \
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
