"""Time of two fits in two Python threads: the kernel releases the global interpreter lock, so they run in parallel."""

from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
from data import gaussian, label
from table import Table, format_milliseconds, number_column, text_column
from timing import ALLOWED_CORES, all_cores, time_interleaved, wall_clock

from sklearn_rmsprop import RMSpropRegressor

SHAPES = ((20_000, 20), (200_000, 50))


def measure(X, y, n_rounds):
    """Return the record of one data set.

    Sorting with NumPy also releases the lock. Two sorts in two threads show what slowdown comes from the machine, for
    example because other processes use the second core.
    """
    numbers = y.repeat(5)

    def fit(seed=0):
        RMSpropRegressor(max_iter=10, tol=None, random_state=seed).fit(X, y)

    def sort(_=0):
        np.sort(numbers)

    with ThreadPoolExecutor(2) as pool:

        def in_two_threads(function):
            return lambda: list(pool.map(function, range(2)))

        functions = {
            "one fit": fit,
            "two fits": in_two_threads(fit),
            "one sort": sort,
            "two sorts": in_two_threads(sort),
        }
        rounds = time_interleaved(functions, n_rounds, wall_clock)
    return {
        "data": label("dense", X),
        "one_fit": min(rounds["one fit"]),
        "two_fits": min(rounds["two fits"]),
        "ratio": min(rounds["two fits"]) / min(rounds["one fit"]),
        "ratio_of_medians": median(rounds["two fits"]) / median(rounds["one fit"]),
        "ratio_of_sorts": min(rounds["two sorts"]) / min(rounds["one sort"]),
    }


def make_table(quick, log):
    """Return the table of fits in two threads; it has no rows if there is only one core."""
    log("threads")
    records = []
    if len(ALLOWED_CORES) > 1:
        with all_cores():
            records = [measure(*gaussian(*shape), 5 if quick else 15) for shape in SHAPES]
    columns = {
        "data": text_column("data"),
        "one fit, ms": number_column("one_fit", format_milliseconds),
        "two fits in two threads, ms": number_column("two_fits", format_milliseconds),
        "ratio": number_column("ratio", "{:.2f}".format),
        "ratio of medians": number_column("ratio_of_medians", "{:.2f}".format),
        "ratio of two sorts to one": number_column("ratio_of_sorts", "{:.2f}".format),
    }
    note = (
        "Wall time of fits of ten epochs. Ratio: the time of two fits in two threads divided by that of one fit; 1 if "
        "they run in parallel, 2 if they run one after the other. The last column is the same ratio for np.sort, which "
        "shows how much of two cores was available on this machine."
    )
    return Table("Two threads", note, columns, records)
