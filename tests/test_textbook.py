"""The estimator follows the reference step by step.

Rounding differences grow while coordinates oscillate about their optimum, by half and more a step,
so every run here ends during the approach: its optimum is further away than its steps reach. There
two sums in different order stay as close as they were, and 1e-10 leaves four digits of room.
"""

import math

import numpy as np
import pytest
from configurations import LIKE_DEFAULTS, TEXTBOOK
from reference import assert_model, follow_epochs
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor

N_STEPS = 36
N_FEATURES = 6
EPS32 = np.finfo(np.float32).eps


def shrinking_rates(t):
    return 0.02 / t**0.25


# What each run changes in the textbook's settings with rate 0.01 and decay 0.9.
CASES = {
    "textbook": {},
    "decay 0.99": {"decay_rate": 0.99},
    "decay 0": {"decay_rate": 0.0},
    "large epsilon": {"epsilon": 0.5, "learning_rate": 0.03},
    "momentum": {"momentum": 0.9, "learning_rate": 0.002},
    "centered": {"centered": True},
    "centered, momentum": {"centered": True, "momentum": 0.5, "decay_rate": 0.99},
    "bias correction": {"bias_correction": True},
    "bias correction, centered": {"bias_correction": True, "centered": True},
    "bias correction, decay 0.99, average": {"bias_correction": True, "decay_rate": 0.99, "average": True},
    "auto decay": {"decay_rate": "auto"},
    "auto decay, bias correction": {"decay_rate": "auto", "bias_correction": True},
    "auto decay, all else": {
        "decay_rate": "auto",
        "bias_correction": True,
        "centered": True,
        "momentum": 0.7,
        "average": True,
        "schedule": "invsqrt",
    },
    "average": {"average": True},
    "average, momentum": {"average": True, "momentum": 0.8, "learning_rate": 0.003},
    "invsqrt": {"schedule": "invsqrt"},
    "callable schedule": {"schedule": shrinking_rates},
    "callable schedule, momentum": {"schedule": shrinking_rates, "momentum": 0.5},
    "no intercept": {"fit_intercept": False},
    "defaults": LIKE_DEFAULTS,
}
BATCH_SIZES = [1, 3, 7, 32, None]


def csr_int64(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def csr_unsorted(X):
    X = sparse.csr_array(X)
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        X.indices[start:stop] = X.indices[start:stop][::-1].copy()
        X.data[start:stop] = X.data[start:stop][::-1].copy()
    X.has_sorted_indices = False
    return X


def csr_explicit_zeros(X):
    """Store every entry."""
    n_rows, n_features = X.shape
    indices = np.tile(np.arange(n_features), n_rows)
    indptr = np.arange(n_rows + 1) * n_features
    return sparse.csr_array((X.ravel(), indices, indptr), shape=X.shape)


def csr_duplicates(X):
    """Store every entry as the sum of two."""
    X = sparse.csr_array(X)
    data = np.stack([0.25 * X.data, 0.75 * X.data], axis=1).ravel()
    return sparse.csr_array((data, X.indices.repeat(2), 2 * X.indptr), shape=X.shape)


CONTAINERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "CSR, 32-bit": sparse.csr_array,
    "CSR, 64-bit": csr_int64,
    "CSR, unsorted": csr_unsorted,
    "CSR, explicit zeros": csr_explicit_zeros,
    "CSR, duplicates": csr_duplicates,
}


