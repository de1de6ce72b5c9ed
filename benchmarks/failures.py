"""The table "failures" of defaults.py: data on which the defaults do badly, and models that do better on them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from statistics import median

import numpy as np
import scipy.sparse
from data import autoregressive, linear_target
from optimum import Problem
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from table import format_compact, format_milliseconds, format_params, markdown_table
from timing import time_call

from sklearn_rmsprop import RMSpropRegressor

# The functions below take a seed and the number of rows, and return X and y. The last N_TEST of the rows are test rows,
# to which no model is fitted.
N_TEST = 5000


def ill_conditioned(seed, n_rows, *, n_columns=20, condition):
    """Return columns whose covariance has this condition number; all principal components influence y equally."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n_rows, n_columns))
    rotation = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))[0]
    scales = np.logspace(0, -np.log10(condition) / 2, n_columns)
    return (Z * scales) @ rotation, linear_target(rng, Z)


def normal(seed, n_rows, *, n_columns, noise=1.0):
    """Return independent standard normal columns."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns))
    return X, linear_target(rng, X, noise)


def csr_with_mean(seed, n_rows, *, mean):
    """Return normal columns with this mean and standard deviation 1 as a CSR matrix in which all entries are stored."""
    X, y = normal(seed, n_rows, n_columns=20)
    return scipy.sparse.csr_matrix(X + mean), y


def one_hot(seed, n_rows, *, n_columns=300):
    """Return a one-hot encoded categorical feature as a CSR matrix; category frequencies fall geometrically."""
    rng = np.random.default_rng(seed)
    category = np.minimum(rng.geometric(0.02, n_rows) - 1, n_columns - 1)
    category[:n_columns] = np.arange(n_columns)  # every category occurs in the training rows
    X = scipy.sparse.csr_matrix((np.ones(n_rows), category, np.arange(n_rows + 1)), shape=(n_rows, n_columns))
    return X, linear_target(rng, X)


def log_normal(seed, n_rows):
    """Return log-normal columns (sigma 2)."""
    rng = np.random.default_rng(seed)
    X = rng.lognormal(sigma=2, size=(n_rows, 20))
    return X, linear_target(rng, X / X.std(axis=0))


def student_t2(seed, n_rows):
    """Return columns with Student's t distribution with 2 degrees of freedom, whose variance is infinite."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, size=(n_rows, 10))
    return X, linear_target(rng, X)


def correlated(seed, n_rows, *, n_columns=20):
    """Return AR(0.95) columns, which do not depend on the seed."""
    return autoregressive(n_rows, n_columns, 0.95)


def sorted_rows(seed, n_rows):
    """Return independent normal columns whose training rows are sorted by the target."""
    X, y = normal(seed, n_rows, n_columns=20)
    order = np.r_[np.argsort(y[:-N_TEST]), n_rows - N_TEST : n_rows]
    return X[order], y[order]


def unchanged(X):
    """Return X itself."""
    return X


def to_dense(X):
    """Return a sparse matrix as an array."""
    return X.toarray()


@dataclass(frozen=True)
class Candidate:
    """A model to try on the data of a case: ``make`` takes a seed, and ``convert`` is applied to the features."""

    name: str
    make: Callable
    convert: Callable = unchanged


def rmsprop(convert=unchanged, **params):
    """Return RMSpropRegressor with these parameters as a candidate."""
    name = format_params(params) + (", dense array" if convert is to_dense else "")
    return Candidate(name, lambda seed: RMSpropRegressor(random_state=seed, **params), convert)


WHITENED = Candidate(
    "PCA(whiten=True), then defaults", lambda seed: make_pipeline(PCA(whiten=True), RMSpropRegressor(random_state=seed))
)
LEAST_SQUARES = Candidate("LinearRegression()", lambda seed: LinearRegression())
RIDGE = Candidate("Ridge()", lambda seed: Ridge())
STRONG_RIDGE = Candidate("Ridge(alpha=1000)", lambda seed: Ridge(alpha=1000))


@dataclass(frozen=True)
class FailureCase:
    """Data on which the defaults do badly, and the candidates for them; ``build`` takes a seed and a number of rows."""

    name: str
    build: Callable
    n_rows: int
    candidates: tuple
    n_seeds: int = 3


