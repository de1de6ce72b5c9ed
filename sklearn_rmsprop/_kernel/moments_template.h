/* Mean and variance of columns, and norms of rows, for one REAL. Means and squared deviations of a block of rows are taken in two passes, and
 * merged into those so far (Chan, Golub & LeVeque, 1983): as accurate as two passes over all rows, but memory is read once.
 * Means are those of the differences from the block's first row: the mean of a constant is then that constant, to the last digit,
 * and its variance zero.
 */

/* The mean and the sum of squared deviations of a block, column by column. `weight` has a number for each of its `n` rows;
 * their sum is `total`. */
static ALWAYS_INLINE void NAME(moments_of_few)(const REAL *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n,
                                               const double *restrict weight, double total, double *restrict mean,
                                               double *restrict square)
{
    for (ptrdiff_t j = 0; j < n_columns; j++) {
        double column[MOMENT_ROWS], sum = 0, sum_of_squares = 0;
        for (ptrdiff_t i = 0; i < n; i++)
            column[i] = data[(size_t)rows[i] * (size_t)n_columns + (size_t)j];
#pragma omp simd reduction(+ : sum)
        for (ptrdiff_t i = 0; i < n; i++)
            sum += weight[i] * (column[i] - column[0]);
        mean[j] = column[0] + sum / total;
#pragma omp simd reduction(+ : sum_of_squares)
        for (ptrdiff_t i = 0; i < n; i++)
            sum_of_squares += weight[i] * (column[i] - mean[j]) * (column[i] - mean[j]);
        square[j] = sum_of_squares;
    }
}

MULTIVERSION void NAME(moments)(const REAL *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n,
                                const double *weight, double *restrict mean,
                                double *restrict variance, double *scratch)
{
    double *restrict block_mean = scratch, *restrict block_square = scratch + n_columns;
    double total = 0;
    memset(mean, 0, (size_t)n_columns * sizeof(double));
    memset(variance, 0, (size_t)n_columns * sizeof(double));
    for (ptrdiff_t start = 0; start < n; start += MOMENT_ROWS, rows += MOMENT_ROWS) {
        const ptrdiff_t size = n - start < MOMENT_ROWS ? n - start : MOMENT_ROWS;
        double block_weight[MOMENT_ROWS], block = 0;
        for (ptrdiff_t i = 0; i < size; i++)
            block += block_weight[i] = weight == NULL ? 1 : weight[rows[i]];
        if (n_columns <= FEW_COLUMNS) {
            NAME(moments_of_few)(data, n_columns, rows, size, block_weight, block, block_mean, block_square);
        } else { /* not in a function of its own, which was slower */
            memset(block_mean, 0, (size_t)n_columns * sizeof(double));
            memset(block_square, 0, (size_t)n_columns * sizeof(double));
            const REAL *first = data + (size_t)rows[0] * (size_t)n_columns;
            for (ptrdiff_t i = 1; i < size; i++) {
                const REAL *restrict x = data + (size_t)rows[i] * (size_t)n_columns;
                const double v = block_weight[i];
#pragma omp simd
                for (ptrdiff_t j = 0; j < n_columns; j++)
                    block_mean[j] += v * ((double)x[j] - first[j]);
            }
            for (ptrdiff_t j = 0; j < n_columns; j++)
                block_mean[j] = first[j] + block_mean[j] / block;
            for (ptrdiff_t i = 0; i < size; i++) {
                const REAL *restrict x = data + (size_t)rows[i] * (size_t)n_columns;
                const double v = block_weight[i];
#pragma omp simd
                for (ptrdiff_t j = 0; j < n_columns; j++)
                    block_square[j] += v * (x[j] - block_mean[j]) * (x[j] - block_mean[j]);
            }
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

MULTIVERSION void NAME(squared_norms)(const REAL *data, ptrdiff_t n_columns, const uint32_t *rows, ptrdiff_t n,
                                      const double *restrict mean, const double *restrict inverse_unit,
                                      double *restrict result)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const REAL *restrict x = data + (size_t)rows[i] * (size_t)n_columns;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (ptrdiff_t j = 0; j < n_columns; j++) {
            const double value = (x[j] - mean[j]) * inverse_unit[j];
            sum += value * value;
        }
        result[i] = sum;
    }
}
