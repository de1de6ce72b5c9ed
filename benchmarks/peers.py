"""The solvers that the benchmark compares: RMSpropRegressor and its peers.

The peers are estimators of scikit-learn, mini-batch RMSprop written in NumPy, and, where they are installed, the
optimizers of PyTorch and optax. All solvers have the same interface: ``fit(X, y, n_epochs)`` returns a model with a
``predict`` method. Direct solvers ignore the number of epochs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import peers_jax
import peers_torch
import scipy.sparse
from linear import Linear
from sklearn.linear_model import LinearRegression, Ridge, SGDRegressor

from sklearn_rmsprop import RMSpropRegressor


@dataclass(frozen=True)
class Solver:
    """A way of fitting a linear regression, and the data that it can fit in reasonable time."""

    name: str
    fit: Callable
    is_iterative: bool = True
    accepts_sparse: bool = True
    max_columns: int = 10**9

    def can_fit(self, X):
        """Tell whether the solver accepts these features and fits them within seconds."""
        return (self.accepts_sparse or not scipy.sparse.issparse(X)) and X.shape[1] <= self.max_columns


def fit_rmsprop(X, y, n_epochs, **params):
    """Fit RMSpropRegressor for exactly ``n_epochs`` epochs; parameters that are not passed have their defaults."""
    return RMSpropRegressor(max_iter=n_epochs, tol=None, random_state=0, **params).fit(X, y)


def fit_sgd(X, y, n_epochs, **params):
    """Fit SGDRegressor for exactly ``n_epochs`` epochs; parameters that are not passed have their defaults."""
    return SGDRegressor(max_iter=n_epochs, tol=None, random_state=0, **params).fit(X, y)


def fit_stable_sgd(X, y, n_epochs):
    """Fit SGDRegressor with a step size at which it does not diverge.

    SGD on single rows diverges if the squared norm of a row exceeds 2 / eta0, and SGDRegressor then raises an error.
    The norm is estimated from about a thousand rows, so the step size has a margin of a factor of 20. The time of an
    epoch does not depend on the step size.
    """
    rows = X[:: max(1, X.shape[0] // 1000)]
    squares = rows.multiply(rows) if scipy.sparse.issparse(X) else rows**2
    return fit_sgd(X, y, n_epochs, penalty=None, eta0=min(0.01, 0.1 / float(squares.sum(axis=1).max())))


def fit_sag(X, y, n_epochs):
    """Fit Ridge by stochastic average gradient descent for exactly ``n_epochs`` epochs."""
    return Ridge(solver="sag", max_iter=n_epochs, tol=0.0, random_state=0).fit(X, y)


def fit_numpy_loop(X, y, n_epochs, *, batch_size=32, learning_rate=0.01, decay_rate=0.9, epsilon=1e-8):
    """Fit by mini-batch RMSprop as textbooks give it, in NumPy."""
    rng = np.random.default_rng(0)
    coef, intercept = np.zeros(X.shape[1], X.dtype), 0.0
    s_coef, s_intercept = np.zeros_like(coef), 0.0
    for _ in range(n_epochs):
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch_size):
            rows = order[first : first + batch_size]
            batch = X[rows]
            residual = batch @ coef + intercept - y[rows]
            g_coef, g_intercept = residual @ batch / len(rows), residual.mean()
            s_coef = decay_rate * s_coef + (1 - decay_rate) * g_coef**2
            s_intercept = decay_rate * s_intercept + (1 - decay_rate) * g_intercept**2
            coef = coef - learning_rate * g_coef / (np.sqrt(s_coef) + epsilon)
            intercept -= learning_rate * g_intercept / (np.sqrt(s_intercept) + epsilon)
    return Linear(coef, intercept)


def tuned_sgd(problem, n_epochs=2):
    """Return SGDRegressor with the step size, schedule and averaging that give the smallest excess loss on a problem.

    The candidates are fitted to a random subset of the rows, because some tables are sorted. The time of this search is
    not part of any measurement.
    """
    n_columns = problem.X.shape[1]
    # At least two rows per column, otherwise about a million values; at most 20,000 rows, so that it takes seconds.
    n_rows = 20_000 if scipy.sparse.issparse(problem.X) else max(2 * n_columns, 1_000_000 // n_columns)
    rows = np.sort(np.random.default_rng(0).permutation(len(problem.y))[: min(n_rows, 20_000)])
    X, y = problem.X[rows], problem.y[rows]
    best_params, smallest = {}, np.inf
    for params in [
        {"learning_rate": schedule, "eta0": eta0, "average": average}
        for eta0 in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
        for schedule, average in (("invscaling", False), ("invscaling", True), ("constant", True))
    ]:
        try:
            excess_loss = problem.excess_loss(fit_sgd(X, y, n_epochs, **params))
        except ValueError:  # the fit diverged
            continue
        if excess_loss < smallest:
            best_params, smallest = params, excess_loss
    return Solver("SGDRegressor, tuned", partial(fit_sgd, **best_params))


RMSPROP = Solver("RMSpropRegressor", fit_rmsprop)
STABLE_SGD = Solver("SGDRegressor(penalty=None)", fit_stable_sgd)
DEFAULT_SGD = Solver("SGDRegressor", fit_sgd)
AVERAGED_SGD = Solver("SGDRegressor(average=True)", partial(fit_sgd, average=True))
LEAST_SQUARES = Solver("LinearRegression", lambda X, y, _: LinearRegression().fit(X, y), is_iterative=False)
CHOLESKY = Solver(
    "Ridge(solver='cholesky')",
    lambda X, y, _: Ridge(solver="cholesky").fit(X, y),
    is_iterative=False,
    accepts_sparse=False,
    max_columns=5000,
)
SAG = Solver("Ridge(solver='sag')", fit_sag)
NUMPY_LOOP = Solver("NumPy loop", fit_numpy_loop, accepts_sparse=False)
# Empty if the package is not installed.
TORCH = tuple(
    Solver(f"torch.optim.RMSprop, batch {n}", partial(peers_torch.fit, batch_size=n), accepts_sparse=False)
    for n in ((32, 256) if peers_torch.AVAILABLE else ())
)
OPTAX = tuple(
    Solver(f"optax.rmsprop, batch {n}", partial(peers_jax.fit, batch_size=n), accepts_sparse=False)
    for n in ((32, 256) if peers_jax.AVAILABLE else ())
)
OPTIONAL_PEERS = (*TORCH, *OPTAX)
DIRECT_PEERS = (LEAST_SQUARES, CHOLESKY)
ITERATIVE_PEERS = (DEFAULT_SGD, AVERAGED_SGD, SAG, NUMPY_LOOP, *OPTIONAL_PEERS)
