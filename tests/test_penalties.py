"""Penalties: the steps are the reference's, the strength is in the user's units, and l1 gives the zeros it is for."""

import math
import pickle

import numpy as np
import oracles
import pytest
from configurations import LIKE_DEFAULTS, TEXTBOOK
from reference import assert_model, follow_epochs
from scipy import sparse
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from sklearn_rmsprop import RMSpropRegressor

N_STEPS = 36
DENSE_AND_SPARSE = {"dense": np.ascontiguousarray, "CSR": sparse.csr_array}

every_container = pytest.mark.parametrize("container", DENSE_AND_SPARSE.values(), ids=DENSE_AND_SPARSE)

# Strong enough that some coefficients are kept at zero; checked below.
PENALTIES = {
    "l2": {"penalty": "l2", "alpha": 0.5},
    "l1": {"penalty": "l1", "alpha": 0.4},
    "elasticnet": {"penalty": "elasticnet", "alpha": 0.6, "l1_ratio": 0.6},
}
LOSSES = {
    "squared_error": {},
    "absolute_error": {"loss": "absolute_error"},
    "huber": {"loss": "huber", "delta": 1.3},
    "quantile": {"loss": "quantile", "quantile": 0.3},
    "epsilon_insensitive": {"loss": "epsilon_insensitive", "delta": 0.7},
    "squared_epsilon_insensitive": {"loss": "squared_epsilon_insensitive", "delta": 0.7},
}
# As in test_textbook.py: settings of the algorithm on top of the textbook's.
CASES = {
    "textbook": {},
    "momentum": {"momentum": 0.9, "learning_rate": 0.003},
    "centered": {"centered": True, "momentum": 0.5, "decay_rate": 0.99},
    "large epsilon": {"epsilon": 0.5, "learning_rate": 0.03},
    "no intercept": {"fit_intercept": False},
    "defaults": LIKE_DEFAULTS,
    "standardized": {
        "average": True,
        "bias_correction": True,
        "schedule": "invsqrt",
        "standardize": True,
        "learning_rate": 0.004,
    },
    "auto decay": {"decay_rate": "auto", "bias_correction": True, "momentum": 0.7, "average": True},
}


