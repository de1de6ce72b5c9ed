"""Streams whose first call of `partial_fit` was not typical."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression

from sklearn_rmsprop import RMSpropRegressor

N_ROWS, N_FEATURES = 4_000, 6


def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, N_FEATURES))
    return X, X @ rng.normal(size=N_FEATURES) + rng.normal(size=N_ROWS)


def excess_loss(model, X, y):
    best = np.mean((LinearRegression().fit(X, y).predict(X) - y) ** 2)
    return (np.mean((model.predict(X) - y) ** 2) - best) / (y.var() - best)


def learn(model, X, y, size, *, n_passes=2):
    for _ in range(n_passes):
        for start in range(0, len(y), size):
            model.partial_fit(X[start : start + size], y[start : start + size])
    return model


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("distance", [10, 1000])
@pytest.mark.parametrize("where", ["X", "y", "X and y"])
def test_a_first_call_far_from_all_others_does_no_harm(where, distance, loss, container):
    """By 10 standard deviations it left an excess loss of 0.1 after ten passes, by 1000 a useless model."""
    X, y = rows()
    first_X, first_y = X[:200].copy(), y[:200].copy()
    if "X" in where:
        first_X[:, :2] += distance
    if "y" in where:
        first_y += distance * y.std()
    model = RMSpropRegressor(loss, delta=3.0, random_state=0).partial_fit(container(first_X), first_y)
    assert excess_loss(learn(model, container(X), y, 200), X, y) < 1e-3


def test_a_narrow_first_call_does_no_harm():
    """All of its rows are alike: its units are a thousandth of the others'."""
    X, y = rows()
    model = RMSpropRegressor(random_state=0).partial_fit(1e-3 * X[:200] + 1, 1e-3 * y[:200] + 1)
    assert excess_loss(learn(model, X, y, 100), X, y) < 1e-3


def test_whitened_coordinates_are_measured_anew():
    X, y = rows()
    X[:, 1] = X[:, 0] + 0.01 * X[:, 1]
    y += 50 * (X[:, 1] - X[:, 0])
    model = RMSpropRegressor(random_state=0).partial_fit(X[:200] + 100, y[:200])
    assert excess_loss(learn(model, X, y, 500), X, y) < 1e-3


def test_outliers_and_single_rows_do_not_move_the_origin():
    X, y = rows()
    model = RMSpropRegressor(random_state=0).partial_fit(X[:200], y[:200])
    before = model._coordinates
    outlying = X[200:220].copy()
    outlying[3] = 50
    model.partial_fit(outlying, y[200:220]).partial_fit(X[[220]] + 100, y[[220]])
    assert model._coordinates is before
