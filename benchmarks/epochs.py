"""Epoch throughput: the steady-state epoch of RMSpropRegressor beside those of the iterative peers.

A steady-state epoch is (time of a fit with many epochs - time of a fit with one) / (difference in epochs): validation,
column statistics and every other fixed cost cancel.
"""

from dataclasses import dataclass
from functools import partial
from math import ceil
from statistics import median

import numpy as np
import scipy.sparse
from data import DATA_SETS, label
from peers import OURS, SGD, Peer, fit_ours
from table import Table, figure, milliseconds, ratio, text
from timing import interleaved, read_bandwidth, seconds

# How many times the peer's speed is asked for, in float64 and float32.
TARGETS = {
    "diamonds, carat": (11, 18),
    "diamonds, all columns": (9, 11),
    "dense": (6, 12),
    "wide": (3.3, 8),
    "CSR": (1.8, 1.8),
}
# The same of single rows and batches of 8, on the diamonds with all columns.
SMALL_BATCHES = {1: 1.5, 8: 4}


@dataclass(frozen=True)
class Epoch:
    """The seconds of a steady-state epoch: the fastest of the rounds and their median."""

    fastest: float
    median: float

    def times(self, factor):
        """Return the epoch of so many times the rows."""
        return Epoch(self.fastest * factor, self.median * factor)


def enough_epochs(fit, X, y, span):
    """Return how many epochs after the first take about ``span`` seconds (at least two)."""
    fit(X, y, 1)  # the first call may load or compile what it needs
    n_extra = 2
    while True:
        # A difference of short fits is noisy: refined until the span is of the right size.
        taken = seconds(partial(fit, X, y, 1 + n_extra)) - seconds(partial(fit, X, y, 1))
        if taken >= 0.5 * span:
            return max(2, ceil(n_extra * span / taken))
        n_extra = ceil(n_extra * min(20, max(2, span / max(taken, 1e-9))))


def steady_epochs(fits, n_rounds, span):
    """Return ``{name: Epoch}`` of ``{name: (fit, X, y)}``, in interleaved rounds."""
    extra = {name: enough_epochs(*fit, span) for name, fit in fits.items()}
    functions = {}
    for name, (fit, X, y) in fits.items():
        functions[name, "one"] = partial(fit, X, y, 1)
        functions[name, "many"] = partial(fit, X, y, 1 + extra[name])
    measured = interleaved(functions, n_rounds)

    # The fastest of each, then the difference: the smallest difference would be that of the round whose short fit was
    # slowest.
    def epoch(name, how):
        return (how(measured[name, "many"]) - how(measured[name, "one"])) / extra[name]

    return {name: Epoch(epoch(name, min), epoch(name, median)) for name in fits}


def size_in_bytes(X):
    """Return what a pass over the features reads."""
    if scipy.sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.nbytes


def settings(quick):
    """Return the number of rounds and the seconds that each measurement is to take."""
    return (3, 0.05) if quick else (7, 0.5)


def record_of(name, ours, peer):
    """Return the record of one data set: our epoch, and how many times as long the peer's takes."""
    return {
        "data": name,
        "seconds": ours.fastest,
        "median": ours.median,
        "ratio": peer.fastest / ours.fastest,
        "ratio_of_medians": peer.median / ours.median,
    }


def versions(data_set, quick):
    """Yield ``(X, y, target)`` of a data set, and in float32 where a target asks for it."""
    X, y = data_set.load(quick)
    as_it_is, in_float32 = TARGETS.get(data_set.name, (None, None))
    yield X, y, as_it_is
    if in_float32 is not None:
        yield X.astype(np.float32), y, in_float32


def report(quick, progress):
    """Return the table of epoch throughput against SGDRegressor, and the share of one sequential read."""
    bandwidth = read_bandwidth()
    records = []
    for data_set in DATA_SETS:
        if data_set.name == "dense float32":
            continue  # a version of "dense" here
        for X, y, target in versions(data_set, quick):
            progress(f"epochs: {data_set.name}, {X.dtype}")
            epochs = steady_epochs({peer: (peer.fit, X, y) for peer in (OURS, SGD)}, *settings(quick))
            ours, one_read = epochs[OURS], size_in_bytes(X) / bandwidth
            records.append(
                record_of(label(data_set.name, X), ours, epochs[SGD])
                | {"dtype": str(X.dtype), "sgd_seconds": epochs[SGD].fastest, "sgd_median": epochs[SGD].median}
                | {"target": target, "one_read": one_read, "share": one_read / ours.fastest}
            )
    note = (
        "Batches of 32, all defaults on, one core: the fastest epoch of the rounds, and how many times as long one of "
        "SGDRegressor takes. The last columns are the time of one sequential read of X and its share of our epoch; 1 "
        f"is the limit for data that do not fit in cache. One core reads at {bandwidth / 1e9:.1f} GB/s."
    )
    columns = {
        "data": text("data"),
        "type": text("dtype"),
        "ours, ms": figure("seconds", milliseconds),
        "SGD, ms": figure("sgd_seconds", milliseconds),
        "ratio of fastest": figure("ratio", ratio),
        "of medians": figure("ratio_of_medians", ratio),
        "target": figure("target", "{:g}".format),
        "one read, ms": figure("one_read", milliseconds),
        "read / epoch": figure("share", "{:.2f}".format),
    }
    return Table("Epoch against SGDRegressor(penalty=None)", note, columns, records, n_names=2)


def report_small_batches(quick, progress):
    """Return the table of epochs with batches of a few rows."""
    progress("small batches")
    data_set = DATA_SETS[1]
    X, y = data_set.load(quick)
    # One comparison with all sizes, so that they share their rounds.
    sizes = [Peer(f"RMSpropRegressor(batch_size={n})", partial(fit_ours, batch_size=n)) for n in SMALL_BATCHES]
    epochs = steady_epochs({peer: (peer.fit, X, y) for peer in (*sizes, SGD)}, *settings(quick))
    records = [
        record_of(label(data_set.name, X), epochs[peer], epochs[SGD]) | {"batch_size": n, "target": SMALL_BATCHES[n]}
        for n, peer in zip(SMALL_BATCHES, sizes, strict=True)
    ]
    columns = {
        "data": text("data"),
        "batch_size": text("batch_size"),
        "ours, ms": figure("seconds", milliseconds),
        "ratio of fastest": figure("ratio", ratio),
        "of medians": figure("ratio_of_medians", ratio),
        "target": figure("target", "{:g}".format),
    }
    return Table("Small batches", "Times as long as ours an epoch of SGDRegressor takes.", columns, records)
