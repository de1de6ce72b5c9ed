"""Fewer rows than columns: of all models that fit the rows the one of least norm, and of penalized ones the optimum."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV

NOISY = pytest.mark.filterwarnings("ignore:X has more columns")


def table(kind, n_rows, n_columns, *, noise=0.5, seed=0, n_new=1000):
    """Rows and targets to train on, and others."""
    rng = np.random.default_rng(seed)
    n = n_rows + n_new
    if kind == "independent":
        X = rng.normal(size=(n, n_columns))
    elif kind == "factors":
        X = rng.normal(size=(n, 10)) @ rng.normal(size=(10, n_columns)) + rng.normal(size=(n, n_columns))
    elif kind == "decaying spectrum":
        sd = np.arange(1, n_columns + 1) ** -0.75
        X = (rng.normal(size=(n, n_columns)) * sd) @ rng.normal(size=(n_columns, n_columns))
    else:  # other scales
        X = rng.normal(size=(n, n_columns)) * np.exp(2 * rng.normal(size=n_columns)) + 5 * rng.normal(size=n_columns)
    signal = (X - X.mean(axis=0)) / X.std(axis=0) @ rng.normal(size=n_columns)
    y = 10 + signal / signal.std() + noise * rng.normal(size=n)
    return X[:n_rows], y[:n_rows], X[n_rows:], y[n_rows:]


KINDS = ["independent", "factors", "decaying spectrum", "scales"]
SIZES = [(30, 31), (60, 100), (60, 600), (200, 220)]


@NOISY
@pytest.mark.filterwarnings("ignore:max_iter")
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_new_rows_are_predicted_as_well_as_by_the_least_norm_solution(kind, size):
    """Of standardized columns. 0.01: measured up to 3e-4 below.

    Directions in which the rows hardly differ may be learned less, and then R2 is better.
    """
    for seed in range(2):
        for noise in (0.1, 1.0):
            X, y, X_new, y_new = table(kind, *size, noise=noise, seed=seed)
            scaler = StandardScaler().fit(X)
            least_norm = LinearRegression().fit(scaler.transform(X), y).score(scaler.transform(X_new), y_new)
            score = RMSpropRegressor(random_state=seed).fit(X, y).score(X_new, y_new)
            assert score > least_norm - 0.01 * (1 + abs(least_norm))


@NOISY
@pytest.mark.parametrize("alpha", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_with_a_penalty_it_is_ridge_regression(kind, size, alpha):
    """Excess losses up to 1e-3 without these coordinates. 1e-4 is `tol`."""
    X, y, *_ = table(kind, *size)
    alpha *= np.median(X.var(axis=0))
    exact, model = Ridge(alpha=alpha * len(y)).fit(X, y), RMSpropRegressor(penalty="l2", alpha=alpha, random_state=0)
    found = [np.mean((y - m.predict(X)) ** 2) + alpha * m.coef_ @ m.coef_ for m in (model.fit(X, y), exact)]
    assert found[0] - found[1] < 1e-4 * np.var(y)


@NOISY
@pytest.mark.parametrize("kind", KINDS)
def test_a_search_reaches_the_optimum_of_each_alpha(kind):
    X, y, *_ = table(kind, 60, 100)
    search = RMSpropRegressorCV(alphas=8, cv=3, random_state=0).fit(X, y)
    for alpha, coef, intercept in zip(search.alphas_, search.coef_path_, search.intercept_path_, strict=True):
        exact = Ridge(alpha=alpha * len(y)).fit(X, y)
        found = [
            np.mean((y - X @ w - b) ** 2) + alpha * w @ w
            for w, b in ((coef, intercept), (exact.coef_, exact.intercept_))
        ]
        assert found[0] - found[1] < 1e-4 * np.var(y)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_coefficients_are_combinations_of_the_rows(loss, fit_intercept):
    """Of the standardized ones: nothing else is learned from them, whatever the loss and the weights."""
    X, y, *_ = table("scales", 40, 90)
    weight = np.random.default_rng(1).integers(0, 3, size=40).astype(float)
    model = RMSpropRegressor(loss, fit_intercept=fit_intercept, max_iter=50, tol=None, random_state=0)
    model.fit(X, y - (0 if fit_intercept else y.mean()), sample_weight=weight)
    mean = np.average(X, axis=0, weights=weight) if fit_intercept else 0
    sd = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weight))
    rows = ((X - mean) / sd)[weight > 0]
    coef = model.coef_ * sd
    residual = coef - rows.T @ np.linalg.lstsq(rows.T, coef)[0]
    assert np.linalg.norm(residual) < 1e-8 * np.linalg.norm(coef)


@NOISY
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_several_targets_and_both_types(dtype):
    X, y, *_ = table("factors", 60, 100, noise=0.1)
    Y = np.column_stack((y, -3 * y, np.sin(y)))
    together = RMSpropRegressor(random_state=0).fit(X.astype(dtype), Y)
    assert together.coef_.dtype == dtype
    for k in range(3):
        alone = RMSpropRegressor(random_state=0).fit(X.astype(dtype), Y[:, k])
        np.testing.assert_allclose(together.predict(X)[:, k], alone.predict(X), atol=0.02 * Y[:, k].std())


@NOISY
def test_zero_weights_are_like_rows_left_out():
    X, y, *_ = table("independent", 60, 100)
    weight = np.repeat([1.0, 0.0], 30)
    weighted = RMSpropRegressor(random_state=0).fit(X, y, sample_weight=weight)
    fewer = RMSpropRegressor(random_state=0).fit(X[:30], y[:30])
    np.testing.assert_allclose(weighted.coef_, fewer.coef_, rtol=1e-6, atol=1e-9)


@NOISY
def test_training_goes_on_from_the_fitted_coefficients():
    """In the coordinates of the columns, because later rows differ in other directions."""
    X, y, X_new, y_new = table("independent", 60, 100, noise=0.1, n_new=5000)
    model = RMSpropRegressor(random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.coef_, model.coef_)
    assert model._state.coef.shape == (101, 1)
    before = model.score(X_new, y_new)
    for part in np.array_split(np.arange(5000), 20):
        model.partial_fit(X_new[part], y_new[part])
    assert before < 0.7
    assert model.score(X_new, y_new) > 0.98


@NOISY
@pytest.mark.parametrize("start", ["coef_init", "intercept_init", "warm_start"])
def test_what_a_given_start_has_beside_the_rows_is_kept(start):
    """No row has a gradient there."""
    X, y, *_ = table("independent", 30, 60)
    first = np.linalg.svd(X - X.mean(axis=0))[2][-1]  # orthogonal to all of them
    if start == "warm_start":
        model = RMSpropRegressor(warm_start=True, random_state=0).fit(X, y)
        before = model.coef_.copy()
        model.set_params(max_iter=1, tol=None).fit(X, y)
        assert np.linalg.norm(model.coef_ - before) < 0.5 * np.linalg.norm(before)
    elif start == "coef_init":
        coef = RMSpropRegressor(max_iter=1, tol=None, random_state=0).fit(X, y, coef_init=5 * first).coef_
        assert abs(coef @ first - 5) < 0.5
    else:
        model = RMSpropRegressor(max_iter=1, tol=None, learning_rate=1e-6).fit(X, y, intercept_init=3.0)
        assert abs(model.intercept_ - 3) < 0.1


@NOISY
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_validation_rows_of_ones_own(container):
    X, y, X_new, y_new = table("decaying spectrum", 60, 100, noise=1.0)
    model = RMSpropRegressor(early_stopping=True, random_state=0)
    model.fit(X, y, X_val=container(X_new[:500]), y_val=y_new[:500])
    assert max(model.validation_scores_) == pytest.approx(model.score(X_new[:500], y_new[:500]), abs=1e-6)
    assert model.score(X_new, y_new) > RMSpropRegressor(random_state=0).fit(X, y).score(X_new, y_new)


@NOISY
def test_the_loss_of_directions_in_which_rows_hardly_differ_falls_slowly_and_the_warning_names_the_remedy():
    X, y, *_ = table("decaying spectrum", 200, 220, noise=1.0)
    with pytest.warns(ConvergenceWarning, match=r"max_iter.*often noise.*penalty=\"l2\""):
        RMSpropRegressor(random_state=0).fit(X, y)


@pytest.mark.parametrize("rows", [np.ones((5, 8)), np.zeros((3, 4)), np.eye(1, 3)], ids=["equal", "zero", "one row"])
def test_rows_that_do_not_differ(rows):
    y = np.arange(float(len(rows)))
    model = RMSpropRegressor(random_state=0).fit(rows, y)
    assert model.predict(rows) == pytest.approx(np.full(len(rows), y.mean()), abs=1e-2)


@NOISY
@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
@pytest.mark.parametrize("options", [{}, {"penalty": "l2", "alpha": 0.0}])
def test_units_do_not_matter(scale, options):
    X, y, *_ = table("independent", 30, 60)
    one, other = (RMSpropRegressor(random_state=0, **options).fit(X * s, y) for s in (1.0, scale))
    np.testing.assert_allclose(other.coef_ * scale, one.coef_, rtol=1e-4, atol=1e-6)


def test_too_many_dense_rows_for_it_say_so():
    X, y, *_ = table("independent", 2100, 2200, n_new=0)
    with pytest.warns(UserWarning, match=r"more than 2048 rows.*penalty=\"l2\".*early_stopping"):
        RMSpropRegressor(max_iter=2, tol=None).fit(X, y)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_no_warning_where_dependent_columns_determine_a_good_model(noise):
    """Smooth spectra: coefficients of single columns are large, and predictions are good all the same."""
    rng = np.random.default_rng(0)
    peaks = np.exp(-0.5 * ((np.arange(400) - np.linspace(20, 380, 8)[:, np.newaxis]) / 30) ** 2)
    parts = rng.normal(size=(560, 8))
    X, y = parts @ peaks + 0.01 * rng.normal(size=(560, 400)), parts.sum(axis=1) + noise * rng.normal(size=560)
    assert RMSpropRegressor(random_state=0).fit(X[:60], y[:60]).score(X[60:], y[60:]) > 0.95


def words(n_rows, n_columns, noise, seed):
    """Sparse rows of 30 words each, of norm 1."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, n_columns + 1)
    column = rng.choice(n_columns, size=(n_rows, 30), p=share / share.sum()).ravel()
    counts = sparse.csr_array((np.ones(column.size), (np.repeat(np.arange(n_rows), 30), column)), (n_rows, n_columns))
    counts = sparse.csr_array(counts / np.sqrt(counts.multiply(counts).sum(axis=1))[:, np.newaxis])
    signal = counts @ rng.normal(size=n_columns)
    return counts, signal / signal.std() + noise * rng.normal(size=n_rows)


