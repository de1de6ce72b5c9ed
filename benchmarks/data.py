"""Seeded data sets of the benchmark: each builder returns ``(X, y)``, and ``DATA_SETS`` names them.

The synthetic designs are standard normal unless the name says otherwise, and their targets are
linear in them with noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import scipy.signal
import scipy.sparse
from sklearn.datasets import load_diabetes
from table import count

SEED = 20240607


def diamonds_table():
    """Return the table of 53,940 diamonds."""
    from plotnine.data import diamonds  # noqa: PLC0415 - takes seconds, which most of the processes here need not wait

    return diamonds


def diamonds_carat():
    """Return carat (one column, as it comes) and price of the diamonds."""
    diamonds = diamonds_table()
    return diamonds[["carat"]].to_numpy(np.float64), diamonds["price"].to_numpy(np.float64)


def diamonds_all_columns():
    """Return the diamonds with every category as a 0/1 column, standardised: 26 columns.

    No category is dropped, so the columns are collinear, as they are in most people's pipelines.
    """
    diamonds = diamonds_table()
    categories = [diamonds[name].cat.categories for name in ("cut", "color", "clarity")]
    columns = [diamonds[name].to_numpy(np.float64) for name in ("carat", "depth", "table", "x", "y", "z")]
    for name, values in zip(("cut", "color", "clarity"), categories, strict=True):
        columns += [(diamonds[name] == value).to_numpy(np.float64) for value in values]
    X = np.column_stack(columns)
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    return X, diamonds["price"].to_numpy(np.float64)


def diabetes():
    """Return scikit-learn's diabetes table: 442 x 10, columns of standard deviation 0.048."""
    return load_diabetes(return_X_y=True)


def linear_target(rng, X, noise=1.0):
    """Return a target whose signal has variance 1 and whose noise has variance ``noise**2``."""
    signal = X @ rng.standard_normal(X.shape[1]).astype(X.dtype)
    signal /= signal.std()
    y = signal + noise * rng.standard_normal(X.shape[0])
    return y.astype(X.dtype, copy=False)


def gaussian(n_rows, n_columns, dtype=np.float64, noise=1.0):
    """Return independent standard normal columns."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((n_rows, n_columns), dtype=dtype)
    return X, linear_target(rng, X, noise)


def autoregressive(n_rows, n_columns, correlation):
    """Return columns of variance 1 where column j is AR(1) in column j - 1."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((n_rows, n_columns))
    X[:, 1:] *= np.sqrt(1 - correlation**2)
    X = np.ascontiguousarray(scipy.signal.lfilter([1.0], [1.0, -correlation], X, axis=1))
    return X, linear_target(rng, X)


def large_target(n_rows, n_columns):
    """Return a target with mean 1e5 and standard deviation 1e4."""
    X, y = gaussian(n_rows, n_columns, noise=0.5)
    return X, 1e5 + 1e4 * (y - y.mean()) / y.std()


def mixed_scales(n_rows, n_columns):
    """Return columns with standard deviations 1e-2 .. 1e2, each of which matters as much."""
    X, y = gaussian(n_rows, n_columns)
    return X * np.logspace(-2, 2, n_columns), y


def large_column_means(n_rows, n_columns):
    """Return columns whose mean is 100 standard deviations."""
    X, y = gaussian(n_rows, n_columns)
    return X + 100, y


def zipf_csr(n_rows, n_columns, n_draws):
    """Return CSR rows of normal values whose columns are popular by Zipf's law (exponent 1).

    A column drawn twice in a row is one entry, so a row has fewer entries than ``n_draws`` (33
    draws from 50,000 columns leave 30.0). Popularity is independent of the column's number, as
    in the output of a vectorizer with an alphabetic vocabulary: popular columns do not sit side by
    side in memory.
    """
    rng = np.random.default_rng(SEED)
    # The continuous analogue of Zipf's law, by its inverse distribution function.
    rank = np.floor((n_columns + 1.0) ** rng.random(n_rows * n_draws)).astype(np.int32) - 1
    indices = rng.permutation(n_columns).astype(np.int32)[rank]
    values = rng.standard_normal(len(indices))
    indptr = np.arange(0, len(indices) + 1, n_draws, dtype=np.int32)
    X = scipy.sparse.csr_matrix((values, indices, indptr), shape=(n_rows, n_columns))
    X.sum_duplicates()
    return X, linear_target(rng, X)


@dataclass(frozen=True)
class DataSet:
    """A name and a builder, and where the data take long, a builder of fewer rows for the quick run."""

    name: str
    build: Callable
    build_quick: Callable | None = None

    def load(self, quick=False):
        """Return X and y, built once in a process."""
        return built(self.build_quick if quick and self.build_quick else self.build)


@cache
def built(build):
    """Call a builder, once in a process."""
    return build()


def label(name, X):
    """Return the name with the number of rows and columns."""
    return f"{name}, {count(X.shape[0])} x {count(X.shape[1])}"


def data_set(name, builder, n_rows, *arguments, quick):
    """Return the data set of a builder whose first argument is the number of rows."""
    return DataSet(name, partial(builder, n_rows, *arguments), partial(builder, quick, *arguments))


# The data that every figure is measured on.
DATA_SETS = (
    DataSet("diamonds, carat", diamonds_carat),
    DataSet("diamonds, all columns", diamonds_all_columns),
    data_set("dense", gaussian, 1_000_000, 50, quick=100_000),
    data_set("dense float32", gaussian, 1_000_000, 50, np.float32, quick=100_000),
    data_set("AR(0.95)", autoregressive, 200_000, 50, 0.95, quick=50_000),
    data_set("scales 1e-2..1e2", mixed_scales, 200_000, 30, quick=20_000),
    # Not only fewer rows: with fewer than ten rows a column they would be another kind of problem.
    DataSet("wide", partial(gaussian, 20_000, 2000), partial(gaussian, 5000, 500)),
    DataSet("CSR", partial(zipf_csr, 300_000, 50_000, 33), partial(zipf_csr, 30_000, 5000, 33)),
    DataSet("diabetes", diabetes),
    DataSet("tiny", partial(gaussian, 50, 5)),
)
# Harder ones, for whole fits.
HARD_DATA_SETS = (
    data_set("y 1e5, sd 1e4", large_target, 50_000, 20, quick=20_000),
    data_set("means 100 sd", large_column_means, 50_000, 20, quick=20_000),
    DataSet("noise-free", partial(gaussian, 50_000, 20, noise=0.0)),
)
