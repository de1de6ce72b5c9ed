"""The data sets on which the quality of a fit is judged, and the yardstick.

Tables that ship with a package are loaded once; the others are drawn from a seed.
"""

from functools import cache

import numpy as np
import pandas as pd
from plotnine.data import diamonds
from scipy import sparse
from scipy.linalg import lstsq
from scipy.sparse.linalg import lsqr
from sklearn.datasets import load_diabetes


@cache
def diamonds_carat():
    """Return the 53,940 diamonds with carat as the only column, and price in dollars."""
    return _read_only(diamonds[["carat"]].to_numpy(), diamonds["price"].to_numpy(dtype=np.float64))


@cache
def diamonds_all():
    """Return all columns, categories one-hot, standardised (26 columns), and price in dollars."""
    X = pd.get_dummies(diamonds.drop(columns="price")).to_numpy(dtype=np.float64)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return _read_only(X, diamonds["price"].to_numpy(dtype=np.float64))


@cache
def diabetes():
    """Return the 442 x 10 diabetes table of scikit-learn."""
    return _read_only(*load_diabetes(return_X_y=True))


def linear(seed, *, n_rows=10_000, n_features=10, noise=1.0):
    """Draw standard normal columns and a target with `noise` times as much noise as signal."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    return X, _target(rng, X, noise)


def correlated(seed, *, n_rows=200_000, n_features=50, correlation=0.95):
    """Draw neighbouring columns with the given correlation, AR(1), and a target half noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    for j in range(1, n_features):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    return X, _target(rng, X, noise=1.0)


def large_target(seed, *, n_rows=10_000, n_features=10):
    """Draw a problem whose target has mean 1e5 and standard deviation 1e4."""
    X, y = linear(seed, n_rows=n_rows, n_features=n_features)
    return X, 1e5 + 1e4 * (y - y.mean()) / y.std()


def unequal_scales(seed, *, n_rows=10_000, n_features=10):
    """Draw a problem whose columns have scales from 1e-2 to 1e2, all of them informative."""
    X, y = linear(seed, n_rows=n_rows, n_features=n_features)
    return X * np.logspace(-2, 2, n_features), y


def distant_columns(seed, *, n_rows=10_000, n_features=10):
    """Draw a problem whose columns have means of 100 standard deviations."""
    X, y = linear(seed, n_rows=n_rows, n_features=n_features)
    return X + 100.0, y


def noise_free(seed, *, n_rows=10_000, n_features=10):
    """Draw a target that is a linear function of the columns."""
    return linear(seed, n_rows=n_rows, n_features=n_features, noise=0.0)


def rare_columns(seed, *, n_rows=30_000, n_features=5_000, n_draws=10):
    """Draw CSR rows whose columns are popular by Zipf's law: half of them are in one batch of 60 or fewer."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(n_rows), n_draws)
    # the continuous analogue of Zipf's law, by its inverse distribution function
    columns = np.floor((n_features + 1.0) ** rng.random(len(rows))).astype(int) - 1
    X = sparse.csr_array((rng.normal(size=len(rows)), (rows, columns)), shape=(n_rows, n_features))
    return X, _target(rng, X, noise=1.0)


def skewed_target(seed, *, n_rows=20_000):
    """Draw one column and a target with log-normal noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 1))
    return X, X[:, 0] + rng.lognormal(size=n_rows)


def tiny(seed):
    """Draw 50 rows and 5 columns."""
    return linear(seed, n_rows=50, n_features=5)


def least_squares_mse(X, y):
    """Return the smallest mean squared error a linear model with intercept reaches on X, y."""
    if sparse.issparse(X):
        X = sparse.hstack([X, np.ones((X.shape[0], 1))], format="csr")
        X = X @ sparse.diags_array(1 / np.maximum(sparse.linalg.norm(X, axis=0), 1e-12))
        return lsqr(X, y, atol=1e-8, btol=1e-8)[3] ** 2 / len(y)
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    # One-hot columns are collinear up to rounding: singular values below the cut-off are noise.
    coef = lstsq(X, y, cond=1e-10, check_finite=False)[0]
    return np.mean((y - X @ coef) ** 2)


def missed(model, X, y):
    """Return the fraction of the explainable variance that a fitted model misses on X, y."""
    best = least_squares_mse(X, y)
    mse = np.mean((y - model.predict(X)) ** 2)
    return (mse - best) / (np.mean((y - y.mean(axis=0)) ** 2) - best)


def _target(rng, X, noise):
    signal = X @ rng.normal(size=X.shape[1])
    return signal + noise * signal.std() * rng.normal(size=X.shape[0])


def _read_only(*arrays):
    for array in arrays:
        array.setflags(write=False)
    return arrays
