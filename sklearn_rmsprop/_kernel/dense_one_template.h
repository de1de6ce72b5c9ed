/* The dense operations on one target, for one REAL. */

/* The sum over the lanes of each of four vectors, minus `offset`. Left to the compiler, this took as long as the products. */
static ALWAYS_INLINE void NAME(sum_lanes)(const NAME(Lanes) *v, double offset, double *sums)
{
#if defined(VECTOR) && defined(SHUFFLE)
    const NAME(Lanes) ab = ADD_NEIGHBOURS(v[0], v[1]), cd = ADD_NEIGHBOURS(v[2], v[3]);
    const NAME(Lanes) halves = ADD_NEIGHBOUR_SUMS(ab, cd);
    for (ptrdiff_t k = 0; k < 4; k++)
        sums[k] = (NAME(LANES) == 4 ? halves[k] : halves[k] + halves[(k + 4) % NAME(LANES)]) - offset;
#else
    for (ptrdiff_t k = 0; k < 4; k++) {
        double sum = -offset;
        for (ptrdiff_t l = 0; l < NAME(LANES); l++)
            sum += ((const REAL *)(v + k))[l];
        sums[k] = sum;
    }
#endif
}

/* Predicts `n_rows` (up to four) rows together, LANES features at a time: they share each load of the coefficients. A
 * scalar reduction, left to the compiler, took more instructions. The remaining features are in a last vector that ends with
 * the last feature; in `w_last` the coefficients already used are zero. */
static ALWAYS_INLINE void NAME(forward_rows)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n_rows,
                                             NAME(Lanes) w_last, double *z)
{
    const ptrdiff_t d = model->n_features, whole = d - d % NAME(LANES);
    const REAL *restrict w = model->coef;
    const REAL *x[4];
    NAME(Lanes) sum[4] = {{0}};
    for (ptrdiff_t k = 0; k < n_rows; k++)
        x[k] = NAME(row)(model, rows[k]);
    UNROLL(2) for (ptrdiff_t j = 0; j < whole; j += NAME(LANES)) {
        const NAME(Lanes) wj = *NAME(lanes)(w + j);
        for (ptrdiff_t k = 0; k < n_rows; k++)
            sum[k] += *NAME(lanes)(x[k] + j) * wj;
    }
    if (whole < d)
        for (ptrdiff_t k = 0; k < n_rows; k++)
            sum[k] += *NAME(lanes)(x[k] + d - NAME(LANES)) * w_last;
    NAME(sum_lanes)(sum, model->shift[0], z);
}

/* The last LANES of `d` numbers, with zeros for those that the whole vectors cover. */
static ALWAYS_INLINE NAME(Lanes) NAME(last_lanes)(const REAL *values, ptrdiff_t d)
{
    REAL last[NAME(LANES)];
    for (ptrdiff_t l = 0; l < NAME(LANES); l++)
        last[l] = l < NAME(LANES) - d % NAME(LANES) ? 0 : values[d - NAME(LANES) + l];
    return *NAME(lanes)(last);
}

static ALWAYS_INLINE void NAME(forward_long)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             ptrdiff_t n_ahead, double *restrict z)
{
    const NAME(Lanes) w_last = NAME(last_lanes)(model->coef, model->n_features);
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        NAME(fetch)(model, rows + i, 4, n_ahead - i);
        NAME(forward_rows)(model, rows + i, 4, w_last, z + i);
    }
    for (; i < n; i++) {
        double of_four[4];
        NAME(fetch)(model, rows + i, 1, n_ahead - i);
        NAME(forward_rows)(model, rows + i, 1, w_last, of_four);
        z[i] = of_four[0];
    }
}

static ALWAYS_INLINE void NAME(backward_rows)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n_rows,
                                              const double *residual, NAME(Lanes) *g_last)
{
    const ptrdiff_t d = model->n_features, whole = d - d % NAME(LANES);
    REAL *restrict g = model->gradient;
    const REAL *x[4];
    REAL r[4];
    for (ptrdiff_t k = 0; k < n_rows; k++) {
        x[k] = NAME(row)(model, rows[k]);
        r[k] = (REAL)residual[k];
    }
    UNROLL(2) for (ptrdiff_t j = 0; j < whole; j += NAME(LANES)) {
        /* the rows are summed first: added to the gradient row by row, each row would wait for the one before */
        NAME(Lanes) sum = *NAME(lanes)(x[0] + j) * r[0];
        for (ptrdiff_t k = 1; k < n_rows; k++)
            sum += *NAME(lanes)(x[k] + j) * r[k];
        *NAME(lanes_to)(g + j) += sum;
    }
    if (whole < d)
        for (ptrdiff_t k = 0; k < n_rows; k++)
            *g_last += *NAME(lanes)(x[k] + d - NAME(LANES)) * r[k];
}

