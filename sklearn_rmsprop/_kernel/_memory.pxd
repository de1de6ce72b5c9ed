from libc.stdint cimport uintptr_t

cdef enum:
    LINE_BYTES = 64

cdef uintptr_t address(str name, array, dtype, tuple shape) except? 0


cdef inline uintptr_t rounded_up(uintptr_t n, uintptr_t unit) noexcept:
    """The next multiple of the unit."""
    return (n + unit - 1) // unit * unit
