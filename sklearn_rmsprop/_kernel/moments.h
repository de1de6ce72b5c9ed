/* Means and variances of the columns of dense rows, and norms of the rows. */
#ifndef SKLEARN_RMSPROP_MOMENTS_H
#define SKLEARN_RMSPROP_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

/* Weighted mean and variance of each of the `n_columns` columns over the `n` selected rows. `weight` has a number per row of
 * the data, or is NULL where all rows weigh the same. `scratch`: 2 * n_columns. */
void moments_float(const float *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n, const double *weight,
                   double *mean, double *variance, double *scratch);
void moments_double(const double *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n, const double *weight,
                    double *mean, double *variance, double *scratch);

/* The squared norm of each of the `n` selected rows, less `mean` and times `inverse_unit`, (n_columns,) both. */
void squared_norms_float(const float *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n, const double *mean,
                         const double *inverse_unit, double *result);
void squared_norms_double(const double *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n, const double *mean,
                          const double *inverse_unit, double *result);

#endif
