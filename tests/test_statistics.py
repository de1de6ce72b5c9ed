"""What is measured of the columns before a fit."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_rmsprop._kernel._moments import column_moments
from sklearn_rmsprop._statistics import measure_rows, sparse_moments


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_columns", [1, 2, 6, 7, 20])
@pytest.mark.parametrize("n_rows", [1, 31, 32, 33, 100])
def test_moments_of_columns_far_from_zero(n_rows, n_columns, dtype):
    """As two passes in double find them; of few columns and of many, of blocks of rows and of what is left."""
    rng = np.random.default_rng(n_rows)
    X = (100 + rng.normal(size=(2 * n_rows, n_columns)) * np.logspace(-3, 3, n_columns)).astype(dtype)
    rows = np.sort(rng.choice(2 * n_rows, n_rows, replace=False)).astype(np.uint32)
    for weight in (rng.exponential(size=2 * n_rows), np.full(2 * n_rows, 2.0)):
        mean, variance = column_moments(X, rows, None if weight[0] == weight[1] else weight)
        taken = X[rows].astype(np.float64)
        expected = np.average(taken, axis=0, weights=weight[rows])
        # roundings of sums of up to 100 numbers as large as 3000, and of squares of these
        np.testing.assert_allclose(mean, expected, rtol=1e-14, atol=1e-12)
        squares = np.average((taken - expected) ** 2, axis=0, weights=weight[rows])
        np.testing.assert_allclose(variance, squares, rtol=1e-10, atol=1e-24)


def test_rows_of_tiny_weight_count_for_their_weight():
    """Though they come first: a block of 32 rows that differs from all others, which are equal."""
    X = np.zeros((132, 1))
    X[:32] = 1
    weight = np.where(X[:, 0] == 1, 1e-17, 1.0)
    _, variance = column_moments(X, np.arange(132, dtype=np.uint32), weight)
    np.testing.assert_allclose(variance, 32e-17 / 100, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_of_sparse_columns(dtype):
    """As of the dense columns: with duplicates, rare and empty columns, far from zero, near the limits of float32."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(200, 6)) * (rng.random((200, 6)) < [1, 1, 1, 0.1, 0.01, 0])
    dense[:, 0] = 1e5 + np.round(16 * dense[:, 0])
    dense[:, 1:3] *= [1e30, 1e-30]
    dense = dense.astype(dtype)
    halves = sparse.csr_matrix(dense / 2)
    shape, indptr = halves.shape, 2 * halves.indptr
    X = sparse.csr_matrix((np.repeat(halves.data, 2), np.repeat(halves.indices, 2), indptr), shape=shape)
    rows = np.sort(rng.choice(200, 150, replace=False)).astype(np.uint32)
    for weight in (None, rng.exponential(size=200)):
        mean, sd = sparse_moments(X, rows, weight)
        taken = dense[rows].astype(np.float64)
        share = None if weight is None else weight[rows]
        expected = np.average(taken, axis=0, weights=share)
        np.testing.assert_allclose(mean, expected, rtol=1e-12, atol=0)
        np.testing.assert_allclose(sd**2, np.average((taken - expected) ** 2, axis=0, weights=share), rtol=1e-9, atol=0)
    assert not X.has_canonical_format


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("parts", [(1.0,), (1.5, -0.5)], ids=["once", "duplicates"])
def test_moments_of_the_entries_of_sparse_columns(parts, index, dtype):
    """Far from zero, with and without zeros, the first number an outlier: as of the dense columns, in one pass."""
    rng = np.random.default_rng(0)
    dense = (1e6 * np.arange(5) + rng.normal(size=(300, 5))) * (rng.random((300, 5)) < [0.3, 1, 0.9, 1, 0.5])
    dense[:3] = 0
    dense[3, 1] = 2e6
    dense = dense.astype(dtype)
    X = sparse.csr_matrix(dense)
    data, columns = np.outer(X.data, np.array(parts, dtype)).ravel(), np.repeat(X.indices, len(parts)).astype(index)
    X = sparse.csr_matrix(X.shape, dtype=dtype)
    X.data, X.indices = data, columns
    X.indptr = np.append(0, len(parts) * np.cumsum(np.count_nonzero(dense, axis=1))).astype(index)
    rows, y = np.flatnonzero(rng.random(300) < 0.8).astype(np.uint32), np.zeros((300, 1))
    for weight in (1.0, rng.exponential(size=300)):
        statistics = measure_rows(X, y, weight, rows, target_values=False)
        taken, share = dense[rows].astype(np.float64), (weight * np.ones(300))[rows]
        mean = np.average(taken, axis=0, weights=share)
        sd = np.sqrt(np.average((taken - mean) ** 2, axis=0, weights=share))
        found = statistics.moments_with_zeros(np.arange(5))
        rounding = np.abs(taken).max() * np.finfo(dtype).eps  # of the parts of an entry
        np.testing.assert_allclose(found[0], mean, rtol=1e-12, atol=rounding)
        np.testing.assert_allclose(found[1], sd, rtol=1e-7, atol=rounding)


@pytest.mark.parametrize("seed", range(5))
def test_weights_that_are_summed_up_with_roundings_give_no_zeros_to_a_full_column(seed):
    rng = np.random.default_rng(seed)
    dense, weight = 1e8 + rng.normal(size=(10_000, 1)), rng.exponential(size=10_000)
    X, rows = sparse.csr_matrix(dense), np.arange(10_000, dtype=np.uint32)
    _, sd = measure_rows(X, dense, weight, rows, target_values=False).moments_with_zeros(np.arange(1))
    near = dense[:, 0] - 1e8
    expected = np.sqrt(np.average((near - np.average(near, weights=weight)) ** 2, weights=weight))
    np.testing.assert_allclose(sd, expected, rtol=1e-6)
