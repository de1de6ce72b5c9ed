/* The dense operations for one REAL; dense.c includes this once for float and once for double. */

static ALWAYS_INLINE const REAL *NAME(row)(const DenseModel *model, uint32_t row)
{
    return (const REAL *)model->x + (size_t)row * (size_t)model->n_features;
}

static ALWAYS_INLINE void NAME(fetch)(const DenseModel *model, const uint32_t *rows, ptrdiff_t i, ptrdiff_t n_ahead)
{
    const ptrdiff_t bytes = model->n_features * (ptrdiff_t)sizeof(REAL);
    if (i + ROWS_AHEAD >= n_ahead || bytes > LONGEST_FETCHED)
        return;
    const char *address = (const char *)NAME(row)(model, rows[i + ROWS_AHEAD]);
    for (ptrdiff_t line = 0; line < LINES_AHEAD && line * LINE_BYTES < bytes; line++)
        PREFETCH(address + line * LINE_BYTES);
    PREFETCH(address + (bytes < LINES_AHEAD * LINE_BYTES ? bytes : LINES_AHEAD * LINE_BYTES) - 1);
}

/* One target. Four rows at a time share each load of the coefficients, and here and in `backward` run 1.5 to 4 times
 * as fast as row by row. */
static ALWAYS_INLINE void NAME(forward_one)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                            ptrdiff_t n_ahead, double *restrict z, double *restrict z_published)
{
    const ptrdiff_t d = model->n_features;
    const REAL *restrict w = model->coef, *restrict p = model->published;
    const double shift = model->shift[0], shift_published = model->shift_published[0];
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const REAL *a = NAME(row)(model, rows[i]), *b = NAME(row)(model, rows[i + 1]);
        const REAL *c = NAME(row)(model, rows[i + 2]), *e = NAME(row)(model, rows[i + 3]);
        for (ptrdiff_t k = 0; k < 4; k++)
            NAME(fetch)(model, rows, i + k, n_ahead);
        REAL wa = 0, wb = 0, wc = 0, we = 0, pa = 0, pb = 0, pc = 0, pe = 0;
#pragma omp simd reduction(+ : wa, wb, wc, we, pa, pb, pc, pe)
        for (ptrdiff_t j = 0; j < d; j++) {
            wa += a[j] * w[j];
            pa += a[j] * p[j];
            wb += b[j] * w[j];
            pb += b[j] * p[j];
            wc += c[j] * w[j];
            pc += c[j] * p[j];
            we += e[j] * w[j];
            pe += e[j] * p[j];
        }
        z[i] = wa - shift;
        z[i + 1] = wb - shift;
        z[i + 2] = wc - shift;
        z[i + 3] = we - shift;
        z_published[i] = pa - shift_published;
        z_published[i + 1] = pb - shift_published;
        z_published[i + 2] = pc - shift_published;
        z_published[i + 3] = pe - shift_published;
    }
    for (; i < n; i++) {
        const REAL *a = NAME(row)(model, rows[i]);
        REAL wa = 0, pa = 0;
#pragma omp simd reduction(+ : wa, pa)
        for (ptrdiff_t j = 0; j < d; j++) {
            wa += a[j] * w[j];
            pa += a[j] * p[j];
        }
        z[i] = wa - shift;
        z_published[i] = pa - shift_published;
    }
}

/* One target, one column: the loops over features gone, a row costs half as much. */
static ALWAYS_INLINE void NAME(forward_column)(const DenseModel *model, const uint32_t *restrict rows, ptrdiff_t n,
                                               ptrdiff_t n_ahead, double *restrict z, double *restrict z_published)
{
    const REAL *restrict x = model->x;
    const double w = *(const REAL *)model->coef, p = *(const REAL *)model->published;
    const double shift = model->shift[0], shift_published = model->shift_published[0];
    for (ptrdiff_t i = 2 * ROWS_AHEAD; i < n + 2 * ROWS_AHEAD && i < n_ahead; i++)
        PREFETCH(x + rows[i]);
    for (ptrdiff_t i = 0; i < n; i++) {
        z[i] = x[rows[i]] * w - shift;
        z_published[i] = x[rows[i]] * p - shift_published;
    }
}

