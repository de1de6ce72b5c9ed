"""One call of partial_fit, against SGDRegressor's: what a stream costs where calls are short."""

from functools import partial
from statistics import median

from data import gaussian, label, zipf_csr
from sklearn.linear_model import SGDRegressor
from table import Table, figure, milliseconds, ratio, text
from timing import interleaved

from sklearn_rmsprop import RMSpropRegressor

CHUNKS = (32, 1000)
# Rows and columns of the sparse data.
SIZE, QUICK_SIZE = (300_000, 1 << 20), (30_000, 1 << 17)


def streams(quick):
    """Return ``{name: (X, y)}``: the rows that a model learned from before; the first of them come again."""
    return {
        "dense": gaussian(10_000, 50),
        # As of text whose words are hashed: the columns of all rows before are many times those of the next few.
        "sparse": zipf_csr(*(QUICK_SIZE if quick else SIZE), 33),
    }


def compare(name, X, y, n_rows, *, n_rounds, n_calls):
    """Return the record of calls of so many rows."""
    models = {"ours": RMSpropRegressor(random_state=0), "sgd": SGDRegressor(penalty=None, random_state=0)}
    chunk, targets = X[:n_rows], y[:n_rows]

    def call(model):
        for _ in range(n_calls):
            model.partial_fit(chunk, targets)

    for model in models.values():
        model.partial_fit(X, y)
    rounds = interleaved({name: partial(call, model) for name, model in models.items()}, n_rounds)
    return {
        "data": label(name, X),
        "n_rows": n_rows,
        "seconds": min(rounds["ours"]) / n_calls,
        "sgd_seconds": min(rounds["sgd"]) / n_calls,
        "ratio": min(rounds["sgd"]) / min(rounds["ours"]),
        "ratio_of_medians": median(rounds["sgd"]) / median(rounds["ours"]),
    }


def report(quick, progress):
    """Return the table of calls of partial_fit."""
    records = []
    for name, (X, y) in streams(quick).items():
        progress(f"streams: {name}")
        size = {"n_rounds": 3, "n_calls": 5} if quick else {"n_rounds": 7, "n_calls": 20}
        records.extend(compare(name, X, y, n_rows, **size) for n_rows in CHUNKS)
    columns = {
        "data": text("data"),
        "rows": text("n_rows"),
        "ours, ms": figure("seconds", milliseconds),
        "SGD, ms": figure("sgd_seconds", milliseconds),
        "times as fast": figure("ratio", ratio),
        "of medians": figure("ratio_of_medians", ratio),
    }
    note = "One call of partial_fit with so many rows, of a model that has learned from all rows of the data before."
    return Table("Calls of partial_fit", note, columns, records)
