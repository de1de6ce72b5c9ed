/* The dense operations for one REAL; dense.c includes this once for float and once for double. */

/* LANES numbers side by side, wherever they lie; one where the compiler knows no vectors. */
#ifdef VECTOR
typedef REAL NAME(Lanes) VECTOR(REAL);
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
    const NAME(Lanes) ab = PAIR(v[0], v[1]), cd = PAIR(v[2], v[3]), abcd = PAIR_PAIRS(ab, cd);
    for (ptrdiff_t k = 0; k < 4; k++)
        sums[k] = (NAME(LANES) == 4 ? abcd[k] : abcd[k] + abcd[(k + 4) % NAME(LANES)]) - offset;
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
 * instructions. The features left over at the end are met by a last step back from there, `w_last` and `p_last`, in which
 * the coefficients of those already met are zero. */
static ALWAYS_INLINE void NAME(forward_rows)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n_rows,
                                             NAME(Lanes) w_last, NAME(Lanes) p_last, double *z, double *z_published)
{
    const ptrdiff_t d = model->n_features, whole = d - d % NAME(LANES);
    const REAL *restrict w = model->coef, *restrict p = model->published;
    const REAL *x[4];
    NAME(Lanes) zw[4] = {{0}}, zp[4] = {{0}};
    for (ptrdiff_t k = 0; k < n_rows; k++)
        x[k] = NAME(row)(model, rows[k]);
    for (ptrdiff_t j = 0; j < whole; j += NAME(LANES)) {
        const NAME(Lanes) wj = *NAME(lanes)(w + j), pj = *NAME(lanes)(p + j);
        for (ptrdiff_t k = 0; k < n_rows; k++) {
            zw[k] += *NAME(lanes)(x[k] + j) * wj;
            zp[k] += *NAME(lanes)(x[k] + j) * pj;
        }
    }
    if (whole < d)
        for (ptrdiff_t k = 0; k < n_rows; k++) {
            zw[k] += *NAME(lanes)(x[k] + d - NAME(LANES)) * w_last;
            zp[k] += *NAME(lanes)(x[k] + d - NAME(LANES)) * p_last;
        }
    NAME(sums)(zw, model->shift[0], z);
    NAME(sums)(zp, model->shift_published[0], z_published);
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
                                            ptrdiff_t n_ahead, double *restrict z, double *restrict z_published)
{
    const NAME(Lanes) w_last = NAME(last_lanes)(model->coef, model->n_features);
    const NAME(Lanes) p_last = NAME(last_lanes)(model->published, model->n_features);
    ptrdiff_t i = 0;
    for (; i + 4 <= n; i += 4) {
        NAME(fetch)(model, rows + i, 4, n_ahead - i);
        NAME(forward_rows)(model, rows + i, 4, w_last, p_last, z + i, z_published + i);
    }
    for (; i < n; i++) {
        double of_four[8];
        NAME(fetch)(model, rows + i, 1, n_ahead - i);
        NAME(forward_rows)(model, rows + i, 1, w_last, p_last, of_four, of_four + 4);
        z[i] = of_four[0];
        z_published[i] = of_four[4];
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
    for (ptrdiff_t j = 0; j < whole; j += NAME(LANES)) {
        NAME(Lanes) gj = *NAME(lanes)(g + j);
        for (ptrdiff_t k = 0; k < n_rows; k++)
            gj += *NAME(lanes)(x[k] + j) * r[k];
        *NAME(lanes_to)(g + j) = gj;
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

/* One target, few features: column by column of a copy of the rows, so that the loops run over rows. */
static ALWAYS_INLINE void NAME(gather_columns)(const DenseModel *model, const uint32_t *restrict rows, ptrdiff_t n,
                                               ptrdiff_t n_ahead)
{
    const ptrdiff_t d = model->n_features;
    REAL *restrict column = model->columns;
    NAME(fetch)(model, rows, n, n_ahead);
    for (ptrdiff_t j = 0; j < d; j++, column += CHUNK) {
        const REAL *restrict x = (const REAL *)model->x + j;
        UNROLL for (ptrdiff_t i = 0; i < n; i++)
            column[i] = x[(size_t)rows[i] * (size_t)d];
    }
}

/* The number of features, and where it can be the width, are constants where this is called. */
static ALWAYS_INLINE void NAME(unpack_columns)(const DenseModel *model, ptrdiff_t n_features, const REAL *restrict record,
                                               ptrdiff_t width, ptrdiff_t n, double *restrict y)
{
    REAL *restrict columns = model->columns;
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; i++) {
        for (ptrdiff_t j = 0; j < n_features; j++)
            columns[j * CHUNK + i] = record[i * width + j];
        y[i] = record[i * width + n_features];
    }
}

static ALWAYS_INLINE void NAME(forward_columns)(const DenseModel *model, ptrdiff_t n, double *restrict z,
                                                double *restrict z_published)
{
    const REAL *restrict w = model->coef, *restrict p = model->published, *restrict column = model->columns;
    const double w0 = w[0], p0 = p[0], shift = model->shift[0], shift_published = model->shift_published[0];
#pragma omp simd
    for (ptrdiff_t i = 0; i < n; i++) {
        z[i] = column[i] * w0 - shift;
        z_published[i] = column[i] * p0 - shift_published;
    }
    for (ptrdiff_t j = 1; j < model->n_features; j++) {
        const double wj = w[j], pj = p[j];
        column += CHUNK;
#pragma omp simd
        for (ptrdiff_t i = 0; i < n; i++) {
            z[i] += column[i] * wj;
            z_published[i] += column[i] * pj;
        }
    }
}

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

#include "dense_many_template.h"

MULTIVERSION static void NAME(forward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                       double *z, double *z_published)
{
    if (model->n_targets > 1)
        NAME(forward_many)(model, rows, n, n_ahead, z, z_published);
    else if (model->n_features <= WIDEST_NARROW) {
        NAME(gather_columns)(model, rows, n, n_ahead);
        NAME(forward_columns)(model, n, z, z_published);
    } else
        NAME(forward_one)(model, rows, n, n_ahead, z, z_published);
}

MULTIVERSION static void NAME(backward)(const DenseModel *model, const uint32_t *rows, ptrdiff_t n,
                                        const double *residual)
{
    if (model->n_targets > 1)
        NAME(backward_many)(model, rows, n, residual);
    else if (model->n_features <= WIDEST_NARROW) {
        if (n == CHUNK)
            NAME(backward_columns)(model, CHUNK, residual);
        else
            NAME(backward_columns)(model, n, residual);
    }
    else
        NAME(backward_one)(model, rows, n, residual);
}

MULTIVERSION static void NAME(unpack)(const DenseModel *model, const void *records, ptrdiff_t width, ptrdiff_t n,
                                      double *y)
{
    if (model->n_features == 1)
        NAME(unpack_columns)(model, 1, records, 2, n, y);
    else
        NAME(unpack_columns)(model, model->n_features, records, width, n, y);
}

MULTIVERSION static void NAME(predict)(const DenseModel *model, ptrdiff_t n, double *z, double *z_published)
{
    if (n == CHUNK)
        NAME(forward_columns)(model, CHUNK, z, z_published);
    else
        NAME(forward_columns)(model, n, z, z_published);
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
        const double *restrict sum = model->residual_sum;
        for (ptrdiff_t j = 0; j < n_features; j++) {
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++)
                g[j * n_targets + k] -= mean[j] * (REAL)sum[k];
        }
    }
    for (ptrdiff_t k = 0; k < n_targets; k++) {
        g[n_features * n_targets + k] = (REAL)model->residual_sum[k];
        model->residual_sum[k] = 0;
    }
}

