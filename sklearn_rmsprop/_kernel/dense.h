/* A linear model on dense, C-ordered rows: its data, its state, and what a mini-batch does with them. */
#ifndef SKLEARN_RMSPROP_DENSE_H
#define SKLEARN_RMSPROP_DENSE_H

#include "batch.h"
#include "step.h"

/* `real` below is float or double, the type of the rows. Coordinates are the coefficients and the intercept: an array of
 * (n_features + 1) x n_targets numbers, targets side by side, the intercept last. Rows are centred on the fly,
 * x - mean: predictions subtract `shift`, and the summed gradient of a batch is corrected once. The intercept is treated as a feature that is always 0 and has the mean -1.
 *
 * Arrays with a number per coordinate begin on a cache line and are padded with zeros to `n_padded`, a multiple of the
 * vector length, so that a loop over coordinates has no remainder. The padding stays zero. With several targets, a vector may also
 * read up to LONGEST_VECTOR numbers beyond the array, and ignores them: that memory must exist. */
enum { LONGEST_VECTOR = 16 }; /* floats in a vector of dense_wide.c */

/* Rows of one target and no more features than this are worked on column by column (dense_narrow_template.h). */
enum { WIDEST_NARROW = 8 };

typedef struct {
    const void *x; /* real, n_rows x n_features */
    ptrdiff_t n_features, n_targets, n_padded;
    const void *mean;         /* real, one per feature and -1; padded like the coordinates */
    const void *inverse_unit; /* real, one per coordinate: 1 / unit of the feature; 0 for one that must not move */
    /* real, one per coordinate: inverse_unit times the factor of its target's step sizes. The same array as inverse_unit
     * where no target has a factor of its own. */
    const void *step_unit;
    /* real, one per coordinate: a smaller mean gradient is rounding and counts as zero. With all rows in the batch the
     * residuals of centred data cancel from the first step on, and RMSprop would turn the sign of their rounding error
     * into a full step, in a direction that depends on the order of the rows. */
    const void *floor;
    /* the state; `average` is double because its late increments are below the resolution of a float */
    void *coef, *square, *gradient_mean, *velocity; /* real */
    double *average;
    /* Without a basis, `coordinates` and `coordinate_gradient` are `coef` and `gradient`. With one, coef = basis . coordinates:
     * the update moves the coordinates, the state belongs to them, and `coef` only predicts (dense_basis_template.h). */
    void *coordinates, *coordinate_gradient; /* real */
    const void *basis;      /* real, n_features rows of basis_stride numbers, and rows of zeros up to a multiple of four */
    ptrdiff_t basis_stride; /* at least n_features; at most n_padded */
    const void *ridge;      /* real, one per coordinate, or NULL: with a basis, the L2 penalty of the coefficients */
    /* The penalties, one number per coordinate in the units of the gradient: `l2` is NULL without any, `l1` without one of
     * L1. This one needs three more arrays of state: `threshold`, its accumulated steps; `offset`, the sum of the gradient
     * steps less the coefficient; and `active`, the last step at which the coefficient was not zero. */
    const void *l1, *l2;               /* real */
    void *threshold, *offset, *active; /* real */
    /* working space */
    void *gradient;       /* real: the sum over the batch so far; zero between steps */
    double *residual_sum; /* n_targets: likewise */
    void *columns;        /* real, WIDEST_NARROW x CHUNK: the rows of the last `forward`, if they are narrow */
    double *shift;        /* n_targets: mean . w - intercept */
} DenseModel;

typedef struct {
    ptrdiff_t lanes; /* numbers in a vector */
    /* z = (x - mean) . w + intercept of the first `n` of `n_ahead` selected rows. The later ones come next and are
     * prefetched. */
    void (*forward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, double *z);
    /* Adds the rows' residuals times features to the gradient; the rows are those of the last `forward`. */
    void (*backward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, const double *residual);
    /* Updates the coordinates, and sets the gradient to zero. */
    void (*step)(const DenseModel *model, const Step *step);
    /* Computes `shift` from the coefficients. */
    void (*refresh)(const DenseModel *model);
} DenseOperations;

/* Whether this processor has vectors of 64 bytes and is fast with them. */
int has_wide_vectors(void);

/* The operations for floats or doubles (by their size) and so many targets, with or without a basis. `wide`: with vectors of
 * 64 bytes, where has_wide_vectors(), there are several targets and no basis. */
const DenseOperations *dense_operations(size_t real_bytes, ptrdiff_t n_targets, int in_basis, int wide);

#endif
