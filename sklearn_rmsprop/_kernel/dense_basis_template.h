/* The step in whitened coordinates, for one REAL: the coefficients are basis . coordinates, the update moves the coordinates,
 * and the coefficients follow. That takes 4 d^2 operations a batch and target, none per row. docs/algorithm.md explains why. */

/* coordinate_gradient = basis' . gradient of the coefficients, after centring it and adding the L2 penalty's part of it, which
 * belongs to the coefficients; the gradient is zero afterwards. `inverse_scale` turns a mean gradient into a summed one. */
static ALWAYS_INLINE void NAME(project)(const DenseModel *model, REAL inverse_scale)
{
    const ptrdiff_t n_targets = model->n_targets, stride = model->basis_stride, n = model->n_features * n_targets;
    const REAL *restrict mean = model->mean, *restrict w = model->coef, *restrict ridge = model->ridge;
    const double *restrict sum = model->residual_sum;
    REAL *restrict g = model->gradient, *restrict h = model->coordinate_gradient;
    for (ptrdiff_t j = 0; j < model->n_features; j++)
        for (ptrdiff_t k = 0; k < n_targets; k++)
            g[j * n_targets + k] -= mean[j] * (REAL)sum[k];
    if (ridge != NULL)
        for (ptrdiff_t q = 0; q < n; q++)
            g[q] += inverse_scale * ridge[q] * w[q];
    if (n_targets == 1) {
        /* four rows of the basis share each load of h; its rows are padded with zeros to a multiple of four */
        for (ptrdiff_t j = 0; j < model->n_features; j += 4) {
            const REAL *restrict b = (const REAL *)model->basis + j * stride;
#pragma omp simd
            for (ptrdiff_t l = 0; l < stride; l++)
                h[l] += (b[l] * g[j] + b[stride + l] * g[j + 1]) + (b[2 * stride + l] * g[j + 2] + b[3 * stride + l] * g[j + 3]);
        }
    } else {
        for (ptrdiff_t j = 0; j < model->n_features; j++) {
            const REAL *restrict b = (const REAL *)model->basis + j * stride, *restrict gj = g + j * n_targets;
            for (ptrdiff_t l = 0; l < model->n_features; l++) {
#pragma omp simd
                for (ptrdiff_t k = 0; k < n_targets; k++)
                    h[l * n_targets + k] += b[l] * gj[k];
            }
        }
    }
    for (ptrdiff_t k = 0; k < n_targets; k++)
        h[n + k] = (REAL)sum[k];
    memset(g, 0, (size_t)model->n_padded * sizeof(REAL));
    memset(model->residual_sum, 0, (size_t)n_targets * sizeof(double));
}

/* coef = basis . coordinates; the intercept is a coordinate of its own. */
static ALWAYS_INLINE void NAME(expand)(const DenseModel *model)
{
    const ptrdiff_t n_targets = model->n_targets, stride = model->basis_stride, n = model->n_features * n_targets;
    const REAL *restrict v = model->coordinates;
    REAL *restrict w = model->coef;
    if (n_targets == 1) {
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
    } else {
        memset(w, 0, (size_t)n * sizeof(REAL));
        for (ptrdiff_t j = 0; j < model->n_features; j++) {
            const REAL *restrict b = (const REAL *)model->basis + j * stride;
            REAL *restrict wj = w + j * n_targets;
            for (ptrdiff_t l = 0; l < model->n_features; l++) {
#pragma omp simd
                for (ptrdiff_t k = 0; k < n_targets; k++)
                    wj[k] += b[l] * v[l * n_targets + k];
            }
        }
    }
    for (ptrdiff_t k = 0; k < n_targets; k++)
        w[n + k] = v[n + k];
}

MULTIVERSION static void NAME(refresh_in_basis)(const DenseModel *model)
{
    NAME(expand)(model);
    NAME(compute_shift)(model);
    if (model->n_targets > 1)
        NAME(fill_panels)(model);
}

MULTIVERSION static void NAME(step_in_basis)(const DenseModel *model, const Step *step)
{
    const NAME(Context) c = NAME(context_of)(model, step);
    const int has_moments = step->plan->momentum != 0 || step->plan->centered != 0;
    const int own_rates = model->step_unit != model->inverse_unit;
    NAME(project)(model, (REAL)(1 / step->scale));
    if (has_moments || own_rates) {
        for (ptrdiff_t j = 0; j < model->n_padded; j++)
            NAME(update)(c, j, c.g[j], 0, 1, own_rates);
    } else {
#pragma omp simd
        for (ptrdiff_t j = 0; j < model->n_padded; j++)
            NAME(update)(c, j, c.g[j], 0, 0, 0);
    }
    NAME(expand)(model);
    NAME(compute_shift)(model);
    if (model->n_targets > 1)
        NAME(fill_panels)(model);
}

const DenseOperations NAME(one_target_in_basis) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_one),
    .backward = NAME(backward_one),
    .step = NAME(step_in_basis),
    .refresh = NAME(refresh_in_basis),
};

const DenseOperations NAME(many_targets_in_basis) = {
    .lanes = NAME(LANES),
    .forward = NAME(forward_many),
    .backward = NAME(backward_many),
    .step = NAME(step_in_basis),
    .refresh = NAME(refresh_in_basis),
};
