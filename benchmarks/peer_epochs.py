"""Epoch throughput of the other mini-batch peers: the NumPy loop, and where installed PyTorch and optax."""

from data import DATA_SETS, label
from epochs import record_of, settings, steady_epochs
from peers import EXTRAS, LOOP, OURS
from table import Table, figure, milliseconds, ratio, text

PEERS = (LOOP, *EXTRAS)
# Rows that the peers are measured on.
N_ROWS, N_ROWS_QUICK = 20_000, 2000


def compare(name, X, y, n_rows, quick):
    """Return the record of one data set: our epoch, and a record of each peer that can fit it.

    The slow peers see the first ``n_rows`` rows, and their time is scaled to all: fewer rows favour them, if anything.
    """
    n_rows = min(n_rows, X.shape[0])
    fits = {peer: (peer.fit, X[:n_rows], y[:n_rows]) for peer in PEERS if peer.can_fit(X)}
    epochs = steady_epochs({OURS: (OURS.fit, X, y)} | fits, *settings(quick))
    record = {"data": name, "seconds": epochs[OURS].fastest, "median": epochs[OURS].median}
    for peer in fits:
        record[peer.name] = record_of(name, epochs[OURS], epochs[peer].times(X.shape[0] / n_rows))
    return record


def report(quick, progress):
    """Return the table of epochs."""
    n_rows = N_ROWS_QUICK if quick else N_ROWS
    records = []
    for data_set in DATA_SETS:
        X, y = data_set.load(quick)
        # On very few rows it is the fixed costs of a call that would be measured.
        if X.shape[0] >= n_rows and any(peer.can_fit(X) for peer in PEERS):
            progress(f"peers: {data_set.name}")
            records.append(compare(label(data_set.name, X), X, y, n_rows, quick))
    columns = {"data": text("data"), "ours, ms": figure("seconds", milliseconds)}
    columns |= {peer.name: figure(peer.name, lambda epoch: ratio(epoch["ratio"])) for peer in PEERS}
    note = (
        "Times as long as ours (batches of 32, all defaults on) an epoch takes: ratio of the fastest rounds, one core. "
        f"The peers' times are measured on {n_rows:,} rows and scaled to all."
    )
    return Table("Epoch against other mini-batch fits", note, columns, records)