static ALWAYS_INLINE void NAME(backward_column)(const DenseModel *model, const uint32_t *restrict rows, ptrdiff_t n,
                                                const double *restrict residual)
{
    const REAL *restrict x = model->x;
    double gradient = 0, sum = 0;
#pragma omp simd reduction(+ : gradient, sum)
    for (ptrdiff_t i = 0; i < n; i++) {
        gradient += residual[i] * x[rows[i]];
        sum += residual[i];
    }
    *(REAL *)model->gradient += (REAL)gradient;
    model->residual_sum[0] += sum;
}

/* Several targets, side by side in memory, so that each feature of a row is loaded once for all of them. */
static ALWAYS_INLINE void NAME(forward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             ptrdiff_t n_ahead, double *restrict z, double *restrict z_published)
{
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict w = model->coef, *restrict p = model->published;
    for (ptrdiff_t i = 0; i < n; i++, z += n_targets, z_published += n_targets) {
        const REAL *x = NAME(row)(model, rows[i]);
        NAME(fetch)(model, rows, i, n_ahead);
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            z[k] = -model->shift[k];
            z_published[k] = -model->shift_published[k];
        }
        for (ptrdiff_t j = 0; j < model->n_features; j++) {
            const REAL *wj = w + j * n_targets, *pj = p + j * n_targets;
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++) {
                z[k] += x[j] * wj[k];
                z_published[k] += x[j] * pj[k];
            }
        }
    }
}

MULTIVERSION static void NAME(forward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                       double *z, double *z_published)
{
    if (model->n_targets > 1)
        NAME(forward_many)(model, rows, n, n_ahead, z, z_published);
    else if (model->n_features == 1)
        NAME(forward_column)(model, rows, n, n_ahead, z, z_published);
    else
        NAME(forward_one)(model, rows, n, n_ahead, z, z_published);
}

static ALWAYS_INLINE void NAME(backward_one)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                             const double *restrict residual)
{
    const ptrdiff_t d = model->n_features;
    REAL *restrict g = model->gradient;
    double sum = 0;
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const REAL *a = NAME(row)(model, rows[i]), *b = NAME(row)(model, rows[i + 1]);
        const REAL *c = NAME(row)(model, rows[i + 2]), *e = NAME(row)(model, rows[i + 3]);
        const REAL ra = (REAL)residual[i], rb = (REAL)residual[i + 1];
        const REAL rc = (REAL)residual[i + 2], re = (REAL)residual[i + 3];
#pragma omp simd
        for (ptrdiff_t j = 0; j < d; j++)
            g[j] += (ra * a[j] + rb * b[j]) + (rc * c[j] + re * e[j]);
    }
    for (; i < n; i++) {
        const REAL *a = NAME(row)(model, rows[i]);
        const REAL ra = (REAL)residual[i];
#pragma omp simd
        for (ptrdiff_t j = 0; j < d; j++)
            g[j] += ra * a[j];
    }
#pragma omp simd reduction(+ : sum)
    for (i = 0; i < n; i++)
        sum += residual[i];
    model->residual_sum[0] += sum;
}

static ALWAYS_INLINE void NAME(backward_many)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                              const double *restrict residual)
{
    const ptrdiff_t n_targets = model->n_targets;
    REAL *restrict g = model->gradient;
    for (ptrdiff_t i = 0; i < n; i++, residual += n_targets) {
        const REAL *x = NAME(row)(model, rows[i]);
        for (ptrdiff_t j = 0; j < model->n_features; j++) {
            REAL *gj = g + j * n_targets;
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++)
                gj[k] += x[j] * (REAL)residual[k];
        }
        for (ptrdiff_t k = 0; k < n_targets; k++)
            model->residual_sum[k] += residual[k];
    }
}

