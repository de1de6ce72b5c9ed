"""Fits that stop short of their optimum say so, and others do not."""

import warnings

import numpy as np
import oracles
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV
from sklearn_rmsprop._data import validate_training
from sklearn_rmsprop._optimality import stopped_short
from sklearn_rmsprop._settings import Settings

SHORT = "has not reached its optimum"


def powers(n_rows=1000, seed=0):
    """Return raw powers of a column, which are strongly correlated, and a target that needs them all."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(0, 10, size=(n_rows, 1))
    X = PolynomialFeatures(5, include_bias=False).fit_transform(x)
    return X, (x + 5 * np.sin(x)).ravel() + 0.5 * rng.normal(size=n_rows)


def fit(X, y, **parameters):
    """Return the fitted model, and what the warning says that it has stopped short by."""
    weight = parameters.pop("sample_weight", None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = RMSpropRegressor(random_state=0, **parameters).fit(X, y, weight)
    texts = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning) and SHORT in str(w.message)]
    return model, float(texts[0].split("lowers the objective by ")[1].split()[0]) if texts else 0.0


def excess(model, X, y, weight=None):
    """Return by how much the loss exceeds that of least squares, over the null loss."""
    best = LinearRegression().fit(X, y, weight)
    at_best, at_model = (np.average((y - m.predict(X)) ** 2, weights=weight) for m in (best, model))
    return (at_model - at_best) / np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("convert", "parameters"),
    [
        (np.asarray, {"whiten": False}),
        (np.asarray, {"whiten": False, "batch_size": 8}),
        (np.float32, {"whiten": False}),
        (sparse.csr_array, {}),
        (np.asarray, {"penalty": "l1", "alpha": 1e-5}),
    ],
    ids=["not whitened", "small batches", "float32", "CSR", "L1"],
)
def test_a_fit_that_has_stopped_short_says_by_how_much(convert, parameters, weighted):
    X, y = powers()
    weight = np.random.default_rng(1).exponential(size=len(y)) if weighted else None
    model, gain = fit(convert(X), y, sample_weight=weight, **parameters)
    missed = excess(model, X, y, weight)
    assert missed > 0.01
    assert 0.8 * missed < gain < 1.05 * missed  # the curvature is that of a sample, and the message has two digits


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "loss",
    [
        {"loss": "absolute_error"},
        {"loss": "quantile", "quantile": 0.9},
        {"loss": "epsilon_insensitive", "delta": 0.1},
        {"loss": "huber", "delta": 0.5},
        {"loss": "squared_epsilon_insensitive", "delta": 0.1},
    ],
    ids=lambda loss: loss["loss"],
)
def test_other_losses_say_so_too(loss, container):
    X, y = powers()
    model, gain = fit(container(X), y, whiten="auto" if container is sparse.csr_array else False, max_iter=300, **loss)
    best, nothing = fit(X, y, **loss)
    at_model, at_best = (oracles.objective(X, y, m.coef_, m.intercept_, **loss) for m in (model, best))
    missed = (at_model - at_best) / oracles.null(y, **loss)
    assert nothing == 0
    assert missed > 0.01
    assert 0.1 * missed < gain < 1.05 * missed


def test_sparse_columns_rarer_than_others():
    rng = np.random.default_rng(0)
    full = (rng.random((4000, 230)) < 0.05) * 1.0
    has_entry = rng.random((4000, 20)) < 0.02
    first = has_entry * rng.normal(size=has_entry.shape)
    second = first + 0.01 * has_entry * rng.normal(size=has_entry.shape)
    total, difference = full.sum(axis=1), (first - second).sum(axis=1)
    y = total / total.std() + 0.2 * difference / difference.std() + 0.05 * rng.normal(size=4000)
    X = np.hstack([full, first, second])
    model, gain = fit(sparse.csr_array(X), y)
    assert 1e-3 < gain < 1.05 * excess(model, X, y)


def test_fits_to_few_rows_for_each_column_are_told_of_whitening():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(60, 5)), 8, axis=1) + 0.02 * rng.normal(size=(60, 40))
    with pytest.warns(ConvergenceWarning, match="whiten=True"):
        RMSpropRegressor(max_iter=100, random_state=0).fit(X, X @ rng.normal(size=40) + 100 * X[:, 0])


def test_of_several_targets_the_worst_counts():
    X, y = powers()
    model, gain = fit(X, np.column_stack([X[:, 0], y]), whiten=False)
    alone = RMSpropRegressor(random_state=0, whiten=False)
    alone.coef_, alone.intercept_ = model.coef_[1], model.intercept_[1]
    assert gain == pytest.approx(excess(alone, X, y), rel=0.2)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_more_columns_than_are_whitened(fit_intercept):
    """Each of 520 columns has a large part in common with the others, and the target is a small part of them."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(1100, 520))
    X, y = parts + 30 * parts[:, :1], parts[:, 1:].sum(axis=1)
    model, gain = fit(X, y, fit_intercept=fit_intercept, max_iter=30)
    assert 1e-3 < gain < excess(model, X, y)


