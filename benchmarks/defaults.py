"""Measure what each default does to a fit, and where the defaults fail: the tables of docs/defaults.md.

    python benchmarks/defaults.py                    # all tables, a few minutes
    python benchmarks/defaults.py --only failures    # only this table; the others are listed below

It needs the same packages as run.py. The accuracy of a fit is its excess loss, which optimum.py defines: 0 is the
least-squares solution, 1 is predicting the mean. Times are CPU seconds on one core.

*settings*: each default changed on its own, and RMSprop as textbooks give it, on several data sets.
*failures*: data on which the defaults do badly, and models that do better; the cases are in failures.py.
*collinear*: which of the many solutions a fit converges to if columns are linearly dependent.
*memory*: the bias of the predictions if ``decay_rate`` averages few squared gradients and the target is skewed.
*streams*: the errors on a stream whose gradients change in scale, by ``decay_rate``.
*exact*: the time of a fit and of direct least-squares solvers.
"""

import argparse
import math
import sys
from functools import partial

import numpy as np
import scipy.sparse
from data import (
    autoregressive,
    diabetes,
    diamonds_all_columns,
    diamonds_carat,
    gaussian,
    large_column_means,
    large_target,
    linear_target,
    mixed_scales,
    zipf_csr,
)
from failures import failures_table
from optimum import Problem
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler
from table import format_compact, format_milliseconds, format_params, markdown_table
from timing import one_core, time_call

from sklearn_rmsprop import RMSpropRegressor

SEEDS = range(3)

SETTINGS = (
    {},
    {"learning_rate": 0.02},
    {"learning_rate": 0.5},
    {"decay_rate": 0.9},
    {"decay_rate": 0.99},
    {"decay_rate": 0.999},
    {"epsilon": 0.01},
    {"momentum": 0.9},
    {"centered": True},
    {"bias_correction": False},
    {"schedule": "constant"},
    {"schedule": "linear", "tol": None, "max_iter": 10},
    {"average": False},
    {"average": False, "schedule": "constant"},
    {"batch_size": 8},
    {"batch_size": 256},
    {"tol": 1e-3},
    {"tol": 1e-5},
    {"n_iter_no_change": 2},
    {"shuffle": False},
    {"standardize": False},
)
# RMSprop as textbooks give it: a constant step size, no averaging, no stopping rule, rows of a batch drawn evenly.
BATCH_SIZE = 32
TEXTBOOK = {
    "batch_size": BATCH_SIZE,
    "learning_rate": 0.01,
    "decay_rate": 0.9,
    "schedule": "constant",
    "average": False,
    "bias_correction": False,
    "standardize": False,
    "tol": None,
}
# It runs for at least this many epochs, and on small data for at least this many steps. Both are chosen so that it runs
# longer than the defaults on all data sets.
TEXTBOOK_EPOCHS, TEXTBOOK_STEPS = 50, 5000


def heavy_tailed_noise(n_rows, n_columns):
    """Return normal columns and a target; half of its variance is noise with Student's t(3) distribution."""
    X, y = gaussian(n_rows, n_columns, noise=0.0)
    return X, y + np.random.default_rng(0).standard_t(3, n_rows) / math.sqrt(3)


def log_normal_columns(n_rows, n_columns):
    """Return log-normal columns (sigma 2), whose variance comes mostly from about one entry in a hundred."""
    rng = np.random.default_rng(0)
    X = rng.lognormal(sigma=2, size=(n_rows, n_columns))
    X /= X.std(axis=0)
    return X, linear_target(rng, X)


# Two groups, one for each table of settings, because a single table would be too wide to read.
SETTINGS_DATA_SETS = (
    {
        "diamonds, carat": diamonds_carat,
        "diamonds, all columns": diamonds_all_columns,
        "diabetes": diabetes,
        "tiny": partial(gaussian, 50, 5),
        "AR(0.95)": partial(autoregressive, 50_000, 50, 0.95),
        "CSR": partial(zipf_csr, 50_000, 1000, 33),
    },
    {
        "column scales 1e-2..1e2": partial(mixed_scales, 50_000, 30),
        "y of mean 1e5, sd 1e4": partial(large_target, 50_000, 20),
        "column means of 100 sd": partial(large_column_means, 50_000, 20),
        "t(3) noise": partial(heavy_tailed_noise, 50_000, 20),
        "log-normal columns": partial(log_normal_columns, 50_000, 20),
        "CSR with rare columns": partial(zipf_csr, 60_000, 20_000, 33),
    },
)


