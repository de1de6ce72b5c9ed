"""Seeded data sets of the benchmark: each builder returns ``(X, y)``.

The synthetic designs are standard normal unless the name says otherwise, and their targets are
linear in them with noise.
"""

import numpy as np
import scipy.signal
import scipy.sparse
from plotnine.data import diamonds
from sklearn.datasets import load_diabetes

SEED = 20240607


def diamonds_carat():
    """Return carat (one column, as it comes) and price of the 53,940 diamonds."""
    return diamonds[["carat"]].to_numpy(np.float64), diamonds["price"].to_numpy(np.float64)


def diamonds_all_columns():
    """Return the diamonds with every category as a 0/1 column, standardised: 26 columns.

    No category is dropped, so the columns are collinear, as they are in most people's pipelines.
    """
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
