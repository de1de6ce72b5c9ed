/* The dense operations on several targets, for one REAL: products of matrices whose rows have a number for each target. They are
 * computed in panels of LANES targets, so that a number of X is loaded once for a whole panel. Up to SUMS_AT_ONCE sums stay in
 * registers. The last panel may have fewer than LANES targets. Its vectors then reach beyond the last target, and the lanes
 * there are not stored. */

/* Covers all targets with calls of `function`, whose last arguments are `first, n_panels, width`: the first target, how many
 * panels, and how many targets the last of these panels has. Two panels at once share each load of the other factor. The
 * numbers are constants where panels are full, so that the compiler unrolls the loops over them. */
#ifndef FOR_PANELS
#define FOR_PANELS(n_targets, function, ...)                                     \
    do {                                                                         \
        ptrdiff_t first = 0;                                                     \
        for (; first + 2 * NAME(LANES) <= n_targets; first += 2 * NAME(LANES))   \
            function(__VA_ARGS__, first, 2, NAME(LANES));                        \
        if (first + NAME(LANES) <= n_targets) {                                  \
            function(__VA_ARGS__, first, 1, NAME(LANES));                        \
            first += NAME(LANES);                                                \
        }                                                                        \
        if (first < n_targets)                                                   \
            function(__VA_ARGS__, first, 1, n_targets - first);                  \
    } while (0)
#endif

/* z = A . B - shift: `n_rows` rows of A with `n` numbers each, and panels of B. Rows of B are `b_stride` numbers apart, rows of z
 * `z_stride`. */
static ALWAYS_INLINE void NAME(multiply_block)(const REAL *const *a, ptrdiff_t n_rows, ptrdiff_t n, const REAL *b,
                                              ptrdiff_t b_stride, ptrdiff_t n_panels, ptrdiff_t width,
                                              const double *restrict shift, double *restrict z, ptrdiff_t z_stride)
{
    NAME(Lanes) sum[SUMS_AT_ONCE] = {{0}};
    for (ptrdiff_t j = 0; j < n; j++, b += b_stride)
        for (ptrdiff_t i = 0; i < n_rows; i++)
            for (ptrdiff_t p = 0; p < n_panels; p++)
                sum[i * n_panels + p] += a[i][j] * *NAME(lanes)(b + p * NAME(LANES));
    for (ptrdiff_t i = 0; i < n_rows; i++, z += z_stride)
        for (ptrdiff_t p = 0; p < n_panels; p++)
            for (ptrdiff_t l = 0; l < NAME(LANES); l++)
                if (l < width)
                    z[p * NAME(LANES) + l] = ((const REAL *)(sum + i * n_panels + p))[l] - shift[p * NAME(LANES) + l];
}

/* The same for any number of rows. Of one panel eight rows are taken together, of two panels four. */
static ALWAYS_INLINE void NAME(multiply)(const REAL *const *a, ptrdiff_t n_rows, ptrdiff_t n, const REAL *b, ptrdiff_t b_stride,
                                         ptrdiff_t n_panels, ptrdiff_t width, const double *shift, double *z,
                                         ptrdiff_t z_stride)
{
    const ptrdiff_t at_once = SUMS_AT_ONCE / n_panels;
    ptrdiff_t i = 0;
    for (; i + at_once <= n_rows; i += at_once)
        NAME(multiply_block)(a + i, at_once, n, b, b_stride, n_panels, width, shift, z + i * z_stride, z_stride);
    for (; i + 4 <= n_rows; i += 4)
        NAME(multiply_block)(a + i, 4, n, b, b_stride, n_panels, width, shift, z + i * z_stride, z_stride);
    for (; i < n_rows; i++)
        NAME(multiply_block)(a + i, 1, n, b, b_stride, n_panels, width, shift, z + i * z_stride, z_stride);
}

/* C += A' . B for `n_columns` columns of A from column j on; A and B have `n` rows. The sums start with C: gcc needs fewer moves
 * between registers than with sums that start at zero. */
static ALWAYS_INLINE void NAME(add_columns)(const REAL *const *a, ptrdiff_t n, ptrdiff_t j, ptrdiff_t n_columns, const REAL *b,
                                            ptrdiff_t b_stride, ptrdiff_t n_panels, ptrdiff_t width, REAL *c, ptrdiff_t c_stride)
{
    NAME(Lanes) sum[SUMS_AT_ONCE];
    c += j * c_stride;
    for (ptrdiff_t m = 0; m < n_columns; m++)
        for (ptrdiff_t p = 0; p < n_panels; p++)
            sum[m * n_panels + p] = *NAME(lanes)(c + m * c_stride + p * NAME(LANES));
    for (ptrdiff_t i = 0; i < n; i++, b += b_stride)
        for (ptrdiff_t m = 0; m < n_columns; m++)
            for (ptrdiff_t p = 0; p < n_panels; p++)
                sum[m * n_panels + p] += a[i][j + m] * *NAME(lanes)(b + p * NAME(LANES));
    for (ptrdiff_t m = 0; m < n_columns; m++, c += c_stride)
        for (ptrdiff_t p = 0; p < n_panels; p++)
            for (ptrdiff_t l = 0; l < NAME(LANES); l++)
                if (l < width)
                    c[p * NAME(LANES) + l] = ((const REAL *)(sum + m * n_panels + p))[l];
}

