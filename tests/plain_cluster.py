"""A cluster without processes: functions of blocks are called at once, in this process, which is fast to test."""

import pickle

import numpy as np
from sklearn.utils import check_random_state

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._partitions import validate_partition
from sklearn_rmsprop._rounds import describe_partitions, make_blocks_problem
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import seed_generator


class PlainCluster:
    """Calls functions at once: a handle is the result itself. Counts the calls by name."""

    def __init__(self):
        self.calls = {}

    def submit(self, function, *arguments, home=None):
        self.calls[function.__name__] = self.calls.get(function.__name__, 0) + 1
        return function(*arguments)

    def map(self, function, *arguments):
        return [self.submit(function, *each) for each in zip(*arguments, strict=True)]

    def gather(self, handles):
        return list(handles)


class PicklingCluster(PlainCluster):
    """As between processes: every argument and result is pickled, and its arrays come back read-only and misaligned."""

    def submit(self, function, *arguments, home=None):
        return travel(super().submit(function, *travel(arguments)))


def travel(value):
    """What arrives of a value that is sent elsewhere."""
    buffers = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(pickled, buffers=[memoryview(b"-" + buffer.raw().tobytes())[1:] for buffer in buffers])


def split(n_parts, X, y, sample_weight=None):
    """The rows as so many partitions of neighbouring rows, of unequal length."""
    cuts = np.linspace(0, 1, n_parts + 1)[1:-1] ** 1.1
    rows = np.split(np.arange(len(y)), (cuts * len(y)).astype(int))
    weights = [None if sample_weight is None else sample_weight[part] for part in rows]
    return [(X[part], y[part], weight) for part, weight in zip(rows, weights, strict=True)]


def problem_of_partitions(cluster, partitions, settings, *, n_blocks, exchange=True, seed=0):
    """Validate partitions, and pose the problem of fitting their rows in blocks."""
    validated = cluster.map(validate_partition, range(len(partitions)), *zip(*partitions, strict=True))
    handles, described = describe_partitions(cluster, validated, settings)
    return make_blocks_problem(cluster, handles, described, settings, n_blocks=n_blocks, exchange=exchange, seed=seed)


def fit_blocks(partitions, *, n_blocks, exchange=True, cluster=None, random_state=0, **parameters):
    """A fitted model with `coef_`, `intercept_`, `n_iter_` and the number of rounds, from rows in partitions."""
    model = RMSpropRegressor(random_state=random_state, **parameters)
    settings = Settings.of(model.get_params())
    problem = problem_of_partitions(
        cluster or PlainCluster(), partitions, settings, n_blocks=n_blocks, exchange=exchange, seed=random_state
    )
    generator = seed_generator(check_random_state(random_state))
    state = engine.start(problem.sample, problem.coordinates, settings, generator)
    state, history, model.reason = engine.train(problem, state, settings)
    model._set_fitted(problem.coordinates, state, history, flat=problem.data.flat)
    model.n_features_in_, model.n_rounds, model.problem = problem.sample.X.shape[1], len(history.epochs), problem
    return model
