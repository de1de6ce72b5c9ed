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

    Certain if one element changes, and otherwise but for a chance of about 2^-64: the numbers are added up modulo 2^64
    that a one-to-one function makes of each element's bits and a number of its place. (Sums of less mixed bits, times
    odd numbers of the places, did not notice in one of eight cases that four signs had changed.)
    """
    return _mixed_sum(array.ravel().view(np.uint64 if array.dtype == np.float64 else np.uint32))


ctypedef fused Bits:
    uint32_t
    uint64_t


def _mixed_sum(const Bits[::1] words):
    """The sum of all words, mixed with numbers of their places by SplitMix64's last steps (Steele et al., 2014)."""
    cdef uint64_t total = <uint64_t>words.shape[0], word
    cdef Py_ssize_t i
    with nogil:
        for i in range(words.shape[0]):
            word = words[i] + <uint64_t>i * <uint64_t>0x9e3779b97f4a7c15
            word = (word ^ (word >> 30)) * <uint64_t>0xbf58476d1ce4e5b9
            word = (word ^ (word >> 27)) * <uint64_t>0x94d049bb133111eb
            total += word ^ (word >> 31)
    return total
