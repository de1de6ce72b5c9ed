/* The random order of the rows: Fisher-Yates. Each draw is the upper half of a multiplicative congruential generator of 128
 * bits (multiplier of Steele & Vigna, 2021) and serves two rows. Lemire's method (2019) turns it into a number below a bound
 * and rarely needs a division. xoshiro256++ was slower. */
#ifndef SKLEARN_RMSPROP_SHUFFLE_H
#define SKLEARN_RMSPROP_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

/* state[0] is the lower half and must be odd. */
static inline uint64_t next_random(uint64_t state[2])
{
    const uint64_t multiplier = 0xda942042e4dd58b5u;
    uint64_t carried;
    const uint64_t low = multiply(state[0], multiplier, &carried);
    state[1] = state[1] * multiplier + carried;
    state[0] = low;
    return state[1];
}

/* A uniform number in 0..range-1 from 32 random bits; draws again where the bits would favour some numbers. */
static inline uint32_t bounded(uint32_t bits, uint32_t range, uint64_t state[2])
{
    uint64_t product = (uint64_t)bits * range;
    if ((uint32_t)product < range) {
        const uint32_t threshold = (uint32_t)(-range) % range;
        while ((uint32_t)product < threshold)
            product = (next_random(state) >> 32) * range;
    }
    return (uint32_t)(product >> 32);
}

static ALWAYS_INLINE void swap_rows(uint32_t *order, size_t a, size_t b)
{
    const uint32_t row = order[a];
    order[a] = order[b];
    order[b] = row;
}

/* Shuffles the numbers of `n` rows. */
static inline void shuffle_rows(uint32_t *order, size_t n, uint64_t generator[2])
{
    /* a copy, or each draw would be written to memory */
    uint64_t state[2] = {generator[0], generator[1]};
    size_t left = n;
    for (; left > 2; left -= 2) {
        const uint64_t bits = next_random(state);
        swap_rows(order, left - 1, bounded((uint32_t)bits, (uint32_t)left, state));
        swap_rows(order, left - 2, bounded((uint32_t)(bits >> 32), (uint32_t)(left - 1), state));
    }
    if (left == 2)
        swap_rows(order, 1, bounded((uint32_t)(next_random(state) >> 32), 2, state));
    generator[0] = state[0];
    generator[1] = state[1];
}

/* The shuffle of data that does not fit into the third-level cache: blocks of BLOCK_ROWS neighbouring rows are shuffled, and then the
 * rows within pools of POOL_ROWS. Memory is thereby read in longer runs, and each pool holds rows from POOL_ROWS / BLOCK_ROWS
 * random places. In the worst case its mean gradient is as noisy as that of so many rows. Measured (docs/kernel_notes.md): blocks of 4 take most
 * of the gain in time; those of 8 are faster still, but leave a larger excess loss on rows sorted by the target. */
enum { BLOCK_ROWS = 4, POOL_ROWS = 2048 };

static inline size_t count_blocks(size_t n) { return (n + BLOCK_ROWS - 1) / BLOCK_ROWS; }

/* Writes a new order of the `n` selected `rows` into `order`. `blocks`: their order, shuffled further. */
static inline void shuffle_blocks(const uint32_t *restrict rows, size_t n, uint32_t *restrict order,
                                  uint32_t *restrict blocks, uint64_t state[2])
{
    const size_t n_blocks = count_blocks(n), n_whole = n / BLOCK_ROWS;
    size_t filled = 0;
    shuffle_rows(blocks, n_blocks, state);
    for (size_t block = 0; block < n_blocks; block++) {
        const uint32_t *first = rows + (size_t)blocks[block] * BLOCK_ROWS;
        const size_t size = blocks[block] < n_whole ? BLOCK_ROWS : n % BLOCK_ROWS;
        memcpy(order + filled, first, size * sizeof *order);
        filled += size;
    }
    for (size_t pool = 0; pool < n; pool += POOL_ROWS)
        shuffle_rows(order + pool, n - pool < POOL_ROWS ? n - pool : POOL_ROWS, state);
}

#endif
