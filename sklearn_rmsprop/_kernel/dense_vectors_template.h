/* Vector types, addresses of rows and prefetching, for one REAL. dense.c and dense_wide.c include this and the other dense templates
 * once for float and once for double. */

/* ROWS_AHEAD: how many rows ahead numbers are prefetched: one default batch (16 to 48 are equally good). MOST_FETCHED:
 * bytes of a row that are prefetched. Rows longer than LONGEST_FETCHED are not: there the processor recognises the pattern.
 *
 * SUMS_AT_ONCE: sums of several targets, each a vector, that stay in registers. Eight independent sums keep two multiply-add
 * units with a latency of four cycles busy, and fit into the 16 vector registers of AVX2.
 *
 * docs/kernel_notes.md has the measurements. */
#ifndef SKLEARN_RMSPROP_DENSE_CONSTANTS
#define SKLEARN_RMSPROP_DENSE_CONSTANTS
enum { ROWS_AHEAD = 32, LINE_BYTES = 64, MOST_FETCHED = 8 * LINE_BYTES, LONGEST_FETCHED = 32 * LINE_BYTES };
enum { SUMS_AT_ONCE = 8 };
#endif

/* LANES adjacent numbers, at any alignment; one where the compiler knows no vectors. */
#ifdef VECTOR
typedef REAL NAME(Lanes) VECTOR(REAL);
enum { NAME(LANES) = VECTOR_BYTES / sizeof(REAL) };
#else
typedef REAL NAME(Lanes);
enum { NAME(LANES) = 1 };
#endif

static ALWAYS_INLINE const NAME(Lanes) *NAME(lanes)(const REAL *values) { return (const NAME(Lanes) *)values; }

static ALWAYS_INLINE NAME(Lanes) *NAME(lanes_to)(REAL *values) { return (NAME(Lanes) *)values; }

static ALWAYS_INLINE const REAL *NAME(row)(const DenseModel *model, uint32_t row)
{
    return (const REAL *)model->x + (size_t)row * (size_t)model->n_features;
}

/* Prefetches the rows ROWS_AHEAD places after the first `n`. */
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

/* shift = mean . w - intercept of each target; all targets share the mean of a feature. */
static ALWAYS_INLINE void NAME(compute_shift)(const DenseModel *model)
{
    const ptrdiff_t n_targets = model->n_targets;
    const REAL *restrict mean = model->mean, *restrict w = model->coef;
    double *restrict shift = model->shift;
    memset(shift, 0, (size_t)n_targets * sizeof *shift);
    for (ptrdiff_t j = 0; j <= model->n_features; j++, w += n_targets) {
#pragma omp simd
        for (ptrdiff_t k = 0; k < n_targets; k++)
            shift[k] += (double)mean[j] * w[k];
    }
}
