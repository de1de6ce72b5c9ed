/* What differs between compilers, and nothing else. */
#ifndef SKLEARN_RMSPROP_COMPILER_H
#define SKLEARN_RMSPROP_COMPILER_H

#include <limits.h> /* any header of glibc's defines __GLIBC__ */
#include <stdint.h>
#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

#if defined(__i386__) && !defined(__SSE2_MATH__)
#error "On i386 the kernel needs SSE2 arithmetic: compile with -msse2 -mfpmath=sse."
#endif

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch(address)
/* before a loop: unroll it n times */
#define UNROLL(n) DO_PRAGMA(GCC unroll n)
#define DO_PRAGMA(text) _Pragma(#text)
#define ALWAYS_INLINE inline __attribute__((always_inline))
/* Vectors that may lie anywhere in an array of their type: two operations of SSE2, or one of AVX2. dense_wide.c defines
 * longer ones. */
#ifndef VECTOR_BYTES
#define VECTOR_BYTES 32
#endif
#define VECTOR(type) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(type)), may_alias))
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(...) __builtin_shufflevector(__VA_ARGS__)
#endif
#else
#define PREFETCH(address) ((void)(address))
#define UNROLL(n)
#define ALWAYS_INLINE inline
#endif

/* One function, compiled for plain x86-64 and for AVX2 with FMA; the loader chooses. Used with gcc on glibc only;
 * elsewhere the plain version serves. The name is that of an architecture level, because a CPU model such as "arch=skylake-avx512"
 * would be chosen on that one model only. */
#ifdef MULTIVERSION /* set by dense_wide.c */
#elif defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define MULTIVERSION __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define MULTIVERSION
#endif

/* The lower half of a product of 128 bits; the upper half goes to `high`. */
static ALWAYS_INLINE uint64_t multiply(uint64_t a, uint64_t b, uint64_t *high)
{
#if defined(__SIZEOF_INT128__)
    __extension__ typedef unsigned __int128 uint128;
    const uint128 product = (uint128)a * b;
    *high = (uint64_t)(product >> 64);
    return (uint64_t)product;
#elif defined(_MSC_VER) && defined(_M_X64)
    return _umul128(a, b, high);
#else
    const uint64_t a_low = (uint32_t)a, a_high = a >> 32, b_low = (uint32_t)b, b_high = b >> 32;
    const uint64_t cross = a_high * b_low + (a_low * b_low >> 32), other = a_low * b_high + (uint32_t)cross;
    *high = a_high * b_high + (cross >> 32) + (other >> 32);
    return a * b;
#endif
}

#endif
