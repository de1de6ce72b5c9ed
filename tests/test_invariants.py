"""What holds in every configuration, whatever the data's shape, type, layout and scale."""

import numpy as np
import pytest
from configurations import CONFIGURATIONS
from datasets import missed
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop._kernel._dense_rows import use_wide_vectors

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X has more columns"),  # with few rows that is so, and does not matter here
    pytest.mark.filterwarnings("ignore:The model is overfitted"),  # likewise
]

each_configuration = pytest.mark.parametrize("name", CONFIGURATIONS)


def problem(seed=0, *, n_rows=60, n_features=4, n_targets=None):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_features)) * rng.uniform(size=(n_rows, n_features)).round()
    weights = rng.normal(size=(n_features, n_targets or 1))
    Y = X @ weights + rng.normal(size=(n_rows, n_targets or 1))
    return X, Y if n_targets else Y.ravel()


def short(name, **parameters):
    """Return a model of the configuration that takes few steps, before rounding is amplified."""
    fixed = {"max_iter": 5, "tol": None, "random_state": 0}
    return RMSpropRegressor(**{"batch_size": 32} | CONFIGURATIONS[name] | fixed | parameters)


@each_configuration
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_a_seed_decides_everything(name, container):
    X, y = problem()
    first, again = (short(name).fit(container(X), y) for _ in range(2))
    np.testing.assert_array_equal(first.coef_, again.coef_)
    assert first.loss_curve_ == again.loss_curve_
    if CONFIGURATIONS[name].get("shuffle", True) and CONFIGURATIONS[name].get("batch_size", 32):
        assert not np.array_equal(first.coef_, short(name, random_state=1).fit(container(X), y).coef_)


@each_configuration
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_read_only_input_is_left_alone(name, container, dtype):
    X, y = problem()
    X, weight = container(X.astype(dtype)), np.linspace(0, 1, len(y))
    arrays = [y, weight, *((X.data, X.indices, X.indptr) if sparse.issparse(X) else (X,))]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    model = short(name).fit(X, y, sample_weight=weight).partial_fit(X, y, sample_weight=weight)
    model.predict(X)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each_configuration
def test_memory_layout_does_not_matter(name, tmp_path):
    X, y = problem()
    expected = short(name).fit(X, y).coef_
    np.save(tmp_path / "X.npy", X)
    everyother = np.repeat(X, 2, axis=0)[::2]
    for same in (np.asfortranarray(X), np.load(tmp_path / "X.npy", mmap_mode="r"), everyother, X.tolist()):
        np.testing.assert_array_equal(short(name).fit(same, y).coef_, expected)


@pytest.mark.parametrize("n_targets", [None, 3, 20])
@pytest.mark.parametrize("n_features", [17, 26, 40])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_length_of_vectors_does_not_matter(dtype, n_features, n_targets):
    """With vectors of 32 bytes, with longer ones where the processor has them, and on sparse rows."""
    X, y = problem(n_features=n_features, n_targets=n_targets)
    X, y = X.astype(dtype), y.astype(dtype)
    lengths = [False, True] if use_wide_vectors(True) else [False]
    coefs = []
    try:
        for wide in lengths:
            use_wide_vectors(wide)
            coefs.append(short("no standardize").fit(X, y).coef_)
    finally:
        use_wide_vectors(True)
    coefs.append(short("no standardize").fit(sparse.csr_matrix(X), y).coef_)
    # some ten steps on sums in another order
    tolerance = 1e-10 if dtype == np.float64 else 1e-3
    for coef in coefs[1:]:
        np.testing.assert_allclose(coef, coefs[0], rtol=tolerance, atol=tolerance)


