/* The dense operations for float and double, with one target and with several. */
#include "dense.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "compiler.h"

#define REAL float
#define NAME(name) name##_float
#define SQRT sqrtf
#define SMALLEST FLT_MIN
#define ABS fabsf
/* With vectors a = a0 a1 ... and b: the sums of neighbours, a0+a1 b0+b1 a2+a3 b2+b3 ...; then the sums of their neighbours. */
#define ADD_NEIGHBOURS(a, b) \
    (SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14) + SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15))
#define ADD_NEIGHBOUR_SUMS(ab, cd) \
    (SHUFFLE(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) + SHUFFLE(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15))
#include "dense_vectors_template.h"

#include "dense_update_template.h"

#include "dense_one_template.h"

#include "dense_many_template.h"

#include "dense_basis_template.h"
#undef REAL
#undef NAME
#undef SQRT
#undef SMALLEST
#undef ABS
#undef ADD_NEIGHBOURS
#undef ADD_NEIGHBOUR_SUMS

#define REAL double
#define NAME(name) name##_double
#define SQRT sqrt
#define SMALLEST DBL_MIN
#define ABS fabs
#define ADD_NEIGHBOURS(a, b) (SHUFFLE(a, b, 0, 4, 2, 6) + SHUFFLE(a, b, 1, 5, 3, 7))
#define ADD_NEIGHBOUR_SUMS(ab, cd) (SHUFFLE(ab, cd, 0, 1, 4, 5) + SHUFFLE(ab, cd, 2, 3, 6, 7))
#include "dense_vectors_template.h"

#include "dense_update_template.h"

#include "dense_one_template.h"

#include "dense_many_template.h"

#include "dense_basis_template.h"

extern const DenseOperations many_targets_wide_float, many_targets_wide_double;

const DenseOperations *dense_operations(size_t real_bytes, ptrdiff_t n_targets, int in_basis, int wide)
{
    const int is_float = real_bytes == sizeof(float);
    if (n_targets == 1 && in_basis)
        return is_float ? &one_target_in_basis_float : &one_target_in_basis_double;
    if (n_targets == 1)
        return is_float ? &one_target_float : &one_target_double;
    if (in_basis)
        return is_float ? &many_targets_in_basis_float : &many_targets_in_basis_double;
    if (wide)
        return is_float ? &many_targets_wide_float : &many_targets_wide_double;
    return is_float ? &many_targets_float : &many_targets_double;
}