MULTIVERSION static void NAME(backward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                        const double *residual)
{
    if (model->n_targets > 1)
        NAME(backward_many)(model, rows, n, residual);
    else if (model->n_features == 1)
        NAME(backward_column)(model, rows, n, residual);
    else
        NAME(backward_one)(model, rows, n, residual);
}

static ALWAYS_INLINE void NAME(centre_gradient)(const DenseModel *model, ptrdiff_t n_features, ptrdiff_t n_targets)
{
    const REAL *restrict mean = model->mean;
    REAL *restrict g = model->gradient;
    if (n_targets == 1) {
        const REAL sum = (REAL)model->residual_sum[0];
#pragma omp simd
        for (ptrdiff_t j = 0; j < n_features; j++)
            g[j] -= mean[j] * sum;
    } else {
        for (ptrdiff_t j = 0; j < n_features; j++)
            for (ptrdiff_t k = 0; k < n_targets; k++)
                g[j * n_targets + k] -= mean[j] * (REAL)model->residual_sum[k];
    }
    for (ptrdiff_t k = 0; k < n_targets; k++) {
        g[n_features * n_targets + k] = (REAL)model->residual_sum[k];
        model->residual_sum[k] = 0;
    }
}

/* The RMSprop update itself. The square root and the division take longest here; the arithmetic of momentum and
 * centering hides behind them, which is why there is no second loop without it. */
static ALWAYS_INLINE void NAME(update)(const DenseModel *model, ptrdiff_t n, const Step *step)
{
    const REAL *restrict inverse_unit = model->inverse_unit, *restrict floor = model->floor;
    REAL *restrict g = model->gradient, *restrict w = model->coef, *restrict s = model->square;
    REAL *restrict m = model->gradient_mean, *restrict u = model->velocity;
    const REAL rate = (REAL)step->rate, decay = (REAL)step->decay, gain = (REAL)(1 - step->decay);
    const REAL scale = (REAL)step->scale, correction = (REAL)step->correction;
    const REAL momentum = (REAL)step->plan->momentum, centered = (REAL)step->plan->centered;
    /* an epsilon that rounds to 0 would make 0/0 of a coordinate without gradient */
    const REAL epsilon = step->plan->epsilon > SMALLEST ? (REAL)step->plan->epsilon : SMALLEST;
#pragma omp simd
    for (ptrdiff_t j = 0; j < n; j++) {
        const REAL mean = g[j] * scale * inverse_unit[j];
        const REAL gj = ABS(mean) < floor[j] ? 0 : mean;
        s[j] = decay * s[j] + gain * (gj * gj);
        m[j] = decay * m[j] + gain * gj;
        const REAL spread = s[j] - centered * (m[j] * m[j]);
        /* rounding can make the spread of a constant gradient negative; NaN must stay NaN */
        const REAL clamped = spread < 0 ? 0 : spread;
        u[j] = momentum * u[j] + gj / (SQRT(clamped * correction) + epsilon);
        w[j] -= rate * inverse_unit[j] * u[j];
        g[j] = 0;
    }
}

static ALWAYS_INLINE void NAME(publish)(const DenseModel *model, ptrdiff_t n, double keep)
{
    const REAL *restrict w = model->coef;
    double *restrict average = model->average;
#pragma omp simd
    for (ptrdiff_t j = 0; j < n; j++)
        average[j] = w[j] + keep * (average[j] - w[j]);
}

