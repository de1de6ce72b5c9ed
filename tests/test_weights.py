"""Weights mean what they say: repeating a row is weighing it, leaving it out is weighing it zero."""

import numpy as np
import pytest
from configurations import CONFIGURATIONS
from scipy import sparse, stats

from sklearn_rmsprop import RMSpropRegressor


def weighted_and_repeated(seed, *, n_rows, n_features):
    """Return (X, y, weight) in random order, and (X, y) with each row repeated as its weight says."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n_rows, n_features))
    y = X @ rng.normal(size=n_features) + rng.normal(size=n_rows)
    weight = rng.integers(0, 5, size=n_rows)
    order = rng.permutation(n_rows)
    return (X[order], y[order], weight[order]), (X.repeat(weight, axis=0), y.repeat(weight))


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_equal_path_where_a_batch_holds_all_rows(name, container):
    # 1e-10: sums of 30 terms in another order, and what few steps make of that
    for seed in range(5):
        (X, y, weight), (X_repeated, y_repeated) = weighted_and_repeated(seed, n_rows=15, n_features=6)
        parameters = CONFIGURATIONS[name] | {"tol": None, "max_iter": 20, "batch_size": None}
        weighted = RMSpropRegressor(**parameters).fit(container(X), y, sample_weight=weight)
        repeated = RMSpropRegressor(**parameters).fit(container(X_repeated), y_repeated)
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-9)


def test_equal_stop_where_a_batch_holds_all_rows():
    for seed in range(10):
        (X, y, weight), (X_repeated, y_repeated) = weighted_and_repeated(seed, n_rows=15, n_features=30)
        weighted = RMSpropRegressor(batch_size=None).fit(X, y, sample_weight=weight)
        repeated = RMSpropRegressor(batch_size=None).fit(X_repeated, y_repeated)
        assert weighted.n_iter_ == repeated.n_iter_


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_equal_in_expectation_otherwise(container):
    """Over many seeds the mean coefficients of weighted and repeated rows cannot be told apart.

    Their spreads can: rows meet in other batches, and there are fewer of them. The threshold 1e-4 fails a right program
    once in 10,000 sets of seeds; the seeds are fixed, so that it fails always or never. That it can fail is shown by
    the coefficients of the same rows without weights.
    """
    (X, y, weight), (X_repeated, y_repeated) = weighted_and_repeated(0, n_rows=60, n_features=3)

    def coefficients(X, y, weight=None):
        models = (RMSpropRegressor(batch_size=32, random_state=seed) for seed in range(100))
        return np.array([model.fit(container(X), y, sample_weight=weight).coef_ for model in models])

    weighted, repeated, unweighted = (
        coefficients(X, y, weight),
        coefficients(X_repeated, y_repeated),
        coefficients(X, y),
    )
    assert stats.ttest_ind(weighted, repeated, equal_var=False).pvalue.min() > 1e-4
    assert stats.ttest_ind(weighted, unweighted, equal_var=False).pvalue.max() < 1e-10


@pytest.mark.parametrize("batch_size", [4, None])
def test_rows_of_weight_zero_are_as_if_absent(batch_size):
    """Bit for bit, with several batches too: such rows are taken out before batches are made."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=40)
    keep = rng.uniform(size=40) < 0.6
    X[~keep], y[~keep] = 1e6, -1e6
    parameters = {"batch_size": batch_size, "max_iter": 30, "tol": None, "random_state": 0}
    weighted = RMSpropRegressor(**parameters).fit(X, y, sample_weight=keep.astype(float))
    without = RMSpropRegressor(**parameters).fit(X[keep], y[keep], sample_weight=np.ones(keep.sum()))
    np.testing.assert_array_equal(weighted.coef_, without.coef_)
    assert weighted.intercept_ == without.intercept_


@pytest.mark.filterwarnings("ignore:Predictions miss the mean")  # without an intercept
@pytest.mark.parametrize("name", CONFIGURATIONS)
@pytest.mark.parametrize("n_features", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_weights_of_one_change_nothing(name, n_features, dtype):
    """Without weights, rows of one number lie beside their targets, and are worked on in that form."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(75, n_features)).astype(dtype)
    y = 1e4 + X.sum(axis=1) + rng.normal(size=75)
    parameters = CONFIGURATIONS[name] | {"shuffle": False, "max_iter": 5, "tol": None}
    with_weights = RMSpropRegressor(**parameters).fit(X, y, sample_weight=np.ones(75))
    without = RMSpropRegressor(**parameters).fit(X, y)
    # a sum in another order or two, in each of few steps
    tolerance = 1e-11 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(with_weights.coef_, without.coef_, rtol=tolerance)
    np.testing.assert_allclose(with_weights.loss_curve_, without.loss_curve_, rtol=tolerance)


@pytest.mark.parametrize("n_features", [1, 2])
def test_weights_of_one_change_nothing_row_by_row(n_features):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, n_features))
    y = 3 * X[:, 0] + 1
    with_weights, without = RMSpropRegressor(random_state=0), RMSpropRegressor(random_state=0)
    for i in range(len(X)):
        with_weights.partial_fit(X[i : i + 1], y[i : i + 1], sample_weight=np.ones(1))
        without.partial_fit(X[i : i + 1], y[i : i + 1])
    np.testing.assert_allclose(with_weights.coef_, without.coef_, rtol=1e-9)
    np.testing.assert_allclose(with_weights.loss_curve_, without.loss_curve_, rtol=1e-9)
    assert abs(without.coef_[0] - 3) < 0.1


@pytest.mark.parametrize("factor", [2.0**-900, 0.125, 2.0**900])
def test_only_ratios_of_weights_matter(factor):
    """By a power of two, so that nothing is rounded differently."""
    (X, y, weight), _ = weighted_and_repeated(0, n_rows=200, n_features=3)
    model = RMSpropRegressor(random_state=0).fit(X, y, sample_weight=weight)
    scaled = RMSpropRegressor(random_state=0).fit(X, y, sample_weight=weight * factor)
    np.testing.assert_array_equal(model.coef_, scaled.coef_)


def test_weighted_optimum():
    """Least squares with weights, by the normal equations."""
    (X, y, _), _ = weighted_and_repeated(0, n_rows=2000, n_features=5)
    weight = np.random.default_rng(1).exponential(size=2000) ** 2
    model = RMSpropRegressor(random_state=0).fit(X, y, sample_weight=weight)
    with_ones = np.column_stack((X, np.ones(2000)))
    exact = np.linalg.solve(with_ones.T @ (weight[:, None] * with_ones), with_ones.T @ (weight * y))

    def mse(prediction):
        return np.average((prediction - y) ** 2, weights=weight)

    best = mse(with_ones @ exact)
    null = mse(np.average(y, weights=weight))
    assert (mse(model.predict(X)) - best) / (null - best) < 1e-3