static ALWAYS_INLINE void NAME(backward_long)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                              const double *restrict residual)
{
    const ptrdiff_t n_remaining = model->n_features % NAME(LANES);
    REAL *g_end = (REAL *)model->gradient + model->n_features - NAME(LANES);
    NAME(Lanes) g_last = {0};
    double sum = 0;
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        NAME(backward_rows)(model, rows + i, 4, residual + i, &g_last);
    for (; i < n; i++)
        NAME(backward_rows)(model, rows + i, 1, residual + i, &g_last);
    for (ptrdiff_t l = NAME(LANES) - n_remaining; l < NAME(LANES); l++)
        g_end[l] += ((const REAL *)&g_last)[l];
#pragma omp simd reduction(+ : sum)
    for (i = 0; i < n; i++)
        sum += residual[i];
    model->residual_sum[0] += sum;
}

#include "dense_narrow_template.h"

/* The functions for long rows read whole vectors, so shorter rows must count as narrow. */
_Static_assert(NAME(LANES) <= WIDEST_NARROW + 1, "rows shorter than a vector must be narrow");

MULTIVERSION static void NAME(forward_one)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                           double *z)
{
    if (model->n_features <= WIDEST_NARROW)
        NAME(forward_narrow)(model, rows, n, n_ahead, z);
    else
        NAME(forward_long)(model, rows, n, n_ahead, z);
}

MULTIVERSION static void NAME(backward_one)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                            const double *residual)
{
    if (model->n_features <= WIDEST_NARROW)
        NAME(backward_narrow)(model, n, residual);
    else
        NAME(backward_long)(model, rows, n, residual);
}

/* Centres the gradient, updates each coordinate and computes the new shift, in one pass. */
static ALWAYS_INLINE void NAME(step_one_with)(const DenseModel *model, const Step *step, int has_l2, int has_l1,
                                              int has_moments)
{
    const NAME(Context) c = NAME(context_of)(model, step);
    const REAL *mean = model->mean;
    const REAL sum = (REAL)model->residual_sum[0];
    double shift = 0;
    if (model->n_features == 1) {
        /* one after the other: to form a vector, the two gradients would have to go through memory first */
        const REAL slope = NAME(update)(c, 0, c.g[0] - mean[0] * sum, has_l2, has_l1, has_moments);
        const REAL intercept = NAME(update)(c, 1, sum, has_l2, has_l1, has_moments);
        shift = (double)mean[0] * slope - intercept;
    } else {
#pragma omp simd reduction(+ : shift)
        for (ptrdiff_t j = 0; j < model->n_padded; j++)
            shift += (double)mean[j] * NAME(update)(c, j, c.g[j] - mean[j] * sum, has_l2, has_l1, has_moments);
    }
    model->shift[0] = shift;
    model->residual_sum[0] = 0;
}

MULTIVERSION static void NAME(step_one)(const DenseModel *model, const Step *step)
{
    const int has_moments = step->plan->momentum != 0 || step->plan->centered != 0;
    if (model->l1 != NULL && has_moments)
        NAME(step_one_with)(model, step, 1, 1, 1);
    else if (model->l1 != NULL)
        NAME(step_one_with)(model, step, 1, 1, 0);
    else if (model->l2 != NULL && has_moments)
        NAME(step_one_with)(model, step, 1, 0, 1);
    else if (model->l2 != NULL)
        NAME(step_one_with)(model, step, 1, 0, 0);
    else if (has_moments)
        NAME(step_one_with)(model, step, 0, 0, 1);
    else
        NAME(step_one_with)(model, step, 0, 0, 0);
}

static void NAME(refresh_one)(const DenseModel *model) { NAME(compute_shift)(model); }

const DenseOperations NAME(one_target) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_one),
    .backward = NAME(backward_one),
    .step = NAME(step_one),
    .refresh = NAME(refresh_one),
};
