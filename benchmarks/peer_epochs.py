"""Time of an epoch of RMSpropRegressor and of other mini-batch RMSprop implementations.

The others are a loop in NumPy and, where they are installed, PyTorch and optax.
"""

from data import DATA_SETS, label
from epochs import rounds_and_seconds, speedup_record, steady_state_epochs
from peers import NUMPY_LOOP, OPTIONAL_PEERS, RMSPROP
from table import Table, format_milliseconds, format_ratio, number_column, text_column

PEERS = (NUMPY_LOOP, *OPTIONAL_PEERS)
# The peers are timed on this many rows, because they are slow; chosen so that the table takes a few minutes.
N_ROWS, N_ROWS_QUICK = 20_000, 2000


def measure(name, X, y, n_rows, quick):
    """Return the record of one data set: the epoch of RMSpropRegressor, and a record for each peer that can fit it.

    The peers are timed on the first ``n_rows`` rows, and their time is scaled to all rows. This can only favour the
    peers, because fewer rows fit better into the cache.
    """
    n_rows = min(n_rows, X.shape[0])
    peer_fits = {peer: (peer.fit, X[:n_rows], y[:n_rows]) for peer in PEERS if peer.can_fit(X)}
    epochs = steady_state_epochs({RMSPROP: (RMSPROP.fit, X, y)} | peer_fits, *rounds_and_seconds(quick))
    record = {"data": name, "seconds": epochs[RMSPROP].fastest, "median": epochs[RMSPROP].median}
    for peer in peer_fits:
        record[peer.name] = speedup_record(name, epochs[RMSPROP], epochs[peer].scaled(X.shape[0] / n_rows))
    return record


def make_table(quick, log):
    """Return the table of epochs."""
    n_rows = N_ROWS_QUICK if quick else N_ROWS
    records = []
    for data_set in DATA_SETS:
        X, y = data_set.load(quick)
        # With fewer rows, the fixed cost of a call would be a large part of the time.
        if X.shape[0] >= n_rows and any(peer.can_fit(X) for peer in PEERS):
            log(f"peer_epochs: {data_set.name}")
            records.append(measure(label(data_set.name, X), X, y, n_rows, quick))
    columns = {"data": text_column("data"), "RMSpropRegressor, ms": number_column("seconds", format_milliseconds)}
    columns |= {
        f"{peer.name}: ratio": number_column(peer.name, lambda record: format_ratio(record["ratio"])) for peer in PEERS
    }
    note = (
        "Time of an epoch of RMSpropRegressor with its defaults, and the ratio of the peer's epoch time to it: the "
        f"fastest rounds on one core. The peers are timed on {n_rows:,} rows, and their times scaled to all rows."
    )
    return Table("Epoch time of other mini-batch RMSprop implementations", note, columns, records)
