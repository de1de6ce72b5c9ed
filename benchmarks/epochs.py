"""Epoch throughput: the steady-state epoch of RMSpropRegressor against that of SGDRegressor.

A steady-state epoch is (time of a fit with many epochs - time of a fit with one) / (difference in
epochs): validation, column statistics and every other fixed cost cancel. Both fits see the same
arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from statistics import median

import numpy as np
import scipy.sparse
from data import diamonds_all_columns, diamonds_carat, gaussian, zipf_csr
from sklearn.linear_model import SGDRegressor
from table import markdown, milliseconds
from timing import interleaved, read_bandwidth, seconds

from sklearn_rmsprop import RMSpropRegressor


@dataclass(frozen=True)
class Case:
    """A data set, and how many times the peer's speed is asked for."""

    name: str
    build: Callable
    target: float


CASES = (
    Case("diamonds 54k x 1", diamonds_carat, 7),
    Case("diamonds 54k x 26", diamonds_all_columns, 6),
    Case("1M x 50", partial(gaussian, 1_000_000, 50), 3),
    Case("1M x 50 float32", partial(gaussian, 1_000_000, 50, np.float32), 6),
    Case("20k x 2000", partial(gaussian, 20_000, 2000), 2.5),
    Case("20k x 2000 float32", partial(gaussian, 20_000, 2000, np.float32), 2.5),
    Case("CSR 300k x 50k, 30 per row", partial(zipf_csr, 300_000, 50_000, 33), 1),
)
HEADER = (
    "case, batch 32",
    "ours ms",
    "SGD ms",
    "ratio of fastest",
    "of medians",
    "target",
    "met",
    "one read ms",
    "read / our epoch",
)


def rmsprop(X, y, n_epochs):
    """Fit ours with all defaults on, for exactly so many epochs."""
    RMSpropRegressor(max_iter=n_epochs, tol=None, random_state=0).fit(X, y)


def sgd(X, y, n_epochs):
    """Fit the peer for exactly so many epochs.

    Its default step diverges once a row's squared norm passes 2 / eta0, and then it stops with an
    error. The step's size does not change the time of an epoch, so wide rows get a smaller one.
    """
    eta0 = min(0.01, 0.5 / X.shape[1])
    model = SGDRegressor(penalty=None, eta0=eta0, max_iter=n_epochs, tol=None, random_state=0)
    model.fit(X, y)


CONTENDERS = {"ours": rmsprop, "sgd": sgd}


def enough_epochs(fit, X, y, span):
    """Return how many epochs after the first take about ``span`` seconds (at least two)."""
    n_extra = 2
    while True:
        # A difference of short fits is noisy: refined until the span is of the right size.
        taken = seconds(partial(fit, X, y, 1 + n_extra)) - seconds(partial(fit, X, y, 1))
        if taken >= 0.5 * span:
            return max(2, ceil(n_extra * span / taken))
        n_extra = ceil(n_extra * min(20, max(2, span / max(taken, 1e-9))))


def steady_epochs(X, y, n_rounds, span):
    """Return ``{contender: (fastest, median)}`` seconds of a steady-state epoch."""
    extra = {name: enough_epochs(fit, X, y, span) for name, fit in CONTENDERS.items()}
    fits = {}
    for name, fit in CONTENDERS.items():
        fits[name, "one"] = partial(fit, X, y, 1)
        fits[name, "many"] = partial(fit, X, y, 1 + extra[name])
    measured = interleaved(fits, n_rounds)
    epochs = {}
    for name in CONTENDERS:
        # The fastest of each, then the difference: the smallest difference would be that of the
        # round whose short fit was slowest.
        one, many = measured[name, "one"], measured[name, "many"]
        epochs[name] = (
            (min(many) - min(one)) / extra[name],
            (median(many) - median(one)) / extra[name],
        )
    return epochs


def size_in_bytes(X):
    """Return what a pass over the features reads."""
    if scipy.sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    return X.nbytes


def report(quick, progress):
    """Return the table of epoch throughput as Markdown."""
    n_rounds, span = (3, 0.2) if quick else (9, 0.6)
    bandwidth = read_bandwidth()
    rows = []
    for case in CASES:
        progress(f"epochs: {case.name}")
        X, y = case.build()
        epochs = steady_epochs(X, y, n_rounds, span)
        (ours, ours_median), (peer, peer_median) = epochs["ours"], epochs["sgd"]
        one_read = size_in_bytes(X) / bandwidth
        rows.append(
            (
                case.name,
                milliseconds(ours),
                milliseconds(peer),
                f"{peer / ours:.1f}",
                f"{peer_median / ours_median:.1f}",
                f"{case.target:g}",
                "yes" if peer / ours >= case.target else "no",
                milliseconds(one_read),
                f"{one_read / ours:.2f}",
            )
        )
    return (
        "## Epoch throughput against SGDRegressor(penalty=None)\n\n"
        f"One core reads memory in sequence at {bandwidth / 1e9:.1f} GB/s.\n\n" + markdown(HEADER, rows)
    )
