"""Models that are stored, loaded, copied, or changed by hand go on from there."""

import copy
import io
import pickle
from functools import cache

import joblib
import numpy as np
import pytest
import record_models
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop._kernel._memory import fingerprint

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X has more columns"),  # with few rows that is so, and does not matter here
    pytest.mark.filterwarnings("ignore:The model is overfitted"),  # likewise
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 8)) * (RNG.random((120, 8)) < 0.6)
Y = X @ RNG.normal(size=(8, 2)) + [1.0, -2.0] + 0.1 * RNG.normal(size=(120, 2))
# fewer entries than columns in a call
WIDE = sparse.random_array((120, 400), density=0.002, random_state=RNG, format="csr")

# rows, targets, parameters: each kind of stream that is stored or stepped differently
STREAMS = {
    "dense": (X, Y[:, 0], {}),
    "dense, one column of targets": (X, Y[:, :1], {}),
    "dense, two targets": (X, Y, {}),
    "dense, momentum": (X, Y, {"momentum": 0.5, "centered": True}),
    "dense, L1": (X, Y[:, 0], {"penalty": "l1", "alpha": 0.01}),
    "float32": (X.astype(np.float32), Y[:, 0], {}),
    "CSR": (sparse.csr_array(X), Y[:, 0], {}),
    "CSR, two targets": (sparse.csr_array(X), Y, {"penalty": "elasticnet", "alpha": 0.01}),
    "float32 CSR, momentum": (sparse.csr_array(X.astype(np.float32)), Y, {"momentum": 0.5}),
    "wide": (WIDE, Y[:, 0], {}),
    "wide, two targets": (WIDE, Y, {"penalty": "l1", "alpha": 1e-3}),
    "wide, momentum": (WIDE, Y[:, 0], {"momentum": 0.9}),
}
every_stream = pytest.mark.parametrize("stream", STREAMS)


@cache
def first_rows(stream):
    rows, y, parameters = STREAMS[stream]
    model = RMSpropRegressor(random_state=0, max_iter=3, **parameters).fit(rows[:60], y[:60])
    return model.partial_fit(rows[60:80], y[60:80]), rows[80:], y[80:]


def fitted(stream):
    """A model that has learned 80 rows, and what it has not learned yet."""
    model, rows, y = first_rows(stream)
    return copy.deepcopy(model), rows, y


def assert_same(one, other):
    """Coefficients, counters and every array of the state are the same bit for bit."""
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    assert (one.t_, one.n_iter_, one.loss_curve_) == (other.t_, other.n_iter_, other.loss_curve_)
    for name, value in vars(one._state).items():
        np.testing.assert_array_equal(value, getattr(other._state, name), err_msg=name)


# Times coef_.nbytes. The state has coef and square, and in float64 the deviation of the average; the coordinates have a
# unit, and of dense columns a mean, in float64: that is 5 in float64, 8 in float32, 4 for sparse columns. The rest is
# for what does not grow with the columns.
LARGEST_PICKLE = {"dense": 6, "float32": 9, "CSR": 5, "CSR, few columns": 4}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("n_features", [1000, 20000])
@pytest.mark.parametrize("kind", LARGEST_PICKLE)
def test_size_of_a_pickle(kind, n_features, method):
    rng = np.random.default_rng(0)
    y = rng.normal(size=32)
    if kind == "CSR, few columns":
        rows = sparse.random_array((32, n_features), density=5 / n_features, random_state=rng, format="csr")
    else:
        rows = rng.normal(size=(32, n_features)).astype(np.float32 if kind == "float32" else np.float64)
        rows = sparse.csr_array(rows) if kind == "CSR" else rows
    # epochs change nothing of the size but the length of `loss_curve_`
    model = getattr(RMSpropRegressor(random_state=0, max_iter=1000 if n_features == 1000 else 2), method)(rows, y)
    assert len(pickle.dumps(model)) <= LARGEST_PICKLE[kind] * model.coef_.nbytes
    model.partial_fit(rows, y)
    assert len(pickle.dumps(model)) <= LARGEST_PICKLE[kind] * model.coef_.nbytes


