/* The dense operations for one REAL; dense.c includes this once for float and once for double. */

/* LANES numbers side by side, wherever they lie; one where the compiler knows no vectors. */
#ifdef VECTOR
typedef REAL NAME(Lanes) VECTOR(REAL);
typedef REAL NAME(Half) HALF_VECTOR;
enum { NAME(LANES) = VECTOR_BYTES / sizeof(REAL) };
#else
typedef REAL NAME(Lanes);
enum { NAME(LANES) = 1 };
#endif

static ALWAYS_INLINE const NAME(Lanes) *NAME(lanes)(const REAL *values) { return (const NAME(Lanes) *)values; }

static ALWAYS_INLINE NAME(Lanes) *NAME(lanes_to)(REAL *values) { return (NAME(Lanes) *)values; }

/* The sums over the lanes of four. Left to the compiler they take as long as the products of 26 features. */
static ALWAYS_INLINE void NAME(sums)(const NAME(Lanes) *v, double offset, double *sums)
{
#if defined(VECTOR) && defined(SHUFFLE)
#if VECTOR_BYTES == 64
    NAME(Half) half[4];
    for (ptrdiff_t k = 0; k < 4; k++)
        half[k] = LOWER(v[k]) + UPPER(v[k]);
    const NAME(Half) ab = PAIR(half[0], half[1]), cd = PAIR(half[2], half[3]), abcd = PAIR_PAIRS(ab, cd);
#else
    const NAME(Lanes) ab = PAIR(v[0], v[1]), cd = PAIR(v[2], v[3]), abcd = PAIR_PAIRS(ab, cd);
#endif
    for (ptrdiff_t k = 0; k < 4; k++)
        sums[k] = (sizeof abcd == 4 * sizeof(REAL) ? abcd[k] : abcd[k] + abcd[(k + 4) % NAME(LANES)]) - offset;
#else
    for (ptrdiff_t k = 0; k < 4; k++) {
        double sum = -offset;
        for (ptrdiff_t l = 0; l < NAME(LANES); l++)
            sum += ((const REAL *)(v + k))[l];
        sums[k] = sum;
    }
#endif
}

static ALWAYS_INLINE const REAL *NAME(row)(const DenseModel *model, uint32_t row)
{
    return (const REAL *)model->x + (size_t)row * (size_t)model->n_features;
}

static ALWAYS_INLINE void NAME(fetch)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead)
{
    const ptrdiff_t bytes = model->n_features * (ptrdiff_t)sizeof(REAL);
    const ptrdiff_t last = (bytes < MOST_FETCHED ? bytes : MOST_FETCHED) - 1;
    if (bytes > LONGEST_FETCHED)
        return;
    for (ptrdiff_t i = ROWS_AHEAD; i < n + ROWS_AHEAD && i < n_ahead; i++) {
        const char *address = (const char *)NAME(row)(model, rows[i]);
        for (ptrdiff_t offset = 0; offset < last; offset += LINE_BYTES)
            PREFETCH(address + offset);
        PREFETCH(address + last);
    }
}

/* One target: LANES features at a time of `n_rows` rows together, which share each load of the coefficients; four rows
 * run 1.5 to 4 times as fast as one by one. Left to the compiler, as a reduction over scalars, it took three times the
 * instructions. Two turns at once gained another tenth on 26 features, four turns nothing more. The features left over at
 * the end are met by a last step back from there, `w_last`, in which the coefficients of those already met are zero. */
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
    NAME(sums)(sum, model->shift[0], z);
}

/* The last LANES of `d` numbers, zero where a whole step from the start meets them too. */
static ALWAYS_INLINE NAME(Lanes) NAME(last_lanes)(const REAL *values, ptrdiff_t d)
{
    REAL last[NAME(LANES)];
    for (ptrdiff_t l = 0; l < NAME(LANES); l++)
        last[l] = l < NAME(LANES) - d % NAME(LANES) ? 0 : values[d - NAME(LANES) + l];
    return *NAME(lanes)(last);
}

static ALWAYS_INLINE void NAME(forward_one)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
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
        /* added to the gradient at once: row by row, each four rows waited for the four before, a twentieth of an epoch
         * over 12 columns */
        NAME(Lanes) sum = *NAME(lanes)(x[0] + j) * r[0];
        for (ptrdiff_t k = 1; k < n_rows; k++)
            sum += *NAME(lanes)(x[k] + j) * r[k];
        *NAME(lanes_to)(g + j) += sum;
    }
    if (whole < d)
        for (ptrdiff_t k = 0; k < n_rows; k++)
            *g_last += *NAME(lanes)(x[k] + d - NAME(LANES)) * r[k];
}

static ALWAYS_INLINE void NAME(backward_one)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             const double *restrict residual)
{
    const ptrdiff_t left = model->n_features % NAME(LANES);
    REAL *g_end = (REAL *)model->gradient + model->n_features - NAME(LANES);
    NAME(Lanes) g_last = {0};
    double sum = 0;
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4)
        NAME(backward_rows)(model, rows + i, 4, residual + i, &g_last);
    for (; i < n; i++)
        NAME(backward_rows)(model, rows + i, 1, residual + i, &g_last);
    for (ptrdiff_t l = NAME(LANES) - left; l < NAME(LANES); l++)
        g_end[l] += ((const REAL *)&g_last)[l];
#pragma omp simd reduction(+ : sum)
    for (i = 0; i < n; i++)
        sum += residual[i];
    model->residual_sum[0] += sum;
}

#include "dense_narrow_template.h"
#include "dense_many_template.h"

MULTIVERSION static void NAME(forward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                       double *z)
{
    if (model->n_targets > 1)
        NAME(forward_many)(model, rows, n, n_ahead, z);
    else if (model->n_features <= WIDEST_NARROW)
        NAME(forward_narrow)(model, rows, n, n_ahead, z);
    else
        NAME(forward_one)(model, rows, n, n_ahead, z);
}

MULTIVERSION static void NAME(backward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                        const double *residual)
{
    if (model->n_targets > 1)
        NAME(backward_many)(model, rows, n, residual);
    else if (model->n_features <= WIDEST_NARROW)
        NAME(backward_narrow)(model, n, residual);
    else
        NAME(backward_one)(model, rows, n, residual);
}

MULTIVERSION static void NAME(unpack)(const DenseModel *model, const double *restrict pairs, ptrdiff_t n,
                                      double *restrict y)
{
    REAL *restrict column = model->columns;
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; i++) {
        column[i] = (REAL)pairs[2 * i];
        y[i] = pairs[2 * i + 1];
    }
}

MULTIVERSION static void NAME(predict)(const DenseModel *model, ptrdiff_t n, double *z)
{
    NAME(predict_narrow)(model, n, z);
}

#include "dense_step_template.h"

#include "dense_moments_template.h"

const DenseOperations NAME(dense) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward),
    .backward = NAME(backward),
    .unpack = NAME(unpack),
    .predict = NAME(predict),
    .step = NAME(step),
    .refresh = NAME(refresh),
    .moments = NAME(moments),
};