@each_configuration
def test_sparse_containers_and_indices_do_not_matter(name):
    X, y = problem()
    csr = sparse.csr_matrix(X)
    expected = short(name).fit(csr, y).coef_
    wide = sparse.csr_matrix(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    mixed = sparse.csr_matrix(X)
    mixed.indptr = mixed.indptr.astype(np.int64)
    for same in (csr.tocsc(), csr.tocoo(), sparse.csr_array(X), wide, mixed):
        np.testing.assert_array_equal(short(name).fit(same, y).coef_, expected)


@each_configuration
def test_sparse_and_dense_agree_in_the_same_units(name):
    X, y = problem()
    # without an intercept neither is centred, but the units differ unless every entry is stored as nonzero
    dense = short(name, standardize=False).fit(X, y)
    csr = short(name, standardize=False).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(dense.coef_, csr.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dense.intercept_, csr.intercept_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dense.loss_curve_, csr.loss_curve_, rtol=1e-10)


@each_configuration
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_several_targets_are_fitted_as_one_by_one(name, container):
    X, Y = problem(n_targets=3)
    together = short(name).fit(container(X), Y)
    assert together.coef_.shape == (3, 4)
    assert together.intercept_.shape == (3,)
    assert together.predict(X).shape == Y.shape
    for k in range(3):
        alone = short(name).fit(container(X), Y[:, k])
        np.testing.assert_allclose(together.coef_[k], alone.coef_, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(together.intercept_[k], alone.intercept_, rtol=1e-9, atol=1e-12)


# The kernel takes targets in vectors of 4 (float64) or 8 (float32) and in pairs of these, features and rows 8, 4, 2 and
# 1 at a time, and the rows of a chunk and of a basis 32 at a time.
@pytest.mark.parametrize("n_targets", [2, 4, 5, 8, 13, 16, 29])
@pytest.mark.parametrize("n_features", [1, 7, 8, 17])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_any_number_of_targets_together_is_as_many_alone(n_targets, n_features, dtype, rtol):
    rng = np.random.default_rng(n_targets)
    X, Y = problem(n_rows=75, n_features=n_features, n_targets=n_targets)
    X, weight = (X + 1).astype(dtype), rng.uniform(0.5, 2, size=75)

    def fit(y):
        model = RMSpropRegressor(max_iter=2, tol=None, batch_size=37, random_state=0)
        return model.fit(X, y, sample_weight=weight)

    together, alone = fit(Y), [fit(y) for y in Y.T]
    np.testing.assert_allclose(together.coef_, [model.coef_ for model in alone], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(together.intercept_, [model.intercept_ for model in alone], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(together.loss_curve_, np.mean([model.loss_curve_ for model in alone], axis=0), rtol=rtol)


@pytest.mark.parametrize("n_targets", [5, 19])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-9), (np.float32, 1e-3)])
def test_any_number_of_targets_share_whitened_coordinates(n_targets, dtype, rtol):
    X, Y = problem(n_rows=120, n_features=39, n_targets=n_targets)
    X = X.astype(dtype)

    def fit(y):
        return RMSpropRegressor(max_iter=1, tol=None, batch_size=30, whiten=True, random_state=0).fit(X, y)

    together, alone = fit(Y), [fit(y) for y in Y.T]
    assert together._coordinates.basis is not None
    np.testing.assert_allclose(together.coef_, [model.coef_ for model in alone], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(together.intercept_, [model.intercept_ for model in alone], rtol=rtol, atol=rtol)


@each_configuration
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_float32_stays_float32_and_near_float64(name, container):
    X, y = problem()
    X = X.astype(np.float32)
    single, double = short(name).fit(container(X), y), short(name).fit(container(X.astype(np.float64)), y)
    assert single.coef_.dtype == single.intercept_.dtype == single.predict(container(X)).dtype == np.float32
    assert double.coef_.dtype == np.float64
    # 10 steps that each add, and amplify somewhat, a few roundings of 6e-8
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-4)


# An elastic net in other units has another `l1_ratio`, which rounding does not let be the same.
SCALABLE = [
    name
    for name, parameters in CONFIGURATIONS.items()
    if parameters.get("standardize", True) and parameters.get("penalty") != "elasticnet"
]
STANDARDIZED = [name for name, parameters in CONFIGURATIONS.items() if parameters.get("standardize", True)]


@pytest.mark.parametrize("name", SCALABLE)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize(("x_scale", "y_scale"), [(2.0**40, 2.0**-40), (2.0**-40, 2.0**40), (2.0**200, 2.0**200)])
def test_units_of_the_data_are_units_of_the_model(name, container, x_scale, y_scale):
    """From 1e-12 to 1e+60, by powers of two, so that equality is exact.

    `delta` is in units of y. `alpha` is in those of the loss per unit of the penalty, here always a squared loss.
    """
    X, y = problem()
    model = short(name)
    penalty_scale = {None: 1, "l1": x_scale * y_scale, "l2": x_scale**2}[model.penalty]
    scaled = short(name, delta=model.delta * y_scale, alpha=model.alpha * penalty_scale)
    model.fit(container(X), y)
    scaled.fit(container(X * x_scale), y * y_scale)
    np.testing.assert_array_equal(scaled.coef_, model.coef_ * (y_scale / x_scale))
    assert scaled.intercept_ == model.intercept_ * y_scale


@pytest.mark.parametrize("x_scale", [1e-12, 1e12])
@pytest.mark.parametrize("y_scale", [1e-12, 1e12])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_a_fit_is_as_good_in_any_unit(x_scale, y_scale, dtype, container):
    X, y = problem(n_rows=500)
    plain = RMSpropRegressor(random_state=0).fit(container(X.astype(dtype)), y)
    X, y = (X * x_scale).astype(dtype), y * y_scale
    scaled = RMSpropRegressor(random_state=0).fit(container(X), y)
    # 1e-3: what `tol` leaves open, should the paths part
    assert scaled.score(container(X), y) == pytest.approx(
        plain.score(container(X / dtype(x_scale)), y / y_scale), abs=1e-3
    )


@pytest.mark.parametrize("name", STANDARDIZED)
def test_the_origin_of_the_target_moves_only_the_intercept(name):
    if not CONFIGURATIONS[name].get("fit_intercept", True):
        pytest.skip("without an intercept there is nothing to move")
    X, y = problem()
    model, moved = short(name).fit(X, y), short(name).fit(X, y + 1000)
    np.testing.assert_allclose(moved.coef_, model.coef_, rtol=1e-9, atol=1e-10)
    assert moved.intercept_ == pytest.approx(model.intercept_ + 1000, rel=1e-10)


DEGENERATE = {
    "constant column": (lambda X: np.column_stack((X, np.full(len(X), 7.0))), lambda y: y),
    "large constant column": (lambda X: np.column_stack((X, np.full(len(X), 1e12 + 0.1))), lambda y: y),
    "zero column": (lambda X: np.column_stack((X, np.zeros(len(X)))), lambda y: y),
    "all zero": (np.zeros_like, lambda y: y),
    "constant target": (lambda X: X, lambda y: np.full_like(y, 1234.5)),
    "zero target": (lambda X: X, np.zeros_like),
    "one row": (lambda X: X[:1], lambda y: y[:1]),
    "two rows": (lambda X: X[:2], lambda y: y[:2]),
    "one column": (lambda X: X[:, :1], lambda y: y),
    "twice the same column": (lambda X: X[:, [0, 0]], lambda y: y),
    "more columns than rows": (lambda X: np.random.default_rng(0).normal(size=(len(X), 200)), lambda y: y),
}


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("case", DEGENERATE)
@each_configuration
def test_degenerate_data_gives_a_finite_model(name, case, container):
    X, y = problem()
    change_X, change_y = DEGENERATE[case]
    X, y = change_X(X), change_y(y)
    model = short(name).fit(container(X), y)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.predict(container(X))).all()


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_degenerate_data_by_default(container):
    X, y = problem()
    constant = np.full(len(y), 1234.5)
    np.testing.assert_array_equal(RMSpropRegressor().fit(container(X), constant).predict(X), constant)
    nothing = RMSpropRegressor(random_state=0).fit(container(np.zeros_like(X)), y)
    np.testing.assert_array_equal(nothing.coef_, np.zeros(4))
    assert nothing.intercept_ == pytest.approx(y.mean(), abs=0.05 * y.std())


