"""The data sets of the benchmark, with fixed seeds: functions that return ``(X, y)``, and lists that name them.

Synthetic features are independent standard normal numbers unless the function says otherwise. Synthetic targets are a
linear function of the features plus normal noise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import scipy.signal
import scipy.sparse
from sklearn.datasets import load_diabetes
from table import format_count

# Arbitrary; fixed so that every run has the same data.
SEED = 20240607


def diamonds_table():
    """Return the diamonds data of plotnine as a pandas DataFrame with 53,940 rows."""
    from plotnine.data import diamonds  # noqa: PLC0415 - the import is slow, and most processes here do not need it

    return diamonds


def diamonds_carat():
    """Return the weight of the diamonds in carats, not standardised, as the only feature, and the price."""
    diamonds = diamonds_table()
    return diamonds[["carat"]].to_numpy(np.float64), diamonds["price"].to_numpy(np.float64)


def diamonds_all_columns():
    """Return all features of the diamonds, one-hot encoded and standardised (26 columns), and the price.

    No category is left out, so the columns are collinear, as they are with the defaults of OneHotEncoder.
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
    """Return the diabetes data of scikit-learn: 442 rows, 10 columns with a standard deviation of 0.048 each."""
    return load_diabetes(return_X_y=True)


def linear_target(rng, X, noise=1.0):
    """Return a linear function of the features, scaled to variance 1, plus normal noise with variance ``noise**2``."""
    signal = X @ rng.standard_normal(X.shape[1]).astype(X.dtype)
    signal /= signal.std()
    y = signal + noise * rng.standard_normal(X.shape[0])
    return y.astype(X.dtype, copy=False)


def gaussian(n_rows, n_columns, dtype=np.float64, noise=1.0):
    """Return independent standard normal columns, and a target with noise of standard deviation ``noise``."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((n_rows, n_columns), dtype=dtype)
    return X, linear_target(rng, X, noise)


def autoregressive(n_rows, n_columns, correlation):
    """Return columns of variance 1 that form an AR(1) process along each row: neighbours have this correlation."""
    rng = np.random.default_rng(SEED)
    X = rng.standard_normal((n_rows, n_columns))
    X[:, 1:] *= np.sqrt(1 - correlation**2)
    X = np.ascontiguousarray(scipy.signal.lfilter([1.0], [1.0, -correlation], X, axis=1))
    return X, linear_target(rng, X)


def large_target(n_rows, n_columns):
    """Return standard normal columns, and a target with mean 1e5 and standard deviation 1e4."""
    X, y = gaussian(n_rows, n_columns, noise=0.5)
    return X, 1e5 + 1e4 * (y - y.mean()) / y.std()


def mixed_scales(n_rows, n_columns):
    """Return columns with standard deviations from 1e-2 to 1e2; all have the same influence on the target."""
    X, y = gaussian(n_rows, n_columns)
    return X * np.logspace(-2, 2, n_columns), y


def large_column_means(n_rows, n_columns):
    """Return columns whose mean is 100 times their standard deviation."""
    X, y = gaussian(n_rows, n_columns)
    return X + 100, y


def zipf_csr(n_rows, n_columns, n_draws):
    """Return a CSR matrix of normal values whose column frequencies follow Zipf's law (exponent 1).

    The columns of each row are drawn ``n_draws`` times with replacement. Repeated draws are summed into one entry, so a
    row has fewer entries than draws: 30 on average for 33 draws from 50,000 columns. The frequency of a column does not
    depend on its index, as in the output of a vectorizer with an alphabetical vocabulary, so the coefficients of
    frequent columns are not adjacent in memory.
    """
    rng = np.random.default_rng(SEED)
    # Ranks are drawn from a continuous analogue of Zipf's law, by its inverse distribution function.
    rank = np.floor((n_columns + 1.0) ** rng.random(n_rows * n_draws)).astype(np.int32) - 1
    indices = rng.permutation(n_columns).astype(np.int32)[rank]
    values = rng.standard_normal(len(indices))
    indptr = np.arange(0, len(indices) + 1, n_draws, dtype=np.int32)
    X = scipy.sparse.csr_matrix((values, indices, indptr), shape=(n_rows, n_columns))
    X.sum_duplicates()
    return X, linear_target(rng, X)


@dataclass(frozen=True)
class DataSet:
    """A name and a function that returns ``(X, y)``; large data sets also have a smaller version for ``--quick``."""

    name: str
    build: Callable
    build_quick: Callable | None = None

    def load(self, quick=False):
        """Return X and y, which are computed once in a process."""
        return build_once(self.build_quick if quick and self.build_quick else self.build)


@cache
def build_once(build):
    """Return what a function without arguments returns; it is called once in a process."""
    return build()


def label(name, X):
    """Return the name with the number of rows and of columns."""
    return f"{name}, {format_count(X.shape[0])} x {format_count(X.shape[1])}"


def synthetic(name, build, n_rows, *arguments, n_rows_quick):
    """Return a data set with two sizes; ``build`` takes the number of rows and then the other arguments."""
    return DataSet(name, partial(build, n_rows, *arguments), partial(build, n_rows_quick, *arguments))


# The data sets of the tables "epochs", "peer_epochs", "convergence" and "fits".
DATA_SETS = (
    DataSet("diamonds, carat", diamonds_carat),
    DataSet("diamonds, all columns", diamonds_all_columns),
    synthetic("dense", gaussian, 1_000_000, 50, n_rows_quick=100_000),
    synthetic("dense float32", gaussian, 1_000_000, 50, np.float32, n_rows_quick=100_000),
    synthetic("AR(0.95)", autoregressive, 200_000, 50, 0.95, n_rows_quick=50_000),
    synthetic("column scales 1e-2..1e2", mixed_scales, 200_000, 30, n_rows_quick=20_000),
    # The quick version has fewer columns too, so that the number of rows per column stays the same: with few rows per
    # column the problem would be a different one.
    DataSet("many columns", partial(gaussian, 20_000, 2000), partial(gaussian, 5000, 500)),
    DataSet("CSR", partial(zipf_csr, 300_000, 50_000, 33), partial(zipf_csr, 30_000, 5000, 33)),
    DataSet("diabetes", diabetes),
    DataSet("tiny", partial(gaussian, 50, 5)),
)
# Further data sets of the table "fits". Columns with large means are nearly collinear with the intercept; without noise
# the optimal loss is zero.
HARD_DATA_SETS = (
    synthetic("y of mean 1e5, sd 1e4", large_target, 50_000, 20, n_rows_quick=20_000),
    synthetic("column means of 100 sd", large_column_means, 50_000, 20, n_rows_quick=20_000),
    DataSet("noise-free", partial(gaussian, 50_000, 20, noise=0.0)),
)