def test_coefficients_are_stored_only_where_they_do_not_follow_from_the_state():
    model, _, _ = fitted("dense, two targets")
    assert "coef_" not in model.__getstate__()
    model.coef_[0, 3] = 7
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.coef_, model.coef_)


@pytest.mark.parametrize("found", [None, 0, 1, 3, "2"])
def test_a_model_of_another_format_is_rejected(found):
    stored = fitted("dense")[0].__getstate__()
    assert stored.pop("_format") == 2
    if found is not None:
        stored["_format"] = found
    with pytest.raises(ValueError, match=f"stored in format {found}, .* reads format 2 only. Load it with the version"):
        RMSpropRegressor().__setstate__(stored)


def check_recorded(path):
    """A recorded model predicts what it did, and learns more rows as it did."""
    recorded = np.load(path.with_suffix(".npz"))
    rows, y = recorded["X"], recorded["y"]
    rows = sparse.csr_matrix(rows) if recorded["is_sparse"] else rows
    model = pickle.loads(path.read_bytes())
    # other processors round sums in another order; float32 has 7 digits
    rtol = 1e-4 if rows.dtype == np.float32 else 1e-9
    np.testing.assert_allclose(model.predict(rows), recorded["before"], rtol=rtol, atol=rtol)
    t = model.t_
    model.partial_fit(rows[60:], y[60:])
    assert model.t_ == t + 1
    # a later version may take another step, but not one that is far from this one
    change = np.abs(recorded["after"] - recorded["before"]).max()
    np.testing.assert_allclose(model.predict(rows), recorded["after"], rtol=0, atol=change)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_models_of_earlier_versions():
    for path in sorted(record_models.MODELS.glob("*/*.pickle")):
        check_recorded(path)


def test_models_of_this_version(tmp_path):
    """Recorded as at a release."""
    record_models.record(tmp_path)
    recorded = sorted(tmp_path.glob("*.pickle"))
    assert len(recorded) == 4
    for path in recorded:
        check_recorded(path)
    np.savez(path.with_suffix(".npz"), **{**np.load(path.with_suffix(".npz")), "before": 0.0})
    with pytest.raises(AssertionError):
        check_recorded(path)


def through_pickle(model, _):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model, _):
    file = io.BytesIO()
    joblib.dump(model, file)
    return joblib.load(file)


def memory_mapped(model, folder):
    joblib.dump(model, folder / "model")
    return joblib.load(folder / "model", mmap_mode="r")


def deep_copy(model, _):
    return copy.deepcopy(model)


@pytest.mark.parametrize("store", [through_pickle, through_joblib, memory_mapped, deep_copy])
@every_stream
def test_a_stored_model_goes_on_bit_for_bit(stream, store, tmp_path):
    """test_composition.py has this for all configurations of one target."""
    model, rows, y = fitted(stream)
    stored = store(model, tmp_path)
    assert_same(stored, model)
    for start in (0, 20):
        for each in (stored, model):
            each.partial_fit(rows[start : start + 20], y[start : start + 20])
        assert_same(stored, model)


@every_stream
def test_a_shallow_copy_and_its_original_do_not_change_each_other(stream):
    original, rows, y = fitted(stream)
    apart, twin = copy.deepcopy(original), copy.copy(original)
    twin.partial_fit(rows, y).partial_fit(rows, y)
    assert_same(original, apart)
    after = copy.deepcopy(twin)
    for model in (original, apart):
        model.partial_fit(rows, y)
    assert_same(original, apart)
    assert_same(twin, after)


@every_stream
def test_a_shallow_copy_has_coefficients_of_its_own(stream):
    original, _, _ = fitted(stream)
    original.coef_ = original.coef_ + 1  # from here on they do not follow from the state
    before = copy.deepcopy(original)
    twin = copy.copy(original)
    twin.coef_ *= 2
    twin.intercept_ *= 2
    assert_same(original, before)


