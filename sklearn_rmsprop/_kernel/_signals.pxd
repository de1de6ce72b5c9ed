"""Checks for pending signals (Ctrl-C) in loops without the GIL."""

from cpython.exc cimport PyErr_CheckSignals

# Numbers of X that are read between two checks: short for a user who waits.
cdef enum:
    COST_BETWEEN_CHECKS = 1 << 26


cdef inline int raise_pending() except -1 with gil:
    return PyErr_CheckSignals()


cdef inline int check_signals(Py_ssize_t *cost) except -1 nogil:
    """Raise a pending KeyboardInterrupt, say; check only after COST_BETWEEN_CHECKS since the last check."""
    if cost[0] <= COST_BETWEEN_CHECKS:
        return 0
    cost[0] = 0
    return raise_pending()
