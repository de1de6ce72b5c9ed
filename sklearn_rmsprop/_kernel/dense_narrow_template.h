/* One target and few features, for one REAL: the rows of a chunk are copied column by column, and the loops run over rows. Most
 * calls are for a whole chunk; with a constant number of rows the loops have no remainder. */

static ALWAYS_INLINE void NAME(gather_columns)(const DenseModel *model, const uint32_t *restrict rows, ptrdiff_t n,
                                               ptrdiff_t n_ahead)
{
    const ptrdiff_t d = model->n_features;
    REAL *restrict column = model->columns;
    NAME(fetch)(model, rows, n, n_ahead);
    for (ptrdiff_t j = 0; j < d; j++, column += CHUNK) {
        const REAL *restrict x = (const REAL *)model->x + j;
        UNROLL(4) for (ptrdiff_t i = 0; i < n; i++)
            column[i] = x[(size_t)rows[i] * (size_t)d];
    }
}

static ALWAYS_INLINE void NAME(forward_columns)(const DenseModel *model, ptrdiff_t n, double *restrict z)
{
    const REAL *restrict w = model->coef, *restrict column = model->columns;
    const double w0 = w[0], shift = model->shift[0];
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; i++)
        z[i] = column[i] * w0 - shift;
    for (ptrdiff_t j = 1; j < model->n_features; j++) {
        const double wj = w[j];
        column += CHUNK;
#pragma omp simd
        for (ptrdiff_t i = 0; i < n; i++)
            z[i] += column[i] * wj;
    }
}

/* The sums are taken in two halves side by side, as in `sum_of`. */
static ALWAYS_INLINE void NAME(backward_columns)(const DenseModel *model, ptrdiff_t n, const double *restrict residual)
{
    const REAL *restrict column = model->columns;
    REAL *restrict g = model->gradient;
    for (ptrdiff_t j = 0; j < model->n_features; j++, column += CHUNK) {
        double first = 0, second = 0;
        const ptrdiff_t half = n / 2;
#pragma omp simd reduction(+ : first, second)
        for (ptrdiff_t i = 0; i < half; i++) {
            first += residual[i] * column[i];
            second += residual[half + i] * column[half + i];
        }
        g[j] += (REAL)(first + second + (n % 2 ? residual[n - 1] * column[n - 1] : 0));
    }
    model->residual_sum[0] += sum_of(residual, n);
}

static ALWAYS_INLINE void NAME(forward_narrow)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                               ptrdiff_t n_ahead, double *z)
{
    NAME(gather_columns)(model, rows, n, n_ahead);
    if (n == CHUNK)
        NAME(forward_columns)(model, CHUNK, z);
    else
        NAME(forward_columns)(model, n, z);
}

static ALWAYS_INLINE void NAME(backward_narrow)(const DenseModel *model, ptrdiff_t n, const double *residual)
{
    if (n == CHUNK)
        NAME(backward_columns)(model, CHUNK, residual);
    else
        NAME(backward_columns)(model, n, residual);
}
