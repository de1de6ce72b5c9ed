/* The sparse operations for one DATA and one INDEX type; csr.c includes this for each pair. */

/* A coordinate met for the first time in this batch is brought up to the step before, and marked with this one. */
static ALWAYS_INLINE void NAME(touch)(CSRModel *model, INDEX feature, const Step *step)
{
    Coordinate *c = model->coordinates + feature * model->n_targets;
    if (c->last == step->i)
        return;
    model->touched[model->n_touched++] = feature;
    for (ptrdiff_t k = 0; k < model->n_targets; k++) {
        if (c[k].last < step->i - 1)
            catch_up(c + k, step->plan, step->i - 1);
        c[k].last = step->i;
    }
}

static ALWAYS_INLINE void NAME(fetch)(const CSRModel *model, const uint32_t *rows, ptrdiff_t i, ptrdiff_t n_ahead)
{
    if (i + 2 * ROWS_AHEAD >= n_ahead)
        return;
    const INDEX *indptr = model->indptr;
    PREFETCH(indptr + rows[i + 2 * ROWS_AHEAD]);
    const INDEX start = indptr[rows[i + ROWS_AHEAD]], stop = indptr[rows[i + ROWS_AHEAD] + 1];
    const INDEX per_line = LINE_BYTES / sizeof(INDEX), longest = 8 * per_line;
    for (INDEX q = start; q < stop && q < start + longest; q += per_line)
        PREFETCH((const INDEX *)model->indices + q);
    for (INDEX q = start; q < stop && q < start + longest; q += LINE_BYTES / sizeof(DATA))
        PREFETCH((const DATA *)model->data + q);
}

static void NAME(forward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead, const Step *step,
                          double *restrict z, double *restrict z_published)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    const ptrdiff_t n_targets = model->n_targets;
    const Coordinate *intercept = model->coordinates + model->n_features * n_targets;
    for (ptrdiff_t i = 0; i < n; i++, z += n_targets, z_published += n_targets) {
        NAME(fetch)(model, rows, i, n_ahead);
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            z[k] = intercept[k].coef;
            z_published[k] = intercept[k].average;
        }
        for (INDEX q = indptr[rows[i]]; q < indptr[rows[i] + 1]; q++) {
            NAME(touch)(model, indices[q], step);
            const Coordinate *c = model->coordinates + indices[q] * n_targets;
            for (ptrdiff_t k = 0; k < n_targets; k++) {
                z[k] += data[q] * c[k].coef;
                z_published[k] += data[q] * c[k].average;
            }
        }
    }
}

static void NAME(backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *restrict residual)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    const ptrdiff_t n_targets = model->n_targets;
    Coordinate *intercept = model->coordinates + model->n_features * n_targets;
    for (ptrdiff_t i = 0; i < n; i++, residual += n_targets) {
        for (INDEX q = indptr[rows[i]]; q < indptr[rows[i] + 1]; q++) {
            Coordinate *c = model->coordinates + indices[q] * n_targets;
            for (ptrdiff_t k = 0; k < n_targets; k++)
                c[k].gradient += data[q] * residual[k];
        }
        for (ptrdiff_t k = 0; k < n_targets; k++)
            intercept[k].gradient += residual[k];
    }
}

static void NAME(mean_square)(const CSRModel *model, const uint32_t *rows, ptrdiff_t n, Sequence weight,
                              double *restrict square, double *restrict total)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    memset(square, 0, (size_t)model->n_features * sizeof(double));
    memset(total, 0, (size_t)model->n_features * sizeof(double));
    for (ptrdiff_t i = 0; i < n; i++) {
        const double v = at(weight, rows[i]);
        for (INDEX q = indptr[rows[i]]; q < indptr[rows[i] + 1]; q++) {
            const double x = data[q];
            square[indices[q]] += v * x * x;
            total[indices[q]] += x != 0 ? v : 0;
        }
    }
    for (ptrdiff_t j = 0; j < model->n_features; j++)
        square[j] = total[j] > 0 ? square[j] / total[j] : 0;
}

const CSROperations NAME(csr) = {
    .forward = NAME(forward),
    .backward = NAME(backward),
    .mean_square = NAME(mean_square),
};
