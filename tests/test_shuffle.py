"""Each epoch visits every row once, in an order of its own that the seed decides.

With X the identity a row moves one coefficient, its own; with decay rate 0 it moves by the step
size. With step sizes 1, 2, 3, ... in the first epoch and a power of a base larger from epoch to
epoch, the digits of a coefficient say in which batch of each epoch its row was visited.
"""

import math

import numpy as np
import pytest
from datasets import correlated, missed
from scipy import sparse, stats

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop._kernel import _order
from sklearn_rmsprop._kernel._order import Order
from sklearn_rmsprop._state import seed_generator


def moving_by_step_sizes(step_sizes, **params):
    """Return a model without memory: each step moves a coefficient by its size, whatever the size of the gradient."""
    return RMSpropRegressor(
        decay_rate=0.0,
        bias_correction=False,
        schedule=step_sizes,
        average=False,
        tol=None,
        standardize=False,
        fit_intercept=False,
        **params,
    )


def visits(*, n_rows, n_epochs=1, batch_size=1, seed=0, container=np.asarray, weight=None):
    """Return the number (1, 2, ...; 0: none) of the batch that held each row, (epochs, rows)."""
    n_kept = n_rows if weight is None else np.count_nonzero(weight)
    n_batches = math.ceil(n_kept / batch_size)
    base = n_batches + 1

    def step_sizes(t):
        epoch, batch = np.divmod(t - 1, n_batches)
        return (batch + 1) * float(base) ** epoch

    model = moving_by_step_sizes(step_sizes, batch_size=batch_size, max_iter=n_epochs, random_state=seed)
    # So far away that no gradient changes its sign, and that epsilon is nothing beside it.
    y = np.full(n_rows, 1e3 * base**n_epochs)
    model.fit(container(np.eye(n_rows)), y, sample_weight=weight)
    numbers = model.coef_.round().astype(np.int64)
    # Rounding is 1e-16 of the largest digit, which is below 1e11 here.
    np.testing.assert_allclose(model.coef_, numbers, rtol=0, atol=1e-4)
    return numbers // base ** np.arange(n_epochs)[:, np.newaxis] % base


@pytest.fixture(params=[np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def container(request):
    return request.param


def test_every_row_once_an_epoch(container):
    orders = visits(n_rows=7, n_epochs=10, container=container)
    np.testing.assert_array_equal(np.sort(orders), np.tile(np.arange(7) + 1, (10, 1)))
    assert len(np.unique(orders, axis=0)) == 10


def test_batches_hold_as_many_rows_as_they_should(container):
    for batches in visits(n_rows=23, n_epochs=4, batch_size=5, container=container):
        np.testing.assert_array_equal(np.bincount(batches), [0, 5, 5, 5, 5, 3])


def test_rows_of_weight_zero_are_in_no_batch(container):
    weight = np.array([1.0, 0, 2, 3, 0, 1, 1, 0, 5, 1])
    orders = visits(n_rows=10, n_epochs=4, batch_size=3, weight=weight, container=container)
    for batches in orders:
        np.testing.assert_array_equal(batches == 0, weight == 0)
        np.testing.assert_array_equal(np.bincount(batches[weight > 0]), [0, 3, 3, 1])


# Seeds are fixed, so that the next two pass always or never; a fair shuffle fails them for one
# choice of seeds in a thousand.


def test_all_orders_are_equally_likely():
    orders = np.concatenate([visits(n_rows=5, n_epochs=12, seed=seed) for seed in range(100)])
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 120
    assert stats.chisquare(counts).pvalue > 1e-3


def test_orders_of_successive_epochs_are_independent():
    table = np.zeros((5, 5))
    for seed in range(100):
        first_row = visits(n_rows=5, n_epochs=12, seed=seed)[:, 0] - 1
        np.add.at(table, (first_row[:-1], first_row[1:]), 1)
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_the_seed_decides(container):
    orders = [tuple(visits(n_rows=30, seed=seed, container=container)[0]) for seed in range(5)]
    assert len(set(orders)) == 5
    assert tuple(visits(n_rows=30, seed=3, container=container)[0]) == orders[3]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_features", [1, 2])
def test_every_row_once_where_rows_are_short(n_features, dtype):
    """Each comes once, its target with it.

    Step t has length t, and the gradient's sign is that of -x * y: the one row where it is different says when it came.
    """
    n_rows = 40

    def place(row, changed, seed):
        X, y = np.zeros((n_rows, n_features), dtype), np.full(n_rows, 1e6)
        X[:, -1] = 1
        (X[:, -1] if changed == "x" else y)[row] *= -1
        model = moving_by_step_sizes(lambda t: 1.0 * t, batch_size=1, max_iter=1, random_state=seed)
        return (n_rows * (n_rows + 1) / 2 - model.fit(X, y).coef_[-1]) / 2

    orders = [[place(row, changed, seed=0) for row in range(n_rows)] for changed in ("x", "y")]
    np.testing.assert_allclose(np.sort(orders[0]), np.arange(n_rows) + 1, atol=1e-3)
    np.testing.assert_allclose(orders[0], orders[1], atol=1e-3)
    if dtype == np.float64:  # the order does not depend on the type
        places = np.array([place(7, "x", seed) for seed in range(400)]).round() - 1
        # seeds are fixed; 1e-3 fails a fair shuffle for one choice of seeds in a thousand
        assert stats.chisquare(np.bincount(places.astype(int) // 4, minlength=10)).pvalue > 1e-3


# More bytes than any cache holds: near rows are kept together.
IN_BLOCKS = 1 << 40


def shuffled(rows, n_bytes, generator=None):
    """Return the order of these rows, with a generator."""
    order = Order(rows, n_bytes, True)
    order.generator = np.array([1, 2], dtype=np.uint64) if generator is None else generator
    return order


@pytest.mark.parametrize("n_bytes", [0, IN_BLOCKS], ids=["full", "in blocks"])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 1000, 16_384, 20_001])
def test_an_order_holds_each_row_once(n_rows, n_bytes):
    """Rows that take part have any numbers; every epoch has its own order."""
    rows = np.sort(np.random.default_rng(0).choice(10 * n_rows, n_rows, replace=False)).astype(np.uint32)
    order = shuffled(rows, n_bytes)
    epochs = [order.draw() for _ in range(3)]
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), rows)
    if n_rows >= 1000:
        assert not np.array_equal(epochs[0], epochs[1])
        assert not np.array_equal(epochs[1], epochs[2])


