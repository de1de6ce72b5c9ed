from libc.stdint cimport uint32_t, uint64_t


cdef class Order:
    cdef const uint32_t[::1] _rows
    cdef uint32_t[::1] _order, _blocks
    cdef uint64_t[::1] _generator
    cdef bint cached, _in_blocks
    cdef void renew(self) noexcept nogil
    cdef const uint32_t *named(self, Py_ssize_t start) noexcept nogil
    cdef Py_ssize_t n_ahead(self, Py_ssize_t start, Py_ssize_t n) noexcept nogil
