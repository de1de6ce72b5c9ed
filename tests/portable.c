/* Fits small models with the kernel's C files and prints their coefficients, so that builds by other compilers and for other
 * processors can be compared (.ci/portable). Few steps, because rounding differences grow with each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csr.h"
#include "dense.h"
#include "moments.h"
#include "shuffle.h"

enum { N_ROWS = 64, BATCH = 16, N_STEPS = 8, MOST_COORDINATES = 65 * 20 };

static double x_double[N_ROWS * 64], y[N_ROWS * 20], coef[MOST_COORDINATES];
static float x_float[N_ROWS * 64];
static uint32_t rows[N_ROWS];
static uint64_t generator[2] = {12345, 67890};

/* Uniform in (-1, 1). */
static double random_number(void) { return (double)(next_random(generator) >> 11) / (double)(1ull << 52) - 1; }

/* Zeros on a cache line. */
static void *zeros(size_t n_bytes)
{
    char *memory = calloc(n_bytes + 64, 1);
    if (memory == NULL)
        exit(2);
    return memory + (64 - (uintptr_t)memory % 64);
}

static void set(void *array, size_t real_bytes, ptrdiff_t place, double value)
{
    if (real_bytes == sizeof(float))
        ((float *)array)[place] = (float)value;
    else
        ((double *)array)[place] = value;
}

static double get(const void *array, size_t real_bytes, ptrdiff_t place)
{
    return real_bytes == sizeof(float) ? ((const float *)array)[place] : ((const double *)array)[place];
}

static StepPlan make_plan(void)
{
    static double rate[N_STEPS], power[N_STEPS + 1], momentum_power[N_STEPS + 1], travel[N_STEPS + 1], weighted[N_STEPS + 1];
    StepPlan plan = {.rate = rate, .decay_limit = 0.9, .momentum = 0.5, .centered = 1, .epsilon = 1e-8, .averaged = 1};
    for (int i = 0; i <= N_STEPS; i++) {
        power[i] = pow(0.9, i);
        momentum_power[i] = pow(0.5, i);
        if (i < N_STEPS)
            rate[i] = 0.1 / sqrt(1 + i / 100.0);
    }
    for (int i = N_STEPS - 1; i >= 0; i--) {
        travel[i] = 0.5 * (rate[i] + travel[i + 1]);
        weighted[i] = 0.5 * (rate[i] * average_weight(&plan, i) + weighted[i + 1]);
    }
    plan.decay_power = power;
    plan.momentum_power = momentum_power;
    plan.momentum_travel = travel;
    plan.weighted_travel = weighted;
    return plan;
}

static Step make_step(const StepPlan *plan, int i)
{
    return (Step){.plan = plan,
                  .i = i,
                  .rate = plan->rate[i - 1],
                  .decay = 0.9,
                  .average_decay = (i - 1.0) / (i + AVERAGING_ETA),
                  .correction = 1 / (1 - plan->decay_power[i]),
                  .scale = 1.0 / BATCH,
                  .most_steps_below = most_steps_below_threshold(plan, i)};
}

static void residuals(const uint32_t *batch, ptrdiff_t n_targets, double *z)
{
    for (int row = 0; row < BATCH; row++)
        for (ptrdiff_t k = 0; k < n_targets; k++)
            z[row * n_targets + k] -= y[batch[row] * n_targets + k];
}

static void print_coef(const char *kind, size_t real_bytes, ptrdiff_t d, ptrdiff_t k)
{
    for (ptrdiff_t q = 0; q < (d + 1) * k; q++)
        printf("%s,%d,%d,%d,%d %.17g\n", kind, (int)real_bytes * 8, (int)d, (int)k, (int)q, coef[q]);
}

static void fit_dense(size_t real_bytes, ptrdiff_t d, ptrdiff_t k, int in_basis)
{
    const DenseOperations *operations = dense_operations(real_bytes, k, in_basis, 0);
    const ptrdiff_t n = (d + 1) * k, padded = (n + operations->lanes - 1) / operations->lanes * operations->lanes;
    const ptrdiff_t stride = (d + operations->lanes - 1) / operations->lanes * operations->lanes;
    void *arrays[12];
    for (int a = 0; a < 12; a++)
        arrays[a] = zeros(8 * (size_t)padded);
    void *mean = zeros(8 * (size_t)padded), *basis = zeros(8 * (size_t)((d + 4) * stride));
    for (ptrdiff_t q = 0; q < n; q++)
        set(arrays[0], real_bytes, q, q < d * k ? 0.5 + (double)(q % 3) : 1);
    for (ptrdiff_t j = 0; j < d; j++) {
        set(mean, real_bytes, j, 0.1 * (double)(j % 5));
        for (ptrdiff_t i = 0; i < d; i++)
            set(basis, real_bytes, j * stride + i, (i == j) + 0.1 * (double)((i + 2 * j) % 3));
    }
    set(mean, real_bytes, d, -1);
    DenseModel model = {.x = real_bytes == sizeof(float) ? (const void *)x_float : x_double,
                        .n_features = d,
                        .n_targets = k,
                        .n_padded = padded,
                        .mean = mean,
                        .inverse_unit = arrays[0],
                        .step_unit = arrays[0],
                        .floor = arrays[1],
                        .coef = arrays[2],
                        .square = arrays[3],
                        .gradient_mean = arrays[4],
                        .velocity = arrays[5],
                        .average = arrays[6],
                        .gradient = arrays[7],
                        .coordinates = in_basis ? arrays[8] : arrays[2],
                        .coordinate_gradient = in_basis ? arrays[9] : arrays[7],
                        .basis = in_basis ? basis : NULL,
                        .basis_stride = in_basis ? stride : 0,
                        .residual_sum = zeros(8 * (size_t)k),
                        .columns = zeros(8 * WIDEST_NARROW * CHUNK),
                        .shift = zeros(8 * (size_t)k)};
    const StepPlan plan = make_plan();
    double *z = zeros(8 * (size_t)(CHUNK * k));
    operations->refresh(&model);
    for (int i = 1; i <= N_STEPS; i++) {
        const Step step = make_step(&plan, i);
        const uint32_t *batch = rows + (i - 1) * BATCH % N_ROWS;
        operations->forward(&model, batch, BATCH, BATCH, z);
        residuals(batch, k, z);
        operations->backward(&model, batch, BATCH, z);
        operations->step(&model, &step);
    }
    for (ptrdiff_t q = 0; q < n; q++)
        coef[q] = get(model.coordinates, real_bytes, q) + 1e-3 * model.average[q];
    print_coef(in_basis ? "basis" : "dense", real_bytes, d, k);
}

