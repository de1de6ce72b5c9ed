"""Mini-batches by rule: their size, and rows of outlying norm, which are in every batch."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LinearRegression

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop._batches import MOST_CERTAIN, choose_batch_size, outlying_rows
from sklearn_rmsprop._data import validate_training
from sklearn_rmsprop._engine import coordinates_of, measure, pose, run, start
from sklearn_rmsprop._problem import make_problem
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import seed_generator

every_container = pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])


def excess(model, X, y):
    """Return the excess loss of a model, relative to least squares and the null loss."""
    best = np.mean((y - LinearRegression().fit(X, y).predict(X)) ** 2)
    return (np.mean((y - model.predict(X)) ** 2) - best) / (np.var(y) - best)


def leverage(distance, seed=0, n_rows=5000):
    """Return data with one row that is far off in all columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 8))
    X[17] += distance
    return X, X @ rng.normal(size=8) + 3 * rng.normal(size=n_rows)


def log_normal(sigma, linear, seed=0, n_rows=5000):
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(n_rows, 8))
    X = np.exp(sigma * Z)
    signal = X @ rng.normal(size=8) / X.std() if linear else Z.sum(axis=1)
    return X, signal + rng.normal(size=n_rows)


def wrong_records(seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2892, 1))
    y = -0.2 * X[:, 0] + 0.97 * rng.normal(size=2892)
    X[:3, 0] += 20
    y[:3] += 35
    return X, y


def heavy_tails(seed=0, n_rows=5000):
    rng = np.random.default_rng(seed)
    X = rng.standard_t(2, (n_rows, 8))
    return X, X @ rng.normal(size=8) + X.std() * rng.normal(size=n_rows)


OUTLYING = {
    "leverage 40": lambda seed: leverage(40, seed),
    "leverage 1000": lambda seed: leverage(1000, seed),
    "log-normal 1, linear": lambda seed: log_normal(1, True, seed),
    "log-normal 2, linear": lambda seed: log_normal(2, True, seed),
    "log-normal 3, linear": lambda seed: log_normal(3, True, seed),
    "log-normal 1, in the logarithms": lambda seed: log_normal(1, False, seed),
    "log-normal 2, in the logarithms": lambda seed: log_normal(2, False, seed),
    "wrong records": wrong_records,
    "t(2) columns": heavy_tails,
}


@pytest.mark.parametrize("name", OUTLYING)
def test_rows_that_outweigh_their_batch_do_no_harm(name):
    for seed in range(3):
        X, y = OUTLYING[name](seed)
        assert excess(RMSpropRegressor(random_state=seed).fit(X, y), X, y) < 1e-3


@every_container
def test_one_huge_weight(container):
    X, y = leverage(0)
    weight = np.ones(len(y))
    weight[3] = 1e4
    model = RMSpropRegressor(random_state=0).fit(container(X), y, sample_weight=weight)
    exact = LinearRegression().fit(X, y, sample_weight=weight)

    def loss(fitted):
        return np.average((y - fitted.predict(X)) ** 2, weights=weight)

    null = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)
    assert (loss(model) - loss(exact)) / (null - loss(exact)) < 1e-3


@pytest.mark.parametrize(("container", "limit"), [(np.asarray, 1e-3), (sparse.csr_array, 5e-3)], ids=["dense", "CSR"])
def test_a_stream_takes_those_of_each_call(container, limit):
    """In the other calls the row is missing, and the model moves away from it; plain batches end at twice as much."""
    X, y = leverage(300)
    model = RMSpropRegressor(random_state=0)
    for _ in range(8):
        for first in range(0, len(X), 500):
            model.partial_fit(container(X[first : first + 500]), y[first : first + 500])
    assert excess(model, X, y) < limit


def trained(X, y, weight=None, **parameters):
    """Return the rows that are in every batch, the problem and the coordinates."""
    settings = Settings.of(vars(RMSpropRegressor(**parameters)))
    data = validate_training(RMSpropRegressor(), X, y, weight, dtype=(np.float64, np.float32), reset=True)
    coordinates = coordinates_of(measure(data, settings), data, settings)
    return outlying_rows(data, coordinates, with_target=True), pose(data, coordinates, settings), coordinates


def test_which_rows_they_are():
    X, y = leverage(0)
    assert len(trained(X, y)[0]) == 0
    X[[5, 900]] *= 30
    y[2000] += 1e3
    assert trained(X, y)[0].tolist() == [5, 900, 2000]
    X[::60] = 20 * np.sign(X[::60])  # at most so many, those of the largest norm
    assert len(trained(X, y)[0]) == MOST_CERTAIN
    weight = np.ones(len(y))
    weight[7] = 1e4
    assert trained(*leverage(0), weight)[0].tolist() == [7]


@every_container
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
def test_the_gradient_stays_unbiased(container, weighted):
    """With all drawn rows in the batch it is that of all rows: the step is that of batch_size=None."""
    X, y = leverage(50, n_rows=600)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=600) if weighted else None
    states = []
    for certain in (True, False):
        settings = Settings.of(vars(RMSpropRegressor(batch_size="auto" if certain else None)))
        data = validate_training(RMSpropRegressor(), container(X), y, weight, dtype=(np.float64,), reset=True)
        coordinates = coordinates_of(measure(data, settings), data, settings)
        problem = pose(data, coordinates, settings)
        if certain:
            assert problem.rows.n_drawn < 600
            batches = replace(problem.batches, size=problem.rows.n_drawn)
            problem = make_problem(data, coordinates, settings.objective, batches, fit_intercept=True, shuffle=True)
        state = start(data, coordinates, settings, seed_generator(np.random.RandomState(0)))
        for _ in range(5):
            state, _ = run(problem, state, settings, n_steps=1)
        states.append(state)
    # roundings of gradients summed in another order
    np.testing.assert_allclose(states[0].coef, states[1].coef, rtol=1e-9, atol=1e-12)


def test_a_number_or_none_gives_plain_batches():
    X, y = leverage(300)
    for batch_size in (32, 100):
        assert trained(X, y, batch_size=batch_size)[1].rows.n_drawn == len(y)
    problem = trained(X, y, batch_size=None)[1]
    assert problem.batches.certain is None
    assert problem.batches.reported_size == len(y)
    assert trained(X, y)[1].rows.n_drawn == len(y) - 1


def test_the_size_by_rule():
    sizes = {
        (1, 100_000): 32,
        (50, 100_000): 32,
        (51, 100_000): 64,
        (100, 100_000): 64,
        (101, 100_000): 128,
        (200, 100_000): 256,
        (256, 100_000): 256,
        (256, 3000): 128,
        (256, 800): 32,
        (256, None): 256,  # in a stream the number of rows of a call does not matter
    }
    for (n_features, n_rows), size in sizes.items():
        assert choose_batch_size(n_features, is_whitened=True, n_rows=n_rows) == size
        assert choose_batch_size(n_features, is_whitened=False, n_rows=n_rows) == 32