/* The same for all columns of A. The columns that remain at the end are taken four and two at a time, because the additions to the
 * sum of a single column wait for each other. */
static ALWAYS_INLINE void NAME(add_transposed)(const REAL *const *a, ptrdiff_t n, ptrdiff_t n_columns, const REAL *b,
                                               ptrdiff_t b_stride, ptrdiff_t n_panels, ptrdiff_t width, REAL *c,
                                               ptrdiff_t c_stride)
{
    const ptrdiff_t at_once = SUMS_AT_ONCE / n_panels;
    ptrdiff_t j = 0;
    for (; j + at_once <= n_columns; j += at_once)
        NAME(add_columns)(a, n, j, at_once, b, b_stride, n_panels, width, c, c_stride);
    for (; j + 4 <= n_columns; j += 4)
        NAME(add_columns)(a, n, j, 4, b, b_stride, n_panels, width, c, c_stride);
    for (; j + 2 <= n_columns; j += 2)
        NAME(add_columns)(a, n, j, 2, b, b_stride, n_panels, width, c, c_stride);
    if (j < n_columns)
        NAME(add_columns)(a, n, j, 1, b, b_stride, n_panels, width, c, c_stride);
}

static ALWAYS_INLINE void NAME(forward_panels)(const DenseModel *model, const REAL *const *x, ptrdiff_t n, double *z,
                                               ptrdiff_t first, ptrdiff_t n_panels, ptrdiff_t width)
{
    NAME(multiply)(x, n, model->n_features, (const REAL *)model->coef + first, model->n_targets, n_panels, width,
                   model->shift + first, z + first, model->n_targets);
}

MULTIVERSION static void NAME(forward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                            double *z)
{
    const REAL *x[CHUNK];
    NAME(fetch)(model, rows, n, n_ahead);
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = NAME(row)(model, rows[i]);
    FOR_PANELS(model->n_targets, NAME(forward_panels), model, x, n, z);
}

/* The residuals are rounded to REAL, and side by side: zero where a panel reaches beyond the last target. */
static ALWAYS_INLINE void NAME(backward_panels)(const DenseModel *model, const REAL *const *x, ptrdiff_t n,
                                                const double *restrict residual, ptrdiff_t first, ptrdiff_t n_panels,
                                                ptrdiff_t width)
{
    const ptrdiff_t stride = n_panels * NAME(LANES), n_wanted = stride - NAME(LANES) + width;
    REAL rounded[CHUNK * 2 * NAME(LANES)];
    residual += first;
    for (ptrdiff_t i = 0; i < n; i++, residual += model->n_targets)
        for (ptrdiff_t l = 0; l < stride; l++)
            rounded[i * stride + l] = l < n_wanted ? (REAL)residual[l] : 0;
    NAME(add_transposed)(x, n, model->n_features, rounded, stride, n_panels, width, (REAL *)model->gradient + first,
                         model->n_targets);
}

MULTIVERSION static void NAME(backward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             const double *residual)
{
    const REAL *x[CHUNK];
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = NAME(row)(model, rows[i]);
    FOR_PANELS(model->n_targets, NAME(backward_panels), model, x, n, residual);
    add_rows(n, model->n_targets, residual, model->residual_sum);
}

static ALWAYS_INLINE void NAME(step_many_with)(const DenseModel *model, const Step *step, int has_l2, int has_l1,
                                               int has_moments)
{
    const NAME(Context) c = NAME(context_of)(model, step);
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict mean = model->mean;
    REAL *g = model->gradient;
    for (ptrdiff_t j = 0; j <= model->n_features; j++, g += n_targets) {
#pragma omp simd
        for (ptrdiff_t k = 0; k < n_targets; k++)
            g[k] -= mean[j] * (REAL)model->residual_sum[k];
    }
#pragma omp simd
    for (ptrdiff_t j = 0; j < model->n_padded; j++)
        NAME(update)(c, j, c.g[j], has_l2, has_l1, has_moments);
    memset(model->residual_sum, 0, (size_t)n_targets * sizeof(double));
    NAME(compute_shift)(model);
}

MULTIVERSION static void NAME(step_many)(const DenseModel *model, const Step *step)
{
    const int has_moments = step->plan->momentum != 0 || step->plan->centered != 0;
    if (model->l1 != NULL && has_moments)
        NAME(step_many_with)(model, step, 1, 1, 1);
    else if (model->l1 != NULL)
        NAME(step_many_with)(model, step, 1, 1, 0);
    else if (model->l2 != NULL && has_moments)
        NAME(step_many_with)(model, step, 1, 0, 1);
    else if (model->l2 != NULL)
        NAME(step_many_with)(model, step, 1, 0, 0);
    else if (has_moments)
        NAME(step_many_with)(model, step, 0, 0, 1);
    else
        NAME(step_many_with)(model, step, 0, 0, 0);
}

MULTIVERSION static void NAME(refresh_many)(const DenseModel *model) { NAME(compute_shift)(model); }

const DenseOperations NAME(many_targets) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_many),
    .backward = NAME(backward_many),
    .step = NAME(step_many),
    .refresh = NAME(refresh_many),
};
