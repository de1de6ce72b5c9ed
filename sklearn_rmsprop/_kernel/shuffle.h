/* Fisher-Yates with a multiplicative congruential generator of 128 bits, of which each draw is the upper half (the multiplier
 * is of Steele & Vigna, 2021), and Lemire's bounded draws (2019), which need no division but in rare rejections. One draw
 * serves two rows. With xoshiro256++ the shuffle took a quarter longer: a fourteenth of an epoch over one column. */
#ifndef SKLEARN_RMSPROP_SHUFFLE_H
#define SKLEARN_RMSPROP_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

/* The state is odd, its lower half first. */
static inline uint64_t next_random(uint64_t state[2])
{
    const uint64_t multiplier = 0xda942042e4dd58b5u;
    uint64_t carried;
    const uint64_t low = multiply(state[0], multiplier, &carried);
    state[1] = state[1] * multiplier + carried;
    state[0] = low;
    return state[1];
}

/* Uniform in 0..range-1, from 32 random bits; draws again where these would favour some numbers. */
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

enum { LARGEST_ITEM = 2 * sizeof(double) };

static ALWAYS_INLINE void swap_items(char *items, size_t size, size_t a, size_t b)
{
    char item_a[LARGEST_ITEM], item_b[LARGEST_ITEM];
    memcpy(item_a, items + a * size, size);
    memcpy(item_b, items + b * size, size);
    memcpy(items + a * size, item_b, size);
    memcpy(items + b * size, item_a, size);
}

/* Shuffles `n` items of `size` bytes, a constant where this is called: a swap is then a few moves between registers. */
static ALWAYS_INLINE void shuffle_items(char *items, size_t size, size_t n, uint64_t generator[2])
{
    /* a copy, or each draw would be written to memory */
    uint64_t state[2] = {generator[0], generator[1]};
    size_t left = n;
    for (; left > 2; left -= 2) {
        const uint64_t bits = next_random(state);
        swap_items(items, size, left - 1, bounded((uint32_t)bits, (uint32_t)left, state));
        swap_items(items, size, left - 2, bounded((uint32_t)(bits >> 32), (uint32_t)(left - 1), state));
    }
    if (left == 2)
        swap_items(items, size, 1, bounded((uint32_t)(next_random(state) >> 32), 2, state));
    generator[0] = state[0];
    generator[1] = state[1];
}

static inline void shuffle_rows(uint32_t *order, size_t n, uint64_t generator[2])
{
    shuffle_items((char *)order, sizeof *order, n, generator);
}

static inline void shuffle_pairs(double *pairs, size_t n, uint64_t generator[2])
{
    shuffle_items((char *)pairs, 2 * sizeof *pairs, n, generator);
}

/* A shuffle for data that the cache does not hold: blocks of BLOCK_ROWS contiguous rows are shuffled, and then the rows
 * within pools of POOL_ROWS, each of which holds rows from POOL_ROWS / BLOCK_ROWS random places. Memory is read in longer
 * runs: an epoch of 1M x 50 takes two thirds of the time, of a sparse 300k x 50k five sixths.
 *
 * A pool's mean gradient is off by that of so many random places, and its batches with it. On 40k x 10 rows sorted by the
 * target a default fit missed 5e-6 of the variance, and 3e-6 with a full shuffle, where seeds differ by as much; but 3e-5
 * with blocks of 8 in pools of 1024, though these are faster by a tenth. */
enum { BLOCK_ROWS = 4, POOL_ROWS = 2048 };

static inline size_t count_blocks(size_t n) { return (n + BLOCK_ROWS - 1) / BLOCK_ROWS; }

/* A new `order` of the `n` rows named in `rows`. `blocks` holds that of the last epoch's blocks. */
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