/* What an update works with. A copy of its own, or each store to a coordinate might change where the next one lies. */
typedef struct {
    const REAL *inverse_unit, *floor, *l1, *l2;
    REAL *w, *s, *m, *u, *g, *threshold, *offset, *active;
    REAL rate, decay, gain, scale, correction, momentum, centered, epsilon;
    double *average, keep;
    REAL gathered; /* the sum that momentum makes of equal steps */
    REAL t;
} NAME(Update);

static ALWAYS_INLINE NAME(Update) NAME(begin_update)(const DenseModel *model, const Step *step)
{
    const Plan *plan = step->plan;
    return (NAME(Update)){
        .inverse_unit = model->inverse_unit,
        .floor = model->floor,
        .l1 = model->l1,
        .l2 = model->l2,
        .w = model->coef,
        .s = model->square,
        .m = model->gradient_mean,
        .u = model->velocity,
        .g = model->gradient,
        .threshold = model->threshold,
        .offset = model->offset,
        .active = model->active,
        .rate = (REAL)step->rate,
        .decay = (REAL)step->decay,
        .gain = (REAL)(1 - step->decay),
        .scale = (REAL)step->scale,
        .correction = (REAL)step->correction,
        .momentum = (REAL)plan->momentum,
        .centered = (REAL)plan->centered,
        /* an epsilon that rounds to 0 would make 0/0 of a coordinate without gradient */
        .epsilon = plan->epsilon > SMALLEST ? (REAL)plan->epsilon : SMALLEST,
        .gathered = (REAL)(1 / (1 - plan->momentum)),
        .average = model->average,
        .keep = step->keep,
        .t = (REAL)(plan->t + (double)step->i),
    };
}

/* The RMSprop update itself, of coordinate j with the batch's summed gradient. The square root and the division take longest
 * here; the arithmetic of momentum and centering hides behind them, which is why there is no second function without it.
 * `penalized` is a constant where this is called. Both penalties act as proximal steps in the metric of the update:
 *
 * L2, implicitly: dividing the step by 1 + step size * l2 is what minimising the penalty along with it comes to.
 *
 * L1, by dual averaging (Xiao, 2010): the coefficient is what the sum of all gradient steps exceeds the sum of all
 * thresholds by. A coefficient that belongs at zero comes to rest there, because its slack grows as the steps' sum and
 * their noise only as its root. With a threshold that forgets (plain soft-thresholding of each step) it hovered through
 * zero for ever: of 153 zeros of an independent solver 122 were missed. */
