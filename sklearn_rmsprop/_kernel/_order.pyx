"""The order of the rows."""

from libc.stdint cimport uint32_t, uint64_t

import numpy as np

cdef extern from "shuffle.h" nogil:
    size_t count_blocks(size_t n)
    void shuffle_rows(uint32_t *order, size_t n, uint64_t *state)
    void shuffle_blocks(const uint32_t *rows, size_t n, uint32_t *order, uint32_t *blocks, uint64_t *state)


# Data of no more bytes than this stays in the second-level cache, where fetching rows ahead costs more than it gains.
CACHED_BYTES = 1 << 20

# Data of no more bytes than this stays in the third-level cache, where keeping near rows together costs more than it
# gains: on 54k x 26 a thirtieth of an epoch.
SHARED_CACHE_BYTES = 1 << 24

# Of fewer rows than these there would be too few pools to mix (see shuffle.h).
cdef Py_ssize_t FEWEST_ROWS_IN_BLOCKS = 1 << 14


cdef class Order:
    """The order of the rows, drawn anew for each epoch.

    Parameters
    ----------
    rows : (n,) uint32
        Numbers of the rows that take part.
    generator : (2,) uint64 or None
        State of the random number generator (see shuffle.h), advanced in place; None leaves the rows as they come.
    n_bytes : int
        Size of the data.
    """

    def __init__(self, const uint32_t[::1] rows, uint64_t[::1] generator, Py_ssize_t n_bytes):
        if generator is not None and (generator.shape[0] != 2 or generator[0] % 2 == 0):
            raise ValueError("a generator's state is two numbers, the first of them odd")
        self._rows = rows
        self._order = np.array(rows)
        self._generator = generator
        self.cached = n_bytes <= CACHED_BYTES
        self._in_blocks = n_bytes > SHARED_CACHE_BYTES and rows.shape[0] >= FEWEST_ROWS_IN_BLOCKS
        self._blocks = np.arange(count_blocks(rows.shape[0]) if self._in_blocks else 0, dtype=np.uint32)

    cdef void renew(self) noexcept nogil:
        if self._generator is None:
            return
        if self._in_blocks:
            shuffle_blocks(&self._rows[0], self._rows.shape[0], &self._order[0], &self._blocks[0], &self._generator[0])
        else:
            shuffle_rows(&self._order[0], self._order.shape[0], &self._generator[0])

    cdef const uint32_t *named(self, Py_ssize_t start) noexcept nogil:
        """The numbers of the rows from place `start` of the epoch on."""
        return &self._order[start]

    cdef Py_ssize_t n_ahead(self, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
        """How many of them are worth knowing to whoever works on `n` of them now, and fetches the next ones early."""
        return n if self.cached else self._order.shape[0] - start

    def draw(self):
        """The next epoch's order, as an array."""
        self.renew()
        return np.array(self._order)
