"""The data on which the defaults do badly, each with what helps: a table of defaults.py."""

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
from table import describe, markdown, milliseconds, short
from timing import seconds

from sklearn_rmsprop import RMSpropRegressor

N_NEW = 5000  # rows that no fit has seen

# The builders below take a seed and the number of rows, the last N_NEW of which no fit sees.


def conditioned(seed, n_rows, *, n_columns=20, condition):
    """Draw columns whose covariance has this condition number; every principal direction matters as much."""
    rng = np.random.default_rng(seed)
    Z = rng.standard_normal((n_rows, n_columns))
    rotation = np.linalg.qr(rng.standard_normal((n_columns, n_columns)))[0]
    scales = np.logspace(0, -np.log10(condition) / 2, n_columns)
    return (Z * scales) @ rotation, linear_target(rng, Z)


def normal(seed, n_rows, *, n_columns, noise=1.0):
    """Draw independent normal columns."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_columns))
    return X, linear_target(rng, X, noise)


def distant_entries(seed, n_rows, *, mean):
    """Draw CSR columns with all entries stored, and far from zero."""
    X, y = normal(seed, n_rows, n_columns=20)
    return scipy.sparse.csr_matrix(X + mean), y


def one_hot(seed, n_rows, *, n_columns=300):
    """Draw one categorical column, one-hot as CSR; from 400 rows each down to one or two."""
    rng = np.random.default_rng(seed)
    category = np.minimum(rng.geometric(0.02, n_rows) - 1, n_columns - 1)
    category[:n_columns] = np.arange(n_columns)  # each at least once in the training rows
    X = scipy.sparse.csr_matrix((np.ones(n_rows), category, np.arange(n_rows + 1)), shape=(n_rows, n_columns))
    return X, linear_target(rng, X)


def log_normal(seed, n_rows):
    """Draw log-normal columns (sigma 2)."""
    rng = np.random.default_rng(seed)
    X = rng.lognormal(sigma=2, size=(n_rows, 20))
    return X, linear_target(rng, X / X.std(axis=0))


def t2(seed, n_rows):
    """Draw columns with Student's t(2) distribution, whose variance is infinite."""
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, size=(n_rows, 10))
    return X, linear_target(rng, X)


def correlated(seed, n_rows):
    """Return AR(0.95) columns, the same for each seed."""
    return autoregressive(n_rows, 20, 0.95)


def sorted_rows(seed, n_rows):
    """Draw independent columns; the rows of the training part are sorted by the target."""
    X, y = normal(seed, n_rows, n_columns=20)
    order = np.r_[np.argsort(y[:-N_NEW]), n_rows - N_NEW : n_rows]
    return X[order], y[order]


def same(X):
    """Return X as it is."""
    return X


def dense(X):
    """Return a sparse X as an array."""
    return X.toarray()


@dataclass(frozen=True)
class Attempt:
    """A model to try: ``make`` takes a seed, ``view`` the features as the case has them."""

    name: str
    make: Callable
    view: Callable = same


def ours(view=same, **params):
    """Return an attempt with RMSpropRegressor."""
    name = describe(params) + (", dense array" if view is dense else "")
    return Attempt(name, lambda seed: RMSpropRegressor(random_state=seed, **params), view)


WHITENED = Attempt("PCA(whiten=True) before it", lambda seed: make_pipeline(PCA(whiten=True), ours().make(seed)))
EXACT = Attempt("LinearRegression()", lambda seed: LinearRegression())
RIDGE = Attempt("Ridge()", lambda seed: Ridge())
STRONG_RIDGE = Attempt("Ridge(alpha=1000)", lambda seed: Ridge(alpha=1000))


@dataclass(frozen=True)
class Failure:
    """Data that give the defaults trouble, and attempts to do better."""

    name: str
    build: Callable
    n_rows: int
    attempts: tuple
    n_seeds: int = 3


