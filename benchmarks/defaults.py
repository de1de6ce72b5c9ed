"""What each default does to the fit, and where the defaults fail: the figures of docs/defaults.md.

    python benchmarks/defaults.py                    # all tables, three to five minutes
    python benchmarks/defaults.py --only failures    # or: settings, collinear, memory, streams, exact

It needs what `run.py` needs. The figure of merit is that of `optimum.py`: 0 is least squares, 1 is predicting the mean.
Times are CPU seconds on one core.

*settings*: every default changed alone, and the textbook's recipe, on the data sets of ``DATA_SETS``.
*failures*: the data on which the defaults do badly, each with what helps; failures.py lists them.
*collinear*: which of the many solutions is found where columns are linearly dependent.
*memory*: the bias that a short memory (``decay_rate``) has on a skewed target.
*streams*: what a long memory costs where the size of gradients changes.
*exact*: the time of a fit beside that of an exact solver.
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
from failures import failures_report
from optimum import Problem
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler
from table import describe, markdown, milliseconds, short
from timing import one_core, seconds

from sklearn_rmsprop import RMSpropRegressor

SEEDS = range(3)

SETTINGS = (
    {},
    {"learning_rate": 0.01},
    {"learning_rate": 0.3},
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
TEXTBOOK = {
    "learning_rate": 0.01,
    "decay_rate": 0.9,
    "schedule": "constant",
    "average": False,
    "bias_correction": False,
    "standardize": False,
    "tol": None,
}
# The textbook's loop has no stopping rule: so many epochs, and on small data so many steps.
TEXTBOOK_EPOCHS, TEXTBOOK_STEPS = 50, 5000


def heavy_noise(n_rows, n_columns):
    """Return normal columns and a target half of whose variance is noise with Student's t(3) distribution."""
    X, y = gaussian(n_rows, n_columns, noise=0.0)
    return X, y + np.random.default_rng(0).standard_t(3, n_rows) / math.sqrt(3)


def skewed_columns(n_rows, n_columns):
    """Return log-normal columns (sigma 2: a hundredth of the entries makes up most of the variance)."""
    rng = np.random.default_rng(0)
    X = rng.lognormal(sigma=2, size=(n_rows, n_columns))
    X /= X.std(axis=0)
    return X, linear_target(rng, X)


DATA_SETS = (
    {
        "diamonds carat": diamonds_carat,
        "diamonds all": diamonds_all_columns,
        "diabetes": diabetes,
        "tiny": partial(gaussian, 50, 5),
        "AR(0.95)": partial(autoregressive, 50_000, 50, 0.95),
        "sparse CSR": partial(zipf_csr, 50_000, 1000, 33),
    },
    {
        "scales 1e-2..1e2": partial(mixed_scales, 50_000, 30),
        "y 1e5, sd 1e4": partial(large_target, 50_000, 20),
        "means 100 sd": partial(large_column_means, 50_000, 20),
        "t(3) noise": partial(heavy_noise, 50_000, 20),
        "log-normal columns": partial(skewed_columns, 50_000, 20),
        "rare columns CSR": partial(zipf_csr, 60_000, 20_000, 33),
    },
)


def standardised(problem):
    """Return the problem in the units that a StandardScaler gives to X and y, as tutorials have it."""
    X = StandardScaler(with_mean=not scipy.sparse.issparse(problem.X)).fit_transform(problem.X)
    scale = problem.y.std()
    return Problem(X, (problem.y - problem.y.mean()) / scale, problem.optimal_mse / scale**2)


def cell(problem, params):
    """Return the worst missed fraction of the seeds, and the most epochs."""
    models = [RMSpropRegressor(random_state=seed, **params).fit(problem.X, problem.y) for seed in SEEDS]
    return f"{short(max(map(problem.missed, models)))} ({max(model.n_iter_ for model in models)})"


def column(name, build, progress):
    """Return the heading and the figures of one data set."""
    progress(f"settings: {name}")
    problem = Problem.of(*build())
    n_rows, n_columns = problem.X.shape
    textbook = TEXTBOOK | {"max_iter": max(TEXTBOOK_EPOCHS, math.ceil(TEXTBOOK_STEPS * 32 / n_rows))}
    cells = [cell(problem, params) for params in SETTINGS]
    cells += [cell(standardised(problem), textbook), cell(problem, textbook)]
    return [f"{name}, {n_rows} x {n_columns}", *cells]


def settings_report(progress):
    """Return the tables of single changes: settings down, data sets across."""
    names = [*map(describe, SETTINGS), "textbook, on standardised data", "textbook, on raw data"]
    tables = []
    for data_sets in DATA_SETS:
        columns = [column(name, build, progress) for name, build in data_sets.items()]
        tables.append(markdown(*split_header(["setting", *names], *columns)))
    return "## Each default changed alone: missed, worst of three seeds (epochs)\n\n" + "\n\n".join(tables)


