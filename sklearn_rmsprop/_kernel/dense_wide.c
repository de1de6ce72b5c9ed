/* The dense operations once more, with vectors of 64 bytes, and the choice between the two.
 *
 * The fraction of an epoch's time that they leave: 64 targets 0.65, 16 targets 0.7, 2000 features 0.8 (float32: 0.78), 50
 * features 0.95, 26 features 0.98 and in single rows 0.88. With 10 features it is 1.05. All that on a processor on which
 * AVX-512 hardly lowers the clock, as on all that have the extension asked for below; on the first that had AVX-512
 * (Skylake, Cascade Lake) 32 bytes were the better length. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define HAS_WIDE 1
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define VECTOR_BYTES 64
#define MULTIVERSION
#define dense_float dense_float_wide
#define dense_double dense_double_wide
#include "dense.c"
#undef dense_float
#undef dense_double
#pragma GCC pop_options
extern const DenseOperations dense_float, dense_double;
#else
#define HAS_WIDE 0
#include "dense.h"
#endif

int has_wide_vectors(void)
{
#if HAS_WIDE
    return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vbmi2");
#else
    return 0;
#endif
}

const DenseOperations *dense_operations(size_t real_bytes, int wide)
{
#if HAS_WIDE
    if (wide)
        return real_bytes == sizeof(float) ? &dense_float_wide : &dense_double_wide;
#else
    (void)wide;
#endif
    return real_bytes == sizeof(float) ? &dense_float : &dense_double;
}
