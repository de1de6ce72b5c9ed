"""Record models of the installed version in data/models/<version>/, for later versions to load.

Not a test: run it at a release, ``python tests/record_models.py``.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
from scipy import sparse

import sklearn_rmsprop
from sklearn_rmsprop import RMSpropRegressor

MODELS = Path(__file__).parent / "data" / "models"

# What differs in the stored arrays: the type of X, the number of targets, and the moments and penalties in use.
CONFIGURATIONS = {
    "dense": ({}, np.asarray, np.float64, 1),
    "float32": ({"momentum": 0.5, "centered": True}, np.asarray, np.float32, 1),
    "targets": ({"loss": "huber"}, np.asarray, np.float64, 2),
    "sparse_l1": ({"penalty": "l1", "alpha": 0.01}, sparse.csr_matrix, np.float64, 1),
}


def make_data(dtype, n_targets):
    """Draw a small problem: rows to fit, and rows to go on with."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5)) * (rng.random((80, 5)) < 0.7)
    Y = X @ rng.normal(size=(5, n_targets)) + 0.1 * rng.normal(size=(80, n_targets)) + 1
    return X.astype(dtype), Y[:, 0] if n_targets == 1 else Y


def record(folder):
    """Write each model with its predictions, before and after it has learned more rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (parameters, container, dtype, n_targets) in CONFIGURATIONS.items():
        X, y = make_data(dtype, n_targets)
        model = RMSpropRegressor(random_state=0, max_iter=20, tol=None, **parameters)
        model.fit(container(X[:40]), y[:40]).partial_fit(container(X[40:60]), y[40:60])
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model, protocol=5))
        before = model.predict(container(X))
        after = model.partial_fit(container(X[60:]), y[60:]).predict(container(X))
        is_sparse = container is not np.asarray
        np.savez(folder / f"{name}.npz", X=X, y=y, before=before, after=after, is_sparse=is_sparse)


if __name__ == "__main__":
    record(Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS / sklearn_rmsprop.__version__)
