/* The dense operations on several targets, for one REAL: products of matrices, computed in panels of LANES targets. A panel
 * holds the coefficients of LANES targets, feature by feature, so that a number of a row is loaded once for all of them. The
 * last panel is padded with zeros. */

/* Copies the coefficients of the `width` targets from `first` on into their panel. */
static ALWAYS_INLINE void NAME(fill_panel)(const DenseModel *model, ptrdiff_t first, ptrdiff_t width,
                                           REAL *restrict panel)
{
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict w = (const REAL *)model->coef + first;
    for (ptrdiff_t j = 0; j < model->n_features; j++, panel += NAME(LANES))
        for (ptrdiff_t l = 0; l < width; l++)
            panel[l] = w[j * n_targets + l];
}

/* Predicts `n_rows` (up to four) rows with a panel. */
static ALWAYS_INLINE void NAME(forward_panel)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n_rows,
                                              ptrdiff_t first, ptrdiff_t width, const REAL *restrict panel,
                                              double *restrict z)
{
    const double *restrict shift = model->shift + first;
    const REAL *x[4];
    NAME(Lanes) sum[4] = {{0}};
    for (ptrdiff_t i = 0; i < n_rows; i++)
        x[i] = NAME(row)(model, rows[i]);
    for (ptrdiff_t j = 0; j < model->n_features; j++, panel += NAME(LANES)) {
        const NAME(Lanes) w = *NAME(lanes)(panel);
        for (ptrdiff_t i = 0; i < n_rows; i++)
            sum[i] += x[i][j] * w;
    }
    for (ptrdiff_t i = 0; i < n_rows; i++, z += model->n_targets)
        for (ptrdiff_t l = 0; l < width; l++)
            z[l] = ((const REAL *)(sum + i))[l] - shift[l];
}

static ALWAYS_INLINE void NAME(forward_panel_rows)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                                   ptrdiff_t first, ptrdiff_t width, const REAL *panel, double *z)
{
    ptrdiff_t i = 0, at = first;
    for (; i + 4 <= n; i += 4, at += 4 * model->n_targets)
        NAME(forward_panel)(model, rows + i, 4, first, width, panel, z + at);
    for (; i < n; i++, at += model->n_targets)
        NAME(forward_panel)(model, rows + i, 1, first, width, panel, z + at);
}

/* Adds the products of rows `x` and residuals to the gradient of `n_features` features from j on, for the `width` targets of a
 * panel. */
static ALWAYS_INLINE void NAME(backward_panel)(const DenseModel *model, const REAL *const *x, ptrdiff_t n, ptrdiff_t j,
                                               ptrdiff_t n_features, ptrdiff_t first, ptrdiff_t width,
                                               const NAME(Lanes) *residual)
{
    REAL *restrict g = (REAL *)model->gradient + j * model->n_targets + first;
    NAME(Lanes) sum[FEATURES_AT_ONCE] = {{0}};
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t m = 0; m < n_features; m++)
            sum[m] += x[i][j + m] * residual[i];
    for (ptrdiff_t m = 0; m < n_features; m++, g += model->n_targets)
        for (ptrdiff_t l = 0; l < width; l++)
            g[l] += ((const REAL *)(sum + m))[l];
}

static ALWAYS_INLINE void NAME(backward_panel_rows)(const DenseModel *model, const REAL *const *x, ptrdiff_t n,
                                                    ptrdiff_t first, ptrdiff_t width, const double *restrict residual)
{
    NAME(Lanes) r[CHUNK] = {{0}};
    ptrdiff_t j = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t l = 0; l < width; l++)
            ((REAL *)(r + i))[l] = (REAL)residual[i * model->n_targets + first + l];
    for (; j + FEATURES_AT_ONCE <= model->n_features; j += FEATURES_AT_ONCE)
        NAME(backward_panel)(model, x, n, j, FEATURES_AT_ONCE, first, width, r);
    for (; j < model->n_features; j++)
        NAME(backward_panel)(model, x, n, j, 1, first, width, r);
}

/* Below, full panels pass their width as a constant, so that the compiler unrolls the loops over it. */

static ALWAYS_INLINE void NAME(fill_panels)(const DenseModel *model)
{
    REAL *panel = model->panels;
    ptrdiff_t first = 0;
    for (; first + NAME(LANES) <= model->n_targets; first += NAME(LANES), panel += NAME(LANES) * model->n_features)
        NAME(fill_panel)(model, first, NAME(LANES), panel);
    if (first < model->n_targets)
        NAME(fill_panel)(model, first, model->n_targets - first, panel);
}

MULTIVERSION static void NAME(forward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                            double *z)
{
    const REAL *panel = model->panels;
    ptrdiff_t first = 0;
    NAME(fetch)(model, rows, n, n_ahead);
    for (; first + NAME(LANES) <= model->n_targets; first += NAME(LANES), panel += NAME(LANES) * model->n_features)
        NAME(forward_panel_rows)(model, rows, n, first, NAME(LANES), panel, z);
    if (first < model->n_targets)
        NAME(forward_panel_rows)(model, rows, n, first, model->n_targets - first, panel, z);
}

MULTIVERSION static void NAME(backward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             const double *residual)
{
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *x[CHUNK];
    ptrdiff_t first = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = NAME(row)(model, rows[i]);
    for (; first + NAME(LANES) <= n_targets; first += NAME(LANES))
        NAME(backward_panel_rows)(model, x, n, first, NAME(LANES), residual);
    if (first < n_targets)
        NAME(backward_panel_rows)(model, x, n, first, n_targets - first, residual);
    add_rows(n, n_targets, residual, model->residual_sum);
}

static ALWAYS_INLINE void NAME(compute_shift_and_panels)(const DenseModel *model)
{
    NAME(compute_shift)(model);
    NAME(fill_panels)(model);
}

static ALWAYS_INLINE void NAME(step_many_with)(const DenseModel *model, const Step *step, int penalized, int has_moments,
                                               int own_rates)
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
        NAME(update)(c, j, c.g[j], penalized, has_moments, own_rates);
    memset(model->residual_sum, 0, (size_t)n_targets * sizeof(double));
    NAME(compute_shift_and_panels)(model);
}

MULTIVERSION static void NAME(step_many)(const DenseModel *model, const Step *step)
{
    const int has_moments = step->plan->momentum != 0 || step->plan->centered != 0;
    if (model->step_unit != model->inverse_unit) /* the rarer case: one version of it serves all */
        NAME(step_many_with)(model, step, model->l1 != NULL, has_moments, 1);
    else if (model->l1 != NULL && has_moments)
        NAME(step_many_with)(model, step, 1, 1, 0);
    else if (model->l1 != NULL)
        NAME(step_many_with)(model, step, 1, 0, 0);
    else if (has_moments)
        NAME(step_many_with)(model, step, 0, 1, 0);
    else
        NAME(step_many_with)(model, step, 0, 0, 0);
}

MULTIVERSION static void NAME(refresh_many)(const DenseModel *model) { NAME(compute_shift_and_panels)(model); }

const DenseOperations NAME(many_targets) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_many),
    .backward = NAME(backward_many),
    .step = NAME(step_many),
    .refresh = NAME(refresh_many),
};