def scale(model):
    model.coef_ *= 0.9


def set_one(model):
    model.coef_[..., 3] = 0


def flip_two_signs(model):
    model.coef_[..., :2] *= -1


def swap_two(model):
    model.coef_[..., [0, 1]] = model.coef_[..., [1, 0]]


def reverse(model):
    model.coef_ = np.ascontiguousarray(model.coef_[..., ::-1])


def move_intercept(model):
    model.intercept_ += 0.5


def swap_targets(model):
    model.intercept_, model.coef_ = model.intercept_[::-1], model.coef_[::-1]


def set_both(model):
    model.coef_, model.intercept_ = np.full_like(model.coef_, 0.3), np.full_like(model.intercept_, -0.2)


def assert_goes_on_from(model, coef, intercept, rows, y):
    """After steps of next to nothing they are still the same, but for the rounding of the units."""
    tolerance = 1e-9 if model._state.coef.dtype == np.float64 else 2e-6
    model.set_params(learning_rate=1e-15).partial_fit(rows, y)
    np.testing.assert_allclose(model.coef_, coef, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(model.intercept_, intercept, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    "change", [scale, set_one, flip_two_signs, swap_two, reverse, move_intercept, swap_targets, set_both]
)
@every_stream
def test_training_goes_on_from_changed_coefficients(stream, change):
    model, rows, y = fitted(stream)
    if change is swap_targets and np.size(model.intercept_) == 1:
        return
    if stream.startswith("wide"):  # hardly any of the columns has been met: give all of them a coefficient
        model.coef_ = RNG.normal(size=model.coef_.shape)
        model.partial_fit(rows[:1], y[:1])
    change(model)
    assert_goes_on_from(model, model.coef_.copy(), np.copy(model.intercept_), rows, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fingerprints_tell_arrays_apart_that_differ_in_a_pattern(dtype):
    """Signs, rows and scales: sums of bits that are mixed too little are equal for some of these."""
    for seed in range(300):
        array = np.random.default_rng(seed).normal(size=(2, 20)).astype(dtype)
        others = [array * scale for scale in (-1, 2, 0.5)] + [array[::-1].copy(), array[:, ::-1].copy()]
        for columns in (slice(2), slice(4), slice(None, None, 2)):
            flipped = array.copy()
            flipped[:, columns] *= -1
            others.append(flipped)
        assert fingerprint(array) not in [fingerprint(other) for other in others]
        assert fingerprint(array) == fingerprint(array.copy())


def test_a_model_moved_to_the_end_of_another_continues_like_it():
    """The point is all that matters where the moving averages forget at once and the average begins anew."""
    parameters = {"decay_rate": 0.0, "average": False, "schedule": "constant", "shuffle": False}
    other = RMSpropRegressor(**parameters).partial_fit(X[:60], Y[:60])
    moved = RMSpropRegressor(**parameters).partial_fit(X[:60], -3 * Y[:60])
    moved._coordinates = other._coordinates
    moved.coef_, moved.intercept_ = other.coef_, other.intercept_
    for model in (moved, other):
        model.partial_fit(X[60:], Y[60:])
    np.testing.assert_allclose(moved.coef_, other.coef_, rtol=1e-10)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


FORMS = {
    "read-only": read_only,
    "list": lambda array: array.tolist(),
    "with a dimension for targets": np.atleast_2d,
    "float32": lambda array: array.astype(np.float32),
    "not contiguous": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "csr_matrix": sparse.csr_matrix,
    "csc_matrix": sparse.csc_matrix,
    "coo_array": sparse.coo_array,
}


@pytest.mark.parametrize("form", FORMS)
@every_stream
def test_coefficients_assigned_in_other_forms(stream, form):
    model, rows, y = fitted(stream)
    coef = (0.9 * model.coef_).round(2).astype(np.float32).astype(model.coef_.dtype)  # float32 has the same numbers
    intercept, expected = model.intercept_, rows @ coef.T + model.intercept_
    model.coef_ = FORMS[form](coef)
    if form in ("list", "with a dimension for targets"):
        model.intercept_ = FORMS[form](np.asarray(intercept))
        model.intercept_ = np.ravel(model.intercept_) if form != "list" else model.intercept_
    assert model.predict(rows).shape == y.shape
    np.testing.assert_allclose(model.predict(rows), expected, rtol=1e-5, atol=1e-5)
    assert_goes_on_from(model, coef, intercept, rows, y)
    assert model.coef_.shape == coef.shape
    assert np.shape(model.intercept_) == np.shape(intercept)


def unusable(value):
    """What cannot take the place of coefficients or intercepts of this shape: another shape first, then no numbers."""
    value = np.atleast_1d(value)
    yield from (value[..., :-1], np.concatenate((value, value), axis=-1), np.array(value, ndmin=3))
    yield from (np.nan * value, np.full_like(value, np.inf), None)


@pytest.mark.parametrize("name", ["coef_", "intercept_"])
@every_stream
def test_unusable_coefficients_are_named(stream, name):
    model, rows, y = fitted(stream)
    for i, value in enumerate(unusable(getattr(model, name))):
        setattr(model, name, value)
        before = dict(vars(model))
        with pytest.raises(ValueError, match=rf"{name} must|Input {name} contains"):
            model.partial_fit(rows, y)
        assert all(vars(model)[key] is before[key] for key in before)
        if i < 3:
            with pytest.raises(ValueError, match=f"{name} must have shape .* got"):
                model.predict(rows)


def test_coefficients_of_a_model_that_was_never_fitted():
    model = RMSpropRegressor()
    model.coef_, model.intercept_ = np.arange(8.0), 2.0
    np.testing.assert_allclose(model.predict(X), X @ np.arange(8.0) + 2)
    model.coef_ = sparse.csr_matrix(model.coef_)
    np.testing.assert_allclose(model.predict(X), X @ np.arange(8.0) + 2)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix], ids=["dense", "CSR"])
