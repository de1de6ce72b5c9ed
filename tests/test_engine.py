"""The fitting engine, driven without an estimator."""

import tracemalloc
from dataclasses import replace

import numpy as np
import oracles
import pytest
from engine_setup import assert_same, contents, data_of, rows_and_targets, set_up, settings_of
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor, _problem
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._kernel._csr_rows import CSRRows
from sklearn_rmsprop._kernel._dense_rows import DenseRows
from sklearn_rmsprop._statistics import sample_evenly

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

dense_and_csr = pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "CSR"])

RULES = {
    "defaults": {},
    "momentum": {"momentum": 0.9},
    "centered": {"centered": True},
    "decay 0.9": {"decay_rate": 0.9},
    "l1": {"penalty": "l1", "alpha": 0.05},
    "elasticnet with momentum": {"penalty": "elasticnet", "alpha": 0.05, "l1_ratio": 0.5, "momentum": 0.9},
}
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)

# Between kernels that add in another order, or a state that is copied in and out: some 1e-16 a step, hardly amplified
# within 40 steps.
ROUNDING = 1e-12


def small_batches(**parameters):
    """Settings with 12 steps an epoch of the 90 rows, the last of them of 2 rows."""
    return settings_of(**{"batch_size": 8} | parameters)


# The functions in a row are a fit


@dense_and_csr
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"loss": "huber"}, {"loss": "quantile", "quantile": 0.7}, {"penalty": "l1", "alpha": 0.05}],
    ids=["squared error", "huber", "quantile", "l1"],
)
def test_the_functions_in_a_row_are_a_fit(parameters, weighted, n_targets, container):
    parameters = {"max_iter": 12, "batch_size": 8} | parameters
    X, Y = rows_and_targets(container, n_targets=n_targets)
    weight = np.random.default_rng(1).integers(0, 3, size=len(Y)).astype(float) if weighted else None
    model = RMSpropRegressor(**parameters, random_state=0).fit(X, Y, sample_weight=weight)

    settings, data = settings_of(**parameters), data_of(X, Y, 1.0 if weight is None else weight)
    coordinates, state, problem = set_up(data, settings)
    state, history, reason = engine.train(problem, state, settings)
    coef, intercept = engine.coefficients(state, coordinates)
    np.testing.assert_array_equal(model.coef_, coef.T)
    np.testing.assert_array_equal(model.intercept_, intercept)
    assert model.loss_curve_ == history.loss_curve
    assert model.n_iter_ == history.n_iter
    assert model.t_ == state.t
    assert reason in ("converged", "max_iter")


# `run` and `train` are functions of values


@dense_and_csr
@each_rule
def test_the_state_that_is_passed_is_left_alone(rule, container):
    """Also one that the rows have worked on last, whose arrays they may still know."""
    settings = small_batches(**rule, max_iter=4)
    _, state, problem = set_up(data_of(*rows_and_targets(container)), settings)
    for advance, options in ((engine.run, {"n_steps": 5}), (engine.train, {})):
        for _ in range(2):
            before = contents(state)
            later = advance(problem, state, settings, **options)[0]
            assert_same(state, before)
            assert later.t > state.t
            assert not any(
                np.shares_memory(array, getattr(later, name))
                for name, array in state.arrays().items()
                if getattr(later, name) is not None
            )
            state = later


@dense_and_csr
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_rule
def test_steps_in_pieces_are_the_steps_at_once(rule, dtype, container):
    """Across the ends of epochs. Sparse columns are brought up to date at the end of each piece, which rounds anew."""
    settings, data = small_batches(**rule), data_of(*rows_and_targets(container, dtype=dtype))
    _, state, problem = set_up(data, settings)
    at_once, losses = engine.run(problem, state, settings, n_steps=32)
    _, state, problem = set_up(data, settings)
    for n_steps in (7, 5, 20):
        state, losses_of_pieces = engine.run(problem, state, settings, n_steps=n_steps)
    tolerance = 0 if container is np.asarray else ROUNDING if dtype == np.float64 else 1e-6
    assert_same(state, at_once, tolerance)
    np.testing.assert_allclose(losses_of_pieces, losses, rtol=tolerance)


