"""The least-squares optimum, and how close the loss of a model is to it.

Closeness is measured by the excess loss on the training rows,

    (loss - optimal loss) / (null loss - optimal loss)

where the null loss is that of the best constant. For the squared error this is (MSE - MSE of least squares) /
(variance of y - MSE of least squares): 0 is the least-squares solution, 1 is predicting the mean.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.linalg
import scipy.sparse
from scipy.sparse.linalg import lsqr

# Tall data sets that need more multiplications than this (rows * columns**2) are solved by the normal equations,
# because the singular value decomposition would take seconds.
MAX_SVD_MULTIPLICATIONS = 1e9


@dataclass(frozen=True)
class Problem:
    """Features and target, and the mean squared error of least squares on them."""

    X: np.ndarray
    y: np.ndarray
    optimal_mse: float

    @classmethod
    def of(cls, X, y):
        """Solve least squares by the most accurate method that is fast enough for the size of X."""
        if scipy.sparse.issparse(X):
            return cls(X, y, optimal_mse_of_sparse(X, y))
        # Columns are standardised because means that are large relative to the standard deviation cause cancellation.
        standardised = X - X.mean(axis=0, dtype=np.float64)
        standardised /= standardised.std(axis=0)
        centred = y - y.mean(dtype=np.float64)
        n_rows, n_columns = X.shape
        is_large = n_rows > 2 * n_columns and n_rows * n_columns**2 > MAX_SVD_MULTIPLICATIONS
        coef = (solve_by_normal_equations if is_large else solve_by_svd)(standardised, centred)
        return cls(X, y, np.mean((centred - standardised @ coef) ** 2))

    def excess_loss(self, model):
        """Return the excess loss of a fitted model, as defined at the top of this file."""
        # The predictions of a diverged model may overflow; its excess loss is then infinite or NaN, as it should be.
        with np.errstate(over="ignore", invalid="ignore"):
            mse = np.mean((self.y - model.predict(self.X)) ** 2, dtype=np.float64)
        return float((mse - self.optimal_mse) / (self.y.var(dtype=np.float64) - self.optimal_mse))


@cache
def problem_of(data_set, quick):
    """Return a data set with its optimum, which is computed once in a process."""
    return Problem.of(*data_set.load(quick))


def solve_by_svd(A, b):
    """Return the least-squares solution by a singular value decomposition, which also handles collinear columns."""
    return np.linalg.lstsq(A, b)[0]


def solve_by_normal_equations(A, b):
    """Return the least-squares solution by the normal equations, with one step of iterative refinement."""
    try:
        factor = scipy.linalg.cho_factor(A.T @ A)
    except np.linalg.LinAlgError:  # the columns are collinear
        return solve_by_svd(A, b)
    coef = scipy.linalg.cho_solve(factor, A.T @ b)
    return coef + scipy.linalg.cho_solve(factor, A.T @ (b - A @ coef))


def optimal_mse_of_sparse(X, y):
    """Return the mean squared error of least squares with an intercept; LSQR converges faster on unit columns."""
    A = scipy.sparse.hstack([X, np.ones((X.shape[0], 1))], format="csr")
    # The lower bound avoids a division by zero for columns without entries.
    A = A @ scipy.sparse.diags_array(1 / np.maximum(scipy.sparse.linalg.norm(A, axis=0), 1e-12))
    residual_norm = lsqr(A, y, atol=1e-8, btol=1e-8, iter_lim=1000)[3]
    return residual_norm**2 / len(y)
