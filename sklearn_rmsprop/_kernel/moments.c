#include "moments.h"

#include <string.h>

#include "compiler.h"

/* Rows per block: a block stays in the first-level cache between its two passes. Measured: 8 and 16 are slower. */
enum { MOMENT_ROWS = 32 };

/* The most columns whose moments are taken column by column, which is faster for few; with eight it takes as long. */
enum { FEW_COLUMNS = 6 };

#define REAL float
#define NAME(name) name##_float
#include "moments_template.h"
#undef REAL
#undef NAME

#define REAL double
#define NAME(name) name##_double
#include "moments_template.h"
