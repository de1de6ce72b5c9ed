"""The least-squares optimum, and how near a model comes to it.

The measure is the missed fraction of the explainable variance on the training rows, (MSE - MSE_opt) / (Var y -
MSE_opt): 0 is least squares, 1 is predicting the mean.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import lsqr

# Multiplications in the singular value decomposition of the features beyond which it would take seconds.
MANY = 1e9


@dataclass(frozen=True)
class Problem:
    """Rows with their targets, and the mean squared error of least squares on them."""

    X: np.ndarray
    y: np.ndarray
    optimal_mse: float

    @classmethod
    def of(cls, X, y):
        """Solve least squares, by the most exact of the methods that are fast enough."""
        if scipy.sparse.issparse(X):
            return cls(X, y, sparse_mse(X, y))
        # On standardised columns: large means would cost digits.
        standardised = X - X.mean(axis=0, dtype=np.float64)
        standardised /= standardised.std(axis=0)
        centred = y - y.mean(dtype=np.float64)
        n_rows, n_columns = X.shape
        tall = n_rows > 2 * n_columns and n_rows * n_columns**2 > MANY
        coef = (solve_tall if tall else solve)(standardised, centred)
        return cls(X, y, np.mean((centred - standardised @ coef) ** 2))

    def missed(self, model):
        """Return the fraction of the explainable variance that the model misses."""
        # A model that ran away overflows here; the infinity is the answer.
        with np.errstate(over="ignore", invalid="ignore"):
            mse = np.mean((self.y - model.predict(self.X)) ** 2, dtype=np.float64)
        return float((mse - self.optimal_mse) / (self.y.var(dtype=np.float64) - self.optimal_mse))


@cache
def problem_of(data_set, quick):
    """Return a data set with its optimum, found once in a process."""
    return Problem.of(*data_set.load(quick))


def solve(A, b):
    """Solve least squares by a singular value decomposition: exact, whatever the rank."""
    return np.linalg.lstsq(A, b)[0]


def solve_tall(A, b):
    """Solve least squares by the normal equations, and once more for what the rounding left over."""
    try:
        factor = scipy.linalg.cho_factor(A.T @ A)
    except np.linalg.LinAlgError:  # collinear columns
        return solve(A, b)
    coef = scipy.linalg.cho_solve(factor, A.T @ b)
    return coef + scipy.linalg.cho_solve(factor, A.T @ (b - A @ coef))


def sparse_mse(X, y):
    """Return the mean squared error of least squares with an intercept, on columns of norm 1."""
    A = scipy.sparse.hstack([X, np.ones((X.shape[0], 1))], format="csr")
    A = A @ scipy.sparse.diags_array(1 / np.maximum(scipy.sparse.linalg.norm(A, axis=0), 1e-12))
    return lsqr(A, y, atol=1e-8, btol=1e-8, iter_lim=1000)[3] ** 2 / len(y)