@each_configuration
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_partial_fit_of_all_rows_is_an_epoch(name, container):
    """`fit` for three epochs, and three calls of `partial_fit`, are the same steps on the same rows."""
    X, y = problem()
    # in order: each call permutes the rows as they come, an epoch of `fit` permutes the last epoch's permutation
    fitted = short(name, max_iter=3, shuffle=False).fit(container(X), y)
    model = short(name, shuffle=False)
    for _ in range(3):
        model.partial_fit(container(X), y)
    np.testing.assert_allclose(model.coef_, fitted.coef_, rtol=1e-10, atol=1e-13)
    assert model.t_ == fitted.t_
    assert model.n_iter_ == fitted.n_iter_ == 3


@each_configuration
def test_partial_fit_may_change_from_dense_to_sparse_and_back(name):
    """The units are the first call's; a sparse batch has another origin, and only the intercept's path feels it."""
    X, y = problem(n_rows=600)
    X += 1
    model = RMSpropRegressor(**CONFIGURATIONS[name] | {"random_state": 0, "fit_intercept": True})
    for epoch in range(16):
        container = sparse.csr_array if epoch % 2 else np.asarray
        for start in range(0, 600, 200):
            model.partial_fit(container(X[start : start + 200]), y[start : start + 200])
    # as near to least squares as the last iterate of steps that hardly shrink comes, which is the farthest
    assert missed(model, X, y) < 0.2


