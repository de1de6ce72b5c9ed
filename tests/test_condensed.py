"""Exact steps of the squared error on a few rows that stand for many: the same steps, however many rows there are."""

import numpy as np
import pytest
from engine_setup import data_of, generator_of, settings_of

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._batches import Batches
from sklearn_rmsprop._condensed import condensed

CONFIGURATIONS = {
    "defaults": {},
    "no intercept": {"fit_intercept": False},
    "no standardize": {"standardize": False, "learning_rate": 0.01},
    "whitened": {"whiten": True},
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "L2": {"penalty": "l2", "alpha": 0.1},
    "L1": {"penalty": "l1", "alpha": 0.1},
    "textbook": {"decay_rate": 0.9, "schedule": "constant", "average": False, "bias_correction": False},
}


def table(n_rows=300, n_features=4, n_targets=1, *, seed=0):
    """Return columns of different means and scales, and targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * 10.0 ** np.arange(n_features) + 100 * rng.normal(size=n_features)
    return X, X @ rng.normal(size=(n_features, n_targets)) + 5 + rng.normal(size=(n_rows, n_targets))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_the_steps_are_those_on_all_rows(name, n_targets, weighted):
    X, Y = table(n_targets=n_targets)
    weight = np.random.default_rng(1).integers(0, 3, size=300).astype(float) if weighted else 1.0
    data = data_of(X, Y, weight)
    settings = settings_of(batch_size=None, **CONFIGURATIONS[name])
    coordinates = engine.coordinates_of(engine.measure(data, settings), data, settings)
    state = engine.start(data, coordinates, settings, generator_of())
    short = engine.pose(data, coordinates, settings)
    long = engine.pose(data, coordinates, settings, batches=Batches(len(data.rows), data.rows, None))
    assert short.data.X.shape[0] == 2 * (4 + n_targets) < long.data.X.shape[0] == 300
    assert short.steps_per_epoch == long.steps_per_epoch == 1
    (one, losses), (other, expected) = (engine.run(p, state, settings, n_steps=40) for p in (short, long))
    np.testing.assert_allclose(losses, expected, rtol=1e-9)
    np.testing.assert_allclose(one.reported(), other.reported(), rtol=1e-7, atol=1e-9)  # roundings of 40 steps


@pytest.mark.parametrize("shared", [False, True])
def test_means_and_second_moments_are_the_same(shared):
    X, Y = table(n_targets=2)
    if shared:
        Y = np.broadcast_to(Y[:, :1], Y.shape)
    weight = np.random.default_rng(1).exponential(size=300)
    few = condensed(data_of(X, Y, weight))
    columns, of_few = np.hstack((X, Y)), np.hstack((few.X, few.y))
    mean = np.average(columns, axis=0, weights=weight)
    np.testing.assert_allclose(of_few.mean(axis=0), mean, rtol=1e-10)
    np.testing.assert_allclose(np.cov(of_few.T, ddof=0), np.cov(columns.T, ddof=0, aweights=weight), rtol=1e-9)
    assert few.weight == pytest.approx(weight.mean())


def test_the_user_sees_all_rows():
    X, Y = table()
    model = RMSpropRegressor(batch_size=None, random_state=0).fit(X, Y[:, 0])
    assert model.batch_size_ == 300
    assert model.t_ == model.n_iter_
    expected = np.mean((Y[:, 0] - model.predict(X)) ** 2) / 2
    assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        (np.float32, {}),
        (np.float64, {"loss": "huber"}),
        (np.float64, {"batch_size": 299}),
        (np.float64, {"max_iter": 4}),
    ],
    ids=str,
)
def test_rows_that_others_cannot_stand_for(dtype, options):
    X, Y = table()
    data, settings = data_of(X.astype(dtype), Y), settings_of(**{"batch_size": None} | options)
    coordinates = engine.coordinates_of(engine.measure(data, settings), data, settings)
    assert engine.pose(data, coordinates, settings).data.X.shape[0] == 300
