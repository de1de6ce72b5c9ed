"""What lets several workers, or many short calls, make one fit: means of states, merged statistics, absorbed parts."""

from dataclasses import replace

import numpy as np
import pytest
from engine_setup import assert_same, contents, data_of, rows_and_targets, set_up, settings_of
from scipy import sparse

from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._monitor import Monitor
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Statistics, count_nonzero_rows, visit_probability, weighted_quantile

dense_and_csr = pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "CSR"])

RULES = {
    "defaults": {},
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "no bias correction": {"bias_correction": False},
    "l1": {"penalty": "l1", "alpha": 0.3},
}
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)


# The mean of states


def trained_apart(container=np.asarray, *, dtype=np.float64, n_steps=(20, 20, 20), **rule):
    """States from one start, each trained on rows of its own, with the problems and settings."""
    settings = settings_of(**{"batch_size": 8} | rule)
    X, Y = rows_and_targets(container, n_rows=30 * len(n_steps), dtype=dtype)
    coordinates, start, _ = set_up(data_of(X, Y), settings)
    states, problems = [], []
    for i, n in enumerate(n_steps):
        block = slice(30 * i, 30 * (i + 1))
        problems.append(engine.pose(data_of(X[block], Y[block]), coordinates, settings))
        states.append(engine.run(problems[i], start, settings, n_steps=n)[0])
    return states, problems, settings


@dense_and_csr
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_rule
def test_the_mean_of_equal_states_is_that_state(rule, dtype, container):
    (state,), _, _ = trained_apart(container, dtype=dtype, n_steps=(20,), **rule)
    # products with the shares are rounded, in float64
    tolerance = 1e-15 if dtype == np.float64 else 1e-7
    for shares in ([1.0], [0.5, 0.5], [0.2, 0.5, 0.3]):
        mean = State.mean([state] * len(shares), shares)
        assert mean.decay_product == pytest.approx(state.decay_product, rel=1e-15)
        assert_same(replace(mean, decay_product=state.decay_product), state, 4 * tolerance)
        np.testing.assert_allclose(mean.reported(), state.reported(), rtol=tolerance, atol=4e-15)


@dense_and_csr
@pytest.mark.parametrize("rule", [RULES[name] for name in ("defaults", "momentum", "centered")])
def test_the_mean_is_linear_and_respects_the_shares(rule, container):
    states, _, _ = trained_apart(container, **rule)
    states[:2] = (replace(state, deviation_scale=0.25, moment_scale=0.5) for state in states[:2])
    shares = np.array([0.2, 0.5, 0.3])
    mean = State.mean(states, shares)
    for name in ("coef", "average", "square", "gradient_mean", "velocity"):
        values = [getattr(state, name) for state in states]
        if values[0] is not None:
            np.testing.assert_allclose(getattr(mean, name), np.tensordot(shares, values, 1), rtol=1e-13, err_msg=name)
    np.testing.assert_allclose(mean.reported(), np.tensordot(shares, [s.reported() for s in states], 1), rtol=1e-13)
    assert not np.allclose(mean.reported(), np.mean([s.reported() for s in states], axis=0))
    np.testing.assert_array_equal(State.mean(states, [0.0, 1.0, 0.0]).coef, states[1].coef)


def test_the_mean_of_numbers():
    states, _, _ = trained_apart(n_steps=(10, 30))
    states = [replace(states[0], forgotten=2), replace(states[1], forgotten=7)]
    mean = State.mean(states, [0.25, 0.75])
    assert (mean.t, mean.forgotten) == (25, 6)
    assert mean.decay_product == 0.25 * states[0].decay_product + 0.75 * states[1].decay_product
    assert min(s.decay_product for s in states) < mean.decay_product < max(s.decay_product for s in states)
    np.testing.assert_array_equal(mean.generator, states[0].generator)
    uncorrected, _, _ = trained_apart(n_steps=(10, 30), bias_correction=False)
    assert State.mean(uncorrected, [0.25, 0.75]).decay_product == 0


