/* The dense operations on several targets again, with vectors of 64 bytes, for processors whose clock AVX-512 hardly lowers:
 * those with VBMI2 (see has_wide_vectors). On the first processors with AVX-512 (Skylake, Cascade
 * Lake) vectors of 32 bytes were faster. With one target they gained too little to be worth a second copy of the code. */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#pragma GCC push_options
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define VECTOR_BYTES 64
#define MULTIVERSION
#include "dense.h"
#define many_targets_float many_targets_wide_float
#define many_targets_double many_targets_wide_double

#define REAL float
#define NAME(name) name##_float
#define SQRT sqrtf
#define SMALLEST FLT_MIN
#define ABS fabsf
#include "dense_vectors_template.h"

#include "dense_update_template.h"

#include "dense_many_template.h"
#undef REAL
#undef NAME
#undef SQRT
#undef SMALLEST
#undef ABS

#define REAL double
#define NAME(name) name##_double
#define SQRT sqrt
#define SMALLEST DBL_MIN
#define ABS fabs
#include "dense_vectors_template.h"

#include "dense_update_template.h"

#include "dense_many_template.h"
#pragma GCC pop_options

int has_wide_vectors(void) { return __builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vbmi2"); }
#else
#include "dense.h"

const DenseOperations many_targets_wide_float, many_targets_wide_double; /* never chosen */

int has_wide_vectors(void) { return 0; }
#endif
