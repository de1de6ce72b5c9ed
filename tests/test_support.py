"""Which coefficients the L1 penalty makes zero, where the noise of a mini-batch's gradient hides what they gain.

A coefficient that belongs at zero is held there by a threshold that grows a little in each step, while noise moves the
coefficient by about a step. The smaller the batches and the weaker the signal, the smaller is that little.
"""

import numpy as np
import oracles
import pytest
from scipy import sparse
from sklearn.linear_model import ElasticNet

from sklearn_rmsprop import RMSpropRegressor

# Wrong zeros and wrong other coefficients together, as a share of the columns; suboptimality over the null loss.
MOST_WRONG, MOST_EXCESS = 0.02, 1e-4

CONTAINERS = {"dense": np.ascontiguousarray, "CSR, float32": lambda X: sparse.csr_array(X.astype(np.float32))}

every_container = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


def noisy(n_rows=6000, n_features=50, *, noise=2.0, correlation=0.0, seed=0):
    """Draw columns, each correlated with the one before, of which five matter; a target with much noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    for j in range(1, n_features):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    signal = X[:, :: n_features // 5] @ [1.0, -1.0, 0.7, -0.6, 1.3]
    return X, 3 + signal + noise * rng.normal(size=n_rows)


def exact_coef(X, y, *, loss, penalty, alpha, l1_ratio=1.0, **options):
    """Return the coefficients and the intercept of the minimum."""
    if loss != "squared_error":
        return oracles.minimum(X, y, loss=loss, penalty=penalty, alpha=alpha, **options)[1:]
    model = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-10, precompute=True).fit(X, y)
    return model.coef_, model.intercept_


def assert_support(model, X, y, **options):
    coef, intercept = exact_coef(X, y, **options)
    support = np.abs(coef) > 1e-6 * np.abs(coef).max()
    assert 0 < support.sum() < len(coef) / 2
    assert np.mean((model.coef_ != 0) != support) <= MOST_WRONG
    best, null = oracles.objective(X, y, coef, intercept, **options), oracles.null(y, **options)
    assert oracles.objective(X, y, model.coef_, model.intercept_, **options) - best <= MOST_EXCESS * null


@every_container
@pytest.mark.parametrize(
    ("noise", "parameters"),
    [
        (2.0, {"batch_size": 4}),
        (5.0, {}),
        (5.0, {"batch_size": 256}),
        (3.0, {"momentum": 0.9, "learning_rate": 0.02}),
        (5.0, {"decay_rate": 0.999, "centered": True}),
        (5.0, {"tol": None, "max_iter": 5}),
    ],
    ids=str,
)
def test_lasso(noise, parameters, container):
    X, y = noisy(noise=noise)
    model = RMSpropRegressor(**parameters, penalty="l1", alpha=0.04 * noise, random_state=0).fit(container(X), y)
    assert_support(model, X, y, loss="squared_error", penalty="l1", alpha=0.04 * noise)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_elastic_net_of_correlated_columns(l1_ratio, seed):
    options = {"loss": "squared_error", "penalty": "elasticnet", "alpha": 0.1 / l1_ratio, "l1_ratio": l1_ratio}
    X, y = noisy(20_000, correlation=0.7, noise=3.0, seed=seed)
    assert_support(RMSpropRegressor(**options, random_state=0).fit(X, y), X, y, **options)


@every_container
@pytest.mark.parametrize(
    "options",
    [
        {"loss": "huber", "delta": 2.0, "alpha": 0.08},
        {"loss": "absolute_error", "alpha": 0.05},
        {"loss": "quantile", "quantile": 0.8, "alpha": 0.04},
        {"loss": "epsilon_insensitive", "delta": 1.0, "alpha": 0.05},
        {"loss": "squared_epsilon_insensitive", "delta": 1.0, "alpha": 0.12},
    ],
    ids=lambda options: options["loss"],
)
def test_other_losses(options, container):
    X, y = noisy(1500, 20, noise=2.0)
    options = {**options, "penalty": "l1"}
    model = RMSpropRegressor(**options, batch_size=2, random_state=0).fit(container(X), y)
    assert_support(model, X, y, **options)


@every_container
def test_a_stream(container):
    options = {"loss": "squared_error", "penalty": "l1", "alpha": 0.1}
    X, y = noisy(noise=2.0)
    order = np.random.default_rng(0).permutation(len(y))
    model = RMSpropRegressor(**options, batch_size=8, random_state=0)
    for _ in range(3):
        for rows in np.array_split(order, 12):
            model.partial_fit(container(X[rows]), y[rows])
    assert_support(model, X, y, **options)


@pytest.mark.parametrize("signal", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("correlation", [0.0, 0.7])
@pytest.mark.parametrize("n_rows", [300, 2000, 10_000])
def test_exact_steps_find_the_support_to_the_last_column(n_rows, correlation, signal):
    """Of dense data that is not too large and not ill-conditioned, each step is exact, and no noise decides.

    The columns lie at different distances from the boundary. Batches of 32 have one or two wrong in half of these fits.
    """
    X, y = noisy(n_rows, 20, correlation=correlation, noise=np.sqrt(4.5 * (1 / signal - 1)))
    largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / n_rows
    n_wrong = []
    for share in (0.02, 0.1, 0.3):
        alpha = share * largest
        coef, _ = exact_coef(X, y, loss="squared_error", penalty="l1", alpha=alpha)
        model = RMSpropRegressor(penalty="l1", alpha=alpha, random_state=0).fit(X, y)
        assert model.batch_size_ == n_rows
        n_wrong.append(int(((model.coef_ != 0) != (np.abs(coef) > 1e-9)).sum()))
    assert sum(n_wrong) <= 1  # a coefficient may be as close to zero as the digits that `tol` leaves
