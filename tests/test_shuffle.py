"""Each epoch visits every row once, in an order of its own that the seed decides.

With X the identity a row moves one coefficient, its own; with decay rate 0 it moves by the step
size. With step sizes 1, 2, 3, ... in the first epoch and a power of a base larger from epoch to
epoch, the digits of a coefficient say in which batch of each epoch its row was visited.
"""

import math

import numpy as np
import pytest
from scipy import sparse, stats

from sklearn_rmsprop import RMSpropRegressor


def visits(*, n_rows, n_epochs=1, batch_size=1, seed=0, container=np.asarray, weight=None):
    """Return the number (1, 2, ...; 0: none) of the batch that held each row, (epochs, rows)."""
    n_kept = n_rows if weight is None else np.count_nonzero(weight)
    n_batches = math.ceil(n_kept / batch_size)
    base = n_batches + 1

    def step_sizes(t):
        epoch, batch = np.divmod(t - 1, n_batches)
        return (batch + 1) * float(base) ** epoch

    model = RMSpropRegressor(
        decay_rate=0.0,
        bias_correction=False,
        schedule=step_sizes,
        average=False,
        batch_size=batch_size,
        max_iter=n_epochs,
        tol=None,
        standardize=False,
        fit_intercept=False,
        random_state=seed,
    )
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