def test_federated_averaging(container):
    """Two clients, whose rows differ, and a server that averages their coefficients."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4000, 5)) + 0.5 * (np.arange(4000) >= 2000)[:, np.newaxis]
    y = rows @ [1.0, -2.0, 3.0, 0.5, 0.0] + 4 + 0.5 * rng.normal(size=4000)
    parts = [(container(rows[half]), y[half]) for half in (slice(2000), slice(2000, 4000))]
    clients = [RMSpropRegressor(random_state=k).partial_fit(*parts[k]) for k in range(2)]
    for _ in range(5):
        coef = (clients[0].coef_ + clients[1].coef_) / 2
        intercept = (clients[0].intercept_ + clients[1].intercept_) / 2
        for client, part in zip(clients, parts, strict=True):
            client.coef_, client.intercept_ = coef, intercept
            client.partial_fit(*part)
    joint = RMSpropRegressor(random_state=0).fit(container(rows), y)
    averaged = copy.deepcopy(joint)
    averaged.coef_, averaged.intercept_ = coef, intercept
    # as shares of the variance: R2 is 1 less the loss in units of the null loss
    assert averaged.score(rows, y) > joint.score(rows, y) - 1e-3


@pytest.mark.parametrize("coef_shape", [(8,), (1, 8)])
@pytest.mark.parametrize("intercept_shape", [(), (1,)])
def test_fit_starts_from_the_shapes_of_other_estimators(coef_shape, intercept_shape):
    """SGDRegressor's `intercept_` is an array of one number, other estimators' `coef_` has a row for one target."""
    start = {"coef_init": np.full(coef_shape, 0.3), "intercept_init": np.full(intercept_shape, -0.2)}
    model = RMSpropRegressor(max_iter=1, tol=None, learning_rate=1e-12).fit(X, Y[:, 0], **start)
    np.testing.assert_allclose(model.coef_, np.full(8, 0.3), rtol=1e-9)
    assert model.intercept_ == pytest.approx(-0.2, rel=1e-9)
