"""Arrays on their way into C: what C may read, and whether an array is still the one that was stored."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t, uint64_t

import numpy as np


cdef uintptr_t address(str name, array, dtype, tuple shape) except? 0:
    """Where the data of an array is, once it is known to be what C will take it for.

    Raises
    ------
    ValueError
        If it is not an aligned, C-contiguous array of this type and shape.
    """
    if (
        not isinstance(array, np.ndarray)
        or array.dtype != dtype
        or array.shape != shape
        or not array.flags.c_contiguous
        or not array.flags.aligned
    ):
        raise ValueError(
            f"{name} must be an aligned, C-contiguous array of {np.dtype(dtype)} and shape {shape}; "
            f"got {getattr(array, 'dtype', type(array))} and shape {getattr(array, 'shape', None)}."
        )
    # array.ctypes.data is slow, which a fit of a few rows notices: it asks for some fifteen addresses
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE)
    PyBuffer_Release(&buffer)
    return <uintptr_t>buffer.buf


def fingerprint(array):
    """A number that changes when any element of a C-contiguous float32 or float64 array changes.

    Certain for a change of one element, and for others but for a chance of about 2^-64: each element's bits are mixed
    and multiplied by an odd number of its place, modulo 2^64. (A plain sum would not notice that two signs have
    changed.)
    """
    cdef const uint32_t[::1] words = array.ravel().view(np.uint32)
    cdef uint64_t total = <uint64_t>words.shape[0], word
    cdef Py_ssize_t i
    with nogil:
        for i in range(words.shape[0]):
            word = words[i]
            total += (word ^ (word << 29)) * <uint64_t>(2 * i + 1)
    return total
