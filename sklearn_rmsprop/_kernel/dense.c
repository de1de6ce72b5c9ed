#include "dense.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

/* Rows fetched ahead (with 12 instead of 32 a 54k x 26 took up to half as long again), and the longest row for which that
 * pays: in longer ones the processor sees the pattern itself, and asking for them made 20k x 2000 slower. */
enum { ROWS_AHEAD = 32, LINE_BYTES = 64, MOST_FETCHED = 8 * LINE_BYTES, LONGEST_FETCHED = 32 * LINE_BYTES };

/* Features whose gradients stay in registers over the rows of a chunk, where there are several targets. */
enum { FEATURES_AT_ONCE = 8 };

/* Rows per block of the moments' two passes: a block stays in the first-level cache between them. */
enum { MOMENT_ROWS = 32 };

/* The most columns whose moments are taken one by one: with one, as targets mostly are, in a fifth of the time; with eight it
 * takes as long. */
enum { FEW_COLUMNS = 6 };

#define REAL float
#define NAME(name) name##_float
#define SQRT sqrtf
#define SMALLEST FLT_MIN
#define ABS fabsf
#define LOWER(v) SHUFFLE(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
#define UPPER(v) SHUFFLE(v, v, 8, 9, 10, 11, 12, 13, 14, 15)
/* of lanes 01234567 of a and b: the sums of neighbours, a01 b01 a23 b23 ...; then of their neighbours */
#define PAIR(a, b) (SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14) + SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15))
#define PAIR_PAIRS(ab, cd) (SHUFFLE(ab, cd, 0, 1, 8, 9, 4, 5, 12, 13) + SHUFFLE(ab, cd, 2, 3, 10, 11, 6, 7, 14, 15))
#include "dense_template.h"
#undef REAL
#undef NAME
#undef SQRT
#undef SMALLEST
#undef ABS
#undef LOWER
#undef UPPER
#undef PAIR
#undef PAIR_PAIRS

#define REAL double
#define NAME(name) name##_double
#define SQRT sqrt
#define SMALLEST DBL_MIN
#define ABS fabs
#define LOWER(v) SHUFFLE(v, v, 0, 1, 2, 3)
#define UPPER(v) SHUFFLE(v, v, 4, 5, 6, 7)
#define PAIR(a, b) (SHUFFLE(a, b, 0, 4, 2, 6) + SHUFFLE(a, b, 1, 5, 3, 7))
#define PAIR_PAIRS(ab, cd) (SHUFFLE(ab, cd, 0, 1, 4, 5) + SHUFFLE(ab, cd, 2, 3, 6, 7))
#include "dense_template.h"
