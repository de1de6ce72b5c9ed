"""Measuring on one core: pinning, the clock, interleaved rounds, the machine's read bandwidth."""

import os
import time
import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

# CPU time of the process, not wall time: with one thread on one core the two differ only by what
# other processes took.
clock = time.process_time


@contextmanager
def one_core():
    """Run on one core: one BLAS and OpenMP thread, and no migration where the system can pin."""
    can_pin = hasattr(os, "sched_setaffinity")
    allowed = os.sched_getaffinity(0) if can_pin else None
    if can_pin:
        # The last one: the first serves most systems' interrupts.
        os.sched_setaffinity(0, {max(allowed)})
    try:
        with threadpool_limits(1), warnings.catch_warnings():
            # A fixed number of epochs is meant to end before convergence.
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    finally:
        if can_pin:
            os.sched_setaffinity(0, allowed)


def seconds(function):
    """Return the CPU seconds of one call."""
    start = clock()
    function()
    return clock() - start


def interleaved(functions, n_rounds):
    """Return ``{name: seconds of each round}``, every round calling each function once.

    Interleaving spreads a slow spell of the machine over all of them, so that ratios hold.
    """
    measured = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            measured[name].append(seconds(function))
    return measured


def read_bandwidth(n_bytes=512 * 2**20, n_rounds=5):
    """Return bytes a second of one core reading memory in sequence, far beyond any cache."""
    buffer = np.ones(n_bytes // 8)
    return n_bytes / min(seconds(lambda: buffer @ buffer) for _ in range(n_rounds))
