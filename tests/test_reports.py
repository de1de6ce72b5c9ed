"""What users of similar estimators have reported as faults, tried on this one: each test names the report."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import make_regression
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import PolynomialFeatures

from sklearn_rmsprop import RMSpropRegressor

X, Y = make_regression(200, 3, noise=1.0, random_state=0)

every_container = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])


def fitted(*args, loss="squared_error", **kwargs):
    return RMSpropRegressor(loss, random_state=0).fit(*args, **kwargs)


@pytest.mark.parametrize("loss", ["squared_error", "huber", "absolute_error", "quantile"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # an exact line has a loss of zero
def test_milliseconds_since_1970(loss):
    """scikit-learn/scikit-learn#27777: HuberRegressor has a slope of 1e-11, without a warning."""
    time = np.linspace(1.7e12, 1.7e12 + 20_000, 24)[:, np.newaxis]
    y = 0.002 * (time[:, 0] - time[0, 0]) + 5
    assert fitted(time, y, loss=loss).score(time, y) > 0.999


def test_powers_of_nanoseconds_since_1970():
    """scikit-learn/scikit-learn#10590: LinearRegression on the powers of times, which differ in their seventh digit."""
    time = np.linspace(1.3e18, 1.55e18, 200)
    powers = PolynomialFeatures(3).fit_transform(time[:, np.newaxis])
    relative = (time - time.mean()) / np.ptp(time)
    y = relative**3 - relative + 2
    assert fitted(powers, y).score(powers, y) > 0.999


@pytest.mark.parametrize("constant", [14.62, 0.1, 1e-12, 1e12])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_a_constant_column_with_weights(loss, constant):
    """scikit-learn/scikit-learn#17794, #19450: its standard deviation is a rounding error, but not zero."""
    weight = np.random.default_rng(0).random(200)
    wide = np.column_stack((X, np.full(200, constant)))
    model = fitted(wide, Y, loss=loss, sample_weight=weight)
    assert model.coef_[3] == 0
    np.testing.assert_allclose(model.coef_[:3], fitted(X, Y, loss=loss, sample_weight=weight).coef_, rtol=1e-2)


@every_container
@pytest.mark.parametrize(("loss", "best"), [("squared_error", np.mean), ("absolute_error", np.median)])
def test_nothing_but_constant_columns(container, loss, best):
    """microsoft/LightGBM#1697: an error instead of the mean."""
    model = fitted(container(np.full((200, 3), 2.0)), Y, loss=loss)
    np.testing.assert_allclose(model.predict(container(np.full((1, 3), 2.0))), best(Y), atol=0.01 * Y.std())


@every_container
@pytest.mark.parametrize(("loss", "best"), [("squared_error", np.mean), ("quantile", np.median)])
def test_a_column_for_each_category(container, loss, best):
    """statsmodels/statsmodels#2597: quantile regression fails where the columns add up to that of the intercept."""
    rng = np.random.default_rng(0)
    category = rng.integers(0, 7, size=2000)
    y = 3 * rng.normal(size=7)[category] + rng.normal(size=2000)
    model = fitted(container(np.eye(7)[category]), y, loss=loss)
    expected = [best(y[category == k]) for k in range(7)]
    # 0.03: a third of the standard error of a mean of 300 rows
    np.testing.assert_allclose(model.predict(container(np.eye(7))), expected, atol=0.03)


def test_weights_are_left_as_they_are():
    """scikit-learn/scikit-learn#19044: ElasticNet normalised them in place."""
    weight = np.random.default_rng(0).random(200)
    before = weight.copy()
    fitted(X, Y, sample_weight=weight).partial_fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(weight, before)


def test_bags_of_rows_with_early_stopping():
    """scikit-learn/scikit-learn#17229: held-out rows of weight zero, and a division by their sum."""
    model = RMSpropRegressor(early_stopping=True, random_state=0)
    assert BaggingRegressor(model, n_estimators=3, max_samples=0.2, random_state=0).fit(X, Y).score(X, Y) > 0.99