FOR_ILL_CONDITIONED = (
    rmsprop(),
    rmsprop(tol=1e-6),
    rmsprop(momentum=0.9, tol=1e-6),
    WHITENED,
    RIDGE,
    LEAST_SQUARES,
)
FOR_MANY_COLUMNS = (
    rmsprop(),
    rmsprop(learning_rate=0.02),
    rmsprop(learning_rate=2.0),
    rmsprop(penalty="l2", alpha=0.1),
    rmsprop(penalty="l2", alpha=1.0),
    LEAST_SQUARES,
)
FOR_FEWER_ROWS = (rmsprop(), rmsprop(whiten=False), *FOR_MANY_COLUMNS[1:], RIDGE, STRONG_RIDGE)
FOR_FEW_ROWS = (
    rmsprop(),
    rmsprop(tol=1e-6),
    rmsprop(n_iter_no_change=20),
    rmsprop(batch_size=8),
    rmsprop(batch_size=None),
    LEAST_SQUARES,
)
FOR_CSR_WITH_MEAN = (rmsprop(), rmsprop(to_dense))
FOR_ONE_HOT = tuple(
    rmsprop(convert, **params)
    for convert in (to_dense, unchanged)
    for params in ({}, {"learning_rate": 0.02}, {"decay_rate": 0.99}, {"decay_rate": 0.999})
)
FOR_HEAVY_TAILS = (
    rmsprop(),
    rmsprop(learning_rate=0.02),
    rmsprop(decay_rate=0.99),
    rmsprop(batch_size=256),
    LEAST_SQUARES,
)
LARGE_BATCHES = (
    rmsprop(),
    rmsprop(batch_size=1000),
    rmsprop(batch_size=5000),
    rmsprop(batch_size=5000, momentum=0.9),
    rmsprop(batch_size=None),
    rmsprop(batch_size=None, momentum=0.9),
)
FAILURE_CASES = (
    FailureCase("condition number 1e4", partial(ill_conditioned, condition=1e4), 20_000, FOR_ILL_CONDITIONED),
    FailureCase("condition number 1e5", partial(ill_conditioned, condition=1e5), 20_000, FOR_ILL_CONDITIONED),
    FailureCase("condition number 1e6", partial(ill_conditioned, condition=1e6), 20_000, FOR_ILL_CONDITIONED),
    FailureCase("independent, 50 % noise", partial(normal, n_columns=300), 1000, FOR_MANY_COLUMNS),
    FailureCase("independent, 50 % noise", partial(normal, n_columns=1000), 300, FOR_FEWER_ROWS),
    FailureCase("independent, no noise", partial(normal, n_columns=1000, noise=0.0), 300, FOR_FEWER_ROWS),
    FailureCase("independent, no noise", partial(normal, n_columns=3000, noise=0.0), 300, FOR_FEWER_ROWS),
    FailureCase("independent, 50 % noise", partial(normal, n_columns=1500), 1000, FOR_FEWER_ROWS),
    FailureCase("AR(0.95), few rows", partial(correlated, n_columns=1000), 300, FOR_FEWER_ROWS),
    FailureCase("few rows, 50 seeds", partial(normal, n_columns=10), 100, FOR_FEW_ROWS, n_seeds=50),
    FailureCase("CSR, mean 10, sd 1", partial(csr_with_mean, mean=10), 20_000, FOR_CSR_WITH_MEAN),
    FailureCase("CSR, mean 100, sd 1", partial(csr_with_mean, mean=100), 20_000, FOR_CSR_WITH_MEAN),
    FailureCase("one-hot", one_hot, 20_000, FOR_ONE_HOT),
    FailureCase("log-normal columns, 10 seeds", log_normal, 20_000, FOR_HEAVY_TAILS, n_seeds=10),
    FailureCase("t(2) columns, 10 seeds", student_t2, 20_000, FOR_HEAVY_TAILS, n_seeds=10),
    FailureCase("large batches, AR(0.95)", correlated, 50_000, LARGE_BATCHES),
    FailureCase("rows sorted by the target", sorted_rows, 50_000, (rmsprop(), rmsprop(shuffle=False))),
)


def measure(case, candidate):
    """Return a row of the table: a candidate on the data of a case, summarised over the seeds."""
    excess_losses, epochs, times, scores = [], [], [], []
    for seed in range(case.n_seeds):
        X, y = case.build(seed, case.n_rows + N_TEST)
        train, test = slice(case.n_rows), slice(case.n_rows, None)
        # The optimum is computed from a dense array, because the method for sparse features is less accurate.
        problem = Problem.of(X[train].toarray() if scipy.sparse.issparse(X) else X[train], y[train])
        problem = replace(problem, X=candidate.convert(X[train]))
        model = candidate.make(seed)
        times.append(time_call(partial(model.fit, problem.X, problem.y)))
        excess_losses.append(problem.excess_loss(model))
        # In a pipeline, the last step has the number of epochs.
        epochs.append(getattr(model[-1] if hasattr(model, "steps") else model, "n_iter_", None))
        scores.append(model.score(candidate.convert(X[test]), y[test]))
    return (
        f"{case.name}, {case.n_rows} x {X.shape[1]}",
        candidate.name,
        format_compact(max(excess_losses)),
        format_compact(median(excess_losses)),
        "" if epochs[0] is None else str(max(epochs)),
        format_milliseconds(median(times)),
        f"{median(scores):.3f}",
    )


def failures_table(log):
    """Return the table of cases and candidates; the name of a case is only in its first row."""
    header = (
        "data",
        "model",
        "largest excess loss",
        "median excess loss",
        "most epochs",
        "median ms",
        "median R2 on test rows",
    )
    rows = []
    for case in FAILURE_CASES:
        log(f"failures: {case.name}")
        first, *others = [measure(case, candidate) for candidate in case.candidates]
        rows += [first, *(("", *row[1:]) for row in others)]
    title = "## Where the defaults fail, and what helps (three seeds unless stated)"
    return title + "\n\n" + markdown_table(header, rows)
