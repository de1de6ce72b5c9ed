"""The fits that compare.py times: data sets and parameters on which a change must not make the package slower."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from data import diamonds_all_columns, diamonds_carat, gaussian, zipf_csr

from sklearn_rmsprop import RMSpropRegressor


@dataclass(frozen=True)
class Case:
    """A function that returns the data ``(X, y)``, and the parameters that differ from the defaults."""

    load: Callable
    params: dict = field(default_factory=dict)

    def fit(self, X, y, n_epochs):
        """Fit for exactly ``n_epochs`` epochs."""
        RMSpropRegressor(max_iter=n_epochs, tol=None, random_state=0, **self.params).fit(X, y)


def multi_target(n_targets):
    """Return features and several targets, which differ only in noise that is added to a common target."""
    X, y = gaussian(50_000, 50)
    return X, y[:, np.newaxis] + np.random.default_rng(0).standard_normal((len(y), n_targets))


def sparse_shared_target(n_targets):
    """Return sparse rows like those of a text, and one target as that many columns."""
    X, y = zipf_csr(4000, 15_000, 90)
    return X, np.repeat(y[:, np.newaxis], n_targets, axis=1)


CASES = {
    "54k x 1": Case(diamonds_carat),
    "54k x 26": Case(diamonds_all_columns),
    "54k x 26, batch 1": Case(diamonds_all_columns, {"batch_size": 1}),
    "200k x 50": Case(partial(gaussian, 200_000, 50)),
    "200k x 50 float32": Case(partial(gaussian, 200_000, 50, np.float32)),
    "5k x 2000": Case(partial(gaussian, 5000, 2000)),
    "CSR 60k x 50k": Case(partial(zipf_csr, 60_000, 50_000, 33)),
    "CSR 4k x 15k, 12 targets, L2": Case(partial(sparse_shared_target, 12), {"penalty": "l2", "batch_size": 32}),
    "50k x 50, 16 targets, batch 256": Case(partial(multi_target, 16), {"batch_size": 256}),
}
