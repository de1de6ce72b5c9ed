"""Two Python threads that fit at once, against one: the kernel works without the interpreter's lock."""

from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
from data import gaussian, label
from table import Table, figure, milliseconds, text
from timing import ALLOWED, all_cores, interleaved, wall_clock

from sklearn_rmsprop import RMSpropRegressor

SHAPES = ((20_000, 20), (200_000, 50))


def compare(X, y, n_rounds):
    """Return the record of one data set, with sorting as a measure of what the machine's two cores give just now."""
    numbers = y.repeat(5)

    def fit(seed=0):
        RMSpropRegressor(max_iter=10, tol=None, random_state=seed).fit(X, y)

    def sort(_=0):
        np.sort(numbers)

    with ThreadPoolExecutor(2) as pool:

        def twice(function):
            return lambda: list(pool.map(function, range(2)))

        work = {"one": fit, "two": twice(fit), "one sort": sort, "two sorts": twice(sort)}
        rounds = interleaved(work, n_rounds, wall_clock)
    return {
        "data": label("dense", X),
        "one": min(rounds["one"]),
        "two": min(rounds["two"]),
        "ratio": min(rounds["two"]) / min(rounds["one"]),
        "ratio_of_medians": median(rounds["two"]) / median(rounds["one"]),
        "ratio_of_sorts": min(rounds["two sorts"]) / min(rounds["one sort"]),
    }


def report(quick, progress):
    """Return the table of two threads, without rows where there is one core only."""
    progress("threads")
    records = []
    if len(ALLOWED) > 1:
        with all_cores():
            records = [compare(*gaussian(*shape), 5 if quick else 15) for shape in SHAPES]
    columns = {
        "data": text("data"),
        "one fit, ms": figure("one", milliseconds),
        "two at once, ms": figure("two", milliseconds),
        "ratio of fastest": figure("ratio", "{:.2f}".format),
        "of medians": figure("ratio_of_medians", "{:.2f}".format),
        "of np.sort": figure("ratio_of_sorts", "{:.2f}".format),
    }
    note = (
        "Fits of ten epochs by the clock on the wall: 1 is two cores fully used, 2 is one after the other. The last "
        "column is the same ratio of two sorts, which shows how much of two cores the machine had to give."
    )
    return Table("Two threads", note, columns, records)
