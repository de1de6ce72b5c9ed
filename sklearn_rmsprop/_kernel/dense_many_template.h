/* Several targets on dense rows, for one REAL: the products are those of matrices, worked on in panels of LANES targets. A
 * panel holds LANES coefficients, feature by feature, so that a number of a row is loaded once for all of them. Targets that
 * the last panel has too many are zero. */

/* The panel of the `width` targets from `first` on, for the model as it is now. */
static ALWAYS_INLINE void NAME(fill_panel)(const DenseModel *model, ptrdiff_t first, ptrdiff_t width,
                                           REAL *restrict panel)
{
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict w = (const REAL *)model->coef + first;
    for (ptrdiff_t j = 0; j < model->n_features; j++, panel += NAME(LANES))
        for (ptrdiff_t l = 0; l < width; l++)
            panel[l] = w[j * n_targets + l];
}

/* The predictions of `n_rows` rows with a panel. */
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

/* Adds to the gradient of `n_features` features from j on, for the `width` targets of a panel, what the rows `x` do. */
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

/* Below, full panels pass their width as a constant, which drops the loops over it. */

static ALWAYS_INLINE void NAME(fill_panels)(const DenseModel *model)
{
    REAL *panel = model->panels;
    ptrdiff_t first = 0;
    for (; first + NAME(LANES) <= model->n_targets; first += NAME(LANES), panel += NAME(LANES) * model->n_features)
        NAME(fill_panel)(model, first, NAME(LANES), panel);
    if (first < model->n_targets)
        NAME(fill_panel)(model, first, model->n_targets - first, panel);
}

static ALWAYS_INLINE void NAME(forward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             ptrdiff_t n_ahead, double *z)
{
    const REAL *panel = model->panels;
    ptrdiff_t first = 0;
    NAME(fetch)(model, rows, n, n_ahead);
    for (; first + NAME(LANES) <= model->n_targets; first += NAME(LANES), panel += NAME(LANES) * model->n_features)
        NAME(forward_panel_rows)(model, rows, n, first, NAME(LANES), panel, z);
    if (first < model->n_targets)
        NAME(forward_panel_rows)(model, rows, n, first, model->n_targets - first, panel, z);
}

static ALWAYS_INLINE void NAME(backward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                              const double *restrict residual)
{
    const ptrdiff_t n_targets = model->n_targets;
    double *restrict sum = model->residual_sum;
    const REAL *x[CHUNK];
    ptrdiff_t first = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        x[i] = NAME(row)(model, rows[i]);
    for (; first + NAME(LANES) <= n_targets; first += NAME(LANES))
        NAME(backward_panel_rows)(model, x, n, first, NAME(LANES), residual);
    if (first < n_targets)
        NAME(backward_panel_rows)(model, x, n, first, n_targets - first, residual);
    for (ptrdiff_t i = 0; i < n; i++, residual += n_targets) {
#pragma omp simd
        for (ptrdiff_t k = 0; k < n_targets; k++)
            sum[k] += residual[k];
    }
}
