/* The step in whitened coordinates, for one REAL: the coefficients are basis . coordinates, the update moves the coordinates,
 * and the coefficients follow. That takes 4 d^2 operations a batch and target, none per row. docs/algorithm.md explains why. */

/* Centres the gradient of the coefficients, and adds the L2 penalty's part of it, which belongs to the coefficients.
 * `inverse_scale` turns a mean gradient into a summed one. */
static ALWAYS_INLINE void NAME(complete_gradient)(const DenseModel *model, ptrdiff_t n_targets, REAL inverse_scale)
{
    const REAL *restrict mean = model->mean, *restrict w = model->coef, *restrict ridge = model->ridge;
    const double *restrict sum = model->residual_sum;
    REAL *restrict g = model->gradient;
    for (ptrdiff_t j = 0; j < model->n_features; j++)
        for (ptrdiff_t k = 0; k < n_targets; k++)
            g[j * n_targets + k] -= mean[j] * (REAL)sum[k];
    if (ridge != NULL)
        for (ptrdiff_t q = 0; q < model->n_features * n_targets; q++)
            g[q] += inverse_scale * ridge[q] * w[q];
}

/* coordinate_gradient = basis' . gradient, which is zero before. */
static ALWAYS_INLINE void NAME(project_one)(const DenseModel *model)
{
    const ptrdiff_t stride = model->basis_stride;
    const REAL *restrict g = model->gradient;
    REAL *restrict h = model->coordinate_gradient;
    /* four rows of the basis share each load of h; its rows are padded with zeros to a multiple of four */
    for (ptrdiff_t j = 0; j < model->n_features; j += 4) {
        const REAL *restrict b = (const REAL *)model->basis + j * stride;
#pragma omp simd
        for (ptrdiff_t l = 0; l < stride; l++)
            h[l] += (b[l] * g[j] + b[stride + l] * g[j + 1]) + (b[2 * stride + l] * g[j + 2] + b[3 * stride + l] * g[j + 3]);
    }
}

/* coef = basis . coordinates, without the intercept. */
static ALWAYS_INLINE void NAME(expand_one)(const DenseModel *model)
{
    const ptrdiff_t stride = model->basis_stride;
    const REAL *restrict v = model->coordinates;
    REAL *restrict w = model->coef;
    for (ptrdiff_t j = 0; j < model->n_features; j += 4) {
        const REAL *restrict b = (const REAL *)model->basis + j * stride;
        REAL s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
        for (ptrdiff_t l = 0; l < stride; l++) {
            s0 += b[l] * v[l];
            s1 += b[stride + l] * v[l];
            s2 += b[2 * stride + l] * v[l];
            s3 += b[3 * stride + l] * v[l];
        }
        w[j] = s0, w[j + 1] = s1, w[j + 2] = s2, w[j + 3] = s3;
    }
    for (ptrdiff_t j = model->n_features; j < model->n_padded; j++)
        w[j] = 0; /* the rows of zeros, and the padding */
}

/* Several targets: products of matrices, for as many rows of the basis at once as a chunk has rows of X. */

/* Fills `row` with the addresses of rows of the basis, from j on; returns how many. */
static ALWAYS_INLINE ptrdiff_t NAME(basis_rows)(const DenseModel *model, ptrdiff_t j, const REAL **row)
{
    const ptrdiff_t n = model->n_features - j < CHUNK ? model->n_features - j : CHUNK;
    for (ptrdiff_t i = 0; i < n; i++)
        row[i] = (const REAL *)model->basis + (j + i) * model->basis_stride;
    return n;
}

static ALWAYS_INLINE void NAME(project_panels)(const DenseModel *model, ptrdiff_t j, ptrdiff_t n, const REAL *const *row,
                                               ptrdiff_t first, ptrdiff_t n_panels, ptrdiff_t width)
{
    const ptrdiff_t n_targets = model->n_targets;
    NAME(add_transposed)(row, n, model->n_features, (const REAL *)model->gradient + j * n_targets + first, n_targets, n_panels,
                         width, (REAL *)model->coordinate_gradient + first, n_targets);
}

MULTIVERSION static void NAME(project_many)(const DenseModel *model)
{
    const REAL *row[CHUNK];
    for (ptrdiff_t j = 0; j < model->n_features; j += CHUNK) {
        const ptrdiff_t n = NAME(basis_rows)(model, j, row);
        FOR_PANELS(model->n_targets, NAME(project_panels), model, j, n, row);
    }
}