@pytest.mark.parametrize("seed", range(2))
def test_sparse_rows_warn_where_ridge_regression_is_better(seed):
    """Without noise nothing is wrong. R2 on new rows is 0.2 to 0.4 lower than that of Ridge with noise of 1."""
    X, y = words(3000, 5000, 1.0, seed)
    with pytest.warns(UserWarning, match=r"columns for 2000 rows.*penalty=\"l2\".*early_stopping"):
        model = RMSpropRegressor(random_state=0).fit(X[:2000], y[:2000])
    assert model.score(X[2000:], y[2000:]) < Ridge().fit(X[:2000], y[:2000]).score(X[2000:], y[2000:]) - 0.1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("noise", "options"), [(0.1, {}), (1.0, {"penalty": "l2", "alpha": 5e-4}), (1.0, {"early_stopping": True})]
)
def test_sparse_rows_do_not_warn_without_noise_or_with_a_remedy(noise, options):
    RMSpropRegressor(random_state=0, **options).fit(*words(2000, 5000, noise, 0))


@NOISY
@pytest.mark.parametrize("scale", [1e4, 1e6, 1e8, 1e12])
@pytest.mark.parametrize("constant", [0.0, 3e21])
def test_a_column_of_large_scale_does_not_hide_the_others(scale, constant):
    """It used to: all directions but its own counted as rounding, and R2 was zero, in silence."""
    X, y, *_ = table("independent", 60, 100, noise=0.1)
    X[:, 0] *= scale
    X[:, 1] = constant
    exact = Ridge(alpha=0.6, solver="svd").fit(X - X.mean(axis=0), y)
    model = RMSpropRegressor(penalty="l2", alpha=0.01, random_state=0).fit(X, y)
    found = [
        np.mean((y - p) ** 2) + 0.01 * w @ w
        for p, w in ((model.predict(X), model.coef_), (exact.predict(X - X.mean(axis=0)), exact.coef_))
    ]
    assert found[0] - found[1] < 1e-3 * np.var(y)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("constant", [0.1, 0.7, 1e6 + 0.1])