@pytest.fixture(scope="module")
def problem():
    """23 rows, half of their entries 0, one row and one column all 0; three targets; weights."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(23, N_FEATURES)) * (rng.random((23, N_FEATURES)) < 0.5)
    X[5] = 0.0
    X[:, 4] = 0.0
    coef = 10.0 + 5.0 * rng.random((N_FEATURES, 3))
    coef *= rng.choice([-1, 1], size=coef.shape)
    Y = X @ coef + [20.0, -15.0, 10.0] + rng.normal(size=(23, 3))
    weight = rng.integers(0, 4, size=23) / 3
    return X, Y, weight


def n_epochs_for(n_rows, batch_size):
    """Return the epochs that hold about N_STEPS steps, and the steps in each."""
    steps_per_epoch = math.ceil(n_rows / (batch_size or n_rows))
    return math.ceil(N_STEPS / steps_per_epoch), steps_per_epoch


def parameters(case, batch_size, **changes):
    base = {**TEXTBOOK, "learning_rate": 0.01, "decay_rate": 0.9, "batch_size": batch_size}
    return {**base, **CASES[case], **changes}


@pytest.mark.parametrize("batch_size", BATCH_SIZES)
@pytest.mark.parametrize("case", CASES)
def test_every_epoch_follows_the_reference(problem, case, batch_size):
    X, Y, _ = problem
    y = Y[:, 0]
    epochs, steps_per_epoch = n_epochs_for(len(X), batch_size)
    params = parameters(case, batch_size)
    path = follow_epochs(X, y, params, epochs)

    model = RMSpropRegressor(**params)
    for epoch in range(1, epochs + 1):
        model.partial_fit(X, y)
        assert_model(model, path.coef[epoch], path.intercept[epoch])
        assert model.t_ == epoch * steps_per_epoch

    model = RMSpropRegressor(**params, max_iter=epochs).fit(X, y)
    assert_model(model, path.coef[-1], path.intercept[-1])
    assert model.n_iter_ == epochs
    assert model.t_ == epochs * steps_per_epoch


@pytest.mark.parametrize("batch_size", [3, None])
@pytest.mark.parametrize("case", CASES)
def test_weights_targets_and_containers_follow_the_reference(problem, case, batch_size):
    X, Y, weight = problem
    epochs, steps_per_epoch = n_epochs_for(np.count_nonzero(weight), batch_size)
    params = parameters(case, batch_size)
    path = follow_epochs(X, Y, params, epochs, weight)
    for container in CONTAINERS.values():
        model = RMSpropRegressor(**params, max_iter=epochs).fit(container(X), Y, sample_weight=weight)
        assert_model(model, path.coef[-1], path.intercept[-1])
        assert model.t_ == epochs * steps_per_epoch
    if batch_size == 3:
        for name in ("C", "CSR, 32-bit"):
            model = RMSpropRegressor(**params)
            for _ in range(epochs):
                model.partial_fit(CONTAINERS[name](X), Y, sample_weight=weight)
            assert_model(model, path.coef[-1], path.intercept[-1])


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("container", ["C", "CSR, 32-bit"])
def test_schedules_that_end_at_zero(problem, container, schedule):
    X, Y, _ = problem
    params = parameters("textbook", 7, schedule=schedule)
    path = follow_epochs(X, Y, params, epochs=9)
    model = RMSpropRegressor(**params, max_iter=9).fit(CONTAINERS[container](X), Y)
    assert_model(model, path.coef[-1], path.intercept[-1])


@pytest.mark.parametrize("container", ["C", "CSR, 32-bit"])
@pytest.mark.parametrize("case", ["textbook", "centered, momentum", "defaults"])
def test_start_at_given_coefficients(problem, case, container):
    X, Y, weight = problem
    start = {
        "coef_init": np.arange(3 * N_FEATURES).reshape(3, N_FEATURES) / 10,
        "intercept_init": np.array([-1.0, 2.0, 3.0]),
    }
    params = parameters(case, 3)
    path = follow_epochs(X, Y, params, 4, weight, **start)
    model = RMSpropRegressor(**params, max_iter=4)
    model.fit(CONTAINERS[container](X), Y, sample_weight=weight, **start)
    assert_model(model, path.coef[-1], path.intercept[-1])


@pytest.mark.parametrize("container", ["C", "CSR, 32-bit"])
@pytest.mark.parametrize("case", CASES)
def test_float32_follows_the_reference(problem, case, container):
    X, Y, weight = problem
    X = X.astype(np.float32)
    params = parameters(case, 7)
    epochs, _ = n_epochs_for(np.count_nonzero(weight), 7)
    path = follow_epochs(X, Y, params, epochs, weight)
    model = RMSpropRegressor(**params, max_iter=epochs).fit(CONTAINERS[container](X), Y, weight)
    assert model.coef_.dtype == np.float32
    # About ten operations a step, each rounded to half a unit in the last place; N_STEPS of them.
    assert_model(model, path.coef[-1], path.intercept[-1], rtol=5 * N_STEPS * EPS32)


def test_every_case_has_a_path_of_its_own(problem):
    # Otherwise an option without effect would pass for one that is right.
    X, Y, weight = problem
    ends = {}
    for case in CASES:
        path = follow_epochs(X, Y, parameters(case, 7), 9, weight)
        ends[case] = np.append(path.coef[-1].ravel(), path.intercept[-1])
    for case, end in ends.items():
        for other in list(ends)[: list(ends).index(case)]:
            assert np.abs(end - ends[other]).max() > 1e-4 * np.abs(end).max(), (case, other)


def test_reference_is_stable_in_every_case(problem):
    # The premise of this module: runs this short do not amplify a change of the data.
    X, Y, weight = problem
    change = 1e-9 * np.random.default_rng(0).normal(size=Y.shape)
    for case in CASES:
        for batch_size in BATCH_SIZES:
            params = parameters(case, batch_size)
            epochs, _ = n_epochs_for(len(X), batch_size)
            path = follow_epochs(X, Y, params, epochs, weight)
            other = follow_epochs(X, Y + change, params, epochs, weight)
            assert np.abs(path.coef - other.coef).max() < 1e-7, (case, batch_size)


def standardisable(problem):
    """Give columns and targets scales and offsets; column 4 becomes constant."""
    X, Y, weight = problem
    X = X * [1e-3, 1.0, 1e3, 1.0, 1.0, 1e6] + [0.01, -5.0, 1e3, 100.0, 4.0, 0.0]
    return X, Y * [1e-3, 1.0, 1e4] + [0.02, -40.0, 0.0], weight


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("batch_size", [3, 7, None])
@pytest.mark.parametrize("case", CASES)
def test_standardize_is_the_textbook_on_standardised_data(problem, case, batch_size, order):
    X, Y, weight = standardisable(problem)
    epochs, _ = n_epochs_for(np.count_nonzero(weight), batch_size)
    # Smaller steps: standardised, the optimum is about 1 away.
    params = parameters(case, batch_size, standardize=True)
    params["learning_rate"] /= 5
    path = follow_epochs(X, Y, params, epochs, weight)
    coef, intercept = path.coef[-1], path.intercept[-1]
    if batch_size is None and params.get("fit_intercept", True):
        # All residuals of standardised data sum to 0. The reference sees what rounding leaves of
        # them, and RMSprop would make whole steps of that; the package must not.
        mean = np.average(X, axis=0, weights=weight)
        intercept = np.average(Y, axis=0, weights=weight) - coef @ mean
    model = RMSpropRegressor(**params, whiten=False, max_iter=epochs)
    model.fit(np.asarray(X, order=order), Y, sample_weight=weight)

    # In units in which the algorithm works; columns and targets differ by many powers of ten.
    x_scale, y_scale = np.array([1e-3, 1, 1e3, 1, 4, 1e6]), np.array([1e-3, 1, 1e4])
    coef_scale = y_scale[:, np.newaxis] / x_scale
    expected = coef / coef_scale
    atol = 1e-10 * np.abs(expected).max()
    np.testing.assert_allclose(model.coef_ / coef_scale, expected, rtol=0, atol=atol)
    predictions = (X @ coef.T + intercept) / y_scale
    np.testing.assert_allclose(model.predict(X) / y_scale, predictions, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("container", ["CSR, 32-bit", "CSR, unsorted", "CSR, explicit zeros"])
@pytest.mark.parametrize("batch_size", [3, 7])
@pytest.mark.parametrize("case", ["textbook", "centered, momentum", "no intercept", "defaults"])
def test_standardize_sparse_is_the_textbook_on_scaled_data(problem, case, batch_size, container):
    X, Y, weight = problem
    X = X * [1e-3, 1.0, 1e3, 1.0, 1.0, 1e6]
    epochs, _ = n_epochs_for(np.count_nonzero(weight), batch_size)
    params = parameters(case, batch_size, standardize=True)
    params["learning_rate"] /= 5
    path = follow_epochs(X, Y, params, epochs, weight, sparse=True)
    model = RMSpropRegressor(**params, max_iter=epochs)
    model.fit(CONTAINERS[container](X), Y, sample_weight=weight)
    predictions = X @ path.coef[-1].T + path.intercept[-1]
    np.testing.assert_allclose(model.predict(X), predictions, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("value", [0.1, 1234.5])
@pytest.mark.parametrize("batch_size", [7, None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_does_not_move_the_coefficient_of_a_constant_column(problem, dtype, batch_size, value):
    # Its gradient is 0 but for rounding, of which RMSprop would make whole steps.
    X, Y, weight = problem
    X = X.astype(dtype)
    X[:, 4] = value
    params = parameters("defaults", batch_size, standardize=True)
    model = RMSpropRegressor(**params, max_iter=100).fit(X, Y, sample_weight=weight)
    assert np.abs(model.coef_[:, 4] * value).max() <= 10 * np.finfo(dtype).eps * Y.std()


@pytest.mark.parametrize("case", ["textbook", "defaults"])
def test_standardize_with_given_start(problem, case):
    X, Y, weight = standardisable(problem)
    y = Y[:, 1]
    start = {"coef_init": np.array([1.0, 2.0, 0.01, -1.0, 0.5, 1e-6]), "intercept_init": 3.0}
    params = parameters(case, 7, standardize=True)
    path = follow_epochs(X, y, params, 5, weight, **start)
    model = RMSpropRegressor(**params, max_iter=5).fit(X, y, sample_weight=weight, **start)
    expected = X @ path.coef[-1] + path.intercept[-1]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-10)


@pytest.mark.parametrize("container", ["C", "CSR, 64-bit"])
@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("average", [True, False])
def test_loss_curve_is_the_loss_of_the_reported_iterate_after_each_epoch(problem, average, batch_size, container):
    X, Y, weight = problem
    params = parameters("textbook", batch_size, learning_rate=0.001, average=average)
    epochs = 10
    path = follow_epochs(X, Y, params, epochs, weight)
    expected = []
    for epoch in range(1, epochs + 1):
        errors = X @ path.coef[epoch].T + path.intercept[epoch] - Y
        expected.append(np.average((errors**2).mean(axis=1) / 2, weights=weight))
    model = RMSpropRegressor(**params, max_iter=epochs)
    model.fit(CONTAINERS[container](X), Y, sample_weight=weight)
    np.testing.assert_allclose(model.loss_curve_, expected, rtol=1e-10)


@pytest.mark.parametrize("container", ["C", "CSR, 32-bit"])
@pytest.mark.parametrize("standardize", [False, True])
def test_full_batch_does_not_depend_on_the_order_of_rows(problem, standardize, container):
    X, Y, weight = problem
    # Centred columns: from the standardised start, only rounding could move the intercept.
    X = X - np.average(X, axis=0, weights=weight)
    params = parameters("defaults", None, standardize=standardize, shuffle=True)
    models = [
        RMSpropRegressor(**params, max_iter=N_STEPS, random_state=seed).fit(
            CONTAINERS[container](X), Y, sample_weight=weight
        )
        for seed in range(5)
    ]
    for model in models[1:]:
        assert_model(model, models[0].coef_, models[0].intercept_)


@pytest.mark.parametrize("container", ["C", "CSR, 32-bit"])
def test_centered_clamps_a_variance_rounded_below_zero(container):
    # Constant gradients: the moving averages of g ** 2 and g both arrive, and their difference is
    # rounding. Epsilon of the gradients' size keeps that rounding small in the step.
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(20, 40)), rng.normal(size=(20, 40))
    params = parameters("centered", None, learning_rate=1e-9, epsilon=1.0)
    path = follow_epochs(X, Y, params, 1500)
    model = RMSpropRegressor(**params, max_iter=1500).fit(CONTAINERS[container](X), Y)
    assert np.isfinite(model.coef_).all()
    # sqrt of the rounding, against epsilon.
    assert_model(model, path.coef[-1], path.intercept[-1], rtol=1e-6)