static ALWAYS_INLINE void NAME(expand_panels)(const DenseModel *model, ptrdiff_t j, ptrdiff_t n, const REAL *const *row,
                                              ptrdiff_t first, ptrdiff_t n_panels, ptrdiff_t width)
{
    const ptrdiff_t n_targets = model->n_targets, stride = n_panels * NAME(LANES), n_wanted = stride - NAME(LANES) + width;
    const double no_shift[2 * NAME(LANES)] = {0};
    double product[CHUNK * 2 * NAME(LANES)];
    REAL *restrict w = (REAL *)model->coef + j * n_targets + first;
    NAME(multiply)(row, n, model->n_features, (const REAL *)model->coordinates + first, n_targets, n_panels, NAME(LANES),
                   no_shift, product, stride);
    for (ptrdiff_t i = 0; i < n; i++, w += n_targets)
        for (ptrdiff_t l = 0; l < stride; l++)
            if (l < n_wanted)
                w[l] = (REAL)product[i * stride + l];
}

MULTIVERSION static void NAME(expand_many)(const DenseModel *model)
{
    const REAL *row[CHUNK];
    for (ptrdiff_t j = 0; j < model->n_features; j += CHUNK) {
        const ptrdiff_t n = NAME(basis_rows)(model, j, row);
        FOR_PANELS(model->n_targets, NAME(expand_panels), model, j, n, row);
    }
}

/* The intercept is a coordinate of its own. */
static ALWAYS_INLINE void NAME(refresh_with)(const DenseModel *model, ptrdiff_t n_targets)
{
    const ptrdiff_t n = model->n_features * n_targets;
    if (n_targets == 1)
        NAME(expand_one)(model);
    else
        NAME(expand_many)(model);
    for (ptrdiff_t k = 0; k < n_targets; k++)
        ((REAL *)model->coef)[n + k] = ((const REAL *)model->coordinates)[n + k];
    NAME(compute_shift)(model);
}

static ALWAYS_INLINE void NAME(step_with)(const DenseModel *model, const Step *step, ptrdiff_t n_targets)
{
    const NAME(Context) c = NAME(context_of)(model, step);
    const int has_moments = step->plan->momentum != 0 || step->plan->centered != 0;
    NAME(complete_gradient)(model, n_targets, (REAL)(1 / step->scale));
    if (n_targets == 1)
        NAME(project_one)(model);
    else
        NAME(project_many)(model);
    for (ptrdiff_t k = 0; k < n_targets; k++)
        c.g[model->n_features * n_targets + k] = (REAL)model->residual_sum[k];
    memset(model->gradient, 0, (size_t)model->n_padded * sizeof(REAL));
    memset(model->residual_sum, 0, (size_t)n_targets * sizeof(double));
    if (has_moments) {
#pragma omp simd
        for (ptrdiff_t j = 0; j < model->n_padded; j++)
            NAME(update)(c, j, c.g[j], 0, 0, 1);
    } else {
#pragma omp simd
        for (ptrdiff_t j = 0; j < model->n_padded; j++)
            NAME(update)(c, j, c.g[j], 0, 0, 0);
    }
    NAME(refresh_with)(model, n_targets);
}

MULTIVERSION static void NAME(refresh_one_in_basis)(const DenseModel *model) { NAME(refresh_with)(model, 1); }

MULTIVERSION static void NAME(step_one_in_basis)(const DenseModel *model, const Step *step) { NAME(step_with)(model, step, 1); }

MULTIVERSION static void NAME(refresh_many_in_basis)(const DenseModel *model) { NAME(refresh_with)(model, model->n_targets); }

MULTIVERSION static void NAME(step_many_in_basis)(const DenseModel *model, const Step *step)
{
    NAME(step_with)(model, step, model->n_targets);
}

const DenseOperations NAME(one_target_in_basis) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_one),
    .backward = NAME(backward_one),
    .step = NAME(step_one_in_basis),
    .refresh = NAME(refresh_one_in_basis),
};

const DenseOperations NAME(many_targets_in_basis) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_many),
    .backward = NAME(backward_many),
    .step = NAME(step_many_in_basis),
    .refresh = NAME(refresh_many_in_basis),
};