@pytest.mark.parametrize("shape", [(60, 100), (1000, 5), (5000, 20)], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_constant_target_that_is_rounded_has_no_coefficients(shape, constant, weighted):
    """Its mean used to differ from it by a rounding, which was fitted."""
    rng = np.random.default_rng(0)
    weight = rng.random(shape[0]) if weighted else None
    X = rng.normal(size=shape)
    for whiten in ("auto", False):
        model = RMSpropRegressor(whiten=whiten, random_state=0)
        model.fit(X, np.full(shape[0], constant), sample_weight=weight)
        assert not model.coef_.any()
        assert model.intercept_ == constant


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
def test_rows_of_negligible_weight_do_not_hide_that_the_others_are_learned_by_heart(container):
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(5, 60))
    X = rng.normal(size=(50, 5)) @ factors + 0.3 * rng.normal(size=(50, 60))
    if container is not np.asarray:
        X = sparse.random_array((50, 100), density=0.2, random_state=rng, format="csr")
    y = rng.normal(size=50)
    for weight in (0.0, 1e-20):
        with pytest.warns(UserWarning, match="rows"):
            RMSpropRegressor(random_state=0).fit(container(X), y, np.r_[np.ones(30), np.full(20, weight)])


@NOISY
def test_more_rows_than_other_fits_take_in_one_batch():
    X, y, *_ = table("independent", 600, 1500, n_new=0)
    model, exact = RMSpropRegressor(penalty="l2", alpha=1.0, random_state=0).fit(X, y), Ridge(alpha=600).fit(X, y)
    assert model.batch_size_ == 600
    assert np.linalg.norm(model.coef_ - exact.coef_) < 1e-3 * np.linalg.norm(exact.coef_)


@NOISY
def test_a_callback_sees_the_model_of_each_evaluation():
    callback = pytest.importorskip("sklearn.callback")
    X, y, *_ = table("independent", 60, 100)
    monitor = callback.ScoringMonitor(scoring="r2")
    model = RMSpropRegressor(random_state=0).set_callbacks(monitor).fit(X, y)
    scores = [row["r2"] for row in monitor.get_logs().data][1:]
    assert len(scores) == model.n_iter_
    assert scores[0] < scores[-1] == model.score(X, y)
