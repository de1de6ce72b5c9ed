"""Several targets in one pass over the rows, against as many fits."""

from statistics import median

import numpy as np
from data import gaussian, label
from table import Table, figure, milliseconds, ratio, text
from timing import interleaved

from sklearn_rmsprop import RMSpropRegressor

N_TARGETS = (16, 64)
N_EPOCHS = 3
AGREEMENT = 1e-6


def make_targets(X, n_targets):
    """Return targets that are different linear functions of the features, with noise of the same variance."""
    rng = np.random.default_rng(0)
    signal = X @ rng.standard_normal((X.shape[1], n_targets))
    return signal / signal.std(axis=0) + rng.standard_normal(signal.shape)


def compare(X, Y, n_rounds):
    """Return the record of one number of targets."""
    models = {"together": None, "apart": None}

    def fit(y):
        return RMSpropRegressor(batch_size=256, max_iter=N_EPOCHS, tol=None, random_state=0).fit(X, y)

    def together():
        models["together"] = fit(Y)

    columns = [np.ascontiguousarray(y) for y in Y.T]

    def apart():
        models["apart"] = [fit(y) for y in columns]

    rounds = interleaved({"together": together, "apart": apart}, n_rounds)
    coef = np.array([model.coef_ for model in models["apart"]])
    return {
        "data": label("dense", X),
        "n_targets": Y.shape[1],
        "seconds": min(rounds["together"]),
        "ratio": min(rounds["apart"]) / min(rounds["together"]),
        "ratio_of_medians": median(rounds["apart"]) / median(rounds["together"]),
        "difference": float(np.abs(models["together"].coef_ - coef).max() / np.abs(coef).max()),
    }


def report(quick, progress):
    """Return the table of several targets."""
    X, _ = gaussian(10_000 if quick else 100_000, 50)
    records = []
    for n_targets in N_TARGETS:
        progress(f"targets: {n_targets}")
        records.append(compare(X, make_targets(X, n_targets), 2 if quick else 5))
    columns = {
        "data": text("data"),
        "targets": text("n_targets"),
        "in one pass, ms": figure("seconds", milliseconds),
        "times as fast": figure("ratio", ratio),
        "of medians": figure("ratio_of_medians", ratio),
        "coefficients differ by": figure("difference", "{:.0e}".format),
        f"at most {AGREEMENT:g}": figure("difference", lambda value: "yes" if value <= AGREEMENT else "no"),
    }
    note = (
        f"One fit to all targets against one fit to each, batches of 256, {N_EPOCHS} epochs, one core. The difference "
        "is the largest of the coefficients', relative to the largest coefficient."
    )
    return Table("Several targets", note, columns, records)
