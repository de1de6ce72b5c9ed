"""Whole fits with every default, stopping rule included, beside those of scikit-learn."""

from dataclasses import dataclass
from statistics import median

import numpy as np
import scipy.sparse
from data import DATA_SETS, HARD_DATA_SETS, label
from optimum import Problem, problem_of
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from table import DIVERGED, Table, figure, milliseconds, missed, ratio, text
from timing import interleaved

from sklearn_rmsprop import RMSpropRegressor

MODELS = {
    "ours": lambda seed: RMSpropRegressor(random_state=seed),
    "sgd": lambda seed: SGDRegressor(random_state=seed),
    "averaged": lambda seed: SGDRegressor(average=True, random_state=seed),
    "least_squares": lambda seed: LinearRegression(),
    "ridge": lambda seed: Ridge(),
}
# Need no seed. On the sparse data set they take a minute.
EXACT = ("least_squares", "ridge")


@dataclass(frozen=True)
class Outcome:
    """One seed: what it missed, its epochs, and the seconds of its rounds."""

    missed: float
    n_epochs: int | None
    seconds: list


def fit_seed(names, seed, problem: Problem, n_rounds, enough):
    """Return ``{name: Outcome}``, the models taking turns."""
    models = {name: MODELS[name](seed) for name in names}
    failed = set()

    def fit(name):
        try:
            models[name].fit(problem.X, problem.y)
        except ValueError as error:
            if "overflow" not in str(error):
                raise
            failed.add(name)

    rounds = interleaved({name: lambda name=name: fit(name) for name in names}, n_rounds, enough=enough)
    return {
        name: Outcome(np.inf, None, rounds[name])
        if name in failed
        else Outcome(problem.missed(models[name]), getattr(models[name], "n_iter_", None), rounds[name])
        for name in names
    }


def compare(name, problem: Problem, n_seeds, n_rounds, enough):
    """Return the record of one data set: the worst miss of all seeds, the median of their fastest rounds."""
    outcomes = {model: [] for model in MODELS if model not in EXACT or not scipy.sparse.issparse(problem.X)}
    for seed in range(n_seeds):
        # A model that diverged is not tried again: its worst seed is known, and such a fit may take a minute.
        going = [
            model
            for model, past in outcomes.items()
            if all(one.missed < DIVERGED for one in past) and not (past and model in EXACT)
        ]
        for model, outcome in fit_seed(going, seed, problem, n_rounds, enough).items():
            outcomes[model].append(outcome)
    record = {"data": label(name, problem.X)}
    for model, results in outcomes.items():
        record[model] = {
            "missed": max(one.missed for one in results),
            "epochs": [one.n_epochs for one in results],
            "seconds": median(min(one.seconds) for one in results),
            "median": median(median(one.seconds) for one in results),
        }
    ours, sgd = record["ours"], record["sgd"]
    if sgd["missed"] < DIVERGED:
        record |= {
            "ratio": sgd["seconds"] / ours["seconds"],
            "ratio_of_medians": sgd["median"] / ours["median"],
            # Below rounding there is no nearer.
            "nearer": sgd["missed"] / max(ours["missed"], 1e-12),
        }
    return record


def epochs_of(result):
    """Return the range over the seeds."""
    if None in result["epochs"]:
        return ""
    low, high = min(result["epochs"]), max(result["epochs"])
    return str(low) if low == high else f"{low}..{high}"


def report(quick, progress):
    """Return the table of whole default fits."""
    n_seeds, n_rounds, enough = (2, 2, 0.5) if quick else (5, 5, 2.0)
    records = []
    for data_set in (*DATA_SETS, *HARD_DATA_SETS):
        progress(f"fits: {data_set.name}")
        records.append(compare(data_set.name, problem_of(data_set, quick), n_seeds, n_rounds, enough))

    def of(model, show):
        return lambda record: show(record[model]) if model in record else ""

    columns = {"data": text("data")}
    for model, name in zip(MODELS, ("ours", "SGD", "averaged", "exact", "Ridge"), strict=True):
        columns[f"{name}: missed"] = of(model, lambda result: missed(result["missed"]))
        if model not in EXACT:
            columns[f"{name}: epochs"] = of(model, epochs_of)
        columns[f"{name}: ms"] = of(model, lambda result: milliseconds(result["seconds"]))
    columns |= {
        "times as fast": figure("ratio", ratio),
        "of medians": figure("ratio_of_medians", ratio),
        "times nearer": figure("nearer", ratio),
    }
    note = (
        "RMSpropRegressor(), SGDRegressor(), SGDRegressor(average=True), LinearRegression() and Ridge(), whole fits "
        "with every default, on one core; the ratios are to SGDRegressor(). Missed: the fraction of the explainable "
        f"variance, worst of {n_seeds} seeds; milliseconds: the fastest round of each seed, the median "
        "of the seeds."
    )
    return Table("Whole fits with the defaults", note, columns, records)
