from libc.stdint cimport uint32_t, uint64_t


cdef class Order:
    cdef const uint32_t[::1] _selected
    cdef uint32_t[::1] _order, _blocks
    cdef uint64_t[2] _generator
    cdef Py_ssize_t _place
    cdef bint _shuffles, _in_blocks
    cdef readonly bint cached
    cdef Py_ssize_t begin_batch(self) noexcept nogil
    cdef void end_batch(self, Py_ssize_t place) noexcept nogil
    cdef const uint32_t *rows_from(self, Py_ssize_t place) noexcept nogil
    cdef Py_ssize_t n_ahead(self, Py_ssize_t place, Py_ssize_t n) noexcept nogil
    cdef Order copy(self)
