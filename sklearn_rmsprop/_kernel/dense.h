/* A linear model on dense, C-ordered rows: its data, its state, and what a mini-batch does with them. */
#ifndef SKLEARN_RMSPROP_DENSE_H
#define SKLEARN_RMSPROP_DENSE_H

#include "batch.h"
#include "step.h"

/* `real` below is float or double, as the rows are. The coordinates are (n_features + 1) x n_targets, targets side by side,
 * the intercept last. Rows are centred on the fly, x - mean, at one correction per batch instead of one per row; `shift` is
 * what that takes off a row's prediction. The intercept is like a feature that is always 0 and has the mean -1.
 *
 * Arrays with a number per coordinate begin on a cache line and are `n_padded` long, whole vectors: a loop over coordinates
 * then has no end left over (on 26 features that took a tenth of the time of single rows). What is beyond the coordinates is
 * zero, and stays so. */
enum { LONGEST_VECTOR = 16 }; /* in floats */

/* Rows of no more features than these are worked on column by column: see dense_narrow_template.h. */
enum { WIDEST_NARROW = 8 };

typedef struct {
    const void *x; /* real, n_rows x n_features */
    ptrdiff_t n_features, n_targets, n_padded;
    const void *mean;         /* real, one per feature and -1; padded like the coordinates */
    const void *inverse_unit; /* real, one per coordinate; 0 for one that must not move */
    /* real, one per coordinate: a mean gradient below this is rounding, and counts as zero. With all rows in the batch
     * the residuals of centred data cancel from the first step on, and the update would blow the sign of what is left up
     * to a full step, in a direction that depends on the order of the rows. */
    const void *floor;
    /* the state; `average` is double because its late increments are below the resolution of a float */
    void *coef, *square, *gradient_mean, *velocity; /* real */
    double *average;
    /* The penalties, one number per coordinate, in the units of the gradient; NULL without any. With them, three more arrays
     * of state: the L1 penalty so far, `threshold`, by which the step went back towards zero; `offset`, what the
     * sum of all other steps exceeds the coefficient by; and the last step at which the coefficient was not zero. */
    const void *l1, *l2;               /* real */
    void *threshold, *offset, *active; /* real */
    /* working space */
    void *gradient;       /* real: the sum over the batch so far; zero between steps */
    double *residual_sum; /* n_targets: likewise */
    void *columns; /* real, WIDEST_NARROW x CHUNK: the rows of the last `forward`, where they are narrow */
    void *panels;  /* real, n_targets rounded up to panels x n_features: the coefficients of several targets */
    double *shift; /* n_targets: mean . w - intercept */
} DenseModel;

typedef struct {
    ptrdiff_t lanes; /* numbers in a vector */
    /* z = (x - mean) . w + intercept of the rows named. `n_ahead` >= n rows are named in all: those after the n-th come
     * next, and are fetched early. */
    void (*forward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, double *z);
    /* Adds the rows' residuals times features to the gradient. */
    void (*backward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, const double *residual);
    /* `forward` in two parts for rows of one number, each beside its target: fetches the next rows and their targets; and
     * predicts those fetched last. */
    void (*unpack)(const DenseModel *model, const double *pairs, ptrdiff_t n, double *y);
    void (*predict)(const DenseModel *model, ptrdiff_t n, double *z);
    /* The update, and the gradient back to zero. */
    void (*step)(const DenseModel *model, const Step *step);
    /* Makes the working space agree with the coefficients. */
    void (*refresh)(const DenseModel *model);
    /* Weighted mean and variance of each column over the rows named. `scratch`: 2 * n_columns. */
    void (*moments)(const void *x, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n, Sequence weight,
                    double *mean, double *variance, double *scratch);
} DenseOperations;

extern const DenseOperations dense_float, dense_double;

/* Whether there are operations with vectors of 64 bytes, and they are worth choosing on this processor. */
int has_wide_vectors(void);

/* Those for floats or doubles, by their size. `wide` only where there are such, and several targets or rows of
 * more than two of these vectors. */
const DenseOperations *dense_operations(size_t real_bytes, int wide);

#endif
