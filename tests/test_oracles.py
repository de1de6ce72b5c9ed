"""The oracles are right: their minima are minima, found again by other solvers and by scikit-learn.

A weak oracle hides a bad fit and a wrong one blames a good fit, so nothing here compares an oracle
with the estimator it is to judge.
"""

from functools import cache

import numpy as np
import oracles
import pytest
from scipy import sparse
from scipy.optimize import linprog, minimize
from sklearn.linear_model import ElasticNet, HuberRegressor, Lasso, QuantileRegressor, Ridge
from sklearn.svm import LinearSVR

KINKED = ("absolute_error", "quantile", "epsilon_insensitive")
# Strong enough penalties that leaving them out, or mistaking one for the other, moves the minimum.
OPTIONS = {"alpha": 0.1, "l1_ratio": 0.4, "delta": 0.8, "quantile": 0.3}

every_loss = pytest.mark.parametrize("loss", oracles.LOSSES)
every_penalty = pytest.mark.parametrize("penalty", oracles.PENALTIES)
dense_and_sparse = pytest.mark.parametrize("kind", ["dense", "sparse"])
weights_or_not = pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])


@cache
def small(kind):
    """Return 40 rows, 4 columns with unequal scales and many zeros, a target off 0, and weights with zeros."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)) * (rng.random((40, 4)) < 0.6) * [0.3, 1.0, 1.0, 3.0]
    y = 50 + X @ [3.0, 1.5, -0.2, 1.0] + rng.standard_t(3, size=40)
    return sparse.csr_matrix(X) if kind == "sparse" else X, y, rng.integers(0, 4, size=40).astype(float)


def problem(kind, weighted, **options):
    X, y, weight = small(kind)
    return X, y, {**OPTIONS, **options, "sample_weight": weight if weighted else None}


@every_loss
@every_penalty
@pytest.mark.parametrize(("kind", "weighted"), [("dense", True), ("sparse", False)])
def test_minimum_is_confirmed_from_below_and_by_another_solver(loss, penalty, kind, weighted):
    X, y, options = problem(kind, weighted, loss=loss, penalty=penalty)
    value, coef, intercept = oracles.minimum(X, y, **options)
    assert value == oracles.objective(X, y, coef, intercept, **options)

    to_gain = oracles.null(y, **options) - value
    *_, u = oracles._solve(X, y, **options)
    bound = oracles.lower_bound(X, y, u, **options)
    assert to_gain > 0.1 * value
    assert -1e-12 * value <= value - bound <= 1e-8 * to_gain

    other = second_minimum(loss, penalty, weighted)
    # The other solvers stop at about 1e-7; they must not find less than the bound.
    assert bound - 1e-9 * to_gain <= other <= value + 1e-5 * to_gain


@cache
def second_minimum(loss, penalty, weighted):
    X, y, options = problem("dense", weighted, loss=loss, penalty=penalty)
    return second_solver(X, y, **options)


def second_solver(X, y, *, loss, penalty, alpha, l1_ratio, delta, quantile, sample_weight):
    """Return the minimum by linear programming, or of a smooth problem that has the same minimum.

    The variables are the positive and negative parts of the coefficients, the intercept, and if the
    loss has kinks what each residual is above and below 0 or the zone without loss.
    """
    n, d = X.shape
    p = np.full(n, 1 / n) if sample_weight is None else sample_weight / sample_weight.sum()
    a1 = {None: 0, "l2": 0, "l1": alpha, "elasticnet": alpha * l1_ratio}[penalty]
    a2 = {None: 0, "l2": alpha, "l1": 0, "elasticnet": alpha * (1 - l1_ratio)}[penalty]
    columns = np.hstack([X, -X, np.ones((n, 1))])
    linear = np.append(np.full(2 * d, a1), 0.0)
    bounds = [(0, None)] * (2 * d) + [(None, None)]

    if loss in KINKED:
        free = delta if loss == "epsilon_insensitive" else 0.0
        above, below = (quantile, 1 - quantile) if loss == "quantile" else (1, 1)
        linear = np.concatenate([linear, above * p, below * p])
        # y - z - free <= above and z - y - free <= below
        left = np.block([[-columns, -np.eye(n), np.zeros((n, n))], [columns, np.zeros((n, n)), -np.eye(n)]])
        right = np.concatenate([free - y, free + y])
        start = linprog(linear, A_ub=left, b_ub=right, bounds=bounds + [(0, None)] * (2 * n), method="highs")
        if a2 == 0:
            return start.fun
        return quadratic_program(linear, left, right, a2=a2, d=d, start=start.x)

    def smooth(parts):
        r = y - columns @ parts
        w = parts[:d] - parts[d : 2 * d]
        beyond = np.sign(r) * np.maximum(np.abs(r) - delta, 0)
        value, slope = {
            "squared_error": (r**2 / 2, r),
            "huber": (r**2 / 2 - beyond**2 / 2, r - beyond),
            "squared_epsilon_insensitive": (beyond**2 / 2, beyond),
        }[loss]
        ridge = a2 * np.concatenate([w, -w, [0.0]])
        return p @ value + linear @ parts + a2 * w @ w / 2, linear + ridge - columns.T @ (p * slope)

    start = np.append(np.zeros(2 * d), y.mean())
    options = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 1e-15, "gtol": 1e-10}
    return minimize(smooth, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun


def quadratic_program(linear, left, right, *, a2, d, start):
    """Minimise linear @ x + a2 |w|^2 / 2 where left @ x <= right, by cutting planes of |w|^2.

    Each linear program bounds the minimum from below and its solution from above: another certificate.
    """
    n_variables = len(linear)
    free = 2 * d
    cost = np.append(linear, 1.0)  # the last variable is a2 |w|^2 / 2
    rows = [np.hstack([left, np.zeros((len(left), 1))])]
    limits = [right]
    bounds = [(0, None)] * (n_variables + 1)
    bounds[free] = (None, None)
    best, x = np.inf, start
    for _ in range(1000):
        w = x[:d] - x[d : 2 * d]
        best = min(best, linear @ x[:n_variables] + a2 * w @ w / 2)
        cut = np.zeros((1, n_variables + 1))
        cut[0, :d], cut[0, d : 2 * d], cut[0, -1] = a2 * w, -a2 * w, -1
        rows, limits = [*rows, cut], [*limits, [a2 * w @ w / 2]]
        found = linprog(cost, A_ub=np.vstack(rows), b_ub=np.concatenate(limits), bounds=bounds, method="highs")
        x = found.x
        if best - found.fun <= 1e-7 * best:
            return best
    raise AssertionError(f"no convergence: between {found.fun} and {best}")


@every_loss
@every_penalty
@weights_or_not
def test_lower_bound_is_one_whatever_u(loss, penalty, weighted):
    # The confirmation is worth what this is worth: also a u that is far from feasible must not give
    # a bound above any value of the objective.
    X, y, options = problem("dense", weighted, loss=loss, penalty=penalty)
    value = oracles.minimum(X, y, **options)[0]
    rng = np.random.default_rng(1)
    *_, u = oracles._solve(X, y, **options)
    for size in (1e-3, 0.1, 1.0, 10.0):
        for center in (0, u):
            bound = oracles.lower_bound(X, y, center + size * rng.normal(size=len(y)), **options)
            assert bound <= value * (1 + 1e-12)


@every_loss
@every_penalty
def test_lower_bound_is_one_with_more_columns_than_rows(loss, penalty):
    # With dependent columns no change of u keeps all their limits: only shrinking does.
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(10, 30)), rng.normal(size=10)
    options = {**OPTIONS, "loss": loss, "penalty": penalty}
    value = oracles.objective(X, y, *oracles._solve(X, y, **options)[:2], **options)
    # The slopes of the best constant: without the limits that they violate they bound its objective.
    for u in [y, y / 2, *(y + 0.3 * rng.normal(size=(10, 10)))]:
        assert oracles.lower_bound(X, y, u, **options) <= value + 1e-9


def test_wrong_minimum_is_not_returned(monkeypatch):
    X, y, options = problem("dense", False, loss="huber", penalty="l1", alpha=0.123)
    coef, intercept, u = oracles._solve(X, y, **options)
    monkeypatch.setattr(oracles, "_solve", lambda *_, **__: (coef * 1.001, intercept, u))
    with pytest.raises(AssertionError, match="not confirmed"):
        oracles.minimum(X, y, **options)


@every_loss
@weights_or_not
def test_null_is_the_best_constant(loss, weighted):
    _, y, options = problem("dense", weighted, loss=loss)
    nothing = np.zeros((len(y), 1))
    values = [oracles.objective(nothing, y, [0.0], c, **options) for c in np.linspace(y.min(), y.max(), 2001)]
    null = oracles.null(y, **options)
    assert null <= min(values) * (1 + 1e-12)
    assert null == pytest.approx(min(values), rel=1e-3)


def test_losses_by_hand():
    r = np.array([-3.0, -1.0, 0.0, 0.5, 2.0])
    expected = {
        "squared_error": [4.5, 0.5, 0, 0.125, 2],
        "absolute_error": [3, 1, 0, 0.5, 2],
        "huber": [2.5, 0.5, 0, 0.125, 1.5],
        "quantile": [2.25, 0.75, 0, 0.125, 0.5],
        "epsilon_insensitive": [2, 0, 0, 0, 1],
        "squared_epsilon_insensitive": [2, 0, 0, 0, 0.5],
    }
    for loss in oracles.LOSSES:
        np.testing.assert_allclose(oracles.losses(r, loss=loss, delta=1.0, quantile=0.25), expected[loss])


@every_penalty
def test_losses_meet_at_their_limits(penalty):
    X, y, options = problem("dense", True, penalty=penalty)

    def value(loss, **changed):
        return oracles.minimum(X, y, loss=loss, **{**options, **changed})[0]

    squares = value("squared_error")
    assert value("squared_epsilon_insensitive", delta=0.0) == pytest.approx(squares, rel=1e-9)
    assert value("huber", delta=1e3) == pytest.approx(squares, rel=1e-9)
    absolute = value("absolute_error")
    assert value("epsilon_insensitive", delta=0.0) == pytest.approx(absolute, rel=1e-9)
    assert 2 * value("quantile", quantile=0.5, alpha=OPTIONS["alpha"] / 2) == pytest.approx(absolute, rel=1e-9)


@every_loss
@every_penalty
def test_integer_weights_are_repetitions(loss, penalty):
    X, y, options = problem("dense", True, loss=loss, penalty=penalty)
    times = options.pop("sample_weight").astype(int)
    repeated = oracles.minimum(np.repeat(X, times, axis=0), np.repeat(y, times), **options)[0]
    assert oracles.minimum(X, y, sample_weight=times, **options)[0] == pytest.approx(repeated, rel=1e-9)


# What scikit-learn minimises is the objective times a constant, with other names for the parts of alpha


def agree(X, y, model, rtol=1e-6, **options):
    """A fitted model of scikit-learn has missed next to nothing; less than nothing is impossible."""
    __tracebackhide__ = True
    gap = oracles.gap(X, y, model.coef_, model.intercept_, **options)
    assert -oracles.CERTIFIED <= gap <= rtol


@dense_and_sparse
@weights_or_not
def test_squared_error_is_ridge_lasso_elastic_net(kind, weighted):
    X, y, options = problem(kind, weighted, loss="squared_error")
    weight, alpha, l1_ratio = options["sample_weight"], options["alpha"], options["l1_ratio"]
    total = weight.sum() if weighted else len(y)
    tight = {"tol": 1e-12, "max_iter": 100_000}
    ridge = Ridge(alpha=total * alpha, **tight).fit(X, y, sample_weight=weight)
    agree(X, y, ridge, penalty="l2", **options)
    agree(X, y, Lasso(alpha=alpha, **tight).fit(X, y, sample_weight=weight), penalty="l1", **options)
    net = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, **tight).fit(X, y, sample_weight=weight)
    agree(X, y, net, penalty="elasticnet", **options)


@dense_and_sparse
@weights_or_not
def test_quantile_is_quantile_regressor(kind, weighted):
    X, y, options = problem(kind, weighted, loss="quantile")
    model = QuantileRegressor(quantile=options["quantile"], alpha=options["alpha"])
    agree(X, y, model.fit(X, y, sample_weight=options["sample_weight"]), penalty="l1", **options)
    model.set_params(alpha=0.0).fit(X, y, sample_weight=options["sample_weight"])
    agree(X, y, model, penalty=None, **options)


@dense_and_sparse
def test_huber_is_huber_regressor_at_its_scale(kind):
    # HuberRegressor also fits a scale; at that scale its coefficients are the minimum for delta = epsilon * scale.
    X, y, options = problem(kind, False, loss="huber")
    model = HuberRegressor(alpha=2.0, tol=1e-10, max_iter=10_000).fit(X, y)
    options.update(delta=model.epsilon * model.scale_, alpha=model.alpha * model.scale_ / len(y))
    agree(X, y, model, penalty="l2", **options)


@dense_and_sparse
@pytest.mark.parametrize("loss", ["absolute_error", "epsilon_insensitive", "squared_epsilon_insensitive"])
def test_insensitive_losses_are_linear_svr(loss, kind):
    # LinearSVR penalises its intercept. On rows that come with their negatives the best intercept is 0,
    # whether penalised or not.
    X, y, options = problem(kind, False, loss=loss)
    both = sparse.vstack([X, -X], format="csr") if kind == "sparse" else np.vstack([X, -X])
    y = np.concatenate([y - y.mean(), y.mean() - y])
    squared = loss.startswith("squared")
    model = LinearSVR(
        loss="squared_epsilon_insensitive" if squared else "epsilon_insensitive",
        epsilon=0.0 if loss == "absolute_error" else options["delta"],
        C=1 / (options["alpha"] * len(y) * (2 if squared else 1)),
        fit_intercept=False,
        tol=1e-9,
        max_iter=1_000_000,
        random_state=0,
    )
    agree(both, y, model.fit(both, y), rtol=1e-5, penalty="l2", **options)


# What users of the module rely on


def test_gap_is_0_for_the_best_and_1_for_a_constant():
    X, y, options = problem("dense", False, loss="squared_error", penalty="l2")
    _, coef, intercept = oracles.minimum(X, y, **options)
    assert oracles.gap(X, y, coef, intercept, **options) == 0
    assert oracles.gap(X, y, np.zeros(4), y.mean(), **options) == pytest.approx(1)
    # A quadratic: half-way to the mean keeps a quarter of the gap.
    assert oracles.gap(X, y, coef / 2, (intercept + y.mean()) / 2, **options) == pytest.approx(0.25)


def test_minima_are_remembered_and_not_confused():
    X, y, options = problem("dense", False, loss="huber", penalty="l1")
    first = oracles.minimum(X, y, **options)
    assert oracles.minimum(X.copy(), y.copy(), **options) is first
    others = [
        oracles.minimum(X, y + np.arange(40) % 2, **options),
        oracles.minimum(X, y, **{**options, "alpha": 0.11}),
        oracles.minimum(X, y, **{**options, "sample_weight": small("dense")[2]}),
    ]
    assert len({value for value, _, _ in [first, *others]}) == 4


# That their minima are confirmed is seen in test_optimum.py: `minimum` raises when its own bound does not confirm it.
def test_data_sets_are_as_described():
    X, y = oracles.heavy_tailed(0)
    assert X.shape == (5000, 10)
    assert y.mean() == pytest.approx(500, abs=3)
    assert y.std() == pytest.approx(30, abs=3)
    np.testing.assert_allclose(X.std(axis=0), np.logspace(-1, 1, 10), rtol=0.05)
    X, y = oracles.text_like(0)
    np.testing.assert_allclose(X.multiply(X).sum(axis=1), 1)
    assert X.data.min() > 0
    assert 25 < X.nnz / X.shape[0] < 40
    frequency = np.sort(X.getnnz(axis=0))
    assert frequency[-1] > 10 * frequency[0] > 0
