"""Every loss is what its formula says, in the target's units, and does what it is chosen for."""

import numpy as np
import oracles
import pytest
from reference import derivative_and_loss
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop._kernel import _losses

KERNEL = {
    "squared_error": _losses.SquaredError,
    "absolute_error": _losses.AbsoluteError,
    "huber": _losses.Huber,
    "quantile": _losses.Quantile,
    "epsilon_insensitive": _losses.EpsilonInsensitive,
    "squared_epsilon_insensitive": _losses.SquaredEpsilonInsensitive,
}
SHAPE = {
    "huber": "delta",
    "quantile": "quantile",
    "epsilon_insensitive": "delta",
    "squared_epsilon_insensitive": "delta",
}
# Parameters of the losses for three targets; exact in binary, so that errors can lie at the kinks.
SHAPES = np.array([0.25, 0.5, 0.875])
# A chunk of the kernel is 32 rows: these are two and a part of one.
N_ROWS = 75

every_loss = pytest.mark.parametrize("loss", KERNEL)
every_container = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])


def kernel(loss, shapes, error, y=0.0):
    """Return derivative and loss of predictions that are off by `error`."""
    y = np.broadcast_to(y, error.shape).copy()
    return KERNEL[loss](shapes).derivative_and_loss(y, y + error)


def formula(loss, shapes, error):
    return derivative_and_loss(error, loss, **({SHAPE[loss]: shapes} if loss in SHAPE else {}))


def kinks(loss, shape):
    """Return where the derivative jumps or bends."""
    at = {"squared_error": [], "absolute_error": [0.0], "quantile": [0.0]}
    return np.array(at.get(loss, [-shape, shape]))


