"""Checked addresses of arrays for C, and fingerprints that show whether an array has changed."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint32_t, uint64_t

import numpy as np


cdef uintptr_t address(str name, array, dtype, tuple shape) except? 0:
    """The address of an array's data, after a check of its type, shape, layout and alignment.

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
    # array.ctypes.data would be slow, which shows in fits of few rows
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE)
    PyBuffer_Release(&buffer)
    return <uintptr_t>buffer.buf


def checked_array(str name, array, dtype, tuple shape):
    """The array, once it is known to be what C will take it for; otherwise as `address`."""
    address(name, array, dtype, shape)
    return array


def fingerprint(array):
    """A number that changes when elements of a C-contiguous float32 or float64 array change.

    Certain if one element changes, and otherwise but for a chance of about 2^-64: each element's bits are mixed (by a
    one-to-one function) and multiplied by an odd number of its place, modulo 2^64. (A plain sum would not notice that
    two signs have changed.)
    """
    return _weighted_sum(array.ravel().view(np.uint64 if array.dtype == np.float64 else np.uint32))


ctypedef fused Bits:
    uint32_t
    uint64_t


def _weighted_sum(const Bits[::1] words):
    """The sum of all words, mixed and multiplied by odd numbers."""
    cdef uint64_t total = <uint64_t>words.shape[0], word
    cdef Py_ssize_t i
    with nogil:
        for i in range(words.shape[0]):
            word = words[i]
            if Bits is uint32_t:
                word ^= word << 32
            else:
                word ^= word >> 32
            total += word * <uint64_t>(2 * i + 1)
    return total
