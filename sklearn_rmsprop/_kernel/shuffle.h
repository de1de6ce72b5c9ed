/* Fisher-Yates over row numbers, with xoshiro256++ (Blackman & Vigna, 2021) and Lemire's bounded draws (2019), which
 * need no division but in rare rejections. One 64-bit draw serves two rows. */
#ifndef SKLEARN_RMSPROP_SHUFFLE_H
#define SKLEARN_RMSPROP_SHUFFLE_H

#include <stddef.h>
#include <stdint.h>

static inline uint64_t rotate_left(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

static inline uint64_t next_random(uint64_t state[4])
{
    const uint64_t result = rotate_left(state[0] + state[3], 23) + state[0];
    const uint64_t t = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotate_left(state[3], 45);
    return result;
}

/* Uniform in 0..range-1, from 32 random bits; draws again where these would favour some numbers. */
static inline uint32_t bounded(uint32_t bits, uint32_t range, uint64_t state[4])
{
    uint64_t product = (uint64_t)bits * range;
    if ((uint32_t)product < range) {
        const uint32_t threshold = (uint32_t)(-range) % range;
        while ((uint32_t)product < threshold)
            product = (next_random(state) >> 32) * range;
    }
    return (uint32_t)(product >> 32);
}

static inline void swap_rows(uint32_t *order, size_t a, size_t b)
{
    const uint32_t row = order[a];
    order[a] = order[b];
    order[b] = row;
}

static inline void shuffle_rows(uint32_t *order, size_t n, uint64_t generator[4])
{
    /* a copy, or each draw would be written to memory */
    uint64_t state[4] = {generator[0], generator[1], generator[2], generator[3]};
    size_t left = n;
    for (; left > 2; left -= 2) {
        const uint64_t bits = next_random(state);
        swap_rows(order, left - 1, bounded((uint32_t)bits, (uint32_t)left, state));
        swap_rows(order, left - 2, bounded((uint32_t)(bits >> 32), (uint32_t)(left - 1), state));
    }
    if (left == 2)
        swap_rows(order, 1, bounded((uint32_t)(next_random(state) >> 32), 2, state));
    for (int i = 0; i < 4; i++)
        generator[i] = state[i];
}

#endif