@every_loss
def test_kernel_computes_the_formula(loss):
    rng = np.random.default_rng(0)
    error = 2 * rng.normal(size=(N_ROWS, 3))
    error[::7] = 0.0
    error[3::7] = SHAPES
    error[5::7] = -SHAPES
    derivative, value = kernel(loss, SHAPES, error)
    expected_derivative, expected = formula(loss, SHAPES, error)
    # a few roundings
    np.testing.assert_allclose(derivative, expected_derivative, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(value, expected, rtol=1e-15, atol=1e-15)

    y = 10 * rng.normal(size=(N_ROWS, 3))
    shifted = kernel(loss, SHAPES, error, y)
    # y + error is rounded in units of 10
    error_rounded = (y + error) - y
    away = np.ones_like(error, dtype=bool)
    away[np.arange(N_ROWS) % 7 == 3] = away[np.arange(N_ROWS) % 7 == 5] = False
    for computed, of_formula in zip(shifted, formula(loss, SHAPES, error_rounded), strict=True):
        np.testing.assert_allclose(computed[away], of_formula[away], rtol=1e-13, atol=1e-13)


@every_loss
def test_each_target_has_a_parameter_of_its_own(loss):
    error = np.random.default_rng(1).normal(size=(N_ROWS, 3))
    together = kernel(loss, SHAPES, error)
    for k in range(3):
        alone = kernel(loss, SHAPES[k : k + 1], error[:, k : k + 1])
        for several, one in zip(together, alone, strict=True):
            np.testing.assert_array_equal(several[:, k], one[:, 0])


@every_loss
def test_derivative_is_the_slope_of_the_loss(loss):
    step = 1e-6
    error = 2 * np.random.default_rng(2).normal(size=(N_ROWS, 3))
    for k, shape in enumerate(SHAPES):
        for kink in kinks(loss, shape):
            close = np.abs(error[:, k] - kink) < 2 * step
            error[close, k] += 4 * step
    derivative, _ = kernel(loss, SHAPES, error)
    slope = (kernel(loss, SHAPES, error + step)[1] - kernel(loss, SHAPES, error - step)[1]) / (2 * step)
    # central differences of (piecewise) parabolas are exact: rounding of losses up to about 30, over the step
    np.testing.assert_allclose(derivative, slope, rtol=0, atol=1e-8)


@every_loss
def test_derivative_at_a_kink_is_between_those_on_either_side(loss):
    for shape in SHAPES:
        at = np.append(kinks(loss, shape), 0.0)[:, np.newaxis]
        derivative, value = kernel(loss, [shape], at)
        left, below = kernel(loss, [shape], at - 1e-12)
        right, above = kernel(loss, [shape], at + 1e-12)
        assert (left <= derivative).all()
        assert (derivative <= right).all()
        # the loss does not jump: slopes are at most 1, plus rounding
        np.testing.assert_allclose(below, value, rtol=0, atol=2e-12)
        np.testing.assert_allclose(above, value, rtol=0, atol=2e-12)


@every_loss
def test_least_without_error_and_convex(loss):
    error = np.linspace(-3, 3, N_ROWS)[:, np.newaxis] * np.ones(3)
    derivative, value = kernel(loss, SHAPES, error)
    assert (value >= 0).all()
    np.testing.assert_array_equal(value[N_ROWS // 2], 0)
    assert (np.diff(derivative, axis=0) >= 0).all()


@every_loss
def test_a_prediction_that_is_no_number_has_a_loss_that_is_none(loss):
    """It is how the training loop learns of an overflow."""
    error = np.zeros((N_ROWS, 3))
    error[[0, 31, 32, 74], [0, 1, 2, 0]] = np.nan
    _, value = kernel(loss, SHAPES, error)
    np.testing.assert_array_equal(np.isnan(value), np.isnan(error))
    error[np.isnan(error)] = np.inf
    assert not np.isfinite(kernel(loss, SHAPES, error)[1][error == np.inf]).any()


# The estimator


def problem(n_rows=400, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    return X, 3 + X @ [1.0, -2.0, 3.0, 0.5] + noise * rng.standard_t(3, size=n_rows)


def skewed():
    """The noise is to one side and depends on a column: each loss has a minimum of its own."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4)) + 0.3
    return X, X @ [0.5, -1.0, 1.5, 0.25] + 0.5 * rng.exponential(np.exp(X[:, 0]))


def assert_same(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    assert one.t_ == other.t_


@every_container
@pytest.mark.parametrize("loss", [loss for loss in SHAPE if SHAPE[loss] == "delta"])
def test_delta_is_in_the_units_of_the_target(loss, container):
    """Target and delta in other units: the model is the same in those, bit for bit as the factor is a power of two."""
    X, y = problem()
    one = RMSpropRegressor(loss, delta=0.7, random_state=0).fit(container(X), y)
    other = RMSpropRegressor(loss, delta=0.7 * 64, random_state=0).fit(container(X), 64 * y)
    np.testing.assert_array_equal(other.coef_, 64 * one.coef_)
    np.testing.assert_array_equal(other.intercept_, 64 * one.intercept_)
    assert other.n_iter_ == one.n_iter_
    degree = 1 if loss == "epsilon_insensitive" else 2
    np.testing.assert_array_equal(other.loss_curve_, np.multiply(one.loss_curve_, 64.0**degree))


@pytest.mark.parametrize("loss", KERNEL)
def test_standardize_does_not_change_the_solution(loss):
    """With columns and a target about as large as the algorithm likes them, both ways reach the one minimum."""
    X, y = skewed()
    options = {"loss": loss, "delta": 0.4, "quantile": 0.3}
    for standardize in (True, False):
        model = RMSpropRegressor(**options, standardize=standardize, random_state=0, tol=1e-5).fit(X, y)
        assert oracles.gap(X, y, model.coef_, model.intercept_, **options) < 1e-4


@pytest.mark.parametrize("loss", [loss for loss in SHAPE if SHAPE[loss] == "delta"])
def test_another_delta_has_another_minimum(loss):
    """The premise of the test above."""
    X, y = skewed()
    for delta in (0.2, 0.8):
        _, coef, intercept = oracles.minimum(X, y, loss=loss, delta=delta)
        assert oracles.gap(X, y, coef, intercept, loss=loss, delta=0.4) > 3e-4


@every_container
@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_that_share_of_rows_lies_below_the_quantile(container, quantile):
    X, y = problem(4000)
    model = RMSpropRegressor("quantile", quantile=quantile, random_state=0).fit(container(X), y)
    # at the minimum as many rows as there are coefficients lie on it; 1 % is twice the standard error of 4000 rows
    assert np.mean(y < model.predict(X)) == pytest.approx(quantile, abs=0.01)


@every_container
@pytest.mark.parametrize("standardize", [True, False])
def test_huber_with_a_huge_delta_is_the_squared_error(container, standardize):
    """The same path; with `standardize` the same minimum, as outliers set the target's unit for the one only."""
    X, y = problem()
    parameters = {"tol": None, "max_iter": 4, "random_state": 0, "standardize": standardize}
    huber = RMSpropRegressor("huber", delta=1e6, **parameters).fit(container(X), y)
    squared = RMSpropRegressor(**parameters).fit(container(X), y)
    if standardize:
        huber = RMSpropRegressor("huber", delta=1e6, random_state=0, tol=1e-6).fit(container(X), y)
        assert oracles.gap(X, y, huber.coef_, huber.intercept_, loss="squared_error") < 1e-4
    else:
        np.testing.assert_allclose(huber.coef_, squared.coef_, rtol=1e-10)
        np.testing.assert_allclose(huber.loss_curve_, squared.loss_curve_, rtol=1e-10)


@every_container
def test_squared_epsilon_insensitive_without_a_tube_is_the_squared_error(container):
    X, y = problem()
    squared = RMSpropRegressor(batch_size=32, random_state=0).fit(container(X), y)
    insensitive = RMSpropRegressor("squared_epsilon_insensitive", delta=0, batch_size=32, random_state=0)
    assert_same(insensitive.fit(container(X), y), squared)


@every_container
def test_epsilon_insensitive_without_a_tube_is_the_absolute_error(container):
    X, y = problem()
    absolute = RMSpropRegressor("absolute_error", random_state=0).fit(container(X), y)
    insensitive = RMSpropRegressor("epsilon_insensitive", delta=0, random_state=0).fit(container(X), y)
    assert_same(insensitive, absolute)
    np.testing.assert_array_equal(insensitive.loss_curve_, absolute.loss_curve_)


@every_container
def test_the_median_is_half_the_absolute_error(container):
    """Gradients of half the size make the same steps, but for epsilon."""
    X, y = problem()
    absolute = RMSpropRegressor("absolute_error", random_state=0, max_iter=4, tol=None).fit(container(X), y)
    median = RMSpropRegressor("quantile", random_state=0, max_iter=4, tol=None).fit(container(X), y)
    # epsilon is 1e-8, gradients are a tenth to 1; four epochs are 52 steps
    np.testing.assert_allclose(median.coef_, absolute.coef_, rtol=1e-5)
    np.testing.assert_allclose(median.loss_curve_, np.divide(absolute.loss_curve_, 2), rtol=1e-5)


def test_huber_with_a_tiny_delta_is_the_median():
    X, y = problem(4000)
    with pytest.warns(UserWarning, match="delta=0.001 is too small"):
        model = RMSpropRegressor("huber", delta=1e-3, random_state=0).fit(X, y)
    # a row in a thousand is not on a line of the loss: the two minima are 1e-6 apart
    assert oracles.gap(X, y, model.coef_, model.intercept_, loss="absolute_error") < 2e-3


def test_huber_without_a_parabola_is_refused():
    X, y = problem()
    with pytest.raises(ValueError, match="delta must be larger than 0"):
        RMSpropRegressor("huber", delta=0).fit(X, y)


def test_a_tube_that_holds_every_row_leaves_the_start():
    """Nothing is to be gained, nothing may be made of it."""
    X, y = problem()
    for loss in ("epsilon_insensitive", "squared_epsilon_insensitive"):
        with pytest.warns(UserWarning, match="delta=1000.0 is too large"):
            model = RMSpropRegressor(loss, delta=1e3, random_state=0).fit(X, y)
        np.testing.assert_array_equal(model.coef_, 0)
        assert model.loss_curve_[-1] == 0


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile", "epsilon_insensitive"])
def test_an_outlier_does_not_spoil_a_robust_fit(loss):
    """Were units or steps set by the outlier, the fit would not get anywhere. What it misses is judged without it."""
    X, y = oracles.heavy_tailed(0)
    spoilt = y.copy()
    spoilt[17] = 1e6
    options = {"loss": loss, "delta": 5.0, "quantile": 0.4}
    model = RMSpropRegressor(**options, random_state=0).fit(X, spoilt)
    # The row itself pulls the minimum away by less than a tenth of what is allowed.
    assert oracles.gap(X, y, model.coef_, model.intercept_, **options) < 2e-3


@every_container
@pytest.mark.parametrize("loss", ["squared_error", "huber", "squared_epsilon_insensitive"])
def test_a_weight_is_a_repetition(loss, container):
    """Step by step where a batch holds all rows. 1e-10: sums in another order."""
    X, y = problem(40)
    weight = np.random.default_rng(0).integers(0, 4, size=40)
    parameters = {"loss": loss, "delta": 0.5, "batch_size": None, "tol": None, "max_iter": 20}
    weighted = RMSpropRegressor(**parameters).fit(container(X), y, sample_weight=weight)
    repeated = RMSpropRegressor(**parameters).fit(container(X.repeat(weight, axis=0)), y.repeat(weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-10)
    np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-10)


@every_container
@every_loss
@pytest.mark.parametrize("penalty", oracles.PENALTIES)
def test_loss_curve_is_the_objective_in_the_units_of_the_target(loss, penalty, container):
    X, y = problem()
    y = 100 * y
    options = {"loss": loss, "delta": 30.0, "quantile": 0.3, "penalty": penalty, "alpha": 0.05, "l1_ratio": 0.5}
    weight = np.random.default_rng(0).integers(0, 3, size=len(y)).astype(float)
    parameters = {**options, "tol": None, "max_iter": 1}
    still = RMSpropRegressor(**parameters, learning_rate=1e-12, random_state=0)
    coef = np.array([50.0, -30.0, 10.0, 0.0])
    still.fit(container(X), y, sample_weight=weight, coef_init=coef, intercept_init=200.0)
    expected = oracles.objective(X, y, coef, 200.0, **options, sample_weight=weight)
    assert still.loss_curve_ == [pytest.approx(expected, rel=1e-9)]

    model = RMSpropRegressor(**{**parameters, "max_iter": 40}, random_state=0).fit(container(X), y)
    expected = oracles.objective(X, y, model.coef_, model.intercept_, **options)
    assert model.loss_curve_[-1] == pytest.approx(expected, rel=1e-9)
    assert model.loss_curve_[-1] < oracles.objective(X, y, np.zeros(4), y.mean(), **options)


@every_loss
def test_loss_curve_is_the_mean_over_targets(loss):
    X, y = problem()
    Y = np.column_stack([y, 100 * y - 7, -y])
    parameters = {"loss": loss, "delta": 0.5, "quantile": 0.3, "tol": None, "max_iter": 2, "shuffle": False}
    together = RMSpropRegressor(**parameters).fit(X, Y)
    alone = [RMSpropRegressor(**parameters).fit(X, column) for column in Y.T]
    # one path of 26 steps for each target, in sums of another order
    for k, model in enumerate(alone):
        np.testing.assert_allclose(together.coef_[k], model.coef_, rtol=1e-9)
    np.testing.assert_allclose(together.loss_curve_, np.mean([model.loss_curve_ for model in alone], axis=0), rtol=1e-9)