static ALWAYS_INLINE void NAME(derive)(const DenseModel *model, ptrdiff_t n_features, ptrdiff_t n_targets)
{
    const REAL *restrict mean = model->mean, *restrict w = model->coef;
    const double *restrict average = model->average;
    if (n_targets == 1) {
        double shift = -(double)w[n_features], shift_published = -average[n_features];
#pragma omp simd reduction(+ : shift, shift_published)
        for (ptrdiff_t j = 0; j < n_features; j++) {
            shift += (double)mean[j] * w[j];
            shift_published += mean[j] * average[j];
        }
        model->shift[0] = shift;
        model->shift_published[0] = shift_published;
    } else {
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            model->shift[k] = -(double)w[n_features * n_targets + k];
            model->shift_published[k] = -average[n_features * n_targets + k];
        }
        for (ptrdiff_t j = 0; j < n_features; j++)
            for (ptrdiff_t k = 0; k < n_targets; k++) {
                model->shift[k] += (double)mean[j] * w[j * n_targets + k];
                model->shift_published[k] += mean[j] * average[j * n_targets + k];
            }
    }
    if (model->published != (void *)average) {
        REAL *restrict published = model->published;
#pragma omp simd
        for (ptrdiff_t j = 0; j < n_features * n_targets; j++)
            published[j] = (REAL)average[j];
    }
}

/* The sizes are arguments so that constants may be passed, which drop the loops. */
static ALWAYS_INLINE void NAME(step_sized)(const DenseModel *model, ptrdiff_t n_features, ptrdiff_t n_targets,
                                           const Step *step)
{
    const ptrdiff_t n = (n_features + 1) * n_targets;
    NAME(centre_gradient)(model, n_features, n_targets);
    NAME(update)(model, n, step);
    NAME(publish)(model, n, step->keep);
    NAME(derive)(model, n_features, n_targets);
}

MULTIVERSION static void NAME(step)(const DenseModel *model, const Step *step)
{
    if (model->n_features == 1 && model->n_targets == 1)
        NAME(step_sized)(model, 1, 1, step);
    else
        NAME(step_sized)(model, model->n_features, model->n_targets, step);
}

static void NAME(refresh)(const DenseModel *model) { NAME(derive)(model, model->n_features, model->n_targets); }

/* Means and squared deviations of a block of rows in two passes, merged into those so far (Chan, Golub & LeVeque,
 * 1983): as accurate as two passes over everything, at the price of reading it once. */
MULTIVERSION static void NAME(moments)(const void *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n,
                                       Sequence weight, double *restrict mean, double *restrict variance,
                                       double *scratch)
{
    double *restrict block_mean = scratch, *restrict block_square = scratch + n_columns;
    double total = 0;
    memset(mean, 0, (size_t)n_columns * sizeof(double));
    memset(variance, 0, (size_t)n_columns * sizeof(double));
    for (ptrdiff_t start = 0; start < n; start += MOMENT_ROWS) {
        const ptrdiff_t stop = start + MOMENT_ROWS < n ? start + MOMENT_ROWS : n;
        double block = 0;
        memset(scratch, 0, 2 * (size_t)n_columns * sizeof(double));
        for (ptrdiff_t i = start; i < stop; i++) {
            const REAL *restrict x = (const REAL *)data + (size_t)rows[i] * (size_t)n_columns;
            const double v = at(weight, rows[i]);
            block += v;
#pragma omp simd
            for (ptrdiff_t j = 0; j < n_columns; j++)
                block_mean[j] += v * x[j];
        }
        for (ptrdiff_t j = 0; j < n_columns; j++)
            block_mean[j] /= block;
        for (ptrdiff_t i = start; i < stop; i++) {
            const REAL *restrict x = (const REAL *)data + (size_t)rows[i] * (size_t)n_columns;
            const double v = at(weight, rows[i]);
#pragma omp simd
            for (ptrdiff_t j = 0; j < n_columns; j++)
                block_square[j] += v * (x[j] - block_mean[j]) * (x[j] - block_mean[j]);
        }
        const double share = block / (total + block);
#pragma omp simd
        for (ptrdiff_t j = 0; j < n_columns; j++) {
            const double difference = block_mean[j] - mean[j];
            mean[j] += share * difference;
            variance[j] += block_square[j] + difference * difference * share * total;
        }
        total += block;
    }
    for (ptrdiff_t j = 0; j < n_columns; j++)
        variance[j] /= total;
}

const DenseOperations NAME(dense) = {
    .forward = NAME(forward),
    .backward = NAME(backward),
    .step = NAME(step),
    .refresh = NAME(refresh),
    .moments = NAME(moments),
};