@dense_and_csr
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_steps", [(200, 200), (30, 400)], ids=["as many steps", "more steps"])
def test_a_coefficient_that_is_zero_in_all_states_is_zero_in_the_mean(n_steps, dtype, container):
    """Also of workers that have done different numbers of steps; and no other coefficient is."""
    states, _, _ = trained_apart(container, dtype=dtype, n_steps=n_steps, penalty="l1", alpha=0.2)
    # as if those that have come to rest had done so late, yet early enough
    states[1] = replace(states[1], active=np.where(states[1].coef == 0, dtype(0.75 * n_steps[1]), n_steps[1]))
    zero = [state.reported() == 0 for state in states]
    in_all = zero[0] & zero[1]
    assert in_all.any()
    assert (zero[0] != zero[1]).any()
    for shares in ([0.5, 0.5], [0.1, 0.9], [0.9, 0.1]):
        np.testing.assert_array_equal(State.mean(states, shares).reported() == 0, in_all)


@dense_and_csr
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_rule
def test_training_goes_on_from_a_mean(rule, dtype, container):
    """It shares no memory with what it was made of, and is of its type."""
    states, problems, settings = trained_apart(container, dtype=dtype, **rule)
    before = [contents(state) for state in states]
    mean = State.mean(states, [1 / 3] * 3)
    assert mean.coef.dtype == mean.square.dtype == dtype
    assert mean.average.dtype == np.float64
    for state in states:
        assert not np.shares_memory(mean.generator, state.generator)
        for name, array in mean.arrays().items():
            assert not np.shares_memory(array, getattr(state, name))
    losses = [problem.evaluate(mean.reported(), problem.confirmation_rows) for problem in problems]
    for _ in range(5):
        trained = [engine.run(problem, mean, settings, n_steps=20)[0] for problem in problems]
        mean = State.mean(trained, [1 / 3] * 3)
    assert mean.t == 120
    assert mean.is_finite()
    later = [problem.evaluate(mean.reported(), problem.confirmation_rows) for problem in problems]
    assert np.mean(later) < np.mean(losses)
    for state, same in zip(states, before, strict=True):
        assert_same(state, same)


def test_the_mean_of_states_that_have_no_moments():
    """None stands for zeros, in some of the states or in all."""
    states, _, _ = trained_apart(momentum=0.9, penalty="l1")
    arrays = ("scaled_deviation", "scaled_gradient_mean", "velocity", "threshold", "offset", "active")
    without = replace(states[0], **dict.fromkeys(arrays))
    zeros = replace(states[0], **{name: np.zeros_like(getattr(states[0], name)) for name in arrays})
    shares = [0.25, 0.75]
    assert_same(State.mean([without, states[1]], shares), State.mean([zeros, states[1]], shares))
    mean = State.mean([without, without], shares)
    assert [getattr(mean, name) for name in arrays[1:]] == [None] * 5
    np.testing.assert_allclose(mean.reported(), without.coef, rtol=1e-15)
    not_started = replace(without, t=0)
    assert State.mean([not_started, not_started], shares).t == 0


# Statistics of blocks of rows

N_ROWS = 601
CUTS = {1: [], 3: [200, 437], 8: [1, 90, 100, 101, 222, 300, 599]}
WEIGHTS = {"equal": None, "similar": lambda block: 3.0**block, "extreme": lambda block: 10.0 ** (100 * (block % 3 - 1))}


