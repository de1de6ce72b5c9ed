"""Fits of rows in blocks, with the functions of blocks called in this process: the optimum, the gradient, the rows."""

from dataclasses import replace

import numpy as np
import oracles
import pytest
from configurations import LOSSES
from engine_setup import assert_same, settings_of
from plain_cluster import PicklingCluster, PlainCluster, fit_blocks, problem_of_partitions, split
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _blocks as tasks
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._partitions import validate_partition
from sklearn_rmsprop._rounds import check_for_rounds
from sklearn_rmsprop._statistics import count_nonzero_rows, visit_probability


def linear(n_rows=12_000, n_features=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    return X, X @ rng.normal(size=n_features) + 2 + rng.normal(size=n_rows)


def sorted_by_target():
    X, y = linear()
    ascending = np.argsort(y)
    return X[ascending], y[ascending]


def groups():
    """Each stretch of rows has its own means, and its own constant."""
    X, y = linear()
    group = np.arange(len(y)) * 32 // len(y)
    rng = np.random.default_rng(1)
    shift = rng.normal(size=(32, X.shape[1]))[group]
    return X + shift, y + shift @ rng.normal(size=X.shape[1]) + 3 * rng.normal(size=32)[group]


def leverage():
    """Two rows that weigh a million times as much as others, and pull in directions of their own."""
    X, y = linear()
    X[3], X[7000] = 0, 0
    X[3, 2], X[7000, 4] = 1000, -1000
    y[3], y[7000] = -500, 300
    return X, y


def correlated():
    X, y = sorted_by_target()
    X[:, 1:] += 30 * X[:, :1]
    return X, y + X[:, 0]


def rare_words():
    """Sparse rows with words of their own in each stretch."""
    rng = np.random.default_rng(0)
    n_rows, n_words = 6000, 200
    stretch = np.arange(n_rows) * 8 // n_rows
    words = (rng.zipf(1.5, size=(n_rows, 12)) + 10 * stretch[:, np.newaxis]) % n_words
    X = sparse.csr_matrix((np.ones(words.size), (np.repeat(np.arange(n_rows), 12), words.ravel())), (n_rows, n_words))
    X.sum_duplicates()
    return X, X @ rng.normal(size=n_words) + rng.normal(size=n_rows) + stretch


def gap(model, X, y, sample_weight=None, **options):
    """The excess loss: 0 at the optimum, 1 where the best constant is predicted."""
    return oracles.gap(X, y, model.coef_, model.intercept_, sample_weight=sample_weight, **options)


# What it converges to


@pytest.mark.parametrize("n_blocks", [1, 2, 8, 32])
@pytest.mark.parametrize("make", [sorted_by_target, groups, leverage, correlated, rare_words])
def test_reaches_the_optimum_of_all_rows(make, n_blocks):
    X, y = make()
    model = fit_blocks(split(8, X, y), n_blocks=n_blocks)
    assert model.reason == "converged"
    assert gap(model, X, y, loss="squared_error") < (1e-3 if sparse.issparse(X) else 1e-4)
    has_outlying_rows = make is leverage
    assert (model.problem.common.certain is not None) or not has_outlying_rows


@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize("loss", LOSSES)
def test_reaches_the_optimum_of_each_loss(loss, weighted):
    X, y = (array[::4] for array in sorted_by_target())
    weight = np.random.default_rng(0).integers(0, 4, size=len(y)) * np.linspace(0.1, 3, len(y)) if weighted else None
    options = {"loss": loss, **LOSSES[loss]}
    model = fit_blocks(split(5, X, y, weight), n_blocks=4, **options)
    assert gap(model, X, y, weight, **options) < 1e-3


@pytest.mark.parametrize("penalty", ["l2", "l1", "elasticnet"])
@pytest.mark.parametrize("make", [leverage, rare_words])
def test_reaches_the_optimum_with_a_penalty(make, penalty):
    X, y = (array[::3] for array in make())
    options = {"penalty": penalty, "alpha": 0.05, "l1_ratio": 0.5}
    model = fit_blocks(split(5, X, y), n_blocks=4, max_iter=300, **options)
    assert gap(model, X, y, loss="squared_error", **options) < 2e-3
    if penalty == "l1" and make is rare_words:
        assert 20 < np.count_nonzero(model.coef_) < 150


def test_several_targets_are_fitted_together():
    X, y = sorted_by_target()
    Y = np.column_stack((y, -3 * y + X[:, 0], np.random.default_rng(0).normal(size=len(y)) + 1e3))
    model = fit_blocks(split(4, X, Y), n_blocks=3)
    assert model.coef_.shape == (3, X.shape[1])
    for k in range(3):
        single = RMSpropRegressor()
        single.coef_, single.intercept_ = model.coef_[k], model.intercept_[k]
        assert gap(single, X, Y[:, k], loss="squared_error") < 1e-4 or k == 2  # noise has no optimum to speak of
    assert abs(model.intercept_[2] - 1e3) < 0.05


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"centered": True}, {"batch_size": None}, {"batch_size": 7}])
def test_reaches_the_optimum_with_other_steps(options):
    X, y = (array[::6] for array in sorted_by_target())
    model = fit_blocks(split(3, X, y), n_blocks=2, **options)
    assert gap(model, X, y, loss="squared_error") < 1e-3


