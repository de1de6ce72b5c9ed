"""The order of the rows, and how far the current epoch has come in it."""

from libc.stdint cimport uint32_t, uint64_t

import numpy as np

cdef extern from "shuffle.h" nogil:
    size_t count_blocks(size_t n)
    void shuffle_rows(uint32_t *order, size_t n, uint64_t *state)
    void shuffle_blocks(const uint32_t *rows, size_t n, uint32_t *order, uint32_t *blocks, uint64_t *state)


# Data of no more bytes than this stays in the second-level cache, where requesting rows early costs more than it gains.
CACHED_BYTES = 1 << 20

# Data of no more bytes than this stays in the third-level cache, where keeping neighbouring rows together costs more
# than it gains (docs/kernel_notes.md).
SHARED_CACHE_BYTES = 1 << 24

# Fewer rows than eight pools of shuffle.h mix too little.
cdef Py_ssize_t FEWEST_ROWS_IN_BLOCKS = 1 << 14


def checked_rows(rows, Py_ssize_t n_rows):
    """The row numbers as a uint32 array, checked to be integers from 0 to `n_rows` - 1.

    Raises
    ------
    ValueError
        If they are not, or if there are none.
    """
    rows = np.asarray(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "ui" or len(rows) == 0 or rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(f"the selected rows must be at least one integer from 0 to {n_rows - 1}; got {rows!r}")
    return np.ascontiguousarray(rows, dtype=np.uint32)


cdef class Order:
    """The order of the rows, drawn anew for each epoch.

    Parameters
    ----------
    selected : (n,) uint32
        Numbers of the rows that take part.
    n_bytes : int
        Bytes of X that an epoch reads.
    shuffle : bool
        False takes the rows as they come.
    """

    def __init__(self, const uint32_t[::1] selected, Py_ssize_t n_bytes, bint shuffle):
        cdef Py_ssize_t n = selected.shape[0]
        self._selected = selected
        self._order = np.array(selected)
        self._shuffles = shuffle
        self._place = n  # the first batch begins an epoch
        self.cached = n_bytes <= CACHED_BYTES
        self._in_blocks = n_bytes > SHARED_CACHE_BYTES and n >= FEWEST_ROWS_IN_BLOCKS
        self._blocks = np.arange(count_blocks(n) if self._in_blocks else 0, dtype=np.uint32)
        self._generator[0], self._generator[1] = 1, 0

    @property
    def generator(self):
        """The state of the random number generator (see shuffle.h): two numbers, the first of them odd."""
        return np.array([self._generator[0], self._generator[1]], dtype=np.uint64)

    @generator.setter
    def generator(self, state):
        if getattr(state, "shape", None) != (2,) or state.dtype != np.uint64 or state[0] % 2 == 0:
            raise ValueError("a generator's state must be two uint64 numbers, the first of them odd")
        self._generator[0], self._generator[1] = state[0], state[1]

    cdef Py_ssize_t begin_batch(self) noexcept nogil:
        """The place at which the next batch begins. At the end of an epoch, draw the order of the next one."""
        cdef Py_ssize_t n = self._order.shape[0]
        if self._place < n:
            return self._place
        if self._shuffles and self._in_blocks:
            shuffle_blocks(&self._selected[0], n, &self._order[0], &self._blocks[0], self._generator)
        elif self._shuffles:
            shuffle_rows(&self._order[0], n, self._generator)
        return 0

    cdef void end_batch(self, Py_ssize_t place) noexcept nogil:
        """The next batch begins at this place."""
        self._place = place

    cdef const uint32_t *rows_from(self, Py_ssize_t place) noexcept nogil:
        """The numbers of the rows from this place of the epoch on."""
        return &self._order[place]

    cdef Py_ssize_t n_ahead(self, Py_ssize_t place, Py_ssize_t n) noexcept nogil:
        """How many rows from there on to pass: `n`, and those to prefetch unless the data stays in the cache."""
        return n if self.cached else self._order.shape[0] - place

    cdef Order copy(self):
        """An order of its own that goes on from the same place in the same epoch."""
        cdef Order result = Order.__new__(Order)
        result._selected, result._order, result._blocks = self._selected, np.array(self._order), np.array(self._blocks)
        result._generator[0], result._generator[1] = self._generator[0], self._generator[1]
        result._place, result._shuffles, result._in_blocks = self._place, self._shuffles, self._in_blocks
        result.cached = self.cached
        return result

    def draw(self):
        """The order of the next epoch, as an array (for tests)."""
        self._place = self._order.shape[0]
        self.begin_batch()
        return np.array(self._order)