def columns_of_all_kinds(dtype):
    """Near zero, far from it, of tiny and of huge scale, constant, zero, and constant in parts."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 7))
    X[:, 1] += 1000
    X[:, 2:4] *= [1e-200, 1e140] if dtype == np.float64 else [1e-30, 1e15]
    X[:, 4:6] = [0.1, 0.0]
    X[:, 6] = np.arange(N_ROWS) > 95
    return X.astype(dtype)


def blocks_of(X, Y, weight, cuts):
    """The rows in blocks."""
    return [
        data_of(X[rows], Y[rows], weight if np.isscalar(weight) else weight[rows])
        for rows in np.split(np.arange(N_ROWS), cuts)
    ]


def make_weight(magnitudes, cuts):
    """Weights of very different magnitude in each block, and some of zero."""
    if magnitudes == "equal":
        return 1.0
    rng = np.random.default_rng(1)
    block = np.searchsorted(cuts, np.arange(N_ROWS), side="right")
    weight = rng.exponential(size=N_ROWS) * [WEIGHTS[magnitudes](b) for b in block]
    weight[5:20] = 0
    return weight


@dense_and_csr
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_blocks", CUTS)
@pytest.mark.parametrize("magnitudes", WEIGHTS)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_merged_statistics_are_those_of_all_rows(loss, magnitudes, n_blocks, dtype, container):
    X, cuts = columns_of_all_kinds(dtype), CUTS[n_blocks]
    Y = np.column_stack((X[:, 0] + 1, 1e-5 * X[:, 1], X[:, 6])).astype(np.float64)
    if container is not np.asarray:
        X[np.random.default_rng(2).random(X.shape) < 0.5] = 0
    X, weight, settings = container(X), make_weight(magnitudes, cuts), settings_of(loss=loss)
    data = data_of(X, Y, weight)
    of_all = engine.measure(data, settings, count_entries=True)
    blocks = [engine.measure(block, settings, count_entries=True) for block in blocks_of(X, Y, weight, cuts)]
    merged = Statistics.merge(blocks)
    assert merged.n_rows == of_all.n_rows
    assert merged.weight == pytest.approx(of_all.weight, rel=1e-13)
    assert vars(merged).keys() == vars(of_all).keys()
    columns = ("x_mean", "x_sd", "x_nonzero_mean", "x_nonzero_sd", "x_nonzero_weight", "x_nonzero_rows")
    for name in ("y_mean", "y_sd", *columns):
        found, expected = getattr(merged, name), getattr(of_all, name)
        assert (found is None) == (expected is None), name
        if expected is not None:
            # roundings of a mean of 1000 count as much for a standard deviation of 1
            np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15 * found.max() * name.endswith("sd"))
    _assert_same_coordinates(merged, of_all, data, settings)
    nested = Statistics.merge([Statistics.merge(blocks[:2]), *blocks[2:]])
    _assert_same_coordinates(nested, of_all, data, settings)


def _assert_same_coordinates(found, expected, data, settings):
    found, expected = (engine.coordinates_of(statistics, data, settings) for statistics in (found, expected))
    for name, value in vars(expected).items():
        if value is not None:
            # the kernel's origin is rounded to its type
            rtol = 1e-6 if name == "x_mean" and data.X.dtype == np.float32 else 1e-12
            np.testing.assert_allclose(getattr(found, name), value, rtol=rtol, atol=1e-13, err_msg=name)
    assert (found.x_mean is None) == (expected.x_mean is None)


def test_quantiles_of_equal_weights_are_exact():
    """Where half the weight lies on either side: roundings of weights would decide which of two values it is."""
    y = np.arange(600.0)[:, np.newaxis]
    settings = settings_of(loss="absolute_error")
    cuts = [1, 50, 177, 300, 301, 437]
    blocks = [data_of(part, part) for part in np.split(y, cuts)]
    merged = Statistics.merge([engine.measure(block, settings) for block in blocks])
    of_all = engine.measure(data_of(y, y), settings)
    np.testing.assert_array_equal(merged.y_values, of_all.y_values)
    for quantile in (0.25, 0.5, 0.75):
        found, expected = (
            weighted_quantile(statistics.y_values[:, 0], statistics.y_weight, quantile)
            for statistics in (merged, of_all)
        )
        assert found == expected == 600 * quantile


@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
def test_quantiles_of_merged_samples(weighted):
    """Of blocks of unequal length, weight and location: within four standard errors of a share of the weight."""
    rng = np.random.default_rng(0)
    lengths = [200, 3000, 5000, 11_000]
    y = np.concatenate([rng.normal(loc=k, size=n) for k, n in enumerate(lengths)])[:, np.newaxis]
    weight = np.concatenate([rng.uniform(0.5, 2, size=n) * 2.0**-k for k, n in enumerate(lengths)]) if weighted else 1.0
    settings = settings_of(loss="absolute_error")
    parts = np.split(np.arange(len(y)), np.cumsum(lengths)[:-1])
    blocks = [data_of(y[part], y[part], weight[part] if weighted else 1.0) for part in parts]
    merged = Statistics.merge([engine.measure(block, settings, n_target_values=500) for block in blocks])
    assert 0.98 * (200 + 3 * 500) < len(merged.y_values) <= 200 + 3 * 500
    shares = merged.y_weight / merged.y_weight.sum()
    of_rows = weight * np.ones(len(y)) / np.sum(weight * np.ones(len(y)))
    for quantile in (0.1, 0.5, 0.9):
        found = weighted_quantile(merged.y_values[:, 0], merged.y_weight, quantile)
        exact = of_rows[y[:, 0] < found].sum()
        assert abs(exact - quantile) < 4 * np.sqrt(quantile * (1 - quantile) * (shares**2).sum())


@pytest.mark.parametrize("standardize", [False, True])
def test_merged_counts_give_the_probability_of_a_visit(standardize):
    X = sparse.random_array((700, 50), density=0.02, random_state=np.random.default_rng(0), format="csr")
    X = sparse.csr_matrix(X)
    weight = np.random.default_rng(1).integers(0, 3, size=700).astype(float)
    settings, Y = settings_of(standardize=standardize), np.ones((700, 1))
    data = data_of(X, Y, weight)
    parts = np.split(np.arange(700), [13, 250, 600])
    blocks = [engine.measure(data_of(X[p], Y[p], weight[p]), settings, count_entries=True) for p in parts]
    merged = Statistics.merge(blocks)
    counts = count_nonzero_rows(X, data.rows)
    assert (counts == 0).any() or counts.min() < counts.max()
    np.testing.assert_array_equal(merged.x_nonzero_rows, counts)
    expected = visit_probability(counts, len(data.rows), 32)
    np.testing.assert_array_equal(visit_probability(merged.x_nonzero_rows, merged.n_rows, 32), expected)
    assert engine.measure(data, settings).x_nonzero_rows is None
    assert Statistics.merge([engine.measure(data, settings)] * 2).x_nonzero_rows is None


# Very many calls with few of many columns


@pytest.mark.parametrize(
    ("dtype", "rule"),
    [
        (np.float32, {}),
        (np.float64, {}),
        (np.float32, {"centered": True, "average": False}),
        (np.float64, {"penalty": "l1", "alpha": 1e-3}),
    ],
)
def test_scales_do_not_underflow_in_many_calls(rule, dtype, monkeypatch):
    """Moments that decay by half a step: scales of 2^-1500, and numbers divided by them, are in no type's range."""
    settings = settings_of(decay_rate=0.5, batch_size=1, **rule)

    def stream():
        rng = np.random.default_rng(0)
        true, rows = rng.normal(size=60), np.repeat(np.arange(12), 2)
        state = coordinates = None
        for _ in range(125):
            columns = rng.integers(0, 60, size=24)
            X = sparse.csr_matrix((rng.normal(size=24).astype(dtype), (rows, columns)), shape=(12, 60))
            data = data_of(X, (X @ true)[:, np.newaxis] + 1)
            if state is None:
                every = data_of(sparse.csr_matrix(np.eye(60, dtype=dtype)), np.linspace(-1, 1, 60)[:, np.newaxis])
                coordinates, state, _ = set_up(every, settings)
            state, _ = engine.train_one_pass(data, coordinates, settings, state, Monitor())
        return state, engine.coefficients(state, coordinates)

    state, (coef, intercept) = stream()
    assert state.t == 1500
    assert state.is_finite()
    assert state.moment_scale > 0
    monkeypatch.setattr(engine, "only_columns_with_entries", lambda data: (data, None))
    full, (expected, expected_intercept) = stream()
    # a call rounds what it stores to the type, in another unit of the moments
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    np.testing.assert_allclose(coef, expected, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(intercept, expected_intercept, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(state.average, full.average, rtol=tolerance, atol=tolerance)
    # what has decayed below the smallest number may be zero, or what is left of it
    np.testing.assert_allclose(state.square, full.square, rtol=100 * tolerance, atol=1e-30)