def test_float32_far_from_zero_and_distant_sparse_columns():
    X, y = sorted_by_target()
    model = fit_blocks(split(4, (X + 1e5).astype(np.float32), y), n_blocks=3)
    assert model.coef_.dtype == np.float64  # float32 has too few digits
    assert gap(model, (X + 1e5).astype(np.float32).astype(float), y, loss="squared_error") < 1e-4
    words, target = rare_words()
    year = 2000 + np.random.default_rng(0).normal(size=(words.shape[0], 1))
    table = sparse.csr_matrix(sparse.hstack([words, year]))
    model = fit_blocks(split(4, table, target + year[:, 0]), n_blocks=3)
    assert gap(model, table, target + year[:, 0], loss="squared_error") < 1e-3


def test_without_an_exchange_only_mixed_rows_are_fitted_well():
    X, y = linear()
    mixed = fit_blocks(split(4, X, y), n_blocks=3, exchange=False)
    assert gap(mixed, X, y, loss="squared_error") < 1e-4
    X, y = groups()
    assert gap(fit_blocks(split(4, X, y), n_blocks=4, exchange=False), X, y, loss="squared_error") > 1e-3


# How it gets there


@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize("make", [leverage, rare_words])
def test_the_mean_gradient_of_the_blocks_is_that_of_all_rows(make, weighted):
    """With rows that are in every batch of each block, and batches of part of a block."""
    X, y = make()
    if make is rare_words:
        X[17] *= 50
    n, y = len(y), y[:, np.newaxis]
    weight = np.random.default_rng(0).uniform(0.2, 3, size=n) if weighted else None
    settings = settings_of(centered=True, decay_rate=0.0, shuffle=False, learning_rate=1e-9, whiten=False)
    problem = problem_of_partitions(PlainCluster(), split(5, X, y, weight), settings, n_blocks=3)
    assert problem.common.certain is not None
    state = engine.start(problem.sample, problem.coordinates, settings, tasks.make_generator([0]))
    state = problem.state_on_rows(state.at_point(state.coef + 0.1))

    def gradient(data, common):
        """The mean gradient of the batches of an epoch: the step leaves the state where it is."""
        steps = len(data.rows) // common.batch_size
        rounds = [tasks.Round(replace(state, t=k), 1, 1.0) for k in range(steps)]
        return np.mean([tasks.advance([data], 0, common, one).gradient_mean for one in rounds], axis=0)

    # batches of equal size
    blocks = [replace(data, rows=data.rows[: len(data.rows) // 100 * 100]) for (data,) in problem.blocks]
    used = sum(len(data.rows) for data in blocks)
    common = replace(problem.common, batch_size=100, n_drawn=used)
    mean = np.average([gradient(data, common) for data in blocks], axis=0, weights=[len(b.rows) for b in blocks])
    every = TrainingData.concatenate([*(data.of_rows(data.rows) for data in blocks), problem.common.certain])
    whole = replace(common, certain=None, batch_size=len(every.rows))
    np.testing.assert_allclose(mean, gradient(every, whole), rtol=1e-9, atol=1e-11)


def test_rows_of_rounds_follow_one_another(monkeypatch):
    """An epoch takes each row once, however it is cut into rounds; short epochs are done several at a time."""
    X, y = linear(n_rows=1000)
    problem = problem_of_partitions(PlainCluster(), split(3, X, y), settings_of(), n_blocks=2)
    (block, _), common = problem.blocks, problem.common
    assert (tasks.count_rows(block), common.batch_size) == (500, 32)
    taken, pose = [], tasks.pose

    def spy(data, rows, common):
        taken.append(rows)
        return pose(data, rows, common)

    monkeypatch.setattr(tasks, "pose", spy)
    state = engine.start(problem.sample, problem.coordinates, settings_of(), tasks.make_generator([0]))
    for n_steps in (5, 9, 2, 16, 35, 1):
        state = tasks.advance(block, 0, common, tasks.Round(state, n_steps, 1.0))
    assert state.t == 68
    assert [len(rows) for rows in taken] == [160, 288, 52, 500, 500, 96, 32]
    for part in (taken[:3], taken[3:4], taken[4:5]):
        assert sorted(np.concatenate(part)) == list(range(500))


def test_each_row_is_dealt_to_one_block():
    """In an order that has nothing to do with that of the partitions, and blocks of equal size."""
    X, y = linear(n_rows=1001)
    X[:, 0] = np.arange(1001)
    X[500, 1] = 1e4
    problem = problem_of_partitions(PlainCluster(), split(7, X, y), settings_of(), n_blocks=4)
    numbers = [data.X[:, 0] for (data,) in problem.blocks]
    assert sorted(len(block) for block in numbers) == [250, 250, 250, 250]
    certain = problem.common.certain
    assert certain.X[:, 0].tolist() == [500]
    assert sorted(np.concatenate([*numbers, certain.X[:, 0]])) == list(range(1001))
    for (data,) in problem.blocks:
        assert abs(np.corrcoef(np.arange(250), data.X[:, 0])[0, 1]) < 0.3
        np.testing.assert_array_equal(data.y[:, 0], y[data.X[:, 0].astype(int)])


def test_large_blocks_are_made_in_pieces(monkeypatch):
    """An epoch takes the pieces in turn, each row once, and the result is as good."""
    monkeypatch.setattr("sklearn_rmsprop._rounds.PIECE_BYTES", 5000)
    X, y = sorted_by_target()
    problem = problem_of_partitions(PlainCluster(), split(5, X, y), settings_of(), n_blocks=3)
    sizes = [[len(piece.rows) for piece in block] for block in problem.blocks]
    assert sizes == [[1000] * 4] * 3
    rows = np.concatenate([piece.X for block in problem.blocks for piece in block])
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.sort(X[:, 0]))
    taken, pose = [], tasks.pose

    def spy(data, rows, common):
        taken.append((data.X[0, 0], rows[0], len(rows)))
        return pose(data, rows, common)

    monkeypatch.setattr(tasks, "pose", spy)
    state = engine.start(problem.sample, problem.coordinates, settings_of(), tasks.make_generator([0]))
    block = problem.blocks[1]
    for n_steps in (20, 100, 20):
        state = tasks.advance(block, 1, problem.common, tasks.Round(state, n_steps, 1.0))
    starts = [piece.X[0, 0] for piece in block]
    expected = [(0, 0, 640), (0, 640, 360), (1, 0, 1000), (2, 0, 1000), (3, 0, 768), (3, 768, 232), (0, 0, 384)]
    assert taken == [(starts[piece], first, n) for piece, first, n in expected]
    model = fit_blocks(split(5, X, y), n_blocks=3)
    assert gap(model, X, y, loss="squared_error") < 1e-4


def test_partitions_that_stay_where_they_are_are_not_copied():
    X, y = linear(n_rows=1000)
    parts = [(X[:500], y[:500], None), (X[500:], y[500:], None)]
    problem = problem_of_partitions(PlainCluster(), parts, settings_of(), n_blocks=2, exchange=False)
    assert all(np.shares_memory(data.X, X) for (data,) in problem.blocks)
    one = problem_of_partitions(PlainCluster(), parts, settings_of(), n_blocks=1, exchange=False)
    assert [len(data.rows) for data in one.blocks[0]] == [500, 500]
    one = problem_of_partitions(PlainCluster(), parts, settings_of(batch_size=None), n_blocks=1, exchange=False)
    assert [len(data.rows) for data in one.blocks[0]] == [1000]
    many = problem_of_partitions(PlainCluster(), parts, settings_of(), n_blocks=9, exchange=False)
    assert len(many.blocks) == 2


@pytest.mark.parametrize("options", [{}, {"loss": "quantile", "quantile": 0.7}, {"penalty": "l1", "alpha": 0.01}])
@pytest.mark.parametrize("make", [leverage, rare_words])
def test_measures_are_those_of_all_rows(make, options):
    """Coordinates, the null loss, and the loss that decides when to stop: as if the rows were in one place."""
    X, y = make()
    weight = np.random.default_rng(0).integers(0, 3, size=len(y)).astype(float)
    weight[3] = 2  # of a row with leverage
    settings = settings_of(**options)
    problem = problem_of_partitions(PlainCluster(), split(5, X, y, weight), settings, n_blocks=3)
    assert (problem.common.certain is not None) == (make is leverage)
    data, _ = validate_partition(0, X, y, weight)
    coordinates = engine.coordinates_of(engine.measure(data, settings), data, settings)
    for name in ("x_mean", "x_unit", "y_mean", "y_unit", "weight_unit"):
        if getattr(coordinates, name) is not None:
            np.testing.assert_allclose(getattr(problem.coordinates, name), getattr(coordinates, name), rtol=1e-10)
    whole = engine.pose(data, coordinates, replace(settings, batch_size=32))  # on the rows themselves
    null_loss = whole.null_loss(data.rows)
    np.testing.assert_allclose(problem.null_loss(problem.confirmation_rows), null_loss, rtol=1e-10)
    point = np.random.default_rng(1).normal(size=(X.shape[1] + 1, 1))
    found = problem.evaluate(point, problem.confirmation_rows)
    np.testing.assert_allclose(found, whole.evaluate(point, data.rows), rtol=1e-10)
    assert problem.is_sampled == (len(data.rows) > 4096)
    assert problem.n_rows == len(data.rows)
    # the sample has outlying rows in proportion
    assert 0.7 < problem.evaluate(point, problem.evaluation_rows) / found < 1.4


def test_how_often_a_column_is_visited_is_measured_on_all_rows(monkeypatch):
    """The rows of a round would tell nothing about rare columns, whose penalty would be too weak."""
    X, y = rare_words()
    settings = settings_of(penalty="l2")
    problem = problem_of_partitions(PlainCluster(), split(5, X, y), settings, n_blocks=3)
    expected = visit_probability(count_nonzero_rows(X, np.arange(len(y))), len(y), problem.common.batch_size)
    np.testing.assert_allclose(problem.common.visit_probability, expected, rtol=1e-12)
    monkeypatch.setattr("sklearn_rmsprop._problem.count_nonzero_rows", None)
    state = engine.start(problem.sample, problem.coordinates, settings, tasks.make_generator([0]))
    assert problem.advance(state, settings, 10, 1.0).t == 10
    problem.evaluate(state.coef, problem.confirmation_rows)


def test_functions_of_blocks_change_nothing_and_repeat():
    X, y = leverage()
    settings = settings_of(penalty="l1", alpha=0.01)
    problem = problem_of_partitions(PlainCluster(), split(3, X, y), settings, n_blocks=2)
    state = engine.start(problem.sample, problem.coordinates, settings, tasks.make_generator([0]))
    start = tasks.Round(state, 150, 1.0)
    first = tasks.advance(problem.blocks[1], 1, problem.common, start)
    later = tasks.advance(problem.blocks[1], 1, problem.common, tasks.Round(first, 50, 1.0))
    assert_same(tasks.advance(problem.blocks[1], 1, problem.common, start), first)
    assert later.t == 200
    other = tasks.advance(problem.blocks[1], 0, problem.common, start)
    assert not np.array_equal(first.coef, other.coef)  # blocks shuffle by generators of their own


@pytest.mark.parametrize("make", [leverage, rare_words])
def test_the_model_is_the_same_between_processes(make):
    X, y = make()
    y = np.column_stack((y, X[:, [0]].toarray() if sparse.issparse(X) else X[:, :1]))
    here, elsewhere = (
        fit_blocks(split(4, X, y), n_blocks=3, penalty="l2", cluster=cluster)
        for cluster in (PlainCluster(), PicklingCluster())
    )
    np.testing.assert_array_equal(here.coef_, elsewhere.coef_)
    np.testing.assert_array_equal(here.intercept_, elsewhere.intercept_)
    assert here.n_rounds == elsewhere.n_rounds


def test_a_round_is_one_call_for_each_block_and_one_for_what_they_share():
    cluster = PlainCluster()
    model = fit_blocks(split(4, *linear()), n_blocks=3, cluster=cluster)
    assert cluster.calls["advance"] == 3 * model.n_rounds
    assert cluster.calls["evaluate"] <= 3 * 2 * model.n_rounds
    # a few to begin with, one for each round, one for each loss on more rows
    assert cluster.calls["_same"] <= 3 + model.n_rounds + cluster.calls["evaluate"] // 3


# Partitions


def test_empty_partitions_and_those_without_weight_count_for_nothing():
    X, y = linear(n_rows=3000)
    empty = (X[:0], y[:0], np.ones(0))
    parts = split(3, X, y, np.ones(3000))
    with_empty = [empty, parts[0], empty, empty, *parts[1:], (X[:5] * 1e6, y[:5], np.zeros(5))]
    expected, found = (fit_blocks(partitions, n_blocks=2) for partitions in (parts, with_empty))
    np.testing.assert_array_equal(found.coef_, expected.coef_)
    with pytest.raises(ValueError, match="at least one row; got empty partitions only"):
        fit_blocks([empty, empty], n_blocks=2)
    with pytest.raises(ValueError, match="sample_weight must have at least one weight that is not zero"):
        fit_blocks([(X, y, np.zeros(3000)), empty], n_blocks=2)


def test_more_blocks_than_rows():
    X, y = linear(n_rows=5, n_features=1)
    problem = problem_of_partitions(PlainCluster(), split(2, X, y), settings_of(), n_blocks=9)
    assert len(problem.blocks) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(np.arange(len(X))[:, np.newaxis] == 3, np.nan, X), y), "Input X contains NaN"),
        (lambda X, y: (X, np.where(np.arange(len(y)) == 2, np.inf, y)), "Input y contains infinity"),
        (lambda X, y: (X.astype(str).astype(object) + "a", y), "could not convert string to float"),
        (
            lambda X, y: (X[:, :2], y),
            "number of columns of X: got 2 in partition 1 (counted from 0) and 6 in partition 0",
        ),
        (lambda X, y: (X, y[:-1]), "inconsistent numbers of samples"),
        (lambda X, y: (X, np.array(["cat", *["dog"] * (len(y) - 1)])), "y must be numbers"),
        (lambda X, y: (sparse.csr_matrix(X), y), "the same kind of X: got sparse in partition 1"),
        (lambda X, y: (X, np.column_stack((y, y))), "the same number of targets: got 2 in partition 1"),
        (lambda X, y: (X, y[:, np.newaxis]), "the same number of dimensions of y: got 2 in partition 1"),
    ],
)
def test_a_bad_partition_is_named_before_any_training(change, message):
    parts = split(3, *linear(n_rows=300))
    parts[1] = (*change(*parts[1][:2]), None)
    cluster = PlainCluster()
    with pytest.raises(ValueError, match="partition 1 ") as error:
        fit_blocks(parts, n_blocks=2, cluster=cluster)
    assert message in str(error.value)
    assert "advance" not in cluster.calls


def test_partitions_of_float32_and_float64_are_fitted_in_float64():
    X, y = linear(n_rows=3000)
    parts = split(3, X, y)
    parts[0] = (parts[0][0].astype(np.float32), *parts[0][1:])
    assert fit_blocks(parts, n_blocks=2).coef_.dtype == np.float64


def test_what_rounds_cannot_do_is_refused_by_name():
    check_for_rounds("constant", early_stopping=False)
    for schedule in ("linear", "cosine"):
        with pytest.raises(ValueError, match=f"schedule must be .*; got '{schedule}'"):
            check_for_rounds(schedule, early_stopping=False)
    with pytest.raises(ValueError, match="early_stopping must be False"):
        check_for_rounds("invsqrt", early_stopping=True)