@pytest.mark.parametrize("kind", ["Float64", "object", "Int64 and boolean"])
def test_nullable_frames_and_arrays_of_objects(kind):
    """scikit-learn/scikit-learn#19889, #27482: pandas' nullable types, and what ColumnTransformer makes of them."""
    frame = pd.DataFrame(X, columns=list("abc"))
    table = frame.to_numpy(object) if kind == "object" else frame.astype("Float64")
    y = pd.Series(Y, dtype="Float64")
    if kind == "Int64 and boolean":
        table["a"], table["b"] = pd.array(np.arange(200), "Int64"), pd.array(X[:, 1] > 0, "boolean")
        frame["a"], frame["b"] = np.arange(200), X[:, 1] > 0
    model = fitted(table, y, sample_weight=pd.Series(np.ones(200), dtype="Float64"))
    np.testing.assert_array_equal(model.coef_, fitted(frame.astype(float), Y).coef_)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_sparse_frames_of_booleans(method):
    """skrub-data/skrub#679, pandas-dev/pandas#59063: sparse frames, as `get_dummies` makes them."""
    category = pd.Series(np.arange(200) % 4).astype(str)
    frame = pd.get_dummies(category, sparse=True)
    rows = sparse.csr_matrix(pd.get_dummies(category).to_numpy(float))

    def learned(table):
        return getattr(RMSpropRegressor(random_state=0), method)(table, Y)

    ours = learned(frame)
    # older versions of scikit-learn make such a frame dense
    table = next(table for table in (rows, rows.toarray()) if np.array_equal(learned(table).coef_, ours.coef_))
    plain = learned(table)
    np.testing.assert_array_equal(ours.predict(frame), plain.predict(table))
    np.testing.assert_array_equal(ours.partial_fit(frame, Y).coef_, plain.partial_fit(table, Y).coef_)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float16])
def test_small_types_do_not_overflow(dtype):
    """scikit-learn/scikit-learn#28827, #24428: squares of uint8 and sums of float16."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 120, size=(500, 3)).astype(dtype)
    y = (table[:, 0] // 2 + table[:, 1] // 3).astype(dtype)
    model = fitted(table, y)
    exact = LinearRegression().fit(table.astype(float), y.astype(float)).score(table, y.astype(float))
    assert model.score(table, y) == pytest.approx(exact, abs=1e-3)


def test_several_targets_on_sparse_rows():
    """scikit-learn/scikit-learn#7130: sparse rows got predictions of another shape than dense ones."""
    model = RMSpropRegressor(penalty="l1", alpha=0.01, random_state=0)
    rows = sparse.coo_matrix(X)
    model.fit(rows, np.column_stack((Y, -Y)))
    assert model.predict(rows).shape == (200, 2)
    np.testing.assert_allclose(model.predict(rows), model.predict(X), rtol=1e-12, atol=1e-12)


def test_the_rate_can_be_changed_in_a_stream():
    """scikit-learn/scikit-learn#20441: what `set_params` means between calls of `partial_fit`."""
    model = RMSpropRegressor(average=False, random_state=0).partial_fit(X, Y)
    before = model.coef_.copy()
    model.set_params(learning_rate=1e-12).partial_fit(X, Y)
    np.testing.assert_allclose(model.coef_, before, rtol=1e-9)