@pytest.fixture(scope="module")
def problem():
    """23 rows without zeros; three targets on different columns, and away from zero; weights without equals."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(23, 6)) + 0.5
    coef = np.array([[8.0, 0, 0], [0.05, 6, 0], [0, -7, 5], [-6, 0, 0.1], [0, 0, 0], [0.1, 0.05, -9]])
    Y = X @ coef + [20.0, -15.0, 10.0] + rng.normal(size=(23, 3))
    return X, Y, rng.integers(0, 40, size=23) / 30


def epochs_for(n_rows, batch_size):
    return math.ceil(N_STEPS / math.ceil(n_rows / (batch_size or n_rows)))


def parameters(case, loss, penalty, batch_size):
    base = {**TEXTBOOK, "learning_rate": 0.01, "decay_rate": 0.9, "batch_size": batch_size}
    params = {**base, **CASES[case], **LOSSES[loss], **PENALTIES[penalty]}
    if case == "standardized":  # the steps are small for the gradients of a target of variance 50
        params["alpha"] *= 5
    return params


# The update


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    ("case", "loss"),
    [
        (case, loss)
        for case in CASES
        for loss in LOSSES
        if case in ("defaults", "standardized") or loss in ("squared_error", "quantile")
    ],
)
def test_steps_are_those_of_the_reference(problem, case, loss, penalty, container):
    """Where every batch meets every column, sparse rows are no exception. 1e-9: 36 steps during the approach."""
    X, Y, weight = problem
    for batch_size, sample_weight in ((7, None), (3, weight)):
        params = parameters(case, loss, penalty, batch_size)
        epochs = epochs_for(len(X), batch_size)
        options = {"sparse": True} if container is sparse.csr_array else {}
        path = follow_epochs(X, Y, params, epochs, sample_weight, **options)
        model = RMSpropRegressor(**params, max_iter=epochs).fit(container(X), Y, sample_weight=sample_weight)
        assert_model(model, path.coef[-1], path.intercept[-1], rtol=1e-9)
        np.testing.assert_array_equal(model.coef_ == 0, path.coef[-1] == 0)


@pytest.mark.parametrize("batch_size", [3, 7, None])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("case", CASES)
def test_columns_that_batches_miss_are_penalised_the_more_when_met(problem, case, penalty, batch_size):
    X, Y, weight = problem
    if case == "standardized" and batch_size is None:
        pytest.skip("the gradient of the intercept begins at zero, and rounding decides where its first step goes")
    X = np.where(np.random.default_rng(1).random(X.shape) < [0.5, 0.5, 0.2, 0.8, 0.0, 0.5], X, 0)
    for sample_weight in (None, weight):
        params = parameters(case, "squared_error", penalty, batch_size)
        epochs = epochs_for(len(X) if sample_weight is None else np.count_nonzero(weight), batch_size)
        path = follow_epochs(X, Y, params, epochs, sample_weight, sparse=True)
        model = RMSpropRegressor(**params, max_iter=epochs).fit(sparse.csr_array(X), Y, sample_weight=sample_weight)
        assert_model(model, path.coef[-1], path.intercept[-1], rtol=1e-9)
        np.testing.assert_array_equal(model.coef_ == 0, path.coef[-1] == 0)


def test_the_reference_sees_each_penalty(problem):
    """The premise of the tests above: each penalty has a path of its own; l1 and elasticnet have zeros."""
    X, Y, _ = problem
    for case in CASES:
        ends = []
        for penalty in PENALTIES:
            path = follow_epochs(X, Y, parameters(case, "squared_error", penalty, 7), 9)
            coef = path.coef[-1]
            assert (coef != 0).any()
            assert (coef == 0).any() == (penalty != "l2"), (case, penalty)
            for other in ends:
                assert np.abs(coef - other).max() > 1e-4 * np.abs(coef).max(), (case, penalty)
            ends.append(coef)


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
def test_loss_curve_of_the_reference(problem, penalty, container):
    X, Y, _ = problem
    for case in ("textbook", "standardized"):
        params = parameters(case, "huber", penalty, 7)
        options = {"sparse": True} if container is sparse.csr_array else {}
        path = follow_epochs(X, Y, params, 5, **options)
        model = RMSpropRegressor(**params, max_iter=5).fit(container(X), Y)
        objective = {name: params[name] for name in ("loss", "delta", "penalty", "alpha", "l1_ratio") if name in params}
        expected = [
            oracles.objective(X, y, coef, intercept, **objective)
            for y, coef, intercept in zip(Y.T, path.coef[-1], path.intercept[-1], strict=True)
        ]
        assert model.loss_curve_[-1] == pytest.approx(np.mean(expected), rel=1e-9)


@every_container
def test_float32_follows_the_reference(problem, container):
    X, Y, _ = problem
    X = X.astype(np.float32)
    for penalty in PENALTIES:
        params = parameters("defaults", "squared_error", penalty, 7)
        path = follow_epochs(X, Y, params, 9, sparse=container is sparse.csr_array)
        model = RMSpropRegressor(**params, max_iter=9).fit(container(X), Y)
        assert model.coef_.dtype == np.float32
        # twenty operations a step, each rounded to half a unit in the last place; N_STEPS of them
        assert_model(model, path.coef[-1], path.intercept[-1], rtol=10 * N_STEPS * np.finfo(np.float32).eps)


# What the parameters mean


def assert_same(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    np.testing.assert_array_equal(one.loss_curve_, other.loss_curve_)


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
def test_alpha_zero_is_no_penalty(problem, penalty, container):
    X, Y, _ = problem
    without = RMSpropRegressor(random_state=0).fit(container(X), Y)
    assert_same(RMSpropRegressor(penalty=penalty, alpha=0, random_state=0).fit(container(X), Y), without)
    assert_same(RMSpropRegressor(alpha=7, l1_ratio=0.5, random_state=0).fit(container(X), Y), without)


@every_container
@pytest.mark.parametrize(("l1_ratio", "penalty"), [(0, "l2"), (1, "l1")])
def test_elasticnet_goes_from_l2_to_l1(problem, l1_ratio, penalty, container):
    X, Y, _ = problem
    elastic = RMSpropRegressor(penalty="elasticnet", alpha=0.1, l1_ratio=l1_ratio, random_state=0)
    pure = RMSpropRegressor(penalty=penalty, alpha=0.1, l1_ratio=0.3, random_state=0)
    assert_same(elastic.fit(container(X), Y), pure.fit(container(X), Y))


def test_coefficients_are_those_of_scikit_learn():
    """Alpha means the same to Lasso and ElasticNet; Ridge's is a sum over the rows instead of a mean."""
    X, y = oracles.diabetes_standardised()
    for penalty, other in {
        "l1": Lasso(alpha=2.0),
        "l2": Ridge(alpha=2.0 * len(y)),
        "elasticnet": ElasticNet(alpha=2.0, l1_ratio=0.8),
    }.items():
        model = RMSpropRegressor(penalty=penalty, alpha=2.0, l1_ratio=0.8, random_state=0).fit(X, y)
        other.fit(X, y)
        # in the fit; coefficients that can replace each other differ more than predictions
        difference = model.predict(X) - other.predict(X)
        assert np.mean(difference**2) < 1e-4 * y.var(), penalty


