/* The sparse operations for one DATA and one INDEX type; csr.c includes this for each pair. */

/* Prefetches later rows in three stages, each of which needs the one before: where a row starts, its entries, and what
 * `forward` reads of their features. */
static ALWAYS_INLINE void NAME(fetch)(const CSRModel *model, ptrdiff_t n_targets, const uint32_t *rows, ptrdiff_t i,
                                      ptrdiff_t n_ahead)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    const ptrdiff_t read_bytes = (ptrdiff_t)sizeof(Feature) + n_targets * (ptrdiff_t)sizeof(double);
    if (i + 3 * ROWS_AHEAD >= n_ahead)
        return;
    PREFETCH(indptr + rows[i + 3 * ROWS_AHEAD]);
    const uint32_t later = rows[i + 2 * ROWS_AHEAD], soon = rows[i + ROWS_AHEAD];
    fetch_lines(indices + indptr[later], indices + indptr[later + 1]);
    fetch_lines(data + indptr[later], data + indptr[later + 1]);
    for (INDEX q = indptr[soon]; q < indptr[soon + 1]; q++) {
        const char *feature = (const char *)feature_at(model, indices[q], n_targets);
        for (ptrdiff_t byte = 0; byte < read_bytes; byte += LINE_BYTES)
            PREFETCH(feature + byte);
    }
}

/* With momentum, coordinates also move without a visit: bring those of a row to the step before this one. */
static void NAME(catch_up_row)(CSRModel *model, uint32_t row, const Step *step)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const uint32_t before = (uint32_t)step->i - 1;
    const DecaySince decay = decay_until(step->plan, before);
    for (INDEX q = indptr[row]; q < indptr[row + 1]; q++) {
        Feature *f = feature_at(model, indices[q], model->n_targets);
        const uint32_t last = f->last;
        if (last >= before)
            continue;
        catch_up(model, indices[q], model->n_targets, step->plan, decay, last, before);
        f->last = before;
    }
}

/* Records a visit to a feature; returns its slot. Each entry does what only the first visit of a feature in the batch needs,
 * and `first` (0 or 1) multiplies instead of choosing: a branch, which compilers also make of `?:`, would often be
 * mispredicted. */
static ALWAYS_INLINE uint32_t NAME(visit)(Feature *f, INDEX j, uint32_t now, Visit *visits, uint32_t *n_visits)
{
    const uint32_t last = f->last, slot = f->slot, first = last != now;
    visits[*n_visits] = (Visit){(uint32_t)j, last}; /* stays only if `first` */
    f->last = now;
    f->slot = slot + first * (*n_visits - slot);
    *n_visits += first;
    return f->slot;
}

/* Predicts the targets of a row from `first` on: `n_vectors` vectors of them. `w` as in predict_panels. */
static ALWAYS_INLINE void NAME(predict_panel)(const CSRModel *model, const double *restrict w, ptrdiff_t stride, uint32_t row,
                                              ptrdiff_t first, ptrdiff_t n_vectors, double *restrict z)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    Lanes sum[MOST_VECTORS];
    for (ptrdiff_t v = 0; v < n_vectors; v++)
        sum[v] = lanes(w + model->n_features * stride + first)[v];
    for (INDEX q = indptr[row]; q < indptr[row + 1]; q++)
        for (ptrdiff_t v = 0; v < n_vectors; v++)
            sum[v] += (double)data[q] * lanes(w + indices[q] * stride + first)[v];
    for (ptrdiff_t v = 0; v < n_vectors; v++)
        lanes_to(z + first)[v] = sum[v];
}

/* Predicts a row in panels. The coefficient of feature j and target k is w[j * stride + k]. */
static ALWAYS_INLINE void NAME(predict_panels)(const CSRModel *model, const double *restrict w, ptrdiff_t stride, uint32_t row,
                                               double *restrict z)
{
    const ptrdiff_t n_targets = model->n_targets;
    ptrdiff_t first = 0;
    for (; first + MOST_VECTORS * LANES <= n_targets; first += MOST_VECTORS * LANES)
        NAME(predict_panel)(model, w, stride, row, first, MOST_VECTORS, z);
    for (; first < n_targets; first += LANES)
        NAME(predict_panel)(model, w, stride, row, last_panel(first, n_targets), 1, z);
}

