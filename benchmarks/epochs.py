"""Time of a steady-state epoch of RMSpropRegressor and of SGDRegressor.

The time of a steady-state epoch is (time of a fit with many epochs - time of a fit with one epoch) / (difference in
epochs). Everything that a fit does only once, such as validation and column statistics, cancels in the difference.
"""

from dataclasses import dataclass
from functools import partial
from math import ceil
from statistics import median

import numpy as np
import scipy.sparse
from data import DATA_SETS, label
from peers import RMSPROP, STABLE_SGD, Solver, fit_rmsprop
from table import Table, format_milliseconds, format_ratio, number_column, text_column
from timing import read_bandwidth, time_call, time_interleaved

# The speedups over SGDRegressor that the compiled kernel was required to reach, in float64 and in float32. They are
# goals that were set when the kernel was written, not measurements.
REQUIRED_SPEEDUPS = {
    "diamonds, carat": (11, 18),
    "diamonds, all columns": (9, 11),
    "dense": (6, 12),
    "many columns": (3.3, 8),
    "CSR": (1.8, 1.8),
}
# The same goals by batch size, for small batches on the diamonds with all columns in float64.
REQUIRED_SPEEDUPS_BY_BATCH_SIZE = {1: 1.5, 8: 4}


@dataclass(frozen=True)
class EpochTime:
    """The seconds of a steady-state epoch, from the fastest round and from the median of the rounds."""

    fastest: float
    median: float

    def scaled(self, factor):
        """Return the time of an epoch with ``factor`` times as many rows."""
        return EpochTime(self.fastest * factor, self.median * factor)


def count_extra_epochs(fit, X, y, duration):
    """Return how many epochs after the first take about ``duration`` seconds, but at least two."""
    fit(X, y, 1)  # not timed: the first call may import or compile something
    n_extra = 2
    while True:
        # The difference of two short fits is noisy, so the number is increased until the difference is long enough.
        taken = time_call(partial(fit, X, y, 1 + n_extra)) - time_call(partial(fit, X, y, 1))
        if taken >= 0.5 * duration:
            return max(2, ceil(n_extra * duration / taken))
        n_extra = ceil(n_extra * min(20, max(2, duration / max(taken, 1e-9))))


def steady_state_epochs(fits, n_rounds, duration):
    """Return ``{name: EpochTime}`` of ``{name: (fit, X, y)}``; ``duration`` is the time of a fit with many epochs."""
    n_extra = {name: count_extra_epochs(*fit, duration) for name, fit in fits.items()}
    functions = {}
    for name, (fit, X, y) in fits.items():
        functions[name, "one"] = partial(fit, X, y, 1)
        functions[name, "many"] = partial(fit, X, y, 1 + n_extra[name])
    measured = time_interleaved(functions, n_rounds)

    # The rounds are summarised before the subtraction. The smallest of the differences would be too small: it comes
    # from the round whose fit of one epoch happened to be slow.
    def epoch(name, summarise):
        return (summarise(measured[name, "many"]) - summarise(measured[name, "one"])) / n_extra[name]

    return {name: EpochTime(epoch(name, min), epoch(name, median)) for name in fits}


def bytes_of_features(X):
    """Return how many bytes one pass over the features reads."""
    if scipy.sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.nbytes


def rounds_and_seconds(quick):
    """Return the number of rounds, and the seconds that each fit of many epochs should take."""
    return (3, 0.05) if quick else (7, 0.5)


def speedup_record(name, rmsprop, peer):
    """Return the record of one data set: the epoch of RMSpropRegressor, and the ratio of the peer's epoch to it."""
    return {
        "data": name,
        "seconds": rmsprop.fastest,
        "median": rmsprop.median,
        "ratio": peer.fastest / rmsprop.fastest,
        "ratio_of_medians": peer.median / rmsprop.median,
    }


def with_required_speedups(data_set, quick):
    """Yield ``(X, y, required speedup)`` of a data set, and once more in float32 if a speedup is required there."""
    X, y = data_set.load(quick)
    required, required_float32 = REQUIRED_SPEEDUPS.get(data_set.name, (None, None))
    yield X, y, required
    if required_float32 is not None:
        yield X.astype(np.float32), y, required_float32


