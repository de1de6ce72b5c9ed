"""The update, the reference and the estimator against two sources from outside: PyTorch and the tutorial."""

import json
from pathlib import Path

import numpy as np
import pytest
import reference
from configurations import TEXTBOOK
from datasets import diamonds_carat
from reference import assert_model, follow_epochs
from scipy.optimize import minimize

from sklearn_rmsprop import RMSpropRegressor, rmsprop

TEXTBOOK_OPTIONS = {"schedule": "constant", "average": False, "bias_correction": False}

# Made by record_torch.py.
TORCH = json.loads((Path(__file__).parent / "data" / "torch_rmsprop.json").read_text())


def assert_same_path(path, run):
    """One rounding a step or so, in both, as large as the terms of a gradient make it.

    One coefficient passes zero at 4e-5, so that what counts is the size of a model, not of each number in it.
    """
    recorded = np.column_stack([run["coef"], run["intercept"]])
    size = np.abs(recorded).max(axis=1, keepdims=True)
    np.testing.assert_allclose(path / size, recorded / size, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", TORCH["runs"])
def test_recorded_torch(name):
    X, y, weight = (np.array(TORCH[key]) for key in ("X", "y", "sample_weight"))
    run = TORCH["runs"][name]
    setting = run["setting"]
    weight = weight if setting["weighted"] else None
    params = {
        **TEXTBOOK,
        "learning_rate": setting["lr"],
        "decay_rate": setting["alpha"],
        "epsilon": setting["eps"],
        "momentum": setting["momentum"],
        "centered": setting["centered"],
        "batch_size": setting["batch_size"],
    }
    n_epochs = len(run["coef"])
    path = follow_epochs(X, y, params, n_epochs, weight)
    assert_same_path(np.column_stack([path.coef[1:], path.intercept[1:]]), run)

    model = RMSpropRegressor(**params)
    for coef, intercept in zip(run["coef"], run["intercept"], strict=True):
        model.partial_fit(X, y, sample_weight=weight)
        assert_model(model, coef, intercept)
    model = RMSpropRegressor(**params, max_iter=n_epochs).fit(X, y, sample_weight=weight)
    assert_model(model, run["coef"][-1], run["intercept"][-1])


@pytest.mark.parametrize("name", TORCH["runs"])
def test_minimize_follows_recorded_torch(name):
    run = TORCH["runs"][name]
    setting = run["setting"]
    X, y = np.column_stack([TORCH["X"], np.ones(len(TORCH["X"]))]), np.array(TORCH["y"])
    weight = np.array(TORCH["sample_weight"]) if setting["weighted"] else np.ones(len(y))
    weight /= weight.mean()
    size = setting["batch_size"] or len(y)
    starts = range(0, len(y), size)
    points = [np.zeros(X.shape[1])]

    def loss(w):
        return np.mean(weight * (X @ w - y) ** 2) / 2

    def gradient(w):
        """Take one batch after the other, which it finds by the steps that were made."""
        start = starts[(len(points) - 1) % len(starts)]
        x, v = X[start : start + size], weight[start : start + size]
        return x.T @ (v * (x @ w - y[start : start + size])) / len(x)

    def remember(w):
        points.append(w)

    options = {
        **TEXTBOOK_OPTIONS,
        "learning_rate": setting["lr"],
        "decay_rate": setting["alpha"],
        "epsilon": setting["eps"],
        "momentum": setting["momentum"],
        "centered": setting["centered"],
        "maxiter": len(run["coef"]) * len(starts),
    }
    minimize(loss, points[0], jac=gradient, method=rmsprop, callback=remember, options=options)
    path = np.array(points)[len(starts) :: len(starts)]
    assert_same_path(path, run)


SIX_X, SIX_Y = np.arange(5.0, 60.0, 10.0), np.array([5.0, 20.0, 14.0, 32.0, 22.0, 38.0])


def six_points_rmse(slope, intercept):
    return np.sqrt(np.mean((slope * SIX_X + intercept - SIX_Y) ** 2))


def fit_six_points(n_steps):
    params = {**TEXTBOOK, "learning_rate": 0.001, "decay_rate": 0.9, "batch_size": None}
    model = RMSpropRegressor(**params, max_iter=n_steps)
    model.fit(SIX_X[:, np.newaxis], SIX_Y, coef_init=[3.0], intercept_init=5.0)
    return model.coef_[0], model.intercept_


def test_tutorial_six_points():
    published = pytest.approx((0.54935276, 5.24240429), rel=1e-7)
    rmse = pytest.approx(5.813195776655382, rel=1e-7)
    loop = reference.tutorial_full_batch(SIX_X, SIX_Y, (3.0, 5.0))
    assert tuple(loop) == published
    assert six_points_rmse(*loop) == rmse

    # Up to here the slope is on its way, and rounding stays small.
    loop = reference.tutorial_full_batch(SIX_X, SIX_Y, (3.0, 5.0), n_iter=2300)
    np.testing.assert_allclose(fit_six_points(2300), loop, rtol=1e-10)

    def gradient(line):
        residual = line[0] * SIX_X + line[1] - SIX_Y
        return np.array([np.mean(residual * SIX_X), np.mean(residual)])

    options = {**TEXTBOOK_OPTIONS, "learning_rate": 0.001, "decay_rate": 0.9, "maxiter": 2300}
    result = minimize(lambda line: six_points_rmse(*line), (3.0, 5.0), jac=gradient, method=rmsprop, options=options)
    np.testing.assert_allclose(result.x, loop, rtol=1e-10)

    # Then it jumps between two values, and rounding decides which of them falls on step 5000: the
    # published one in the tutorial's order of operations, the other one in exact arithmetic. Both
    # are as good.
    other = pytest.approx((0.550352436555, 5.24255094996), rel=1e-7)
    line = fit_six_points(5000)
    assert line in (published, other)
    assert six_points_rmse(*line) == rmse


def test_tutorial_mini_batches_on_diamonds():
    # The first 20 batches of 512, rows in order.
    X, y = (a[:10_240] for a in diamonds_carat())
    X, y = (X - X.mean()) / X.std(), (y - y.mean()) / y.std()
    slope, intercept = reference.tutorial_mini_batch(X[:, 0], y, (1.0, 0.0), n_iter=1)
    params = {**TEXTBOOK, "learning_rate": 0.01, "decay_rate": 0.9, "batch_size": 512}
    model = RMSpropRegressor(**params, max_iter=1).fit(X, y, coef_init=[1.0], intercept_init=0.0)
    assert_model(model, [slope], intercept)