def test_the_generator_is_the_one_of_the_literature():
    """The order is that of the reference: 128 bits times the multiplier, the upper half of which serves two rows."""
    n_rows, multiplier = 1001, 0xDA942042E4DD58B5
    generator = seed_generator(np.random.RandomState(0))
    assert generator.shape == (2,)
    state = int(generator[1]) << 64 | int(generator[0])
    expected, draws = list(range(n_rows)), []
    for left in range(n_rows, 1, -1):
        if not draws:
            state = state * multiplier % 2**128
            upper = state >> 64
            draws = [upper >> 32] if left == 2 else [upper & 0xFFFFFFFF, upper >> 32]
        product = draws.pop(0) * left
        assert product % 2**32 >= left  # nothing is drawn again, but once in four million rows
        other = product >> 32
        expected[left - 1], expected[other] = expected[other], expected[left - 1]
    order = shuffled(np.arange(n_rows, dtype=np.uint32), 0, generator)
    assert order.draw().tolist() == expected
    assert order.generator.tolist() == [state % 2**64, state >> 64]


@pytest.mark.parametrize("state", [[1], [1, 2, 3], [0, 0], [2, 1]], ids=str)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(ValueError, match="two uint64 numbers, the first of them odd"):
        shuffled(np.arange(3, dtype=np.uint32), 0, np.array(state, dtype=np.uint64))


@pytest.mark.parametrize("seed", range(20))
def test_every_seed_makes_a_state(seed):
    assert seed_generator(np.random.RandomState(seed))[0] % 2 == 1


@pytest.mark.parametrize("n_bytes", [0, IN_BLOCKS], ids=["full", "in blocks"])
def test_every_row_comes_everywhere(n_bytes):
    """In which tenth of an epoch a row comes is uniform, for the first, a middle and the last row."""
    n_rows, n_epochs = 20_003, 500
    order = shuffled(np.arange(n_rows, dtype=np.uint32), n_bytes)
    places = np.array([np.argsort(order.draw())[[0, n_rows // 2, n_rows - 1]] for _ in range(n_epochs)])
    for row in range(3):
        counts = np.bincount(places[:, row] * 10 // n_rows, minlength=10)
        # the seed is fixed; 1e-4 fails a right program once in 10,000 seeds
        assert stats.chisquare(counts).pvalue > 1e-4


def test_in_blocks_a_batch_is_from_everywhere():
    """Batches of 32 from rows in order have the spread, and nearly the mean, of random rows."""
    n_rows = 65_536
    order = shuffled(np.arange(n_rows, dtype=np.uint32), IN_BLOCKS)
    batches = order.draw().reshape(-1, 32) / n_rows
    # of uniform numbers: variance 1/12, of a mean of 32 of them 1/32 of it, and of the 512 places of a pool 1/512 more;
    # the variance of 2048 means is itself known to 3 %
    assert batches.var(axis=1).mean() == pytest.approx(31 / 32 / 12, rel=0.02)
    assert batches.mean(axis=1).var() == pytest.approx((1 / 32 + 1 / 512) / 12, rel=0.1)


@pytest.mark.parametrize("sort_by", ["target", "feature"])
def test_sorted_rows_are_fitted_as_well_in_blocks(sort_by, monkeypatch):
    """As well as the same rows in random order, whose blocks do not matter: within what seeds differ by."""
    monkeypatch.setattr(_order, "SHARED_CACHE_BYTES", 0)  # or data of a quick test would not be kept in blocks
    X, y = correlated(0, n_rows=40_000, n_features=10)
    by = np.argsort(y if sort_by == "target" else X[:, 3])
    in_order = [missed(RMSpropRegressor(random_state=seed).fit(X[by], y[by]), X, y) for seed in range(5)]
    at_random = [missed(RMSpropRegressor(random_state=seed).fit(X, y), X, y) for seed in range(5)]
    assert max(in_order) < 1e-3
    assert np.median(in_order) < 3 * np.median(at_random)