static void fit_csr(size_t real_bytes, ptrdiff_t d, ptrdiff_t k)
{
    static int32_t indices[N_ROWS * 64], indptr[N_ROWS + 1];
    static float data_float[N_ROWS * 64];
    static double data_double[N_ROWS * 64];
    int32_t n_stored = 0;
    for (int row = 0; row < N_ROWS; row++) {
        for (int32_t j = row % 3; j < d; j += 3) {
            indices[n_stored] = j;
            data_double[n_stored] = x_double[row * d + j];
            data_float[n_stored] = (float)x_double[row * d + j];
            n_stored++;
        }
        indptr[row + 1] = n_stored;
    }
    const int is_float = real_bytes == sizeof(float);
    const CSROperations *operations = is_float ? &csr_float_int32 : &csr_double_int32;
    double *ones = zeros(8 * (size_t)k);
    CSRModel model = {.data = is_float ? (const void *)data_float : data_double,
                      .indices = indices,
                      .indptr = indptr,
                      .n_features = d,
                      .n_targets = k,
                      .intercept_floor = zeros(8 * (size_t)k),
                      .rate_factor = ones,
                      .features = zeros((size_t)((d + 1) * feature_bytes(k))),
                      .visits = zeros((size_t)(d + 2) * sizeof(Visit)),
                      .gradient = zeros(8 * (size_t)((d + 1) * k)),
                      .slots = zeros(4 * (size_t)(CHUNK * d + 1))};
    for (ptrdiff_t q = 0; q < k; q++)
        ones[q] = 1;
    for (ptrdiff_t j = 0; j <= d; j++)
        feature_at(&model, j, k)->inverse_unit = 1;
    const StepPlan plan = make_plan();
    double *z = zeros(8 * (size_t)(CHUNK * k));
    csr_start(&model, average_weight(&plan, 0));
    for (int i = 1; i <= N_STEPS; i++) {
        const Step step = make_step(&plan, i);
        const uint32_t *batch = rows + (i - 1) * BATCH % N_ROWS;
        operations->forward(&model, batch, BATCH, BATCH, &step, z);
        residuals(batch, k, z);
        operations->backward(&model, batch, BATCH, z);
        csr_step(&model, &step);
    }
    csr_finish(&model, &plan, N_STEPS);
    for (ptrdiff_t q = 0; q < (d + 1) * k; q++) {
        const double *c = feature_at(&model, q / k, k)->numbers + q % k;
        coef[q] = c[COEF * k] + 1e-3 * c[WEIGHTED_DEVIATION * k] / average_weight(&plan, N_STEPS);
    }
    print_coef("csr", real_bytes, d, k);
}

int main(void)
{
    static const ptrdiff_t features[] = {1, 3, 8, 9, 33, 64}, targets[] = {1, 2, 5, 16, 20};
    for (uint32_t row = 0; row < N_ROWS; row++)
        rows[row] = row;
    shuffle_rows(rows, N_ROWS, generator);
    for (int q = 0; q < N_ROWS * 64; q++)
        x_float[q] = (float)(x_double[q] = random_number());
    for (int q = 0; q < N_ROWS * 20; q++)
        y[q] = 3 * random_number();
    for (size_t a = 0; a < sizeof features / sizeof *features; a++) {
        static double mean[64], variance[64], scratch[128];
        moments_double(x_double, features[a], rows, N_ROWS, NULL, mean, variance, scratch);
        for (ptrdiff_t j = 0; j < features[a]; j++)
            coef[j] = mean[j] + variance[j];
        coef[features[a]] = 0;
        print_coef("moments", 8, features[a], 1);
        for (size_t real_bytes = 4; real_bytes <= 8; real_bytes += 4)
            for (size_t b = 0; b < sizeof targets / sizeof *targets; b++) {
                fit_dense(real_bytes, features[a], targets[b], 0);
                fit_dense(real_bytes, features[a], targets[b], 1);
                fit_csr(real_bytes, features[a], targets[b]);
            }
    }
    return 0;
}
