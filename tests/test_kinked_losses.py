"""Losses with a kink: fits reach the optimum in time, say so, and say when they have not."""

import warnings

import numpy as np
import oracles
import pytest
from scipy import sparse
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning

from sklearn_rmsprop import RMSpropRegressor

# Excess loss above the optimum, over the null loss: as in test_optimum.py
MISSED = 2e-3

LOSSES = {
    "quantile 0.05": {"loss": "quantile", "quantile": 0.05},
    "quantile 0.95": {"loss": "quantile", "quantile": 0.95},
    "quantile 0.3": {"loss": "quantile", "quantile": 0.3},
    "absolute error": {"loss": "absolute_error"},
    "epsilon-insensitive": {"loss": "epsilon_insensitive", "delta": 0.02},
}

every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def draw(r2, *, n_rows=300, n_features=5, container=np.asarray):
    """Draw a target of which so much is explained, with noise that is not symmetric."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    if container is not np.asarray:
        X *= rng.random(size=X.shape) < 0.3
    return container(X), target(X, r2, rng)


def target(X, r2, rng):
    signal = X @ rng.normal(size=X.shape[1])
    return 10 + np.sqrt(r2) * signal / signal.std() + np.sqrt(1 - r2) * rng.exponential(size=len(X))


def fit(X, y, **parameters):
    """Return the fit, and whether it has warned that it has not converged."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model = RMSpropRegressor(**parameters, random_state=0).fit(X, y)
    return model, bool(caught)


def missed(model, X, y, **loss):
    best, null = oracles.minimum(X, y, **loss)[0], oracles.null(y, **loss)
    return (oracles.objective(X, y, model.coef_, model.intercept_, **loss) - best) / null


@every_loss
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("r2", [0.5, 0.99999])
def test_fits_converge_and_do_not_warn(r2, container, loss):
    X, y = draw(r2, container=container)
    for parameters in ({}, {"batch_size": None}, {"tol": None, "max_iter": 300}):
        model, warned = fit(X, y, **loss, **parameters)
        assert missed(model, X, y, **loss) <= MISSED
        assert not warned


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("parameters", [{}, {"tol": None, "max_iter": 200}, {"early_stopping": True}], ids=str)
def test_a_quantile_covers_its_share_where_nearly_all_is_explained(parameters, quantile):
    X, y = make_regression(1000, 20, noise=1, random_state=0)
    model, _ = fit(X, y, loss="quantile", quantile=quantile, **parameters)
    # rows on the plane itself count as below or above; 100 rows that are held out are not fitted
    assert np.mean(y <= model.predict(X)) == pytest.approx(quantile, abs=0.05)


@every_loss
@pytest.mark.parametrize("max_iter", [2, 10, 30])
def test_a_fit_that_has_not_converged_warns(max_iter, loss):
    X, y = draw(0.9, n_rows=1500, n_features=10, container=sparse.csr_array)
    model, warned = fit(X, y, **loss, learning_rate=0.01, max_iter=max_iter)
    assert missed(model, X, y, **loss) > 2 * MISSED
    assert warned


def test_many_targets_take_about_as_many_epochs_as_the_slowest_of_them():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 5))
    Y = np.column_stack([target(X, r2, rng) for r2 in [0.1, 0.5, 0.9, 0.999] * 5])
    loss = {"loss": "quantile", "quantile": 0.9}
    together, _ = fit(X, Y, **loss)
    alone = [fit(X, y, **loss)[0] for y in Y.T]
    # each stage but the last ends when most targets have ceased to improve
    assert together.n_iter_ <= 1.25 * max(model.n_iter_ for model in alone)
    for y, coef, intercept, model in zip(Y.T, together.coef_, together.intercept_, alone, strict=True):
        difference = oracles.objective(X, y, coef, intercept, **loss)
        difference -= oracles.objective(X, y, model.coef_, model.intercept_, **loss)
        assert difference < 1e-4 * oracles.null(y, **loss)


@pytest.mark.parametrize("loss", [{"loss": "absolute_error"}, {"loss": "quantile", "quantile": 0.9}], ids=str)
def test_a_target_that_takes_longer_is_waited_for(loss):
    """Beside three targets of noise, which have ceased to improve long before."""
    rng = np.random.default_rng(0)
    X = np.sinh(3 * rng.normal(size=(1000, 8)))
    y = X.sum(axis=1) + rng.normal(size=1000)
    together, _ = fit(X, np.column_stack([rng.normal(size=(1000, 3)), y]), **loss)
    alone, _ = fit(X, y, **loss)
    reached = oracles.objective(X, y, together.coef_[-1], together.intercept_[-1], **loss)
    reached_alone = oracles.objective(X, y, alone.coef_, alone.intercept_, **loss)
    assert reached - reached_alone < 2e-3 * oracles.null(y, **loss)


def test_of_many_rows_stages_take_parts_of_epochs():
    """Evaluations follow the number of steps in the average, which a reduction lowers: else a stage takes 5 epochs."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 4))
    y = X @ [1.0, -2.0, 3.0, 0.5] + rng.normal(size=60_000)
    model = RMSpropRegressor("absolute_error", random_state=0).fit(X, y)
    epochs = np.array(model.evaluation_epochs_)
    assert (np.diff(epochs) < 1).all()
    assert epochs[-1] < 20
    assert np.abs(model.coef_ - [1.0, -2.0, 3.0, 0.5]).max() < 0.02
