"""Time and excess loss of whole fits with the defaults, including the stopping rule: RMSpropRegressor and its peers."""

from dataclasses import dataclass
from statistics import median

import numpy as np
import scipy.sparse
from data import DATA_SETS, HARD_DATA_SETS, label
from optimum import Problem, problem_of
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor
from table import (
    DIVERGED,
    ROUNDING_ERROR,
    Table,
    format_excess_loss,
    format_milliseconds,
    format_ratio,
    number_column,
    text_column,
)
from timing import time_interleaved

from sklearn_rmsprop import RMSpropRegressor

# Functions from a seed to an unfitted model.
MODELS = {
    "rmsprop": lambda seed: RMSpropRegressor(random_state=seed),
    "sgd": lambda seed: SGDRegressor(random_state=seed),
    "averaged_sgd": lambda seed: SGDRegressor(average=True, random_state=seed),
    "least_squares": lambda seed: LinearRegression(),
    "ridge": lambda seed: Ridge(),
}
# Short names for the headings, because each model has two or three columns.
HEADINGS = {
    "rmsprop": "RMSprop",
    "sgd": "SGD",
    "averaged_sgd": "averaged SGD",
    "least_squares": "least squares",
    "ridge": "Ridge",
}
# These do not depend on the seed, so they are fitted for the first seed only. They are not fitted to sparse data, where
# they are too slow.
DIRECT = ("least_squares", "ridge")


@dataclass(frozen=True)
class Outcome:
    """The fits of one model with one seed: excess loss, number of epochs, and the seconds of each round."""

    excess_loss: float
    n_epochs: int | None
    seconds: list


def fit_models(names, seed, problem: Problem, n_rounds, max_seconds):
    """Return ``{name: Outcome}`` of the selected models for one seed; their fits are interleaved."""
    models = {name: MODELS[name](seed) for name in names}
    diverged = set()

    def fit(name):
        try:
            models[name].fit(problem.X, problem.y)
        except ValueError as error:
            # SGDRegressor raises this if it diverges.
            if "overflow" not in str(error):
                raise
            diverged.add(name)

    rounds = time_interleaved({name: lambda name=name: fit(name) for name in names}, n_rounds, max_seconds=max_seconds)
    return {
        name: Outcome(np.inf, None, rounds[name])
        if name in diverged
        else Outcome(problem.excess_loss(models[name]), getattr(models[name], "n_iter_", None), rounds[name])
        for name in names
    }


def measure(name, problem: Problem, n_seeds, n_rounds, max_seconds):
    """Return the record of one data set.

    For each model it has the largest excess loss of all seeds, the number of epochs for each seed, and the medians over
    the seeds of the fastest round and of the median round.
    """
    outcomes = {model: [] for model in MODELS if model not in DIRECT or not scipy.sparse.issparse(problem.X)}
    for seed in range(n_seeds):
        # A model that has diverged is not fitted again: its largest excess loss is known, and its fits take long.
        selected = [
            model
            for model, earlier in outcomes.items()
            if all(outcome.excess_loss < DIVERGED for outcome in earlier) and not (earlier and model in DIRECT)
        ]
        for model, outcome in fit_models(selected, seed, problem, n_rounds, max_seconds).items():
            outcomes[model].append(outcome)
    record = {"data": label(name, problem.X)}
    for model, of_model in outcomes.items():
        record[model] = {
            "excess_loss": max(outcome.excess_loss for outcome in of_model),
            "epochs": [outcome.n_epochs for outcome in of_model],
            "seconds": median(min(outcome.seconds) for outcome in of_model),
            "median": median(median(outcome.seconds) for outcome in of_model),
        }
    rmsprop, sgd = record["rmsprop"], record["sgd"]
    if sgd["excess_loss"] < DIVERGED:
        record |= {
            "ratio": sgd["seconds"] / rmsprop["seconds"],
            "ratio_of_medians": sgd["median"] / rmsprop["median"],
            # The lower bound avoids a division by an excess loss that is only a rounding error.
            "ratio_of_excess_losses": sgd["excess_loss"] / max(rmsprop["excess_loss"], ROUNDING_ERROR),
        }
    return record


def format_epochs(entry):
    """Return the range of the numbers of epochs over the seeds; empty if a fit has diverged."""
    if None in entry["epochs"]:
        return ""
    fewest, most = min(entry["epochs"]), max(entry["epochs"])
    return str(fewest) if fewest == most else f"{fewest}..{most}"


def make_table(quick, log):
    """Return the table of whole fits with the defaults."""
    n_seeds, n_rounds, max_seconds = (2, 2, 0.5) if quick else (5, 5, 2.0)
    records = []
    for data_set in (*DATA_SETS, *HARD_DATA_SETS):
        log(f"fits: {data_set.name}")
        records.append(measure(data_set.name, problem_of(data_set, quick), n_seeds, n_rounds, max_seconds))

    columns = {"data": text_column("data")}
    for model, heading in HEADINGS.items():
        columns[f"{heading}: excess loss"] = number_column(
            model, lambda entry: format_excess_loss(entry["excess_loss"])
        )
        if model not in DIRECT:
            columns[f"{heading}: epochs"] = number_column(model, format_epochs)
        columns[f"{heading}: ms"] = number_column(model, lambda entry: format_milliseconds(entry["seconds"]))
    columns |= {
        "speedup": number_column("ratio", format_ratio),
        "speedup of medians": number_column("ratio_of_medians", format_ratio),
        "ratio of excess losses": number_column("ratio_of_excess_losses", format_ratio),
    }
    note = (
        "RMSprop: RMSpropRegressor(). SGD: SGDRegressor(). Averaged SGD: SGDRegressor(average=True). Least squares: "
        "LinearRegression(). All on one core. Excess loss: (loss - optimal loss) / (null loss - optimal loss) on the "
        f"training rows, the largest of {n_seeds} seeds. Milliseconds: the fastest round of each seed, and of these "
        "the median. Speedup and ratio of excess losses: the time and the excess loss of SGDRegressor() divided by "
        "those of RMSpropRegressor()."
    )
    return Table("Whole fits with the defaults", note, columns, records)
