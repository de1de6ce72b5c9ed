#include "dense.h"

#include <float.h>
#include <string.h>

#include "compiler.h"

/* Rows fetched ahead (with 12 instead of 32 a 54k x 26 took up to half as long again), and the longest row for which that
 * pays: in longer ones the processor sees the pattern itself, and asking for them made 20k x 2000 slower. */
enum { ROWS_AHEAD = 32, LINE_BYTES = 64, LINES_AHEAD = 8, LONGEST_FETCHED = 32 * LINE_BYTES };

/* Rows per block of the moments' two passes: a block stays in the first-level cache between them. */
enum { MOMENT_ROWS = 32 };

#define REAL float
#define NAME(name) name##_float
#define SQRT sqrtf
#define SMALLEST FLT_MIN
#define ABS fabsf
#include "dense_template.h"
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
#include "dense_template.h"
