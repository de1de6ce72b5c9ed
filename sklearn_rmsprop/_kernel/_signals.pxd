"""Looks for pending signals (Ctrl-C) from loops without the GIL."""

from cpython.exc cimport PyErr_CheckSignals

# Numbers of X that are read between two looks: some 20 ms.
cdef enum:
    COST_BETWEEN_LOOKS = 1 << 26


cdef inline int look() except -1 with gil:
    return PyErr_CheckSignals()


cdef inline int check_signals(Py_ssize_t *cost) except -1 nogil:
    """Raise KeyboardInterrupt, say, if that is pending; look only where so much was read since the last time."""
    if cost[0] <= COST_BETWEEN_LOOKS:
        return 0
    cost[0] = 0
    return look()
