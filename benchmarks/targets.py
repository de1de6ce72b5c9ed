"""Time of one fit to several targets, and of a separate fit to each of them."""

from statistics import median

import numpy as np
from data import gaussian, label
from table import Table, format_milliseconds, format_ratio, number_column, text_column
from timing import time_interleaved

from sklearn_rmsprop import RMSpropRegressor

N_TARGETS = (16, 64)
N_EPOCHS = 3
# The coefficients of both ways must agree to this relative difference. They follow the same steps, so they differ by
# float64 rounding errors only, which grow with every step; N_EPOCHS is small for this reason.
MAX_DIFFERENCE = 1e-6


def make_targets(X, n_targets):
    """Return targets that are different linear functions of the features, plus noise of the same variance."""
    rng = np.random.default_rng(0)
    signal = X @ rng.standard_normal((X.shape[1], n_targets))
    return signal / signal.std(axis=0) + rng.standard_normal(signal.shape)


def measure(X, Y, n_rounds):
    """Return the record of one number of targets."""
    models = {"joint": None, "separate": None}
    columns = [np.ascontiguousarray(y) for y in Y.T]

    def fit(y):
        return RMSpropRegressor(batch_size=256, max_iter=N_EPOCHS, tol=None, random_state=0).fit(X, y)

    def fit_jointly():
        models["joint"] = fit(Y)

    def fit_separately():
        models["separate"] = [fit(y) for y in columns]

    rounds = time_interleaved({"joint": fit_jointly, "separate": fit_separately}, n_rounds)
    coef = np.array([model.coef_ for model in models["separate"]])
    return {
        "data": label("dense", X),
        "n_targets": Y.shape[1],
        "seconds": min(rounds["joint"]),
        "ratio": min(rounds["separate"]) / min(rounds["joint"]),
        "ratio_of_medians": median(rounds["separate"]) / median(rounds["joint"]),
        "difference": float(np.abs(models["joint"].coef_ - coef).max() / np.abs(coef).max()),
    }


def make_table(quick, log):
    """Return the table of fits to several targets."""
    X, _ = gaussian(10_000 if quick else 100_000, 50)
    records = []
    for n_targets in N_TARGETS:
        log(f"targets: {n_targets}")
        records.append(measure(X, make_targets(X, n_targets), 2 if quick else 5))
    columns = {
        "data": text_column("data"),
        "targets": text_column("n_targets"),
        "joint fit, ms": number_column("seconds", format_milliseconds),
        "speedup": number_column("ratio", format_ratio),
        "speedup of medians": number_column("ratio_of_medians", format_ratio),
        "relative difference of coef_": number_column("difference", "{:.0e}".format),
        f"at most {MAX_DIFFERENCE:g}": number_column(
            "difference", lambda value: "yes" if value <= MAX_DIFFERENCE else "no"
        ),
    }
    note = (
        f"One joint fit to all targets and a separate fit to each, with batches of 256 rows and {N_EPOCHS} epochs on "
        "one core. Speedup: the time of all separate fits divided by that of the joint fit. The difference is the "
        "largest absolute difference of a coefficient, relative to the largest absolute coefficient."
    )
    return Table("Several targets", note, columns, records)