def test_names_in_another_order_in_a_stream():
    """scikit-learn/scikit-learn#4906: columns that are not those of the first call."""
    frame = pd.DataFrame(X, columns=list("abc"))
    model = RMSpropRegressor(random_state=0).partial_fit(frame, Y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.partial_fit(frame[["c", "b", "a"]], Y)


# Units that the first rows of a stream do not have: scikit-learn/scikit-learn#5104 discusses scalers, whose first call
# may have a variance of zero.


def stream(
    container, scale, *, first=lambda Z: Z, target=lambda y: y, n_first=1, offset=0.0, dtype=float, **parameters
):
    """R2 on new rows after 40 calls with 100 rows, the first of which are changed."""
    rng = np.random.default_rng(0)
    coef = np.array([1, 2, -1, 3 / scale])

    def rows(n):
        Z = rng.normal(size=(n, 4))
        Z[:, 3] *= scale
        return Z

    model = RMSpropRegressor(random_state=0, **parameters)
    for call in range(40):
        Z = rows(100)
        Z = first(Z) if call < n_first else Z
        y = Z @ coef + 0.1 * rng.normal(size=100)
        Z[:, 3] += offset
        model.partial_fit(container(Z.astype(dtype)), target(y) if call < n_first else y)
    Z = rows(1000)
    y = Z @ coef
    Z[:, 3] += offset
    return model.score(container(Z.astype(dtype)), y)


@every_container
@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("parameters", [{}, {"loss": "huber"}, {"n_first": 3}, {"dtype": np.float32}], ids=str)
def test_a_column_that_is_zero_at_first(container, scale, parameters):
    """R2 was -1e6 to 0.4."""
    assert stream(container, scale, first=lambda Z: Z * [1, 1, 1, 0], **parameters) > 0.99


@pytest.mark.parametrize("whiten", ["auto", True])
@pytest.mark.parametrize("scale", [1e-2, 1e5])
def test_a_column_that_is_another_constant_at_first(scale, whiten):
    assert stream(np.asarray, scale, first=lambda Z: Z * [1, 1, 1, 0], offset=1e4, whiten=whiten) > 0.99


def test_sparse_rows_after_a_constant_column_far_away():
    """Sparse rows are not centred: beside the origin of the dense ones before, their values would be lost."""
    model = RMSpropRegressor(random_state=0).fit(np.full((50, 3), 1e30), Y[:50])
    for _ in range(150):
        model.partial_fit(sparse.csr_array(X), Y)
    assert model.score(X, Y) > 0.99


def test_a_target_that_is_constant_until_there_is_a_basis():
    assert stream(np.asarray, 1.0, target=lambda y: np.full(len(y), 1e6), whiten=True) > 0.99


@every_container
@pytest.mark.parametrize(("constant", "loss"), [(1e6, "squared_error"), (-1e-6, "squared_error"), (1e6, "quantile")])
def test_a_target_that_is_constant_at_first(container, loss, constant):
    """R2 was -4e5 to 0."""
    assert stream(container, 1.0, target=lambda y: np.full(len(y), constant), loss=loss) > 0.99


def test_a_column_that_never_varies_stays_out():
    rng = np.random.default_rng(0)
    model, other = RMSpropRegressor(random_state=0), RMSpropRegressor(random_state=0)
    for _ in range(5):
        Z = rng.normal(size=(50, 3))
        y = Z.sum(axis=1)
        model.partial_fit(np.column_stack((Z, np.full(50, 0.1))), y)
        other.partial_fit(Z, y)
    assert model.coef_[3] == 0
    np.testing.assert_allclose(model.coef_[:3], other.coef_, rtol=1e-6)


def test_a_stream_of_single_rows_starts_to_learn():
    """A single row does not vary: its units may not be taken anew from each, or nothing would ever be learned."""
    model = RMSpropRegressor(random_state=0)
    for x, y in zip(X, Y, strict=True):
        model.partial_fit(x[np.newaxis], [y])
    assert model.score(X, Y) > 0.99


def words(n_rows, n_columns, *, noise=1.0):
    """Rows of 20 words, of which a few are in most rows."""
    rng = np.random.default_rng(0)
    column = (n_columns * rng.random((n_rows, 20)) ** 2.5).astype(int)
    rows = np.repeat(np.arange(n_rows), 20)
    counts = sparse.csr_array((np.ones(rows.size), (rows, column.ravel())), shape=(n_rows, n_columns))
    signal = counts @ rng.normal(size=n_columns)
    return counts, signal / signal.std() + noise * rng.normal(size=n_rows)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_rows_learned_by_heart(loss):
    """A model of words without a penalty predicts new texts worse than the mean does, and nobody says why."""
    counts, y = words(2000, 1000)
    with pytest.warns(UserWarning, match=r"X has \d+ columns for 2000 rows.*penalty=\"l2\".*early_stopping"):
        fitted(counts, y, loss=loss)


@pytest.mark.parametrize(
    ("data", "parameters"),
    [
        ((2000, 1000), {"penalty": "l2", "alpha": 1e-3}),
        ((2000, 1000), {"early_stopping": True}),
        ((5000, 300), {}),
    ],
    ids=["penalty", "early stopping", "many rows"],
)
@pytest.mark.filterwarnings("error")
def test_no_warning_where_nothing_is_learned_by_heart(data, parameters):
    RMSpropRegressor(random_state=0, **parameters).fit(*words(*data))


@pytest.mark.filterwarnings("error")
def test_no_warning_where_there_is_no_noise_to_learn():
    counts, y = words(2000, 1000, noise=0.0)
    fitted(counts, y)