@dense_and_csr
def test_an_epoch_is_its_steps(container):
    settings, data = small_batches(), data_of(*rows_and_targets(container))
    _, state, problem = set_up(data, settings)
    assert problem.steps_per_epoch == 12
    two_epochs, losses = engine.run(problem, state, settings, n_epochs=2)
    _, state, problem = set_up(data, settings)
    same, same_losses = engine.run(problem, state, settings, n_steps=24)
    assert_same(two_epochs, same)
    np.testing.assert_array_equal(losses, same_losses)
    _, state, problem = set_up(data, settings)
    assert engine.run(problem, state, settings)[0].t == 12


@dense_and_csr
@each_rule
def test_a_state_holds_all_that_its_steps_depend_on(rule, container):
    """To rows that have never seen it, in the same place of the epoch, it is what it is to the rows that made it."""
    settings = small_batches(**rule)
    _, state, problem = set_up(data_of(*rows_and_targets(container)), settings)
    state, _ = engine.run(problem, state, settings, n_steps=7)
    elsewhere = problem.of_targets(np.arange(3))
    expected, _ = engine.run(problem, state, settings, n_steps=20)
    assert_same(engine.run(elsewhere, state, settings, n_steps=20)[0], expected, ROUNDING)


@dense_and_csr
def test_steps_that_were_interrupted_have_not_been_done(container, monkeypatch):
    """Ctrl-C leaves the rows' working memory in the midst of steps, while the caller still has the state before."""
    settings = small_batches(shuffle=False)
    _, state, problem = set_up(data_of(*rows_and_targets(container)), settings)
    state, _ = engine.run(problem, state, settings)
    same_place = problem.of_targets(np.arange(3))
    run_steps = _problem.run_steps

    def interrupted(*args, **options):
        run_steps(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_problem, "run_steps", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.run(problem, state, settings)
    expected, _ = engine.run(same_place, state, settings)
    assert_same(engine.run(problem, state, settings)[0], expected, ROUNDING)


@dense_and_csr
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile"])
@pytest.mark.parametrize("penalty", [None, "elasticnet"])
def test_the_losses_are_those_of_the_reported_coefficients(penalty, loss, weighted, container):
    X, Y = rows_and_targets(container)
    weight = np.random.default_rng(1).integers(0, 3, size=len(Y)).astype(float) if weighted else 1.0
    objective = {"loss": loss, "penalty": penalty, "alpha": 0.05, "quantile": 0.7, "delta": 0.5}
    settings = small_batches(**objective)
    coordinates, state, problem = set_up(data_of(X, Y, weight), settings)
    later, losses = engine.run(problem, state, settings, n_steps=20)
    np.testing.assert_array_equal(losses, problem.evaluate(later.reported(), problem.evaluation_rows))
    coef, intercept = engine.coefficients(later, coordinates)
    dense = X.toarray() if sparse.issparse(X) else X
    weights = weight * np.ones(len(Y))
    expected = [
        oracles.objective(dense, Y[:, k], coef[:, k], intercept[k], sample_weight=weights, **objective)
        for k in range(3)
    ]
    in_user_units = losses * settings.objective.loss_unit(coordinates.y_unit)
    np.testing.assert_allclose(in_user_units, expected, rtol=1e-10)
    assert problem.in_user_units(losses) == pytest.approx(np.mean(expected), rel=1e-10)


@pytest.mark.parametrize("penalty", [None, "l1"])
def test_sparse_rows_in_the_coordinates_of_dense_ones(penalty):
    """Their origin differs, while the loss is the same, also of coefficients that are reported as zero."""
    X, Y = rows_and_targets()
    settings, X = small_batches(penalty=penalty, alpha=0.3), X + 3
    coordinates, state, dense = set_up(data_of(X, Y), settings)
    state, _ = engine.run(dense, state, settings, n_steps=100)
    csr = engine.pose(data_of(sparse.csr_matrix(X), Y), coordinates, settings)
    before = contents(state)
    later, losses = engine.run(csr, state, settings, n_steps=100)
    assert_same(state, before)
    assert (later.reported() == 0).any() == (penalty == "l1")
    np.testing.assert_allclose(losses, dense.evaluate(later.reported(), dense.confirmation_rows), rtol=1e-10)
    assert_same(csr.state_off_rows(csr.state_on_rows(later)), later, ROUNDING)


# Factors of the step sizes


@dense_and_csr
@each_rule
def test_a_factor_multiplies_the_learning_rate(rule, container):
    settings, data = small_batches(**rule), data_of(*rows_and_targets(container))
    _, state, problem = set_up(data, settings)
    by_factor, _ = engine.run(problem, state, settings, n_steps=20, rate_factor=0.3)
    settings = small_batches(**rule, learning_rate=0.3 * 0.2)
    _, state, problem = set_up(data, settings)
    assert_same(by_factor, engine.run(problem, state, settings, n_steps=20)[0], ROUNDING)


@dense_and_csr
@each_rule
def test_each_target_may_have_its_own_factor(rule, container):
    """One target's run takes it as a number or as an array of one."""
    settings, data = small_batches(**rule), data_of(*rows_and_targets(container))
    factors = np.array([1.0, 0.3, 2.0])
    coordinates, start, problem = set_up(data, settings)
    together, losses = engine.run(problem, start, settings, n_steps=20, rate_factor=factors)
    for k in range(3):
        for factor in (float(factors[k]), factors[[k]]):
            alone = engine.pose(data.of_targets([k]), coordinates.of_targets([k]), settings)
            state, loss = engine.run(alone, start.of_targets([k]), settings, n_steps=20, rate_factor=factor)
            assert_same(together.of_targets([k]), state, ROUNDING)
            np.testing.assert_allclose(losses[[k]], loss, rtol=ROUNDING)


@dense_and_csr
def test_factors_may_change_between_runs(container):
    """In the same array, or from an array to a number and back."""
    settings, data = small_batches(), data_of(*rows_and_targets(container))
    _, state, problem = set_up(data, settings)
    _, same, fresh = set_up(data, settings)
    factors = np.ones(3)
    for k, factor in enumerate((0.5, 0.1, 2.0)):
        factors[k] = factor
        state, _ = engine.run(problem, state, settings, n_steps=5, rate_factor=factors)
        same, _ = engine.run(fresh, same, settings, n_steps=5, rate_factor=factors.copy())
        assert_same(state, same, ROUNDING)
    for factor in (0.7, factors, 0.3):
        state, _ = engine.run(problem, state, settings, n_steps=5, rate_factor=factor)
        same, _ = engine.run(fresh, same, settings, n_steps=5, rate_factor=np.ones(3) * factor)
        assert_same(state, same, ROUNDING)


# Several targets


@pytest.mark.parametrize("n_targets", [2, 5, 10, 70])
@each_rule
def test_targets_of_sparse_rows_are_those_of_fits_of_their_own(rule, n_targets):
    """More and fewer targets than the kernel works on at once; each has its own step sizes, and its own L1 penalty."""
    settings, weight = small_batches(**rule), np.random.default_rng(1).uniform(size=40)
    X, Y = rows_and_targets(sparse.csr_matrix, n_rows=40, n_targets=n_targets)
    Y *= np.linspace(1, 2, n_targets)
    factors = np.linspace(0.5, 1, n_targets)
    _, state, problem = set_up(data_of(X, Y, weight), settings)
    state, losses = engine.run(problem, state, settings, n_steps=12, rate_factor=factors)
    for k in {0, max(0, n_targets - 3), n_targets - 1}:
        _, alone, problem = set_up(data_of(X, Y[:, k : k + 1].copy(), weight), settings)
        alone, loss = engine.run(problem, alone, settings, n_steps=12, rate_factor=factors[k])
        assert_same(state.of_targets(np.array([k])), alone, ROUNDING)
        np.testing.assert_allclose(losses[k], loss[0], rtol=ROUNDING)


# Targets that share a column


@dense_and_csr
@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
def test_targets_may_share_a_column(weighted, loss, container):
    """With their own step sizes, say. The results are those of a copy for each target."""
    X, Y = rows_and_targets(container)
    weight = np.random.default_rng(1).uniform(size=len(Y)) if weighted else 1.0
    settings = small_batches(loss=loss, penalty="l2")
    results = []
    shared = np.broadcast_to(Y[:, :1], (len(Y), 5))
    for y in (shared, shared.copy()):
        coordinates, state, problem = set_up(data_of(X, y, weight), settings)
        state, losses = engine.run(problem, state, settings, n_steps=20, rate_factor=np.linspace(0.2, 1, 5))
        later, history, _ = engine.train(problem, state, settings)
        results.append((coordinates.y_mean, coordinates.y_unit, problem.null_loss(problem.confirmation_rows), losses))
        results[-1] += (state.coef, later.coef, later.average, history.loss_curve)
        assert problem.y.strides[1] == (0 if y is shared else 8)
    for of_shared, of_copies in zip(*results, strict=True):
        np.testing.assert_array_equal(of_shared, of_copies)


@dense_and_csr
def test_the_kernel_reads_a_shared_column(container):
    settings, data = small_batches(), data_of(*rows_and_targets(container))
    _, state, problem = set_up(data, settings)
    arguments = 1.0, data.rows, True
    if sparse.issparse(data.X):
        make_rows, arguments = CSRRows, (*arguments, np.ones(7), np.zeros(3), None)
    else:
        make_rows, arguments = DenseRows, (*arguments, np.zeros(6), np.ones((7, 3)), np.zeros((7, 3)), None)
    shared = np.broadcast_to(np.ascontiguousarray(problem.y[:, :1]), (90, 3))
    states = [
        engine.run(replace(problem, rows=make_rows(data.X, y, *arguments)), state, settings, n_steps=20)
        for y in (shared, shared.copy())
    ]
    assert_same(states[0][0], states[1][0])
    np.testing.assert_array_equal(states[0][1], states[1][1])
    with pytest.raises(ValueError, match="y must be an aligned, C-contiguous array"):
        make_rows(data.X, np.broadcast_to(problem.y[:, :1], (90, 3)), *arguments)


@dense_and_csr
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_a_shared_column_takes_the_memory_of_one(loss, container):
    n_rows, n_targets = 50_000, 40
    X, Y = rows_and_targets(container, n_rows=n_rows, n_features=2, n_targets=1)
    data, settings = data_of(X, np.broadcast_to(Y, (n_rows, n_targets))), settings_of(loss=loss)
    tracemalloc.start()
    try:
        _, state, problem = set_up(data, settings)
        engine.run(problem, state, settings, n_steps=3)
        problem.null_loss(problem.confirmation_rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # some copies of one column, of 0.4 MB, where a copy for each target takes 16 MB
    assert peak < 10 * Y.nbytes


@dense_and_csr
@pytest.mark.parametrize("unlike", ["y_mean", "y_unit"])
def test_a_shared_column_in_several_units_is_several_columns(unlike, container):
    """In one origin and several units, or in several origins and one unit."""
    X, Y = rows_and_targets(container)
    settings, shared = small_batches(), np.broadcast_to(Y[:, :1], Y.shape)
    coordinates, state, _ = set_up(data_of(X, shared), settings)
    coordinates = replace(coordinates, **{unlike: np.array([1.0, 2.0, 3.0])})
    results = [
        engine.run(engine.pose(data_of(X, y), coordinates, settings), state, settings) for y in (shared, shared.copy())
    ]
    assert_same(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


# Some of the targets


@dense_and_csr
@each_rule
@pytest.mark.parametrize("targets", [[2, 0, 4], [1]], ids=["several", "one"])
def test_some_targets_go_on_without_the_others(targets, rule, container):
    """In the midst of an epoch, with rows in random order; and the others go on without them."""
    settings, data = small_batches(**rule), data_of(*rows_and_targets(container, n_targets=5))
    factors = np.linspace(0.2, 1, 5)
    _, state, problem = set_up(data, settings)
    state, _ = engine.run(problem, state, settings, n_steps=17, rate_factor=factors)
    part = problem.of_targets(np.array(targets))
    later, losses = engine.run(part, state.of_targets(targets), settings, n_steps=20, rate_factor=factors[targets])
    expected, expected_losses = engine.run(problem, state, settings, n_steps=20, rate_factor=factors)
    assert_same(later, expected.of_targets(targets), ROUNDING)
    np.testing.assert_allclose(losses, expected_losses[targets], rtol=ROUNDING)


@dense_and_csr
def test_some_targets_are_a_problem_of_their_own(container):
    """What `of_targets` of data, coordinates and state return is what a fit of these targets starts from."""
    settings = small_batches(shuffle=False, loss="huber", penalty="l1")
    data = data_of(*rows_and_targets(container, n_targets=5), np.arange(90.0))
    coordinates, state, problem = set_up(data, settings)
    state, _ = engine.run(problem, state, settings)
    targets = np.array([3, 1])
    part = engine.pose(data.of_targets(targets), coordinates.of_targets(targets), settings)
    later, losses = engine.run(part, state.of_targets(targets), settings)
    expected, expected_losses = engine.run(problem, state, settings)
    assert_same(later, expected.of_targets(targets), ROUNDING)
    np.testing.assert_allclose(losses, expected_losses[targets], rtol=ROUNDING)


@dense_and_csr
def test_some_of_the_targets_that_share_a_column_share_it(container):
    X, Y = rows_and_targets(container)
    settings = small_batches()
    _, state, problem = set_up(data_of(X, np.broadcast_to(Y[:, :1], (90, 5))), settings)
    targets = np.array([True, False, True, True, False])
    part = problem.of_targets(targets)
    assert part.y.shape == (90, 3)
    assert part.y.strides[1] == 0
    later, _ = engine.run(part, state.of_targets(targets), settings)
    assert_same(later, engine.run(problem, state, settings)[0].of_targets(targets), ROUNDING)


def test_some_targets_of_rows_that_are_shuffled_in_blocks():
    """More than 16 MB: the order of the blocks goes on too, into the next epochs."""
    X, Y = rows_and_targets(n_rows=17_000, n_features=130)
    settings = settings_of(batch_size=4000)
    _, state, problem = set_up(data_of(X, Y), settings)
    state, _ = engine.run(problem, state, settings, n_steps=7)
    part = problem.of_targets(np.array([0, 2]))
    later, _ = engine.run(part, state.of_targets([0, 2]), settings, n_steps=10)
    assert_same(later, engine.run(problem, state, settings, n_steps=10)[0].of_targets([0, 2]), ROUNDING)


def test_penalties_of_coefficients_that_are_not_trained_belong_to_their_targets():
    settings, data = small_batches(penalty="l2"), data_of(*rows_and_targets())
    _, state, problem = set_up(data, settings)
    problem = replace(problem, penalty_elsewhere=np.array([1.0, 2.0, 4.0]))
    losses = problem.evaluate(state.reported(), problem.confirmation_rows)
    part = problem.of_targets([2, 1])
    of_part = part.evaluate(state.of_targets([2, 1]).reported(), part.confirmation_rows)
    np.testing.assert_allclose(of_part, losses[[2, 1]], rtol=ROUNDING)


def test_rows_follow_only_such_as_have_as_many():
    settings = small_batches()
    problems = [set_up(data_of(*rows_and_targets(n_rows=n)), settings)[2] for n in (90, 80)]
    for first, second in (problems, problems[::-1]):
        with pytest.raises(ValueError, match="the rows to follow must be"):
            first.rows.follow(second.rows)


@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
def test_of_many_rows_some_are_measured_where_they_represent_the_others(weighted, monkeypatch):
    """Else all: where a column is constant in them, and where a row has an outlying norm in the units of the others."""
    monkeypatch.setattr(engine, "MANY_ROWS", 4000)
    monkeypatch.setattr(engine, "SAMPLED_ROWS", 512)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4000, 3)), rng.normal(size=(4000, 1))
    weight = rng.uniform(0.5, 2, size=4000) if weighted else 1.0
    left_out = np.setdiff1d(np.arange(4000), sample_evenly(np.arange(4000), 512))

    def survey(X, y, **parameters):
        data, settings = data_of(X, y, weight[-len(X) :] if weighted else 1.0), settings_of(**parameters)
        exact = engine.coordinates_of(engine.measure(data, settings), data, settings)
        return (*engine.survey(data, settings), exact)

    coordinates, outlying, exact = survey(X, y)
    assert len(outlying) == 0
    for name in ("x_mean", "x_unit"):
        assert (getattr(coordinates, name) != getattr(exact, name)).all()
        np.testing.assert_allclose(getattr(coordinates, name), getattr(exact, name), atol=0.15)
    np.testing.assert_array_equal(coordinates.y_unit, exact.y_unit)
    assert engine.pose(data_of(X, y, weight), coordinates, settings_of(), outlying=outlying).batches.certain is None

    rare, far, target = X.copy(), X.copy(), y.copy()
    rare[:, 1] = np.isin(np.arange(4000), left_out[::100])
    far[left_out[7], 2] = 100
    target[left_out[7]] = 100
    for found in (
        survey(rare, y),
        survey(far, y),
        survey(X, target),
        survey(X, y, batch_size=32),
        survey(X[1:], y[1:]),
    ):
        assert found[1] is None
        np.testing.assert_array_equal(found[0].x_mean, found[2].x_mean)
        np.testing.assert_array_equal(found[0].x_unit, found[2].x_unit)