@pytest.mark.parametrize("tol", [1e-3, 0.1, None])
def test_more_is_not_asked_for_than_tol(tol):
    X, y = powers()
    _, gain = fit(X, y, whiten=False, tol=tol, max_iter=100)
    assert (gain > 0) == (tol == 1e-3)


@pytest.mark.parametrize("penalty", [None, "l1"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("whiten", [False, "auto"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_the_remedy_is_all_that_it_takes(container, whiten, standardize, penalty):
    if container is np.asarray and whiten == "auto" and standardize and penalty is None:
        return  # whitened already
    X, y = powers()
    parameters = {"whiten": whiten, "standardize": standardize, "penalty": penalty, "alpha": 1e-9, "max_iter": 100}
    if not standardize:
        X = (X - X.mean(axis=0)) / X.std(axis=0)
        parameters |= {"learning_rate": 0.02}
    with pytest.warns(ConvergenceWarning, match=SHORT) as caught:
        RMSpropRegressor(random_state=0, **parameters).fit(container(X), y)
    text = next(str(w.message) for w in caught if SHORT in str(w.message))
    assert ("Lasso" in text) == (penalty == "l1")
    changes = {
        "standardize=True": {"standardize": True},
        "whiten=True": {"whiten": True},
        'penalty="l2"': {"penalty": "l2"},
    }
    for said, change in changes.items():
        parameters |= change if said in text else {}
    if not standardize:
        del parameters["learning_rate"]
    model = RMSpropRegressor(random_state=0, **parameters).fit(X if "dense" in text else container(X), y)
    assert model._coordinates.basis is not None
    assert excess(model, X, y) < 1e-3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"penalty": "l1", "alpha": 0.1}, {"loss": "huber", "delta": 50}, {"loss": "quantile", "quantile": 0.8}],
    ids=["squared error", "L1", "huber", "quantile"],
)
def test_fits_that_have_arrived_say_nothing(parameters, convert):
    """Also of columns that are correlated: all dummies of a category, the diabetes data, and equal columns."""
    rng = np.random.default_rng(0)
    X, y = load_diabetes(return_X_y=True)
    RMSpropRegressor(whiten=False, random_state=0, **parameters).fit(convert(X), y)
    X = np.eye(20)[rng.integers(0, 20, size=2000)]
    y = X @ rng.normal(size=20) + rng.normal(size=2000)
    RMSpropRegressor(whiten=False, random_state=0, **parameters).fit(convert(X), 100 * y)
    X = rng.normal(size=(2000, 5))[:, [0, 0, 1, 2, 3, 4]]
    y = X.sum(axis=1) + rng.normal(size=2000)
    RMSpropRegressor(whiten=False, random_state=0, **parameters).fit(convert(X), 100 * y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("scale", [1e-170, 1e-155, 1e100])
@pytest.mark.parametrize(
    "parameters", [{"penalty": "l2", "alpha": 1e3}, {"penalty": "l1"}, {"loss": "quantile"}], ids=str
)
def test_columns_of_extreme_size(parameters, scale):
    X, y = powers()
    model = RMSpropRegressor(whiten=False, max_iter=20, random_state=0, **parameters).fit(scale * X, y)
    assert np.isfinite(model.predict(scale * X)).all()


def test_the_rows_of_the_gradient_are_not_those_of_the_gain(monkeypatch):
    """What a step gains on the rows that it was computed from may be their noise."""
    monkeypatch.setattr("sklearn_rmsprop._optimality.MOST_ROWS", 200)
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(5000, 40))
    X = parts + 20 * parts[:, :1]
    y = X[:, 0] / 20 + rng.normal(size=5000)
    assert fit(X, y, whiten=False)[1] == 0


def test_a_sample_of_the_rows_is_not_taken_for_all():
    """As a cluster has one: its own least squares, which overfits it, is not the optimum."""
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(400, 40))
    X = parts + 20 * parts[:, :1]
    y = X[:, 0] / 20 + rng.normal(size=400)
    estimator = RMSpropRegressor()
    data = validate_training(estimator, X, y, None, dtype=(np.float64,), reset=True)
    coef = np.zeros((40, 1))
    coef[0] = 1 / 20  # the true model
    settings = Settings.of(vars(estimator))
    of_all = stopped_short(data, settings, coef, np.zeros(1), reason="converged", n_rows=400)
    of_sample = stopped_short(data, settings, coef, np.zeros(1), reason="converged", n_rows=1_000_000)
    assert of_all is not None
    assert of_sample is None


def test_a_search_says_so_too():
    X, y = powers(3000)
    with pytest.warns(ConvergenceWarning, match=SHORT):
        RMSpropRegressorCV(penalty="l1", alphas=[0.1], cv=3, random_state=0).fit(X, y)
