"""The contenders: ours, scikit-learn's, the textbook's loop in NumPy, and where installed PyTorch and optax.

All have one interface: ``fit(X, y, n_epochs)`` returns a model that can ``predict``. Those that solve in one go ignore
the number of epochs.
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
class Peer:
    """A way of fitting a linear regression."""

    name: str
    fit: Callable
    iterative: bool = True
    sparse: bool = True
    max_columns: int = 10**9

    def can_fit(self, X):
        """Tell whether these data are of its kind, and a fit is a matter of seconds."""
        return (self.sparse or not scipy.sparse.issparse(X)) and X.shape[1] <= self.max_columns


def fit_ours(X, y, n_epochs, **params):
    """Fit ours, with all other defaults on."""
    return RMSpropRegressor(max_iter=n_epochs, tol=None, random_state=0, **params).fit(X, y)


def fit_sgd(X, y, n_epochs, **params):
    """Fit SGDRegressor; without a tolerance it would never lower an adaptive rate."""
    tol = 1e-3 if params.get("learning_rate") == "adaptive" else None
    return SGDRegressor(max_iter=n_epochs, tol=tol, random_state=0, **params).fit(X, y)


def fit_sgd_safely(X, y, n_epochs):
    """Fit SGDRegressor at a rate at which it cannot diverge, which makes an epoch neither faster nor slower.

    It diverges once a row's squared norm passes 2 / eta0, and then stops with an error.
    """
    some = X[:: max(1, X.shape[0] // 1000)]
    square = some.multiply(some) if scipy.sparse.issparse(X) else some**2
    return fit_sgd(X, y, n_epochs, penalty=None, eta0=min(0.01, 0.1 / float(square.sum(axis=1).max())))


def fit_sag(X, y, n_epochs):
    """Fit Ridge by stochastic average gradients, for exactly so many epochs."""
    return Ridge(solver="sag", max_iter=n_epochs, tol=0.0, random_state=0).fit(X, y)


def fit_loop(X, y, n_epochs, *, batch_size=32, learning_rate=0.01, decay_rate=0.9, epsilon=1e-8):
    """Fit by the textbook's loop: mini-batch RMSprop in NumPy."""
    rng = np.random.default_rng(0)
    coef, intercept = np.zeros(X.shape[1], X.dtype), 0.0
    s_coef, s_intercept = np.zeros_like(coef), 0.0
    for _ in range(n_epochs):
        order = rng.permutation(len(X))
        for first in range(0, len(X), batch_size):
            rows = order[first : first + batch_size]
            batch = X[rows]
            residual = batch @ coef + intercept - y[rows]
            gradient, slope = residual @ batch / len(rows), residual.mean()
            s_coef = decay_rate * s_coef + (1 - decay_rate) * gradient**2
            s_intercept = decay_rate * s_intercept + (1 - decay_rate) * slope**2
            coef = coef - learning_rate * gradient / (np.sqrt(s_coef) + epsilon)
            intercept -= learning_rate * slope / (np.sqrt(s_intercept) + epsilon)
    return Linear(coef, intercept)


def tuned_sgd(problem, n_epochs=2):
    """Return SGDRegressor at the rate, with or without averaging, that comes nearest to the optimum.

    Tried on a part of the rows, outside any clock.
    """
    n_columns = problem.X.shape[1]
    n_rows = 20_000 if scipy.sparse.issparse(problem.X) else max(2 * n_columns, 1_000_000 // n_columns)
    # Random rows: real tables may be sorted.
    rows = np.sort(np.random.default_rng(0).permutation(len(problem.y))[: min(n_rows, 20_000)])
    X, y = problem.X[rows], problem.y[rows]
    best, fewest = None, np.inf
    for params in [
        {"learning_rate": schedule, "eta0": eta0, "average": average}
        for eta0 in (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
        for schedule, average in (("invscaling", False), ("invscaling", True), ("constant", True))
    ]:
        try:
            missed = problem.missed(fit_sgd(X, y, n_epochs, **params))
        except ValueError:  # it diverged
            continue
        if missed < fewest:
            best, fewest = params, missed
    return Peer("SGDRegressor, tuned", partial(fit_sgd, **(best or {})))


OURS = Peer("RMSpropRegressor", fit_ours)
SGD = Peer("SGDRegressor(penalty=None)", fit_sgd_safely)
SGD_DEFAULT = Peer("SGDRegressor", fit_sgd)
SGD_AVERAGED = Peer("SGDRegressor(average=True)", partial(fit_sgd, average=True))
LEAST_SQUARES = Peer("LinearRegression", lambda X, y, _: LinearRegression().fit(X, y), iterative=False)
CHOLESKY = Peer(
    "Ridge(solver='cholesky')",
    lambda X, y, _: Ridge(solver="cholesky").fit(X, y),
    iterative=False,
    sparse=False,
    max_columns=5000,
)
SAG = Peer("Ridge(solver='sag')", fit_sag)
LOOP = Peer("NumPy loop", fit_loop, sparse=False)
# Empty where the package is not installed.
TORCH = tuple(
    Peer(f"torch.optim.RMSprop, batch {n}", partial(peers_torch.fit, batch_size=n), sparse=False)
    for n in ((32, 256) if peers_torch.AVAILABLE else ())
)
OPTAX = tuple(
    Peer(f"optax.rmsprop, batch {n}", partial(peers_jax.fit, batch_size=n), sparse=False)
    for n in ((32, 256) if peers_jax.AVAILABLE else ())
)
EXTRAS = (*TORCH, *OPTAX)
EXACT = (LEAST_SQUARES, CHOLESKY)
ITERATIVE = (SGD_DEFAULT, SGD_AVERAGED, SAG, LOOP, *EXTRAS)