def standardised(problem):
    """Return the problem with X and y divided by their standard deviations and, except for sparse X, centred."""
    X = StandardScaler(with_mean=not scipy.sparse.issparse(problem.X)).fit_transform(problem.X)
    scale = problem.y.std()
    return Problem(X, (problem.y - problem.y.mean()) / scale, problem.optimal_mse / scale**2)


def format_fits(problem, params):
    """Fit once for each seed; return the largest excess loss and, in brackets, the largest number of epochs."""
    models = [RMSpropRegressor(random_state=seed, **params).fit(problem.X, problem.y) for seed in SEEDS]
    return f"{format_compact(max(map(problem.excess_loss, models)))} ({max(model.n_iter_ for model in models)})"


def settings_column(name, build, log):
    """Return the heading and the cells of one data set."""
    log(f"settings: {name}")
    problem = Problem.of(*build())
    n_rows, n_columns = problem.X.shape
    textbook = TEXTBOOK | {"max_iter": max(TEXTBOOK_EPOCHS, math.ceil(TEXTBOOK_STEPS * BATCH_SIZE / n_rows))}
    cells = [format_fits(problem, params) for params in SETTINGS]
    cells += [format_fits(standardised(problem), textbook), format_fits(problem, textbook)]
    return [f"{name}, {n_rows} x {n_columns}", *cells]


def settings_tables(log):
    """Return the tables with a row for each setting and a column for each data set."""
    first_column = ["setting", *map(format_params, SETTINGS), "textbook, standardised data", "textbook, raw data"]
    tables = []
    for data_sets in SETTINGS_DATA_SETS:
        columns = [settings_column(name, build, log) for name, build in data_sets.items()]
        header, *rows = zip(first_column, *columns, strict=True)
        tables.append(markdown_table(header, rows))
    title = "## Each default changed on its own: largest excess loss of three seeds (and most epochs)"
    return "\n\n".join([title, *tables])


def collinear_table(log):
    """Return the table of the solutions for the diamonds, whose 26 columns have rank 23."""
    log("collinear")
    problem = Problem.of(*diamonds_all_columns())
    n_columns = problem.X.shape[1]
    least_squares = LinearRegression().fit(problem.X, problem.y)  # the solution of smallest norm
    models = {
        "LinearRegression()": least_squares,
        "defaults": RMSpropRegressor(random_state=0).fit(problem.X, problem.y),
        "defaults, coef_init: all 3000": RMSpropRegressor(random_state=0).fit(
            problem.X, problem.y, coef_init=np.full(n_columns, 3000.0)
        ),
    }
    smallest_norm = np.linalg.norm(least_squares.coef_)
    rows = [
        (name, format_compact(problem.excess_loss(model)), f"{np.linalg.norm(model.coef_) / smallest_norm:.2f}")
        for name, model in models.items()
    ]
    title = "## Collinear columns: diamonds with all categories one-hot encoded, rank 23 of 26"
    return title + "\n\n" + markdown_table(("model", "excess loss", "norm of coef_ / smallest norm"), rows)


def bias_table(log):
    """Return the table of the bias of predictions on a target with log-normal noise."""
    log("memory")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 1))
    y = X[:, 0] + rng.lognormal(size=20_000)
    decay_rates = (0.9, 0.99, 0.999, "auto")

    def bias(decay_rate, batch_size):
        params = {"decay_rate": decay_rate, "batch_size": batch_size}
        models = [RMSpropRegressor(random_state=seed, **params).fit(X, y) for seed in SEEDS]
        return f"{np.mean([np.mean(model.predict(X) - y) for model in models]) / y.std():z.3f}"

    rows = [(n, *(bias(decay_rate, n) for decay_rate in decay_rates)) for n in (1, 8, 32, 128)]
    title = "## Log-normal noise: mean prediction minus mean target, in standard deviations of the target"
    header = ("batch_size", *(f"decay_rate={decay_rate}" for decay_rate in decay_rates))
    return title + "\n\n" + markdown_table(header, rows)