def split_header(*columns):
    """Turn columns, each with its heading, into a header and rows."""
    header, *rows = zip(*columns, strict=True)
    return header, rows


def collinear_report(progress):
    """Return the table of solutions for the diamonds, whose 26 columns have rank 23."""
    progress("collinear")
    problem = Problem.of(*diamonds_all_columns())
    n_columns = problem.X.shape[1]
    exact = LinearRegression().fit(problem.X, problem.y)
    fits = {
        "LinearRegression()": exact,
        "defaults": RMSpropRegressor(random_state=0).fit(problem.X, problem.y),
        "defaults, coef_init: all 3000": RMSpropRegressor(random_state=0).fit(
            problem.X, problem.y, coef_init=np.full(n_columns, 3000.0)
        ),
    }
    rows = [
        (name, short(problem.missed(model)), f"{np.linalg.norm(model.coef_) / np.linalg.norm(exact.coef_):.2f}")
        for name, model in fits.items()
    ]
    header = ("model", "missed", "norm of coef_ / smallest")
    return "## Collinear columns: diamonds with all categories one-hot, rank 23 of 26\n\n" + markdown(header, rows)


def memory_report(progress):
    """Return the table of the bias on a target with log-normal noise."""
    progress("memory")
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
    return title + "\n\n" + markdown(("batch_size", *map(str, decay_rates)), rows)


def stream_errors(noise, wrong, params, seed, n_chunks=300):
    """Return the squared errors of predictions, per variance of the signal, in the chunks after a change.

    The noise changes from the first of two sizes to the second, and one target of the chunk before is ``wrong``.
    """
    rng = np.random.default_rng(seed)
    model, coef, errors = RMSpropRegressor(random_state=seed, **params), rng.standard_normal(10), []
    for chunk in range(100 + n_chunks):
        X = rng.standard_normal((100, 10))
        signal = X @ coef
        y = signal + noise[chunk >= 100] * rng.standard_normal(100)
        if chunk == 99:
            y[0] = y[0] if wrong is None else wrong
        if chunk >= 100:
            errors.append(np.mean((model.predict(X) - signal) ** 2) / (coef @ coef))
        model.partial_fit(X, y)
    return errors


def streams_report(progress):
    """Return the table of streams in which the size of gradients changes."""
    changes = {
        "none": ((1, 1), None),
        "noise grows from 1 to 10": ((1, 10), None),
        "noise falls from 10 to 1": ((10, 1), None),
        "one target of 1e4": ((1, 1), 1e4),
        "one target of 1e6": ((1, 1), 1e6),
    }
    following = {"schedule": "constant", "average": False, "learning_rate": 0.03}
    rows = []
    for change, (noise, wrong) in changes.items():
        progress(f"streams: {change}")
        for base in ({}, following):
            for params in (base, base | {"decay_rate": 0.99}):
                errors = np.mean([stream_errors(noise, wrong, params, seed) for seed in SEEDS], axis=0)
                spans = (errors[:20], errors[20:100], errors[200:])
                rows.append((change if params == {} else "", describe(params), *(short(span.mean()) for span in spans)))
    header = ("change", "model", "chunks 1 to 20 after it", "21 to 100", "201 to 300")
    title = "## Streams: 100 rows x 10 columns a chunk, squared error of predictions, variance of the signal = 1"
    return title + "\n\n" + markdown(header, rows)


def exact_report(progress):
    """Return the table of times beside the exact solvers."""
    rows = []
    for n_rows, n_columns in ((50_000, 1), (50_000, 10), (50_000, 100), (20_000, 300), (20_000, 1000)):
        progress(f"exact: {n_rows} x {n_columns}")
        X, y = gaussian(n_rows, n_columns)
        models = (RMSpropRegressor(random_state=0), LinearRegression(), Ridge())
        times = [min(seconds(partial(model.fit, X, y)) for _ in range(2)) for model in models]
        rows.append((f"{n_rows} x {n_columns}", *map(milliseconds, times), short(Problem.of(X, y).missed(models[0]))))
    header = ("rows x columns", "RMSpropRegressor() ms", "LinearRegression() ms", "Ridge() ms", "ours missed")
    return "## Least squares, independent columns, half noise: exact solvers\n\n" + markdown(header, rows)


TABLES = {
    "settings": settings_report,
    "failures": failures_report,
    "collinear": collinear_report,
    "memory": memory_report,
    "streams": streams_report,
    "exact": exact_report,
}


def main():
    """Print the tables that the command line asks for; progress goes to standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    arguments = parser.parse_args()

    def progress(message):
        print(message, file=sys.stderr, flush=True)

    with one_core():
        for name in [arguments.only] if arguments.only else TABLES:
            print(TABLES[name](progress), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
