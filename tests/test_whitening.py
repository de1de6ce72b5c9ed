"""Whitened coordinates: ill-conditioned data is fitted like any other, and the solution stays the same."""

import pickle

import numpy as np
import oracles
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import PolynomialFeatures

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._data import validate_training
from sklearn_rmsprop._settings import Settings


def ill_conditioned(condition, n_rows=2000, n_features=10, seed=0):
    """Return columns whose condition number is about this, and a target with a signal in all directions."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(n_features, n_features)))[0] for _ in range(2))
    X = rng.normal(size=(n_rows, n_features)) @ (left * np.logspace(0, -np.log10(condition), n_features)) @ right
    directions = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[0] * np.sqrt(n_rows)
    return 3 * X + 5, directions.sum(axis=1) + 2 * rng.normal(size=n_rows)


def excess(model, X, y):
    """Return the excess loss of a model, relative to least squares and the null loss."""
    best = np.mean((y - LinearRegression().fit(X, y).predict(X)) ** 2)
    return (np.mean((y - model.predict(X)) ** 2) - best) / (np.var(y) - best)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("condition", [3e2, 3e3, 3e4])
def test_a_narrow_valley_is_no_obstacle(condition, dtype):
    for n_rows, limit in ((300, 1e-3), (5000, 1e-4)):
        for seed in range(3):
            X, y = ill_conditioned(condition, n_rows, seed=seed)
            X = X.astype(dtype)  # which changes ill-conditioned columns, and their least squares
            if condition < 1e4 or dtype == np.float64:  # or rounded coefficients predict badly
                assert excess(RMSpropRegressor(random_state=seed).fit(X, y), X.astype(np.float64), y) < limit


def test_raw_powers_of_a_column():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 10, size=(2000, 1))
    X = PolynomialFeatures(5, include_bias=False).fit_transform(x)
    y = np.sin(x).ravel() + 0.1 * rng.normal(size=2000)
    assert excess(RMSpropRegressor(random_state=0).fit(X, y), X, y) < 1e-3


@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"centered": True}, {"decay_rate": 0.9}], ids=str)
def test_it_is_the_fit_of_columns_transformed_beforehand(options, n_targets):
    """By the same basis, the path is the same: over few steps, before rounding is amplified."""
    X, y = ill_conditioned(1e3, n_rows=320)
    Y = np.column_stack([y, X @ np.arange(10) + y, -y])[:, :n_targets]
    settings = {"max_iter": 2, "tol": None, "random_state": 0} | options
    model = RMSpropRegressor(**settings, whiten=True).fit(X, Y)
    coordinates = model._coordinates
    Z = (X - coordinates.x_mean) @ coordinates.basis / coordinates.row_norm
    plain = RMSpropRegressor(**settings, standardize=False, whiten=False).fit(
        Z, (Y - coordinates.y_mean) / coordinates.y_unit
    )
    expected = plain.predict(Z) * coordinates.y_unit + coordinates.y_mean
    np.testing.assert_allclose(model.predict(X), expected.reshape(model.predict(X).shape), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0, 10.0])
def test_an_l2_penalty_is_that_of_the_coefficients(alpha):
    X, y = ill_conditioned(1e3)
    model = RMSpropRegressor(penalty="l2", alpha=alpha, random_state=0).fit(X, y)
    ridge = Ridge(alpha=alpha * len(y)).fit(X, y)

    def objective(fitted):
        return np.mean((y - fitted.predict(X)) ** 2) / 2 + alpha / 2 * np.sum(fitted.coef_**2)

    assert model._coordinates.basis is not None or alpha >= 1
    assert objective(model) - objective(ridge) < 1e-4 * (np.var(y) / 2 - objective(ridge))
    # the last point of the curve is the objective, penalty included
    assert model.loss_curve_[-1] == pytest.approx(objective(model), rel=1e-9)


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "squared_epsilon_insensitive"])
def test_other_losses_reach_their_optimum(loss):
    X, y = ill_conditioned(1e3, n_rows=500, n_features=5)
    model = RMSpropRegressor(loss, random_state=0).fit(X, y)
    assert model._coordinates.basis is not None
    assert oracles.gap(X, y, model.coef_, model.intercept_, loss=loss) < 2e-3


def test_several_targets_are_as_good_as_one_each():
    X, y = ill_conditioned(3e3)
    Y = np.column_stack([y, 100 * y + X[:, 0], X @ np.ones(10) + y, np.roll(y, 1) + 5 * y])
    model = RMSpropRegressor(random_state=0).fit(X, Y)
    for k in range(4):
        one = RMSpropRegressor(random_state=0).fit(X, Y[:, k])
        one.coef_, one.intercept_ = model.coef_[k], model.intercept_[k]
        assert excess(one, X, Y[:, k]) < 1e-3


def test_no_direction_is_left_out_because_of_a_sample():
    """A dummy that few rows have, and none of those that the correlation is measured on."""
    rng = np.random.default_rng(0)
    X, y = ill_conditioned(1e3, n_rows=40_000)
    rare = np.zeros((len(X), 1))
    rare[rng.choice(len(X), 60, replace=False)] = 1
    X = np.hstack([X, rare, X[:, :1] + X[:, 1:2]])  # and a column that is a sum of others
    y = y + 30 * rare.ravel()
    assert excess(RMSpropRegressor(random_state=0).fit(X, y), X, y) < 1e-3


@pytest.mark.parametrize("first", [1, 7, 29, 30, 31, 1000])
def test_a_short_first_chunk_does_no_harm(first):
    """Until there are three rows for each column there is no basis; then the iterates move to it."""
    X, y = ill_conditioned(1e3, n_rows=20_000)
    model = RMSpropRegressor(random_state=0).partial_fit(X[:first], y[:first])
    assert (model._coordinates.basis is None) == (first < 30)
    if first < 30:  # to change coordinates is not to learn: with tiny steps nothing moves
        learning_rate, before = model.learning_rate, model.coef_
        model.set_params(learning_rate=1e-12).partial_fit(X[first : first + 40], y[first : first + 40])
        np.testing.assert_allclose(model.coef_, before, rtol=1e-6, atol=1e-6)
        assert model._coordinates.basis is not None
        model.set_params(learning_rate=learning_rate)
    for _ in range(5):
        for start in range(0, len(X), 1000):
            model.partial_fit(X[start : start + 1000], y[start : start + 1000])
    assert excess(model, X, y) < 1e-3
    assert excess(pickle.loads(pickle.dumps(model)).partial_fit(sparse.csr_array(X), y), X, y) < 1e-3


def test_the_basis_depends_on_the_distribution_of_the_rows_only():
    X, y = ill_conditioned(1e3, n_rows=200)
    weight = np.random.default_rng(0).integers(1, 4, size=200)
    settings = Settings.of(vars(RMSpropRegressor(whiten=True)))

    def basis(X, y, weight):
        data = validate_training(RMSpropRegressor(), X, y, weight, dtype=(np.float64,), reset=True)
        return np.abs(engine.coordinates_of(engine.measure(data, settings), data, settings).basis)

    repeated = basis(np.repeat(X, weight, axis=0), np.repeat(y, weight), None)
    np.testing.assert_allclose(basis(X, y, weight), repeated, rtol=1e-6, atol=1e-9 * repeated.max())
    np.testing.assert_allclose(basis(X, y, 1e9 * weight), repeated, rtol=1e-6, atol=1e-9 * repeated.max())


def test_correlations_of_blocks_merge():
    X, y = ill_conditioned(1e2, n_rows=900)
    X = X[np.argsort(X[:, 0])]  # each block is of another kind
    settings = Settings.of(vars(RMSpropRegressor(whiten=True)))

    def statistics(rows):
        data = validate_training(RMSpropRegressor(), X[rows], y[rows], None, dtype=(np.float64,), reset=True)
        return engine.measure(data, settings)

    whole = statistics(slice(None))
    merged = type(whole).merge([statistics(rows) for rows in (slice(0, 100), slice(100, 650), slice(650, 900))])
    np.testing.assert_allclose(merged.x_correlation, whole.x_correlation, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("options", "container", "obstacle"),
    [
        ({}, sparse.csr_array, "a sparse X"),
        ({"penalty": "l1"}, np.asarray, "an L1 penalty"),
        ({"penalty": "elasticnet"}, np.asarray, "an L1 penalty"),
        ({"standardize": False}, np.asarray, "standardize=False"),
    ],
    ids=str,
)
def test_where_it_cannot_be(method, options, container, obstacle):
    X, y = ill_conditioned(1e3, n_rows=100)
    with pytest.raises(ValueError, match=f"whiten must be False or 'auto' with {obstacle}; got True"):
        getattr(RMSpropRegressor(whiten=True, **options), method)(container(X), y)
    model = RMSpropRegressor(max_iter=1, tol=None, **options)
    assert getattr(model, method)(container(X), y)._coordinates.basis is None


def test_an_l1_penalty_set_later_leaves_the_basis():
    X, y = ill_conditioned(1e3, n_rows=500)
    model = RMSpropRegressor(random_state=0).fit(X, y)
    assert model._coordinates.basis is not None
    model.set_params(penalty="l1", alpha=10.0)
    losses = [model.partial_fit(X, y).loss_curve_[-1] for _ in range(30)]
    assert model._coordinates.basis is None
    assert losses[-1] < 0.9 * losses[0]


def test_sparse_rows_after_dense_ones_without_an_intercept():
    X, y = ill_conditioned(1e3, n_rows=500)
    model = RMSpropRegressor(fit_intercept=False, random_state=0).fit(X, y)
    row = np.zeros((3, 10))
    row[:, 2] = 1
    assert np.isfinite(model.partial_fit(sparse.csr_array(row), y[:3]).coef_).all()


def test_the_loss_may_change_while_a_stream_waits_for_rows():
    X, y = ill_conditioned(1e3, n_rows=500)
    for first, then in (("huber", "squared_error"), ("squared_error", "huber")):
        model = RMSpropRegressor(first, random_state=0).partial_fit(X[:5], y[:5])
        model.set_params(loss=then).partial_fit(X[5:20], y[5:20]).partial_fit(X[20:], y[20:])
        assert model._coordinates.basis is not None


def test_numpys_booleans_are_booleans():
    X, y = ill_conditioned(1e3, n_rows=500)
    assert RMSpropRegressor(whiten=np.False_, max_iter=1, tol=None).fit(X, y)._coordinates.basis is None
    with pytest.raises(ValueError, match="whiten must be"):
        RMSpropRegressor(whiten=np.True_).fit(sparse.csr_array(X), y)


def test_a_model_stored_on_another_processor_goes_on(monkeypatch):
    """There the product with the basis may differ in its last bits, and so do the coefficients that it gives."""
    X, y = ill_conditioned(1e3, n_rows=500)
    model = RMSpropRegressor(random_state=0).fit(X, y)
    stored = pickle.dumps(model)
    to_user = type(model._coordinates).to_user
    monkeypatch.setattr(
        type(model._coordinates), "to_user", lambda *args: tuple(a * (1 + 1e-15) for a in to_user(*args))
    )
    loaded = pickle.loads(stored)
    assert (loaded.coef_ != model.coef_).any()
    monkeypatch.undo()
    np.testing.assert_array_equal(loaded.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


def test_hundreds_of_polynomial_features():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(3000, 10))
    X = PolynomialFeatures(3, include_bias=False).fit_transform(x)  # 285 columns
    y = np.sin(4 * x[:, 0]) * x[:, 1] + x[:, 2] * x[:, 3] + 0.05 * rng.normal(size=3000)
    assert excess(RMSpropRegressor(random_state=0).fit(X, y), X, y) < 1e-3


def mostly_one(X, rng):
    """Return these columns, one of which is constant in nearly all rows."""
    X[:, 3] = rng.random(len(X)) < 2 / len(X)
    return X


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda X, rng: X,
        lambda X, rng: X + 30,  # without an intercept, columns that are far from zero are correlated
        lambda X, rng: X @ np.diag(np.logspace(-140, 140, X.shape[1])),
        lambda X, rng: X + 20 * X[:, :1],
        lambda X, rng: np.column_stack([X[:, 1:], X[:, 1] + 1e-3 * X[:, 0]]),
        mostly_one,
    ],
    ids=["independent", "far from zero", "of all sizes", "a common part", "nearly equal", "mostly constant"],
)
def test_a_first_look_at_many_columns_misses_no_correlation(change, fit_intercept, weighted):
    """Whatever would be whitened if all columns were few is whitened."""
    rng = np.random.default_rng(0)
    X = change(rng.normal(size=(1000, 70)), rng)
    weight = rng.exponential(size=1000) if weighted else None
    estimator = RMSpropRegressor(fit_intercept=fit_intercept)
    settings = Settings.of(vars(estimator))
    data = validate_training(estimator, X, X[:, 0], weight, dtype=(np.float64,), reset=True)
    found, _ = engine.survey(data, settings)
    expected = engine.coordinates_of(engine.measure(data, settings), data, settings)
    assert (found.basis is None) == (expected.basis is None)


def test_columns_that_are_hardly_correlated_pay_nothing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 20))
    y = X.sum(axis=1) + rng.normal(size=500)
    assert RMSpropRegressor().fit(X, y)._coordinates.basis is None
    assert RMSpropRegressor(whiten=True).fit(X, y)._coordinates.basis is not None
