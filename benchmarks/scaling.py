"""Time of an epoch per row and column, from ten thousand to ten million rows."""

from data import gaussian, label
from epochs import rounds_and_seconds, steady_state_epochs
from peers import RMSPROP, STABLE_SGD
from table import Table, format_ratio, number_column, text_column

N_COLUMNS = 10
# The numbers of rows are these powers of ten.
POWERS, QUICK_POWERS = range(4, 8), range(4, 7)


def make_table(quick, log):
    """Return the table of the epoch time per row and column by the number of rows."""
    records = []
    for power in QUICK_POWERS if quick else POWERS:
        log(f"scaling: 1e{power} rows")
        X, y = gaussian(10**power, N_COLUMNS)
        fits = {solver: (solver.fit, X, y) for solver in (RMSPROP, STABLE_SGD)}
        epochs = steady_state_epochs(fits, *rounds_and_seconds(quick))
        rmsprop, sgd = epochs[RMSPROP], epochs[STABLE_SGD]
        nanoseconds = rmsprop.fastest * 1e9 / X.size
        records.append(
            {
                "data": label("dense", X),
                "nanoseconds": nanoseconds,
                "nanoseconds_of_median": rmsprop.median * 1e9 / X.size,
                "growth": nanoseconds / records[0]["nanoseconds"] if records else 1.0,
                "ratio": sgd.fastest / rmsprop.fastest,
                "ratio_of_medians": sgd.median / rmsprop.median,
            }
        )
    columns = {
        "data": text_column("data"),
        "ns per row and column": number_column("nanoseconds", "{:.2f}".format),
        "relative to the first line": number_column("growth", "{:.2f}".format),
        "speedup": number_column("ratio", format_ratio),
        "speedup of medians": number_column("ratio_of_medians", format_ratio),
    }
    note = (
        "Steady-state epoch of RMSpropRegressor with its defaults, one core. Speedup: the epoch time of "
        "SGDRegressor(penalty=None) divided by that of RMSpropRegressor."
    )
    return Table("Epoch time per row and column", note, columns, records)
