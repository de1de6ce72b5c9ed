"""Time of one call of partial_fit of RMSpropRegressor and of SGDRegressor, for streams that arrive in small chunks."""

from functools import partial
from statistics import median

from data import gaussian, label, zipf_csr
from sklearn.linear_model import SGDRegressor
from table import Table, format_milliseconds, format_ratio, number_column, text_column
from timing import time_interleaved

from sklearn_rmsprop import RMSpropRegressor

# Rows of a call.
CHUNK_SIZES = (32, 1000)
# Rows and columns of the sparse data.
SPARSE_SHAPE, QUICK_SPARSE_SHAPE = (300_000, 1 << 20), (30_000, 1 << 17)


def earlier_data(quick):
    """Return ``{name: (X, y)}``: the data that the models have seen before the calls that are timed."""
    return {
        "dense": gaussian(10_000, 50),
        # As with a hashing vectorizer, a chunk has entries in only a few of the columns that have been seen so far.
        "sparse": zipf_csr(*(QUICK_SPARSE_SHAPE if quick else SPARSE_SHAPE), 33),
    }


def measure(name, X, y, chunk_size, *, n_rounds, n_calls):
    """Return the record of calls with ``chunk_size`` rows; every call has the first rows of the earlier data again."""
    models = {"rmsprop": RMSpropRegressor(random_state=0), "sgd": SGDRegressor(penalty=None, random_state=0)}
    X_chunk, y_chunk = X[:chunk_size], y[:chunk_size]

    def call(model):
        for _ in range(n_calls):
            model.partial_fit(X_chunk, y_chunk)

    for model in models.values():
        model.partial_fit(X, y)
    rounds = time_interleaved({name: partial(call, model) for name, model in models.items()}, n_rounds)
    return {
        "data": label(name, X),
        "n_rows": chunk_size,
        "seconds": min(rounds["rmsprop"]) / n_calls,
        "sgd_seconds": min(rounds["sgd"]) / n_calls,
        "ratio": min(rounds["sgd"]) / min(rounds["rmsprop"]),
        "ratio_of_medians": median(rounds["sgd"]) / median(rounds["rmsprop"]),
    }


def make_table(quick, log):
    """Return the table of calls of partial_fit."""
    records = []
    for name, (X, y) in earlier_data(quick).items():
        log(f"streams: {name}")
        effort = {"n_rounds": 3, "n_calls": 5} if quick else {"n_rounds": 7, "n_calls": 20}
        records.extend(measure(name, X, y, chunk_size, **effort) for chunk_size in CHUNK_SIZES)
    columns = {
        "earlier data": text_column("data"),
        "rows per call": text_column("n_rows"),
        "RMSpropRegressor, ms": number_column("seconds", format_milliseconds),
        "SGDRegressor, ms": number_column("sgd_seconds", format_milliseconds),
        "speedup": number_column("ratio", format_ratio),
        "speedup of medians": number_column("ratio_of_medians", format_ratio),
    }
    note = (
        "Time of one call of partial_fit by a model that has been fitted to the earlier data. Speedup: the time of "
        "SGDRegressor divided by that of RMSpropRegressor."
    )
    return Table("Calls of partial_fit", note, columns, records)
