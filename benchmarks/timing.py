"""Clocks, cores, interleaved rounds, and the bandwidth of the machine's memory."""

import os
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

CAN_PIN = hasattr(os, "sched_setaffinity")
# What the process was started with; looked up once, because pinning changes the answer.
ALLOWED = frozenset(os.sched_getaffinity(0)) if CAN_PIN else frozenset(range(os.cpu_count() or 1))
TASKS = Path("/proc/self/task")

# CPU time of the process, for one core: there it differs from wall time only by what other processes took.
cpu_clock = time.process_time
# For several cores, where work in parallel is to count as less.
wall_clock = time.perf_counter


def pin(cpus):
    """Let all threads of this process run on these cores only, where the system can do that."""
    if CAN_PIN:
        # Each thread: the pools of BLAS and others hold threads that were started earlier.
        for thread in [int(task.name) for task in TASKS.iterdir()] if TASKS.is_dir() else [0]:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setaffinity(thread, cpus)


@contextmanager
def cores(cpus):
    """Run on these cores, with as many BLAS and OpenMP threads, and without warnings about too few epochs."""
    before = os.sched_getaffinity(0) if CAN_PIN else cpus
    pin(cpus)
    try:
        with threadpool_limits(len(cpus)), warnings.catch_warnings():
            # A fixed number of epochs is meant to end before convergence.
            warnings.simplefilter("ignore", ConvergenceWarning)
            yield
    finally:
        pin(before)


def one_core():
    """Run on one core: the last one, because the first serves most systems' interrupts."""
    return cores({max(ALLOWED)})


def all_cores():
    """Run on all cores that the process was started with."""
    return cores(ALLOWED)


def seconds(function, clock=cpu_clock):
    """Return the seconds of one call."""
    start = clock()
    function()
    return clock() - start


def interleaved(functions, n_rounds, clock=cpu_clock, enough=float("inf")):
    """Return ``{name: seconds of each round}``, every round calling each function once.

    Interleaving spreads a slow spell of the machine over all of them, so that ratios hold. A function that has taken
    ``enough`` seconds in all sits out the rounds that are left: a long measurement is steady by itself.
    """
    measured = {name: [] for name in functions}
    for _ in range(n_rounds):
        for name, function in functions.items():
            if sum(measured[name]) < enough:
                measured[name].append(seconds(function, clock))
    return measured


def read_bandwidth(n_bytes=512 * 2**20, n_rounds=5):
    """Return bytes a second of one core reading memory in sequence, far beyond any cache."""
    buffer = np.ones(n_bytes // 8)
    return n_bytes / min(seconds(lambda: buffer @ buffer) for _ in range(n_rounds))