static ALWAYS_INLINE void NAME(update)(const NAME(Update) by, ptrdiff_t j, REAL gradient, int penalized)
{
    const REAL rate = by.rate * by.inverse_unit[j], mean = gradient * by.scale * by.inverse_unit[j];
    const REAL w = by.w[j];
    REAL g = ABS(mean) < by.floor[j] ? 0 : mean, slope = g;
    if (penalized) {
        g += by.l2[j] * w;
        slope = g + (w > 0 ? by.l1[j] : w < 0 ? -by.l1[j] : 0);
    }
    const REAL s = by.decay * by.s[j] + by.gain * (slope * slope);
    const REAL m = by.decay * by.m[j] + by.gain * slope;
    const REAL spread = s - by.centered * (m * m);
    /* rounding can make the spread of a constant gradient negative; NaN must stay NaN */
    const REAL clamped = spread < 0 ? 0 : spread;
    REAL metric = SQRT(clamped * by.correction) + by.epsilon;
    if (penalized)
        metric += rate * by.l2[j];
    const REAL u = by.momentum * by.u[j] + g / metric;
    REAL moved;
    if (penalized) {
        const REAL sum = w + by.offset[j] - rate * u;
        const REAL deepest = ABS(sum) + SLACK * rate, threshold = by.threshold[j] + rate * by.gathered * by.l1[j] / metric;
        const REAL t = threshold > deepest ? deepest : threshold;
        const REAL offset = sum < -t ? -t : sum > t ? t : sum;
        moved = sum - offset;
        by.threshold[j] = t;
        by.offset[j] = offset;
        by.active[j] = w != 0 || moved != 0 ? by.t : by.active[j];
    } else {
        moved = w - rate * u;
    }
    by.s[j] = s;
    by.m[j] = m;
    by.u[j] = u;
    by.w[j] = moved;
    by.average[j] = moved + by.keep * (by.average[j] - moved);
    by.g[j] = 0;
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
        double *restrict shift = model->shift, *restrict shift_published = model->shift_published;
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            shift[k] = -(double)w[n_features * n_targets + k];
            shift_published[k] = -average[n_features * n_targets + k];
        }
        for (ptrdiff_t j = 0; j < n_features; j++) {
#pragma omp simd
            for (ptrdiff_t k = 0; k < n_targets; k++) {
                shift[k] += (double)mean[j] * w[j * n_targets + k];
                shift_published[k] += mean[j] * average[j * n_targets + k];
            }
        }
    }
    if (model->published != (void *)average) {
        REAL *restrict published = model->published;
#pragma omp simd
        for (ptrdiff_t j = 0; j < n_features * n_targets; j++)
            published[j] = (REAL)average[j];
    }
    if (n_targets > 1)
        NAME(fill_panels)(model);
}

/* The sizes are arguments so that constants may be passed, which drop the loops. */
static ALWAYS_INLINE void NAME(step_sized)(const DenseModel *model, ptrdiff_t n_features, ptrdiff_t n_targets,
                                           const Step *step, int penalized)
{
    const NAME(Update) by = NAME(begin_update)(model, step);
    const ptrdiff_t n = (n_features + 1) * n_targets;
    if (n == 2) {
        /* one after the other: put side by side in a vector, the two gradients would have to reach memory first */
        const REAL sum = (REAL)model->residual_sum[0];
        NAME(update)(by, 0, by.g[0] - ((const REAL *)model->mean)[0] * sum, penalized);
        NAME(update)(by, 1, sum, penalized);
        model->residual_sum[0] = 0;
    } else {
        NAME(centre_gradient)(model, n_features, n_targets);
#pragma omp simd
        for (ptrdiff_t j = 0; j < n; j++)
            NAME(update)(by, j, by.g[j], penalized);
    }
    NAME(derive)(model, n_features, n_targets);
}

static ALWAYS_INLINE void NAME(step_penalized)(const DenseModel *model, const Step *step, int penalized)
{
    if (model->n_features == 1 && model->n_targets == 1)
        NAME(step_sized)(model, 1, 1, step, penalized);
    else
        NAME(step_sized)(model, model->n_features, model->n_targets, step, penalized);
}

MULTIVERSION static void NAME(step)(const DenseModel *model, const Step *step)
{
    if (model->l1 == NULL)
        NAME(step_penalized)(model, step, 0);
    else
        NAME(step_penalized)(model, step, 1);
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
    .unpack = NAME(unpack),
    .predict = NAME(predict),
    .step = NAME(step),
    .refresh = NAME(refresh),
    .moments = NAME(moments),
};
