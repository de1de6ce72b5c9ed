"""Columns and targets that are far from zero beside their spread, which float32 or a sparse matrix makes hard."""

import numpy as np
import oracles
import pytest
from configurations import LOSSES
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor

# Of what is explainable; fits of the same numbers near zero end with an excess loss of up to 1e-4.
EXCESS = 1e-3


def excess_loss(model, X, y, *, rows=None, target=0, loss="squared_error", **parameter):
    """The loss of the predictions above the smallest possible one, over what the best constant is above it.

    Rows and targets are exact in float64 when their means are subtracted, which the oracle needs. `rows`: the rows to
    predict, if they have more columns than `X`, which are all zero.
    """
    options = {"loss": loss, **parameter}
    prediction = model.predict(X if rows is None else rows).reshape(len(y), -1)[:, target]
    X = (X.toarray() if sparse.issparse(X) else X).astype(np.float64)
    origin = y.mean(axis=0)
    best = oracles.minimum(X - X.mean(axis=0), y - origin, **options)[0]
    found = oracles.losses(y - prediction, **options).mean()
    return (found - best) / (oracles.null(y - origin, **options) - best)


def distant(n_rows, n_features, *, x=0.0, y=0.0, dtype=np.float32, seed=0):
    """Columns with a mean of `x` times their standard deviation, and a target with a mean of `y` times its own."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features))
    sign = np.where(rng.random(n_features) < 0.5, -1, 1)
    X = ((X + x * sign) * rng.lognormal(size=n_features)).astype(dtype)
    centred = (X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)) / X.std(axis=0, dtype=np.float64)
    target = centred @ rng.normal(size=n_features) / n_features**0.5 + 0.5 * rng.normal(size=n_rows)
    return X, target + y * target.std()


# float32


@pytest.mark.parametrize(
    ("loss", "n_features"), [*((loss, 3) for loss in LOSSES), ("squared_error", 40), ("huber", 40)]
)
@pytest.mark.parametrize(("x", "y"), [(400, 400), (5e4, 0), (1e6, 1e7)], ids=str)
def test_float32_is_fitted_as_well_as_float64(x, y, n_features, loss):
    X, y = distant(300, n_features, x=x, y=y)
    options = {"loss": loss, **LOSSES[loss]}
    model = RMSpropRegressor(random_state=0, **options).fit(X, y)
    assert excess_loss(model, X, y, **options) < EXCESS


@pytest.mark.parametrize(("x", "y"), [(0, 1e7), (3e3, 0), (1e6, 1e7)], ids=str)
def test_float32_in_full_batches(x, y):
    """A sum of all rows is rounded most, and gradients as small as its roundings count as zero."""
    X, y = distant(300, 8, x=x, y=y)
    model = RMSpropRegressor(random_state=0, batch_size=None).fit(X, y)
    assert excess_loss(model, X, y) < EXCESS


@pytest.mark.parametrize(("x", "y"), [(0, 1e7), (1e6, 0), (1e6, 1e7)], ids=str)
def test_streams_of_float32_and_several_targets(x, y):
    """Coordinates are those of the first call; each target has a distance of its own."""
    X, y = distant(600, 4, x=x, y=y)
    stream = RMSpropRegressor(random_state=0)
    for _ in range(6):
        for start in range(0, 600, 60):
            stream.partial_fit(X[start : start + 60], y[start : start + 60])
    assert excess_loss(stream, X, y) < EXCESS
    near = y - y.mean()
    model = RMSpropRegressor(random_state=0).fit(X, np.column_stack((near, y, -3 * y)))
    for k, target in enumerate((near, y, -3 * y)):
        assert excess_loss(model, X, target, target=k) < EXCESS


def test_latitude_longitude_and_year():
    """Elevations of 1200 m around a town: all coefficients used to be zero."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(1000, 3))
    X = (Z * [0.03, 0.03, 3] + [40.75, -73.98, 2015]).astype(np.float32)
    y = 1200 + 3 * (Z @ [0.5, -0.5, 0.5] + 0.4 * rng.normal(size=1000))
    assert excess_loss(RMSpropRegressor(random_state=0).fit(X, y), X, y) < EXCESS


