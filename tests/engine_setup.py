"""Sets up the fitting engine without an estimator: settings, data, and a problem with the state to start from."""

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._state import seed_generator


def settings_of(**parameters):
    """The settings that these parameters of the estimator, and its defaults, stand for."""
    return engine.Settings.of(RMSpropRegressor(**parameters).get_params())


def data_of(X, Y, weight=1.0):
    """Training data, made without the estimator's validation."""
    rows = np.arange(X.shape[0]) if np.isscalar(weight) else np.flatnonzero(weight)
    return TrainingData(X, Y, weight, rows.astype(np.uint32), flat=False)


def generator_of(seed=0):
    """The generator with which an estimator of this `random_state` starts."""
    return seed_generator(check_random_state(seed))


def set_up(data, settings):
    """Coordinates, the state before the first step, and the problem."""
    coordinates = engine.coordinates_of(engine.measure(data, settings), data, settings)
    state = engine.start(data, coordinates, settings, generator_of())
    return coordinates, state, engine.pose(data, coordinates, settings)


def rows_and_targets(container=np.asarray, *, n_rows=90, n_features=6, n_targets=3, dtype=np.float64):
    """Rows of which half the entries are zero, and targets."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features)) * rng.integers(0, 2, size=(n_rows, n_features))
    Y = X @ rng.normal(size=(n_features, n_targets)) + rng.normal(size=(n_rows, n_targets))
    X = container(X.astype(dtype))
    return X.tocsr() if sparse.issparse(X) else X, Y + np.arange(n_targets)


def contents(state):
    """All that a state consists of, with copies of its arrays."""
    return {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in vars(state).items()}


def assert_same(state, other, tolerance=0.0):
    """Assert that states are the same: their numbers exactly, their arrays to this tolerance."""
    state, other = (contents(s) if not isinstance(s, dict) else s for s in (state, other))
    assert state.keys() == other.keys()
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == other[name].dtype
            np.testing.assert_allclose(value, other[name], rtol=tolerance, atol=tolerance, err_msg=name)
        else:
            assert value == other[name], name