@every_container
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("standardize", [True, False])
def test_the_intercept_is_not_penalised(problem, standardize, penalty, loss, container):
    """A target, and a start, that are higher by 1024 leave the path of the coefficients as it is."""
    X, Y, _ = problem
    y = np.round(2**20 * Y[:, 0]) / 2**20  # so that the sum with 1024 is exact
    parameters = {**LOSSES[loss], **PENALTIES[penalty], "standardize": standardize}
    near = RMSpropRegressor(**parameters, tol=None, max_iter=9, random_state=0)
    far = RMSpropRegressor(**parameters, tol=None, max_iter=9, random_state=0)
    near.fit(container(X), y, intercept_init=16.0)
    far.fit(container(X), y + 1024, intercept_init=16.0 + 1024)
    # 9 steps; 1024 takes three digits from the residuals
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=0, atol=1e-10 * np.abs(near.coef_).max())
    assert far.intercept_ - 1024 == pytest.approx(near.intercept_, rel=1e-10)


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
def test_units_of_the_target(problem, penalty, container):
    """The squared error, and l2, grow with the square of the target's unit, l1 with the unit: so must its alpha."""
    X, Y, _ = problem
    unit = 64.0
    strengths = {"l1": (unit, 1.0), "l2": (1.0, 0.0), "elasticnet": (0.6 * unit + 0.4, 0.6 * unit / (0.6 * unit + 0.4))}
    factor, l1_ratio = strengths[penalty]
    alpha = PENALTIES[penalty]["alpha"]
    one = RMSpropRegressor(penalty=penalty, alpha=alpha, l1_ratio=0.6, random_state=0, max_iter=9, tol=None)
    other = RMSpropRegressor(
        penalty=penalty, alpha=alpha * factor, l1_ratio=l1_ratio, random_state=0, max_iter=9, tol=None
    )
    one.fit(container(X), Y)
    other.fit(container(X), unit * Y)
    np.testing.assert_allclose(other.coef_, unit * one.coef_, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(other.coef_ == 0, one.coef_ == 0)
    np.testing.assert_allclose(other.loss_curve_, np.multiply(one.loss_curve_, unit**2), rtol=1e-10)


@every_container
@pytest.mark.parametrize(("penalty", "degree"), [("l1", 1), ("l2", 2)])
def test_units_of_the_columns(problem, penalty, degree, container):
    """The penalty is on coefficients in the user's units, with `standardize`, too: other units need another alpha."""
    X, Y, _ = problem
    parameters = {"penalty": penalty, "random_state": 0, "max_iter": 9, "tol": None}
    one = RMSpropRegressor(**parameters, alpha=0.5).fit(container(X), Y)
    other = RMSpropRegressor(**parameters, alpha=0.5 * 8**degree).fit(container(8 * X), Y)
    np.testing.assert_allclose(8 * other.coef_, one.coef_, rtol=1e-10, atol=1e-10)
    without = RMSpropRegressor(**parameters, alpha=0.5).fit(container(8 * X), Y)
    assert np.abs(8 * without.coef_ - one.coef_).max() > 0.01


@every_container
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_each_target_gets_what_a_fit_of_its_own_gives(problem, penalty, loss, container):
    X, Y, _ = problem
    parameters = {**LOSSES[loss], **PENALTIES[penalty], "tol": None, "max_iter": 9, "random_state": 0}
    together = RMSpropRegressor(**parameters).fit(container(X), Y * [1, 10, 0.1])
    for k, unit in enumerate([1, 10, 0.1]):
        alone = RMSpropRegressor(**parameters).fit(container(X), Y[:, k] * unit)
        # sums in another order, 9 steps
        np.testing.assert_allclose(together.coef_[k], alone.coef_, rtol=1e-9, atol=1e-9 * unit)
        np.testing.assert_array_equal(together.coef_[k] == 0, alone.coef_ == 0)


# Zeros


def with_irrelevant_columns(seed=0):
    """Draw 20 columns of unequal scales of which 5 matter, each by far more than the noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, 20)) * np.logspace(-0.5, 0.5, 20) + rng.normal(size=20)
    coef = np.zeros(20)
    coef[[10, 12, 14, 17, 19]] = np.array([5, -5, 5, 5, -5]) / X.std(axis=0)[[10, 12, 14, 17, 19]]
    return X, 100 + X @ coef + rng.normal(size=2000), coef


@pytest.mark.parametrize("alpha", [0.3, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("l1_ratio", [1.0, 0.7])
def test_support_is_that_of_scikit_learn(alpha, l1_ratio):
    X, y = oracles.diabetes_standardised()
    exact = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-10, max_iter=100_000).fit(X, y)
    # Whether a coefficient is zero is a narrow thing if it is small, or leaves zero as soon as its gradient is a little
    # larger: of two columns correlated 0.9 a fit may take the other one, as with alpha=3 a quarter of the seeds do.
    gradient = X.T @ (y - exact.predict(X)) / len(y) - alpha * (1 - l1_ratio) * exact.coef_
    leaves = np.abs(gradient) > 0.97 * alpha * l1_ratio
    clear = np.where(exact.coef_ == 0, ~leaves, np.abs(exact.coef_) > 0.03 * np.abs(exact.coef_).max())
    assert clear.sum() >= 7
    for seed in range(3):
        model = RMSpropRegressor(penalty="elasticnet", alpha=alpha, l1_ratio=l1_ratio, random_state=seed).fit(X, y)
        np.testing.assert_array_equal((model.coef_ != 0)[clear], (exact.coef_ != 0)[clear])


@pytest.mark.parametrize("loss", LOSSES)
def test_l1_finds_the_columns_that_matter(loss):
    X, y, coef = with_irrelevant_columns()
    X = X - X.mean(axis=0)  # sparse columns are not centred
    # The widest column's mean gradient by noise of slope 1 has a standard error of 3.2 / sqrt(2000) = 0.07.
    alpha = 0.15 if loss == "quantile" else 0.25
    options = {"loss": "squared_error", "delta": 1.0, "quantile": 0.3, **LOSSES[loss]}
    exact = oracles.minimum(X, y, **options, penalty="l1", alpha=alpha)[1]
    np.testing.assert_array_equal(np.abs(exact) > 1e-6, coef != 0)
    for container in (np.asarray, sparse.csr_array):
        model = RMSpropRegressor(**options, penalty="l1", alpha=alpha, random_state=0).fit(container(X), y)
        np.testing.assert_array_equal(model.coef_ != 0, coef != 0)


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.5, 2.0])
def test_support_on_a_design_with_irrelevant_columns(alpha):
    X, y, _ = with_irrelevant_columns()
    exact = Lasso(alpha=alpha, tol=1e-10, max_iter=100_000).fit(X, y)
    model = RMSpropRegressor(penalty="l1", alpha=alpha, random_state=0).fit(X, y)
    contribution = np.abs(exact.coef_) * X.std(axis=0)
    clear = (exact.coef_ == 0) | (contribution > 0.01 * contribution.max())
    np.testing.assert_array_equal((model.coef_ != 0)[clear], (exact.coef_ != 0)[clear])


@every_container
@pytest.mark.parametrize("loss", LOSSES)
def test_a_huge_alpha_leaves_the_best_constant(loss, container):
    X, y = oracles.heavy_tailed(0)
    X = X - X.mean(axis=0)
    options = {"loss": loss, "delta": 5.0, "quantile": 0.3}
    for penalty in ("l1", "elasticnet"):
        model = RMSpropRegressor(**options, penalty=penalty, alpha=1e3, random_state=0).fit(container(X), y)
        np.testing.assert_array_equal(model.coef_, 0)
        constant = oracles.objective(X, y, model.coef_, model.intercept_, **options)
        # the steps' noise in the intercept
        assert constant < oracles.null(y, **options) * (1 + 1e-3)


def test_l2_makes_no_zeros(problem):
    X, Y, _ = problem
    assert (RMSpropRegressor(penalty="l2", alpha=100, random_state=0).fit(X, Y).coef_ != 0).all()


@pytest.mark.parametrize("penalty", PENALTIES)
def test_an_empty_sparse_column_keeps_exactly_zero(problem, penalty):
    X, Y, _ = problem
    X = X * (np.arange(6) != 4)
    model = RMSpropRegressor(**PENALTIES[penalty], momentum=0.5, random_state=0).fit(sparse.csr_array(X), Y)
    np.testing.assert_array_equal(model.coef_[:, 4], 0)
    assert (model.coef_[:, [0, 3, 5]] != 0).any()


@pytest.mark.parametrize("penalty", PENALTIES)
def test_duplicate_entries_of_sparse_rows_are_their_sum(problem, penalty):
    X, Y, _ = problem
    X = sparse.csr_array(np.where(np.random.default_rng(1).random(X.shape) < 0.3, X, 0))
    data = np.stack([0.25 * X.data, 0.75 * X.data], axis=1).ravel()
    twice = sparse.csr_array((data, X.indices.repeat(2), 2 * X.indptr), shape=X.shape)
    parameters = {**PENALTIES[penalty], "batch_size": 3, "tol": None, "max_iter": 3, "shuffle": False}
    parameters["standardize"] = False  # of which entries a unit is the root mean square is another matter
    one, other = (RMSpropRegressor(**parameters).fit(matrix, Y) for matrix in (X, twice))
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-9, atol=1e-9)


# Going on


@every_container
@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_partial_fit_of_all_rows_is_an_epoch(problem, penalty, momentum, container):
    """Zeros, and what keeps them there, survive from call to call: twelve calls are as many epochs."""
    X, Y, _ = problem
    parameters = {**PENALTIES[penalty], "momentum": momentum, "batch_size": 7, "shuffle": False, "tol": None}
    whole = RMSpropRegressor(**parameters, max_iter=12).fit(container(X), Y)
    pieces = RMSpropRegressor(**parameters)
    for _ in range(12):
        pieces.partial_fit(container(X), Y)
    # sparse averages start each call anew, in other roundings
    np.testing.assert_allclose(pieces.coef_, whole.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(pieces.coef_ == 0, whole.coef_ == 0)
    assert (whole.coef_ == 0).any() == (penalty != "l2")


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_stored_model_goes_on_as_if_it_had_not_been_stored(problem, penalty, container):
    X, Y, _ = problem
    model = RMSpropRegressor(**PENALTIES[penalty], momentum=0.3, random_state=0, batch_size=7)
    for _ in range(5):
        model.partial_fit(container(X), Y)
    stored = pickle.loads(pickle.dumps(model))
    for one in (model, stored):
        for _ in range(5):
            one.partial_fit(container(X), Y)
    assert_same(stored, model)


@every_container
def test_a_stream_reaches_the_minimum(container):
    X, y = oracles.heavy_tailed(0)
    X = X - X.mean(axis=0)
    options = {"loss": "squared_error", "penalty": "l1", "alpha": 1.0}
    model = RMSpropRegressor(penalty="l1", alpha=1.0, random_state=0)
    for _ in range(10):
        for start in range(0, len(y), 500):
            model.partial_fit(container(X[start : start + 500]), y[start : start + 500])
    assert oracles.gap(X, y, model.coef_, model.intercept_, **options) < 2e-3
    exact = oracles.minimum(X, y, **options)[1]
    np.testing.assert_array_equal(model.coef_ == 0, np.abs(exact) < 1e-6)


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
def test_warm_start_goes_on_from_the_coefficients(penalty, container):
    X, y = oracles.diabetes_standardised()
    model = RMSpropRegressor(
        penalty=penalty, alpha=1.0, l1_ratio=0.8, warm_start=True, random_state=0, learning_rate=0.01
    )
    model.fit(container(X), y)
    arrived = model.loss_curve_[-1]
    model.set_params(learning_rate=1e-12, tol=None, max_iter=1).fit(container(X), y)
    assert model.loss_curve_ == [pytest.approx(arrived, rel=1e-9)]
    model.set_params(learning_rate=0.01, tol=1e-4, max_iter=1000).fit(container(X), y)
    options = {"loss": "squared_error", "penalty": penalty, "alpha": 1.0, "l1_ratio": 0.8}
    assert oracles.gap(X, y, model.coef_, model.intercept_, **options) < 2e-3


# Limits


@every_container
@pytest.mark.parametrize("penalty", PENALTIES)
def test_an_alpha_that_overflows_is_refused_by_name(problem, penalty, container):
    X, Y, _ = problem
    with pytest.raises(ValueError, match="alpha must be small enough"):
        RMSpropRegressor(penalty=penalty, alpha=1e45).fit(container(X.astype(np.float32)), Y)
    with pytest.raises(ValueError, match="alpha must be small enough"):
        RMSpropRegressor(penalty=penalty, alpha=1e308).fit(container(1e-3 * X), Y)


@every_container
@pytest.mark.parametrize("penalty", ["l1", "elasticnet"])
def test_an_alpha_just_below_that_leaves_zeros(problem, penalty, container):
    X, Y, _ = problem
    for dtype, alpha in ((np.float32, 1e12), (np.float64, 1e100)):
        model = RMSpropRegressor(penalty=penalty, alpha=alpha, random_state=0)
        model.fit(container(X.astype(dtype)), Y)
        np.testing.assert_array_equal(model.coef_, 0)
        # tiny data: the intercept is a few rows' mean, in a hundredth of the target's deviation
        np.testing.assert_allclose(model.intercept_, Y.mean(axis=0), rtol=0, atol=0.05 * Y.std())
