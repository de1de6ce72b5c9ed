"""Columns and targets that are far from zero beside their spread, which float32 or a sparse matrix makes hard."""

import numpy as np
import oracles
import pytest
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor

# Of what is explainable; fits of the same numbers near zero end with an excess loss of up to 1e-4.
EXCESS = 1e-3

LOSSES = {
    "squared_error": {},
    "absolute_error": {},
    "huber": {"delta": 1.0},
    "quantile": {"quantile": 0.8},
    "epsilon_insensitive": {"delta": 0.5},
    "squared_epsilon_insensitive": {"delta": 0.5},
}


def excess_loss(model, X, y, *, target=0, loss="squared_error", **parameter):
    """The loss of the predictions above the smallest possible one, over what the best constant is above it.

    Rows and targets are exact in float64 when their means are subtracted, which the oracle needs.
    """
    options = {"loss": loss, **parameter}
    prediction = model.predict(X).reshape(len(y), -1)[:, target]
    X = (X.toarray() if sparse.issparse(X) else X).astype(np.float64)
    origin = y.mean(axis=0)
    best = oracles.minimum(X - X.mean(axis=0), y - origin, **options)[0]
    found = oracles.losses(y - prediction, **options).mean()
    return (found - best) / (oracles.null(y - origin, **options) - best)


def distant(n_rows, n_features, *, x=0.0, y=0.0, dtype=np.float32, seed=0):
    """Columns with a mean of `x` times their standard deviation, and a target with a mean of `y` times its own."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    sign = np.where(rng.random(n_features) < 0.5, -1, 1)
    X = ((X + x * sign) * rng.lognormal(size=n_features)).astype(dtype)
    centred = (X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)) / X.std(axis=0, dtype=np.float64)
    target = centred @ rng.normal(size=n_features) / n_features**0.5 + 0.5 * rng.normal(size=n_rows)
    return X, target + y * target.std()


# float32


@pytest.mark.parametrize(
    ("loss", "n_features"), [*((loss, 3) for loss in LOSSES), ("squared_error", 40), ("huber", 40)]
)
@pytest.mark.parametrize(("x", "y"), [(400, 400), (5e4, 0), (1e6, 1e7)], ids=str)
def test_float32_is_fitted_as_well_as_float64(x, y, n_features, loss):
    X, y = distant(300, n_features, x=x, y=y)
    options = {"loss": loss, **LOSSES[loss]}
    model = RMSpropRegressor(random_state=0, **options).fit(X, y)
    assert excess_loss(model, X, y, **options) < EXCESS


@pytest.mark.parametrize(("x", "y"), [(0, 1e7), (3e3, 0), (1e6, 1e7)], ids=str)
def test_float32_in_full_batches(x, y):
    """A sum of all rows is rounded most, and gradients as small as its roundings count as zero."""
    X, y = distant(300, 8, x=x, y=y)
    model = RMSpropRegressor(random_state=0, batch_size=None).fit(X, y)
    assert excess_loss(model, X, y) < EXCESS


@pytest.mark.parametrize(("x", "y"), [(0, 1e7), (1e6, 0), (1e6, 1e7)], ids=str)
def test_streams_of_float32_and_several_targets(x, y):
    """Coordinates are those of the first call; each target has a distance of its own."""
    X, y = distant(600, 4, x=x, y=y)
    stream = RMSpropRegressor(random_state=0)
    for _ in range(10):
        for start in range(0, 600, 60):
            stream.partial_fit(X[start : start + 60], y[start : start + 60])
    assert excess_loss(stream, X, y) < EXCESS
    near = y - y.mean()
    model = RMSpropRegressor(random_state=0).fit(X, np.column_stack((near, y, -3 * y)))
    for k, target in enumerate((near, y, -3 * y)):
        assert excess_loss(model, X, target, target=k) < EXCESS


def test_latitude_longitude_and_year():
    """Elevations of 1200 m around a town: all coefficients used to be zero."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(1000, 3))
    X = (Z * [0.03, 0.03, 3] + [40.75, -73.98, 2015]).astype(np.float32)
    y = 1200 + 3 * (Z @ [0.5, -0.5, 0.5] + 0.4 * rng.normal(size=1000))
    assert excess_loss(RMSpropRegressor(random_state=0).fit(X, y), X, y) < EXCESS


def test_constant_columns_of_float32():
    """The moments of columns are in float64: a column that varies in its last bits only is not a constant one."""
    X, y = distant(300, 3, x=1e6)
    constant = np.full((300, 2), [0.1, 0.0], np.float32)
    model = RMSpropRegressor(random_state=0).fit(np.column_stack((X, constant)), y)
    np.testing.assert_array_equal(model.coef_[3:], 0)
    assert (model.coef_[:3] != 0).all()


def test_nearly_equal_columns_of_float32():
    """A stream changes to float64 when it knows how much the columns are correlated: the excess was 1e-3 and more."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(2000, 20))
    X = (3 + rng.normal(size=(2000, 1)) + 1e-4 * Z).astype(np.float32)
    y = Z @ rng.normal(size=20) / 20**0.5 + rng.normal(size=2000)
    assert excess_loss(RMSpropRegressor(random_state=0).fit(X, y), X, y) < EXCESS / 2
    stream, dtypes = RMSpropRegressor(random_state=0), []
    for i in range(60):
        rows = slice(40 * (i % 50), 40 * (i % 50) + 40)
        stream.partial_fit(X[rows], y[rows])
        dtypes.append(stream.coef_.dtype)
    assert dtypes[0] == np.float32
    assert dtypes[-1] == stream.predict(X).dtype == np.float64
    assert excess_loss(stream, X, y) < 0.05  # after an epoch and a fifth