/* Callers pass a constant 1 for `n_targets` where there is one. */
static ALWAYS_INLINE void NAME(forward_targets)(CSRModel *model, ptrdiff_t n_targets, const uint32_t *rows, ptrdiff_t n,
                                                ptrdiff_t n_ahead, const Step *step, double *restrict z)
{
    const INDEX *indptr = model->indptr, *indices = model->indices;
    const DATA *data = model->data;
    Visit *restrict visits = model->visits;
    uint32_t *restrict slots = model->slots;
    uint32_t n_visits = (uint32_t)model->n_visits;
    const double *intercept = feature_at(model, model->n_features, n_targets)->numbers;
    const double *w = feature_at(model, 0, n_targets)->numbers;
    const ptrdiff_t stride = feature_bytes(n_targets) / (ptrdiff_t)sizeof(double);
    const uint32_t now = (uint32_t)step->i;
    for (ptrdiff_t i = 0; i < n; i++, z += n_targets) {
        const INDEX start = indptr[rows[i]], stop = indptr[rows[i] + 1];
        NAME(fetch)(model, n_targets, rows, i, n_ahead);
        if (step->plan->momentum != 0)
            NAME(catch_up_row)(model, rows[i], step);
        if (in_panels(n_targets)) {
            for (INDEX q = start; q < stop; q++)
                *slots++ = NAME(visit)(feature_at(model, indices[q], n_targets), indices[q], now, visits, &n_visits);
            NAME(predict_panels)(model, w, stride, rows[i], z);
        } else {
            for (ptrdiff_t k = 0; k < n_targets; k++) {
                double sum = intercept[k];
                for (INDEX q = start; q < stop; q++) {
                    Feature *f = feature_at(model, indices[q], n_targets);
                    sum += data[q] * f->numbers[k];
                    if (k == 0)
                        *slots++ = NAME(visit)(f, indices[q], now, visits, &n_visits);
                }
                z[k] = sum;
            }
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

/* Adds the entries of a row to the gradients of `n_vectors` vectors of targets, from `first` on. The first `n_done` of these
 * targets have them already. */
static ALWAYS_INLINE void NAME(backward_panel)(const CSRModel *model, const uint32_t *restrict slots, const DATA *restrict data,
                                               ptrdiff_t n_entries, ptrdiff_t first, ptrdiff_t n_vectors, ptrdiff_t n_done,
                                               const double *restrict residual)
{
    const ptrdiff_t n_targets = model->n_targets;
    double *restrict gradient = model->gradient + first;
    Lanes r[MOST_VECTORS];
    for (ptrdiff_t v = 0; v < n_vectors; v++)
        r[v] = lanes(residual + first)[v];
    for (ptrdiff_t l = 0; l < n_done; l++)
        ((double *)r)[l] = 0;
    for (ptrdiff_t q = 0; q < n_entries; q++) {
        double *g = gradient + slots[q] * n_targets;
        for (ptrdiff_t v = 0; v < n_vectors; v++)
            lanes_to(g)[v] += (double)data[q] * r[v];
    }
    for (ptrdiff_t v = 0; v < n_vectors; v++)
        lanes_to(gradient)[v] += r[v];
}

MULTIVERSION static void NAME(backward)(CSRModel *model, const uint32_t *rows, ptrdiff_t n, const double *restrict residual)
{
    const INDEX *indptr = model->indptr;
    const ptrdiff_t n_targets = model->n_targets;
    const uint32_t *restrict slots = model->slots;
    double *restrict gradient = model->gradient;
    for (ptrdiff_t i = 0; i < n; i++, residual += n_targets) {
        const INDEX start = indptr[rows[i]], n_entries = indptr[rows[i] + 1] - start;
        const DATA *data = (const DATA *)model->data + start;
        if (!in_panels(n_targets)) {
            for (ptrdiff_t k = 0; k < n_targets; k++) {
                const double r = residual[k];
                for (INDEX q = 0; q < n_entries; q++)
                    gradient[slots[q] * n_targets + k] += data[q] * r;
                gradient[k] += r;
            }
        } else {
            ptrdiff_t first = 0;
            for (; first + MOST_VECTORS * LANES <= n_targets; first += MOST_VECTORS * LANES)
                NAME(backward_panel)(model, slots, data, n_entries, first, MOST_VECTORS, 0, residual);
            for (; first < n_targets; first += LANES) {
                const ptrdiff_t from = last_panel(first, n_targets);
                NAME(backward_panel)(model, slots, data, n_entries, from, 1, first - from, residual);
            }
        }
        slots += n_entries;
    }
}

MULTIVERSION static void NAME(predict_many)(const CSRModel *model, const double *coef, const uint32_t *rows, ptrdiff_t n,
                                            double *restrict z)
{
    for (ptrdiff_t i = 0; i < n; i++)
        NAME(predict_panels)(model, coef, model->n_targets, rows[i], z + i * model->n_targets);
}

static ALWAYS_INLINE void NAME(predict_few)(const CSRModel *model, ptrdiff_t n_targets, const double *restrict coef,
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

/* Not a MULTIVERSION for few targets: each product is added to the one before, and a multiply-add takes longer than an
 * addition. */
static void NAME(predict)(const CSRModel *model, const double *coef, const uint32_t *rows, ptrdiff_t n, double *z)
{
    if (in_panels(model->n_targets))
        NAME(predict_many)(model, coef, rows, n, z);
    else if (model->n_targets == 1)
        NAME(predict_few)(model, 1, coef, rows, n, z);
    else
        NAME(predict_few)(model, model->n_targets, coef, rows, n, z);
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