def test_constant_columns_of_float32():
    """The moments of columns are in float64: a column that varies in its last bits only is not a constant one."""
    X, y = distant(300, 3, x=1e6)
    constant = np.full((300, 2), [0.1, 0.0], np.float32)
    model = RMSpropRegressor(random_state=0).fit(np.column_stack((X, constant)), y)
    np.testing.assert_array_equal(model.coef_[3:], 0)
    assert (model.coef_[:3] != 0).all()


def test_nearly_equal_columns_of_float32():
    """A stream changes to float64 when it knows how much the columns are correlated: the excess was 1e-3 and more."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(2000, 20))
    X = (3 + rng.normal(size=(2000, 1)) + 1e-4 * Z).astype(np.float32)
    y = Z @ rng.normal(size=20) / 20**0.5 + rng.normal(size=2000)
    assert excess_loss(RMSpropRegressor(random_state=0).fit(X, y), X, y) < EXCESS / 2
    stream, dtypes = RMSpropRegressor(random_state=0), []
    for i in range(60):
        rows = slice(40 * (i % 50), 40 * (i % 50) + 40)
        stream.partial_fit(X[rows], y[rows])
        dtypes.append(stream.coef_.dtype)
    assert dtypes[0] == np.float32
    assert dtypes[-1] == stream.predict(X).dtype == np.float64
    assert excess_loss(stream, X, y) < 0.05  # after an epoch and a fifth


# Sparse rows


def one_hot_and_numeric(n_rows, distance, *, missing=0.0, dtype=np.float64, seed=0):
    """What a ColumnTransformer makes of a category and a number, as dense rows. Missing numbers are zero."""
    rng = np.random.default_rng(seed)
    category, number = rng.integers(0, 20, size=n_rows), rng.normal(size=n_rows)
    column = np.where(rng.random(n_rows) < missing, 0, number + distance)
    X = np.column_stack((np.eye(20)[category], column)).astype(dtype)
    return X, rng.normal(size=20)[category] + number + rng.normal(size=n_rows)


def with_duplicates(X):
    """CSR rows whose entries are each the sum of two, the second of the opposite sign."""
    X = sparse.csr_matrix(X)
    data, columns = np.column_stack((1.5 * X.data, -0.5 * X.data)).ravel(), np.repeat(X.indices, 2)
    return sparse.csr_matrix((data, columns, 2 * X.indptr), shape=X.shape)


CONTAINERS = {"csr_matrix": sparse.csr_matrix, "csr_array": sparse.csr_array, "duplicates": with_duplicates}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("distance", "missing"), [(1, 0.03), (2.1, 0), (-6, 0.03), (1e6, 0)])
def test_sparse_rows_with_a_column_far_from_zero(distance, missing, loss):
    X, y = one_hot_and_numeric(400, distance, missing=missing)
    options = {"loss": loss, **LOSSES[loss]}
    rows = sparse.csr_matrix(X)
    before = rows.copy()
    model = RMSpropRegressor(random_state=0, tol=1e-5, **options).fit(rows, y)
    assert excess_loss(model, rows, y, **options) < EXCESS
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(rows, name), getattr(before, name))


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("parameters", [{}, {"batch_size": None}, {"momentum": 0.5}, {"penalty": "l2", "alpha": 1e-9}])
def test_sparse_rows_of_each_kind(parameters, dtype, container):
    X, y = one_hot_and_numeric(400, 2000, missing=0.01, dtype=dtype)
    X = CONTAINERS[container](X)
    model = RMSpropRegressor(random_state=0, **parameters).fit(X, y)
    assert excess_loss(model, X, y) < EXCESS


@pytest.mark.parametrize("integers", [True, False])
def test_weights_of_sparse_rows_far_from_zero(integers):
    """The fit with weights is that with repeated rows."""
    X, y = one_hot_and_numeric(300, 1e5)
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 4, size=300) / (1 if integers else 7)
    repeated = np.repeat(np.arange(300), (weight * (1 if integers else 7)).round().astype(int))
    options = {"random_state": 0, "batch_size": None, "max_iter": 300, "tol": None}
    weighted = RMSpropRegressor(**options).fit(sparse.csr_matrix(X), y, sample_weight=weight)
    expected = RMSpropRegressor(**options).fit(sparse.csr_matrix(X[repeated]), y[repeated])
    np.testing.assert_allclose(weighted.coef_, expected.coef_, rtol=1e-7)
    np.testing.assert_allclose(weighted.predict(X), expected.predict(X), atol=1e-6)


def test_the_path_on_sparse_rows_is_that_on_dense_ones():
    """Where all columns are far from zero, both are centred."""
    X, y = distant(200, 5, x=50, dtype=np.float64)
    options = {"random_state": 0, "max_iter": 5, "tol": None, "whiten": False}
    dense = RMSpropRegressor(**options).fit(X, y)
    rows = RMSpropRegressor(**options).fit(sparse.csr_matrix(X), y)
    np.testing.assert_allclose(rows.coef_, dense.coef_, rtol=1e-8)
    np.testing.assert_allclose(rows.intercept_, dense.intercept_, rtol=1e-8)


@pytest.mark.parametrize("first", [np.asarray, sparse.csr_matrix], ids=["dense first", "CSR"])
@pytest.mark.parametrize("n_more", [0, 500], ids=["few columns", "many columns"])
def test_streams_of_sparse_rows_far_from_zero(n_more, first):
    """The first call centres the column. Later ones lack entries of it, have entries in few columns, or are dense."""
    X, y = one_hot_and_numeric(900, 6)
    late = np.arange(900) >= 600
    X[late & (np.arange(900) % 50 == 0), -1] = 0

    def excess_of_stream(container, n_more=0):
        model, rows = RMSpropRegressor(random_state=0), np.column_stack((X, np.zeros((900, n_more))))
        for i in range(6 * 9):
            part = slice(100 * (i % 9), 100 * (i % 9) + 100)
            model.partial_fit(container(i)(rows[part]), y[part])
        return excess_loss(model, X, y, rows=rows)

    dense = excess_of_stream(lambda i: np.asarray)
    mixed = excess_of_stream(lambda i: first if i == 0 or i % 7 == 3 else sparse.csr_matrix, n_more)
    assert mixed < dense + EXCESS / 2


@pytest.mark.parametrize(("container", "distance"), [(sparse.csr_matrix, 100.0), (np.asarray, 1e5)])
def test_without_an_intercept_columns_far_from_zero_are_told(container, distance):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.eye(5)[rng.integers(0, 5, 400)], rng.normal(size=400) + distance])
    y = X @ rng.normal(size=6)
    model = RMSpropRegressor(fit_intercept=False, max_iter=5, tol=None, random_state=0)
    with pytest.warns(UserWarning, match=r"Column 5 of X lies .* standard deviations from zero.*fit_intercept=True"):
        model.fit(container(X), y)
    model.fit(container(X - [0, 0, 0, 0, 0, distance]), y)  # no warning
    model.set_params(fit_intercept=True).fit(container(X), y)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_without_an_intercept_a_target_far_from_zero_is_told(loss, container):
    """It used to leave 6 % of the variance, without a word, because `tol` is relative to the size of y."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 10))
    y = 100 + X @ rng.normal(size=10)
    model = RMSpropRegressor(loss, fit_intercept=False, random_state=0)
    with pytest.warns(UserWarning, match=r"miss the mean of y by .* standard deviations.*fit_intercept=True"):
        model.fit(container(X), y)
    with pytest.warns(UserWarning, match="miss the mean of column 1 of y"):
        model.fit(container(X), np.column_stack((y - 100, y)))
    model.fit(container(X), y - 100)  # no warning


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_a_column_of_ones_is_an_intercept(loss, container):
    """A warning would be an error."""
    rng = np.random.default_rng(0)
    X = np.column_stack((np.ones(2000), rng.normal(size=(2000, 10))))
    y = X @ [300.0, *rng.normal(size=10)] + rng.normal(size=2000)
    model = RMSpropRegressor(loss, fit_intercept=False, random_state=0).fit(container(X), y)
    assert 1 - np.var(y - model.predict(X)) / np.var(y) > 0.85
    assert np.mean(y - model.predict(X)) == pytest.approx(0, abs=0.05)
