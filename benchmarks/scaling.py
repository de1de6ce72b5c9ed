"""Cost of an epoch per row and feature, from ten thousand rows to ten million."""

from data import gaussian, label
from epochs import settings, steady_epochs
from peers import OURS, SGD
from table import Table, figure, ratio, text

N_COLUMNS = 10
POWERS, QUICK_POWERS = range(4, 8), range(4, 7)


def report(quick, progress):
    """Return the table of cost against the number of rows."""
    records = []
    for power in QUICK_POWERS if quick else POWERS:
        progress(f"scaling: 1e{power} rows")
        X, y = gaussian(10**power, N_COLUMNS)
        epochs = steady_epochs({peer: (peer.fit, X, y) for peer in (OURS, SGD)}, *settings(quick))
        nanoseconds = epochs[OURS].fastest * 1e9 / X.size
        records.append(
            {
                "data": label("dense", X),
                "nanoseconds": nanoseconds,
                "of_median": epochs[OURS].median * 1e9 / X.size,
                "growth": nanoseconds / records[0]["nanoseconds"] if records else 1.0,
                "ratio": epochs[SGD].fastest / epochs[OURS].fastest,
                "ratio_of_medians": epochs[SGD].median / epochs[OURS].median,
            }
        )
    columns = {
        "data": text("data"),
        "ns a row and feature": figure("nanoseconds", "{:.2f}".format),
        "against the fewest rows": figure("growth", "{:.2f}".format),
        "SGD's epoch / ours": figure("ratio", ratio),
        "of medians": figure("ratio_of_medians", ratio),
    }
    return Table("Cost per row and feature", "A steady-state epoch with all defaults on, one core.", columns, records)
