"""Clocks, pinning to CPU cores, interleaved timing, and the bandwidth of the machine's memory."""

import os
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

CAN_PIN = hasattr(os, "sched_setaffinity")
# The cores that this process may use. They are read once, at import, because pinning changes what the system reports.
ALLOWED_CORES = frozenset(os.sched_getaffinity(0)) if CAN_PIN else frozenset(range(os.cpu_count() or 1))
# Linux lists the threads of this process here.
THREADS_OF_PROCESS = Path("/proc/self/task")

# CPU time of this process, for measurements on one core: it leaves out the time that other processes use that core.
cpu_clock = time.process_time
# Wall time, for measurements on several cores: CPU time is summed over the cores, so it would hide a parallel speedup.
wall_clock = time.perf_counter


def pin_threads(cores):
    """Restrict all threads of this process to these cores, where the system supports that."""
    if CAN_PIN:
        # Setting the affinity of the process is not enough: BLAS and OpenMP have already started threads of their own.
        threads = [int(task.name) for task in THREADS_OF_PROCESS.iterdir()] if THREADS_OF_PROCESS.is_dir() else [0]
        for thread in threads:
            with suppress(ProcessLookupError):  # the thread has ended since it was listed
                os.sched_setaffinity(thread, cores)


@contextmanager
def restricted_to(cores):
    """Run the body on these cores, with one BLAS and OpenMP thread per core, and without ConvergenceWarning."""
    before = os.sched_getaffinity(0) if CAN_PIN else cores
    pin_threads(cores)
    try:
        with threadpool_limits(len(cores)), warnings.catch_warnings():
            # Many benchmarks stop a fit after a fixed number of epochs, before it has converged.
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    finally:
        pin_threads(before)


def one_core():
    """Run the body on one core: the last one, because on most systems the first one handles interrupts."""
    return restricted_to({max(ALLOWED_CORES)})


def all_cores():
    """Run the body on all cores that this process may use."""
    return restricted_to(ALLOWED_CORES)


def time_call(function, clock=cpu_clock):
    """Return the seconds that one call takes."""
    start = clock()
    function()
    return clock() - start


def time_interleaved(functions, n_rounds, clock=cpu_clock, max_seconds=float("inf")):
    """Return ``{name: [seconds of each round]}`` of ``{name: function}``; each round calls every function once.

    If the machine is slow for a while, the interleaved calls of all functions are slow, so the ratios of their times
    change little. A function whose calls have taken ``max_seconds`` in total is not called in the remaining rounds,
    because the time of a long call varies little.
    """
    measured = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            if sum(measured[name]) < max_seconds:
                measured[name].append(time_call(function, clock))
    return measured


def read_bandwidth(n_bytes=512 * 2**20, n_rounds=5):
    """Return how many bytes per second one core reads sequentially from memory.

    The default buffer is larger than the cache of common processors, so the data come from main memory.
    """
    buffer = np.ones(n_bytes // 8)
    return n_bytes / min(time_call(lambda: buffer @ buffer) for _ in range(n_rounds))