def stream_errors(noise, outlier, params, seed, n_chunks=300):
    """Return the mean squared error of each chunk after a change of the stream, relative to the variance of the signal.

    ``noise`` are the standard deviations of the noise before and after the change. ``outlier``, if it is not None,
    replaces one target in the last chunk before the change. Each chunk is predicted before the model is fitted to it.
    """
    rng = np.random.default_rng(seed)
    model, coef, errors = RMSpropRegressor(random_state=seed, **params), rng.standard_normal(10), []
    for chunk in range(100 + n_chunks):
        X = rng.standard_normal((100, 10))
        signal = X @ coef
        y = signal + noise[chunk >= 100] * rng.standard_normal(100)
        if chunk == 99 and outlier is not None:
            y[0] = outlier
        if chunk >= 100:
            errors.append(np.mean((model.predict(X) - signal) ** 2) / (coef @ coef))
        model.partial_fit(X, y)
    return errors


def streams_table(log):
    """Return the table of streams in which the scale of the gradients changes."""
    changes = {
        "none": ((1, 1), None),
        "noise sd grows from 1 to 10": ((1, 10), None),
        "noise sd falls from 10 to 1": ((10, 1), None),
        "one target of 1e4": ((1, 1), 1e4),
        "one target of 1e6": ((1, 1), 1e6),
    }
    # The parameters for a stream whose relationship changes over time (concept drift).
    for_drift = {"schedule": "constant", "average": False, "learning_rate": 0.03}
    rows = []
    for change, (noise, outlier) in changes.items():
        log(f"streams: {change}")
        for base in ({}, for_drift):
            for params in (base, base | {"decay_rate": 0.99}):
                errors = np.mean([stream_errors(noise, outlier, params, seed) for seed in SEEDS], axis=0)
                means = [chunks.mean() for chunks in (errors[:20], errors[20:100], errors[200:])]
                rows.append((change if params == {} else "", format_params(params), *map(format_compact, means)))
    header = ("change", "model", "chunks 1 to 20 after it", "chunks 21 to 100", "chunks 201 to 300")
    title = "## Streams in chunks of 100 rows x 10 columns: squared error of the predictions / variance of the signal"
    return title + "\n\n" + markdown_table(header, rows)


def direct_solvers_table(log):
    """Return the table of the times of a fit and of direct solvers."""
    rows = []
    for n_rows, n_columns in ((50_000, 1), (50_000, 10), (50_000, 100), (20_000, 300), (20_000, 1000)):
        log(f"exact: {n_rows} x {n_columns}")
        X, y = gaussian(n_rows, n_columns)
        models = (RMSpropRegressor(random_state=0), LinearRegression(), Ridge())
        times = [min(time_call(partial(model.fit, X, y)) for _ in range(2)) for model in models]
        excess_loss = Problem.of(X, y).excess_loss(models[0])
        rows.append((f"{n_rows} x {n_columns}", *map(format_milliseconds, times), format_compact(excess_loss)))
    header = (
        "rows x columns",
        "RMSpropRegressor(), ms",
        "LinearRegression(), ms",
        "Ridge(), ms",
        "excess loss of RMSpropRegressor()",
    )
    title = "## Direct solvers: least squares with independent columns; half of the variance of y is noise"
    return title + "\n\n" + markdown_table(header, rows)


TABLES = {
    "settings": settings_tables,
    "failures": failures_table,
    "collinear": collinear_table,
    "memory": bias_table,
    "streams": streams_table,
    "exact": direct_solvers_table,
}


def main():
    """Print the tables that the command line selects; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, help="print only this table")
    arguments = parser.parse_args()

    def log(message):
        print(message, file=sys.stderr, flush=True)

    with one_core():
        for name in [arguments.only] if arguments.only else TABLES:
            print(TABLES[name](log), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