def test_warm_start_continues_and_cold_start_does_not():
    X, y = problem(n_rows=500)
    model = RMSpropRegressor(batch_size=32, max_iter=1, tol=None, learning_rate=0.01, random_state=0, warm_start=True)
    losses = [model.fit(X, y).loss_curve_[0] for _ in range(4)]
    assert losses[0] > losses[1] > losses[2]
    assert model.t_ == 16
    cold = model.set_params(warm_start=False).fit(X, y).loss_curve_[0]
    assert cold == losses[0]


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_a_fit_starts_where_it_is_told(standardize, container):
    """So far from anywhere else that steps of 1e-9 do not matter."""
    X, Y = problem(n_targets=2)
    coef, intercept = np.arange(8.0).reshape(2, 4), np.array([5.0, -5.0])
    model = RMSpropRegressor(learning_rate=1e-9, max_iter=1, tol=None, standardize=standardize)
    model.fit(container(X), Y, coef_init=coef, intercept_init=intercept)
    np.testing.assert_allclose(model.coef_, coef, atol=1e-6)
    np.testing.assert_allclose(model.intercept_, intercept, atol=1e-6)


@pytest.mark.filterwarnings("ignore:Column")  # that lies far from zero, as one of two or three rows may
@pytest.mark.filterwarnings("ignore:delta=")  # of which no error of a few rows may be larger
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_rows=st.integers(1, 70),
    n_features=st.integers(1, 20),
    n_targets=st.one_of(st.none(), st.integers(1, 5)),
    batch_size=st.one_of(st.none(), st.integers(1, 80)),
    dtype=st.sampled_from([np.float32, np.float64]),
    container=st.sampled_from([np.asarray, sparse.csr_array]),
    weighted=st.booleans(),
    name=st.sampled_from(list(CONFIGURATIONS)),
)
def test_any_shape(*, seed, n_rows, n_features, n_targets, batch_size, dtype, container, weighted, name):
    rng = np.random.default_rng(seed)
    X, Y = problem(seed, n_rows=n_rows, n_features=n_features, n_targets=n_targets)
    weight = rng.integers(0, 3, size=n_rows).astype(float) if weighted else None
    if weighted:
        weight[rng.integers(n_rows)] = 1.0
    X = container(X.astype(dtype))
    model = short(name, batch_size=batch_size).fit(X, Y, sample_weight=weight)
    prediction = model.predict(X)
    n_kept = np.count_nonzero(weight) if weighted else n_rows
    assert model.t_ == 5 * -(-n_kept // (batch_size or n_kept))
    assert model.n_iter_ == 5
    assert prediction.shape == Y.shape
    assert prediction.dtype == model.coef_.dtype == dtype
    assert np.isfinite(prediction).all()
    assert np.isfinite(model.loss_curve_).all()


def test_without_momentum_no_velocity_is_kept_of_sparse_columns():
    y = np.arange(4.0)
    both, one = (sparse.csr_matrix(np.tile(row, (4, 1))) for row in ([1.0, 2.0], [1.0, 0.0]))
    model = RMSpropRegressor(schedule="constant", standardize=False, average=False, random_state=0)
    model.set_params(momentum=0.9).partial_fit(both, y)
    model.set_params(momentum=0.0).partial_fit(one, y)
    resting = model.coef_[1]
    model.set_params(momentum=0.9).partial_fit(one, y)
    assert resting != 0
    assert model.coef_[1] == resting
