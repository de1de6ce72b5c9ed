"""Bad input gets a sentence that names the argument, what is accepted and what came, and does no harm."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop._kernel._csr_rows import CSRRows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 3))
Y = X @ [1.0, 2.0, 3.0] + RNG.normal(size=30)


def with_entry(array, value):
    array = array.copy()
    array.flat[4] = value
    return array


def rejected(method, *args, match, error=(ValueError, TypeError), **kwargs):
    """Assert that a fresh and a fitted model raise, and that the fitted one is as it was."""
    with pytest.raises(error, match=match):
        getattr(RMSpropRegressor(random_state=0), method)(*args, **kwargs)
    fitted = RMSpropRegressor(random_state=0).fit(X, Y)
    before, prediction = dict(vars(fitted)), fitted.predict(X)
    with pytest.raises(error, match=match):
        getattr(fitted, method)(*args, **kwargs)
    assert vars(fitted) == before
    np.testing.assert_array_equal(fitted.predict(X), prediction)


CLASSES = "y must be numbers, because this is a regressor; got 'a'.*a classifier.*SGDClassifier or LogisticRegression"
TIMES = pd.date_range("2020-01-01", periods=30).as_unit("us")

BAD_DATA = {
    "no rows": (np.empty((0, 3)), np.empty(0), "0 sample"),
    "no columns": (np.empty((30, 0)), Y, "0 feature"),
    "NaN in X": (with_entry(X, np.nan), Y, "X contains NaN"),
    "infinity in X": (with_entry(X, np.inf), Y, "X contains infinity"),
    "NaN in y": (X, with_entry(Y, np.nan), "y contains NaN"),
    "infinity in y": (X, with_entry(Y, -np.inf), "y contains infinity"),
    "NaN in sparse X": (sparse.csr_array(with_entry(X, np.nan)), Y, "X contains NaN"),
    "complex X": (X + 1j, Y, "Complex data not supported"),
    "complex y": (X, Y + 1j, "Complex data not supported"),
    "strings in X": (np.full((30, 3), "a"), Y, "could not convert string"),
    "strings in y": (X, np.full(30, "a"), CLASSES),
    "strings in a list y": (X, ["a"] * 30, CLASSES),
    "strings in a Series y": (X, pd.Series(["a"] * 30), CLASSES),
    "strings in a polars y": (X, pl.Series(["a"] * 30), CLASSES),
    "categories in y": (X, pd.Series(["a"] * 30, dtype="category"), CLASSES),
    "one string in y": (X, [*Y[:-1], "a"], CLASSES),
    "strings in several targets": (X, pd.DataFrame({"t": Y, "c": ["a"] * 30}), CLASSES),
    "times in X": (TIMES.to_numpy()[:, None], Y, r"X must be numbers; got times of type datetime64\[us\]\."),
    "times in a frame": (pd.DataFrame({"a": Y, "t": TIMES}), Y, r"got times of type datetime64\[us\] in column 't'"),
    "times with a zone": (pd.DataFrame({"t": TIMES.tz_localize("UTC")}), Y, "got times .* in column 't'"),
    "times in a polars frame": (pl.DataFrame({"a": Y, "t": TIMES.to_numpy()}), Y, "got times .* in column 't'"),
    "durations in X": (pd.DataFrame({"t": TIMES - TIMES[0]}), Y, "got times .* in column 't'.*to days with"),
    "times in y": (X, TIMES.to_numpy(), r"y must be numbers; got times of type datetime64\[us\]\."),
    "times in a list y": (X, list(TIMES.to_numpy()), "y must be numbers; got times"),
    "durations in y": (X, pd.Series(TIMES - TIMES[0]), "y must be numbers; got times of type timedelta64"),
    "masked values in X": (np.ma.masked_greater(X, 1), Y, "X must not have masked values; got 1[0-9] of them"),
    "masked values in y": (X, np.ma.masked_greater(Y, 3), "y must not have masked values; got"),
    "strings in a frame": (pd.DataFrame({0: ["x"] * 30}), Y, "could not convert string"),
    "too few targets": (X, Y[:-1], "inconsistent numbers of samples"),
    "X with one dimension": (X[:, 0], Y, "Expected 2D array, got 1D array"),
    "X with three dimensions": (X[None], Y, "dim 3"),
    "y with three dimensions": (X, Y[:, None, None], "dim 3|dimension"),
    "sparse y": (X, sparse.csr_array(Y[:, None]), "y must be a dense array"),
    "generator as X": ((row for row in X), Y, r"X must be an array, .* got generator, .* Pass list\(X\)"),
    "iterator as y": (X, map(float, Y), r"y must be an array, .* got map, .* Pass list\(y\)"),
    "view of a dictionary": (dict(enumerate(X)).values(), Y, r"X must be an array, .* got dict_values"),
    "set as y": (X, set(Y), "y must be an array, .* got set"),
    "no y": (X, None, "requires y to be passed"),
    "X too large": (X * 1e200, Y, "X is too large: the mean square of column 0 overflows float64"),
    "y too large": (X, Y * 1e200, "y is too large: the mean square of column 0 overflows float64"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data(method, name):
    X, y, match = BAD_DATA[name]
    if method == "partial_fit" and "too large" in name:
        match = "too large|overflow"  # a fitted model has its units, and notices in training
    rejected(method, X, y, match=match)


BAD_WEIGHTS = {
    "negative": (with_entry(np.ones(30), -1.0), "sample_weight must not be negative; got a weight of -1.0"),
    "all zero": (np.zeros(30), "sample_weight must have at least one weight that is not zero; all are zero"),
    "zero": (0.0, "sample_weight must have at least one weight that is not zero"),
    "too few": (np.ones(29), r"sample_weight must have shape \(30,\).* got \(29,\)"),
    "two-dimensional": (np.ones((30, 1)), r"sample_weight must have shape \(30,\).* got \(30, 1\)"),
    "NaN": (with_entry(np.ones(30), np.nan), "sample_weight contains NaN"),
    "infinite": (with_entry(np.ones(30), np.inf), "sample_weight contains infinity"),
    "strings": (np.full(30, "a"), "could not convert string"),
    "masked": (np.ma.masked_greater(np.arange(30.0), 27), "sample_weight must not have masked values; got 2 of them"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("name", BAD_WEIGHTS)
def test_bad_weights(method, name):
    weight, match = BAD_WEIGHTS[name]
    rejected(method, X, Y, sample_weight=weight, match=match)


@pytest.mark.parametrize(
    ("start", "match"),
    [
        ({"coef_init": np.zeros(2)}, r"coef_init .*must have shape \(3,\).* got \(2,\)"),
        ({"coef_init": np.zeros((3, 1))}, r"coef_init .*must have shape \(3,\).* got \(3, 1\)"),
        ({"coef_init": 1.0}, r"coef_init .*must have shape \(3,\).* got \(\)"),
        ({"coef_init": [np.nan, 0, 0]}, "coef_init contains NaN"),
        ({"intercept_init": [0.0, 0.0]}, r"intercept_init .*must have shape \(\) or \(1,\).* got \(2,\)"),
        ({"intercept_init": np.inf}, "intercept_init must be finite; got inf"),
    ],
)
def test_bad_start(start, match):
    rejected("fit", X, Y, match=match, **start)


BAD_PARAMETERS = {
    "loss": ["hinge", None, 1],
    "learning_rate": [0, 0.0, -0.1, np.nan, np.inf, "0.1", None],
    "decay_rate": [-0.1, 1, 1.0, 2, np.nan, np.inf, "adaptive", None],
    "epsilon": [0, -1e-8, np.nan, np.inf, "1e-8", None],
    "momentum": [-0.1, 1.0, np.nan, np.inf, "0.9", None],
    "centered": ["yes", 2, None],
    "bias_correction": ["yes", 2, None],
    "schedule": ["step", None, 1],
    "average": ["yes", 2, None],
    "batch_size": [0, -1, 2.5, np.nan, np.inf, "all"],
    "max_iter": [0, -1, 2.5, np.nan, np.inf, None],
    "tol": [-1e-4, np.nan, np.inf, "auto"],
    "n_iter_no_change": [0, -1, 2.5, None],
    "standardize": ["yes", 2, None],
    "whiten": ["yes", 2, None],
    "delta": [-0.1, np.nan, np.inf, "1", None],
    "quantile": [0, 1, -0.5, np.nan, "median", None],
    "penalty": ["L2", "ridge", 1, False],
    "alpha": [-1e-4, np.nan, np.inf, "1", None],
    "l1_ratio": [-0.1, 1.1, np.nan, "0.5", None],
    "fit_intercept": ["yes", 2, None],
    "shuffle": ["yes", 2, None],
    "random_state": ["seed", 1.5, -1],
    "early_stopping": ["yes", 2, None],
    "validation_fraction": [0, 1, 1.0, -0.1, np.nan, 5, "0.1", None],
    "warm_start": ["yes", 2, None],
    "verbose": [-1, "yes", 1.5],
}


def test_all_parameters_are_covered():
    assert BAD_PARAMETERS.keys() == RMSpropRegressor().get_params().keys()


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_PARAMETERS.items() for value in values]
)
def test_bad_parameters(method, name, value):
    model = RMSpropRegressor(random_state=0).fit(X, Y)
    before = {key: value for key, value in vars(model).items() if key != name}
    model.set_params(**{name: value})  # which must not raise
    with pytest.raises((ValueError, TypeError)) as caught:
        getattr(model, method)(X, Y)
    message = str(caught.value)
    assert f"'{name}' parameter of RMSpropRegressor must be" in message
    assert f"Got {value!r} instead" in message
    assert {key: value for key, value in vars(model).items() if key != name} == before


@pytest.mark.parametrize(
    ("schedule", "match"),
    [
        (lambda t: np.ones(len(t) + 1), "one step size for each step number"),
        (lambda t: 0.1, "one step size for each step number"),
        (
            lambda t: np.where(t == 7, np.nan, 0.1),
            "finite step sizes that are not negative: it returned nan for step 7",
        ),
        (lambda t: np.where(t == 7, np.inf, 0.1), "it returned inf for step 7"),
        (lambda t: 0.1 - 0.05 * t, "it returned -0.0.* for step 3"),
    ],
)
def test_bad_schedules(schedule, match):
    with pytest.raises(ValueError, match=match):
        RMSpropRegressor(schedule=schedule).fit(X, Y)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_partial_fit_cannot_know_the_end(schedule):
    with pytest.raises(ValueError, match=f"partial_fit cannot use schedule='{schedule}'"):
        RMSpropRegressor(schedule=schedule).partial_fit(X, Y)


def test_a_failed_fit_on_another_table_leaves_the_model_usable():
    """The validators set number and names of the features before all is known to be good."""
    model = RMSpropRegressor(random_state=0).fit(X, Y)
    prediction = model.predict(X)
    with pytest.raises(ValueError, match="sample_weight must not be negative"):
        model.fit(X[:, :2], Y, sample_weight=-np.ones(30))
    with pytest.raises(ValueError, match="X contains NaN"):
        model.fit(pd.DataFrame(with_entry(X, np.nan), columns=["a", "b", "c"]), Y)
    assert not hasattr(model, "feature_names_in_")
    np.testing.assert_array_equal(model.predict(X), prediction)


def test_predict_takes_no_times_or_masked_values():
    model = RMSpropRegressor().fit(X, Y)
    with pytest.raises(ValueError, match="X must be numbers; got times of type datetime64"):
        model.predict(pd.DataFrame({"a": Y, "t": TIMES, "b": Y}))
    with pytest.raises(ValueError, match="X must not have masked values"):
        model.predict(np.ma.masked_greater(X, 1))


def test_predict_before_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        RMSpropRegressor().predict(X)


@pytest.mark.parametrize("n_features", [2, 4])
@pytest.mark.parametrize("method", ["predict", "partial_fit"])
def test_another_number_of_features(method, n_features):
    model = RMSpropRegressor().fit(X, Y)
    args = (np.ones((30, n_features)),) if method == "predict" else (np.ones((30, n_features)), Y)
    with pytest.raises(ValueError, match=f"X has {n_features} features, but RMSpropRegressor is expecting 3 features"):
        getattr(model, method)(*args)


def test_another_number_of_targets():
    model = RMSpropRegressor().fit(X, Y)
    with pytest.raises(ValueError, match="y must have 1 targets, as in the first call; got 2"):
        model.partial_fit(X, np.column_stack((Y, Y)))


def test_warm_start_from_another_shape():
    model = RMSpropRegressor(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"coef_init .*warm_start.* must have shape \(2,\).* got \(3,\)"):
        model.fit(X[:, :2], Y)


def corrupt(attribute, values):
    matrix = sparse.csr_matrix(X)
    setattr(matrix, attribute, np.asarray(values, dtype=np.int32))
    return matrix


@pytest.mark.parametrize(
    ("attribute", "change"),
    [
        ("indices", lambda a: np.where(np.arange(a.size) == 5, 10**6, a)),
        ("indices", lambda a: np.where(np.arange(a.size) == 5, -1, a)),
        ("indptr", lambda a: np.where(np.arange(a.size) == 5, 10**6, a)),
        ("indptr", lambda a: np.where(np.arange(a.size) == a.size - 1, 10**6, a)),
        ("indptr", lambda a: np.where(np.arange(a.size) == 0, -4, a)),
    ],
)
def test_sparse_indices_out_of_bounds(attribute, change):
    matrix = corrupt(attribute, change(getattr(sparse.csr_matrix(X), attribute)))
    with pytest.raises(ValueError, match=r"sparse matrix|indices|indptr|index"):
        RMSpropRegressor().fit(matrix, Y)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_overflow_of_float32_says_so(container):
    small = (X * 1e-30).astype(np.float32)
    with pytest.raises(ValueError, match=r"overflow.* float32.*float64"):
        RMSpropRegressor().fit(container(small), Y * 1e30)
    model = RMSpropRegressor().fit(container(small.astype(np.float64)), Y * 1e30)
    assert np.isfinite(model.coef_).all()


def test_targets_too_large_for_float32_say_so():
    """The quantile loss has gradients of at most 1, which no step can be made of beside roundings of 1e85."""
    y = Y * 1e100
    with pytest.raises(ValueError, match=r"y is too large.*float32.*pass X as float64"):
        RMSpropRegressor(loss="quantile", standardize=False).fit(X.astype(np.float32), y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # tol is a share of a loss of 1e-62
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_tiny_weight_do_not_set_the_unit_of_the_target(dtype):
    """All other targets are equal: the mean distance from these, which is that of one row, may not be their unit."""
    y, weight = np.full(len(Y), 7.0), np.ones(len(Y))
    y[0], weight[0] = 8.0, 1e-60
    model = RMSpropRegressor(loss="absolute_error", random_state=0).fit(X.astype(dtype), y, sample_weight=weight)
    np.testing.assert_allclose(model.predict(X.astype(dtype)), 7.0, rtol=1e-6)


def test_overflow_in_training_says_so():
    with pytest.raises(ValueError, match="Training overflowed float64 within 100 epochs"):
        RMSpropRegressor(standardize=False, learning_rate=1e308).fit(X, Y)


def test_max_iter_reached_says_what_to_change():
    with pytest.warns(ConvergenceWarning, match=r"max_iter=1 epochs .*Increase max_iter, learning_rate or tol"):
        RMSpropRegressor(max_iter=1).fit(X, Y)


def test_an_interrupted_fit_stops_within_a_second_and_changes_nothing():
    """In a process of its own: the signal must reach the main thread while compiled code runs."""
    program = """
import signal, threading, time
import numpy as np
from sklearn_rmsprop import RMSpropRegressor

rng = np.random.default_rng(0)
# one call of the kernel, 100 full batches, takes seconds: it must look at signals itself
X, y = rng.standard_normal((2_000_000, 20), dtype=np.float32), rng.normal(size=2_000_000)
model = RMSpropRegressor(batch_size=None, max_iter=100_000, tol=1e-3).fit(X[:100], y[:100])
before = dict(vars(model))
sent = []
def interrupt():
    sent.append(time.perf_counter())
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
threading.Timer(0.5, interrupt).start()
try:
    model.fit(X, y)
except KeyboardInterrupt:
    print(time.perf_counter() - sent[0], vars(model) == before)
"""
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    seconds, unchanged = done.stdout.split()
    assert float(seconds) < 1
    assert unchanged == "True"


def test_more_sparse_columns_than_the_kernel_can_number():
    wide = sparse.csr_matrix((1, 2**32 - 1))
    with pytest.raises(ValueError, match="fewer than 4294967295 columns"):
        CSRRows(wide, np.zeros((1, 1)), 1.0, np.zeros(1, np.uint32), False, None, None, None)