def make_table(quick, log):
    """Return the table of epoch times of RMSpropRegressor and SGDRegressor, and of one sequential read of X."""
    bandwidth = read_bandwidth()
    records = []
    for data_set in DATA_SETS:
        if data_set.name == "dense float32":
            continue  # the data set "dense" is converted to float32 below
        for X, y, required in with_required_speedups(data_set, quick):
            log(f"epochs: {data_set.name}, {X.dtype}")
            epochs = steady_state_epochs(
                {solver: (solver.fit, X, y) for solver in (RMSPROP, STABLE_SGD)}, *rounds_and_seconds(quick)
            )
            rmsprop, sgd, read_seconds = epochs[RMSPROP], epochs[STABLE_SGD], bytes_of_features(X) / bandwidth
            records.append(
                speedup_record(label(data_set.name, X), rmsprop, sgd)
                | {"dtype": str(X.dtype), "sgd_seconds": sgd.fastest, "sgd_median": sgd.median}
                | {"required_speedup": required, "read_seconds": read_seconds}
                | {"read_to_epoch_ratio": read_seconds / rmsprop.fastest}
            )
    note = (
        "Time of an epoch on one core, the fastest of the rounds; RMSpropRegressor with its defaults. Speedup: the "
        "epoch time of SGDRegressor divided by that of RMSpropRegressor. The last columns compare the epoch of "
        "RMSpropRegressor with one sequential read of X from memory: for data larger than the cache, read / epoch "
        f"cannot exceed 1. One core reads {bandwidth / 1e9:.1f} GB/s."
    )
    columns = {
        "data": text_column("data"),
        "dtype": text_column("dtype"),
        "RMSpropRegressor, ms": number_column("seconds", format_milliseconds),
        "SGDRegressor, ms": number_column("sgd_seconds", format_milliseconds),
        "speedup": number_column("ratio", format_ratio),
        "speedup of medians": number_column("ratio_of_medians", format_ratio),
        "required speedup": number_column("required_speedup", "{:g}".format),
        "one read of X, ms": number_column("read_seconds", format_milliseconds),
        "read / epoch": number_column("read_to_epoch_ratio", "{:.2f}".format),
    }
    return Table(
        "Epoch time of RMSpropRegressor and SGDRegressor(penalty=None)", note, columns, records, n_text_columns=2
    )


def make_small_batches_table(quick, log):
    """Return the table of epoch times with small batches."""
    log("small_batches")
    data_set = DATA_SETS[1]
    X, y = data_set.load(quick)
    # All batch sizes are timed in the same rounds as SGDRegressor, so that their ratios are comparable.
    solvers = {
        n: Solver(f"RMSpropRegressor(batch_size={n})", partial(fit_rmsprop, batch_size=n))
        for n in REQUIRED_SPEEDUPS_BY_BATCH_SIZE
    }
    epochs = steady_state_epochs(
        {solver: (solver.fit, X, y) for solver in (*solvers.values(), STABLE_SGD)}, *rounds_and_seconds(quick)
    )
    records = [
        speedup_record(label(data_set.name, X), epochs[solver], epochs[STABLE_SGD])
        | {"batch_size": n, "required_speedup": REQUIRED_SPEEDUPS_BY_BATCH_SIZE[n]}
        for n, solver in solvers.items()
    ]
    columns = {
        "data": text_column("data"),
        "batch_size": text_column("batch_size"),
        "RMSpropRegressor, ms": number_column("seconds", format_milliseconds),
        "speedup": number_column("ratio", format_ratio),
        "speedup of medians": number_column("ratio_of_medians", format_ratio),
        "required speedup": number_column("required_speedup", "{:g}".format),
    }
    note = "Speedup: the epoch time of SGDRegressor(penalty=None) divided by that of RMSpropRegressor; one core."
    return Table("Epoch time with small batches", note, columns, records)
