/* The sparse operations for one DATA and one INDEX type; csr.c includes this for each pair. */

/* Prefetches later rows in three stages, each of which needs the one before: where a row starts, its entries, and their
 * coordinates. */
static ALWAYS_INLINE void NAME(fetch)(const CSRModel *model, const uint32_t *rows, ptrdiff_t i, ptrdiff_t n_ahead)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    if (i + 3 * ROWS_AHEAD >= n_ahead)
        return;
    PREFETCH(indptr + rows[i + 3 * ROWS_AHEAD]);
    const uint32_t later = rows[i + 2 * ROWS_AHEAD], soon = rows[i + ROWS_AHEAD];
    fetch_lines(indices + indptr[later], indices + indptr[later + 1]);
    fetch_lines(data + indptr[later], data + indptr[later + 1]);
    for (INDEX q = indptr[soon]; q < indptr[soon + 1]; q++)
        PREFETCH(model->coordinates + indices[q] * model->n_targets);
}

/* With momentum, coordinates also move without a visit: bring those of a row to the step before this one. */
static void NAME(catch_up_row)(CSRModel *model, uint32_t row, const Step *step)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const uint32_t before = (uint32_t)step->i - 1;
    const DecaySince decay = decay_until(step->plan, before);
    for (INDEX q = indptr[row]; q < indptr[row + 1]; q++) {
        Coordinate *c = model->coordinates + indices[q] * model->n_targets;
        const uint32_t last = c->last;
        if (last >= before)
            continue;
        for (ptrdiff_t k = 0; k < model->n_targets; k++)
            catch_up(c + k, penalty_of(model, c + k), step->plan, decay, last, before);
        c->last = before;
    }
}

/* Callers pass a constant 1 for `n_targets` where there is one, which removes the inner loops. Each entry does what only the
 * first visit of a feature in the batch needs, and `first` (0 or 1) multiplies instead of choosing: a branch, which compilers
 * also make of `?:`, would often be mispredicted. */
static ALWAYS_INLINE void NAME(forward_targets)(CSRModel *model, ptrdiff_t n_targets, const uint32_t *rows, ptrdiff_t n,
                                                ptrdiff_t n_ahead, const Step *step, double *restrict z)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    Coordinate *coordinates = model->coordinates;
    Visit *restrict visits = model->visits;
    uint32_t *restrict slots = model->slots;
    uint32_t n_visits = (uint32_t)model->n_visits;
    const Coordinate *intercept = coordinates + model->n_features * n_targets;
    const uint32_t now = (uint32_t)step->i;
    for (ptrdiff_t i = 0; i < n; i++, z += n_targets) {
        const INDEX start = indptr[rows[i]], stop = indptr[rows[i] + 1];
        NAME(fetch)(model, rows, i, n_ahead);
        if (step->plan->momentum != 0)
            NAME(catch_up_row)(model, rows[i], step);
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            double sum = intercept[k].coef;
            for (INDEX q = start; q < stop; q++) {
                Coordinate *c = coordinates + indices[q] * n_targets + k;
                sum += data[q] * c->coef;
                if (k == 0) {
                    const uint32_t last = c->last, slot = c->slot, first = last != now;
                    visits[n_visits] = (Visit){(uint32_t)indices[q], last}; /* stays only if `first` */
                    c->last = now;
                    c->slot = *slots++ = slot + first * (n_visits - slot);
                    n_visits += first;
                }
            }
            z[k] = sum;
        }
    }
    model->n_visits = n_visits;
}

MULTIVERSION static void NAME(forward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, ptrdiff_t n_ahead,
                                       const Step *step, double *z)
{
    if (model->n_targets == 1)
        NAME(forward_targets)(model, 1, rows, n, n_ahead, step, z);
    else
        NAME(forward_targets)(model, model->n_targets, rows, n, n_ahead, step, z);
}

MULTIVERSION static void NAME(backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *restrict residual)
{
    const INDEX *indptr = model->indptr;
    const DATA *data = model->data;
    const ptrdiff_t n_targets = model->n_targets;
    const uint32_t *restrict slots = model->slots;
    double *restrict gradient = model->gradient;
    for (ptrdiff_t i = 0; i < n; i++, residual += n_targets) {
        const INDEX start = indptr[rows[i]], n_entries = indptr[rows[i] + 1] - start;
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            const double r = residual[k];
            for (INDEX q = 0; q < n_entries; q++)
                gradient[slots[q] * n_targets + k] += data[start + q] * r;
            gradient[k] += r;
        }
        slots += n_entries;
    }
}

static ALWAYS_INLINE void NAME(predict_targets)(const CSRModel *model, ptrdiff_t n_targets, const double *restrict coef,
                                                const uint32_t *rows, ptrdiff_t n, double *restrict z)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    const double *intercept = coef + model->n_features * n_targets;
    for (ptrdiff_t i = 0; i < n; i++, z += n_targets)
        for (ptrdiff_t k = 0; k < n_targets; k++) {
            double sum = intercept[k];
            for (INDEX q = indptr[rows[i]]; q < indptr[rows[i] + 1]; q++)
                sum += data[q] * coef[indices[q] * n_targets + k];
            z[k] = sum;
        }
}

static void NAME(predict)(const CSRModel *model, const double *coef, const uint32_t *rows, ptrdiff_t n, double *z)
{
    if (model->n_targets == 1)
        NAME(predict_targets)(model, 1, coef, rows, n, z);
    else
        NAME(predict_targets)(model, model->n_targets, coef, rows, n, z);
}

static void NAME(moments)(const CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *row_weight,
                          EntryMoments *restrict moments)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    INDEX stop = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        stop = indptr[rows[i] + 1] > stop ? indptr[rows[i] + 1] : stop;
    memset(moments, 0, (size_t)model->n_features * sizeof *moments);
    for (ptrdiff_t i = 0; i < n; i++) {
        const double of_row = row_weight == NULL ? 1 : row_weight[rows[i]];
        for (INDEX q = indptr[rows[i]]; q < indptr[rows[i] + 1]; q++) {
            EntryMoments *m = moments + indices[q];
            PREFETCH(moments + indices[q + ENTRIES_AHEAD < stop ? q + ENTRIES_AHEAD : q]);
            const double x = data[q], v = x != 0 ? of_row : 0, first = m->weight > 0 ? m->first : x, distance = x - first;
            m->mean += v * distance;
            m->variance += v * distance * distance;
            m->weight += v;
            m->first = first;
        }
    }
    for (EntryMoments *m = moments; m < moments + model->n_features; m++) {
        const double weight = m->weight > 0 ? m->weight : 1, distance = m->mean / weight;
        const double variance = m->variance / weight - distance * distance;
        m->mean = m->first + distance;
        m->variance = variance < 0 ? 0 : variance;
    }
}

const CSROperations NAME(csr) = {
    .forward = NAME(forward),
    .backward = NAME(backward),
    .predict = NAME(predict),
    .moments = NAME(moments),
};