SLOW_VALLEY = (ours(), ours(tol=1e-6), ours(momentum=0.9, tol=1e-6), WHITENED, RIDGE, EXACT)
WIDE = (
    ours(),
    ours(learning_rate=0.01),
    ours(learning_rate=0.001),
    ours(batch_size=None),
    ours(learning_rate=0.01, batch_size=None),
    EXACT,
)
FEW_ROWS = (ours(), ours(tol=1e-6), ours(n_iter_no_change=20), ours(batch_size=8), ours(batch_size=None), EXACT)
DISTANT = (ours(), ours(momentum=0.9), ours(dense))
ONE_HOT = tuple(
    ours(view, **params)
    for view in (dense, same)
    for params in ({}, {"learning_rate": 0.01}, {"decay_rate": 0.99}, {"decay_rate": 0.999})
)
HEAVY_TAILS = (ours(), ours(learning_rate=0.01), ours(decay_rate=0.99), ours(batch_size=256), EXACT)
BATCHES = (
    ours(),
    ours(batch_size=1000),
    ours(batch_size=5000),
    ours(batch_size=5000, momentum=0.9),
    ours(batch_size=None),
    ours(batch_size=None, momentum=0.9),
)
FAILURES = (
    Failure("condition number 1e4", partial(conditioned, condition=1e4), 20_000, SLOW_VALLEY),
    Failure("condition number 1e5", partial(conditioned, condition=1e5), 20_000, SLOW_VALLEY),
    Failure("condition number 1e6", partial(conditioned, condition=1e6), 20_000, SLOW_VALLEY),
    Failure("independent, half noise", partial(normal, n_columns=300), 1000, WIDE),
    Failure("independent, half noise", partial(normal, n_columns=1000), 300, (*WIDE, STRONG_RIDGE)),
    Failure("independent, no noise", partial(normal, n_columns=1000, noise=0.0), 300, WIDE),
    Failure("independent, no noise", partial(normal, n_columns=3000, noise=0.0), 300, WIDE),
    Failure("few rows, 50 draws", partial(normal, n_columns=10), 100, FEW_ROWS, n_seeds=50),
    Failure("CSR, entries 10 ± 1", partial(distant_entries, mean=10), 20_000, DISTANT),
    Failure("CSR, entries 100 ± 1", partial(distant_entries, mean=100), 20_000, DISTANT),
    Failure("one-hot", one_hot, 20_000, ONE_HOT),
    Failure("log-normal columns, 10 draws", log_normal, 20_000, HEAVY_TAILS, n_seeds=10),
    Failure("t(2) columns, 10 draws", t2, 20_000, HEAVY_TAILS, n_seeds=10),
    Failure("large batches, AR(0.95)", correlated, 50_000, BATCHES),
    Failure("rows sorted by the target", sorted_rows, 50_000, (ours(), ours(shuffle=False))),
)


def attempt_row(failure, attempt):
    """Return a row of the table of failures."""
    missed, epochs, times, scores = [], [], [], []
    for seed in range(failure.n_seeds):
        X, y = failure.build(seed, failure.n_rows + N_NEW)
        train, new = slice(failure.n_rows), slice(failure.n_rows, None)
        problem = Problem.of(X[train].toarray() if scipy.sparse.issparse(X) else X[train], y[train])
        problem = replace(problem, X=attempt.view(X[train]))
        model = attempt.make(seed)
        times.append(seconds(partial(model.fit, problem.X, problem.y)))
        missed.append(problem.missed(model))
        epochs.append(getattr(model[-1] if hasattr(model, "steps") else model, "n_iter_", None))
        scores.append(model.score(attempt.view(X[new]), y[new]))
    return (
        f"{failure.name}, {failure.n_rows} x {X.shape[1]}",
        attempt.name,
        short(max(missed)),
        short(median(missed)),
        "" if epochs[0] is None else str(max(epochs)),
        milliseconds(median(times)),
        f"{median(scores):.3f}",
    )


def failures_report(progress):
    """Return the table of failures and remedies."""
    header = ("data", "model", "missed, worst", "median", "epochs", "ms", "R2, new rows")
    rows = []
    for failure in FAILURES:
        progress(f"failures: {failure.name}")
        first, *others = [attempt_row(failure, attempt) for attempt in failure.attempts]
        rows += [first, *(("", *row[1:]) for row in others)]
    return "## Where the defaults fail, and what helps\n\n" + markdown(header, rows)
