"""A few rows in place of many, where only their means and second moments matter.

With the squared error and all rows in each batch, loss and gradient depend on nothing else. So steps on any rows with
the same means and second moments are the same steps, to the last digits.
"""

from dataclasses import replace

import numpy as np
from scipy import sparse

from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._statistics import is_shared, mean_weight, shares_of

# Condensing takes 2 k^2 operations a row, with k columns and targets, and a step 4 per column: more columns than this,
# or than there may be steps, take longer.
MOST_COLUMNS = 200


def can_be_condensed(data: TrainingData, settings: Settings) -> bool:
    """Whether fewer rows can stand for these, if all are in each batch, and whether that saves time.

    Not rows of float32, in which other rows would be rounded, far from zero.
    """
    if sparse.issparse(data.X) or data.X.dtype != np.float64 or not settings.objective.kind.quadratic:
        return False
    n_columns = data.X.shape[1] + _n_different(data.y)
    return 2 * n_columns < len(data.rows) and n_columns <= min(MOST_COLUMNS, settings.max_iter)


def condensed(data: TrainingData) -> TrainingData:
    """Rows with the same means and second moments of columns and targets: twice as many as there are of these.

    The rows of the triangular factor of the centred rows have their second moments. Together with their negatives they
    have a mean of zero.
    """
    n_features, share = data.X.shape[1], shares_of(data.weight, data.rows)
    columns = np.hstack((data.X[data.rows], data.y[data.rows, : _n_different(data.y)]))
    mean = share @ columns
    triangle = np.linalg.qr((columns - mean) * np.sqrt(share)[:, np.newaxis], mode="r") * np.sqrt(columns.shape[1])
    rows = np.vstack((triangle, -triangle)) + mean
    X, y = np.ascontiguousarray(rows[:, :n_features]), np.ascontiguousarray(rows[:, n_features:])
    return replace(
        data,
        X=X,
        y=np.broadcast_to(y, (len(rows), data.y.shape[1])) if is_shared(data.y) else y,
        weight=mean_weight(data.weight, data.rows),
        rows=np.arange(len(rows), dtype=np.uint32),
    )


def _n_different(y: np.ndarray) -> int:
    """How many of the targets differ: a column that is broadcast to several is one."""
    return 1 if is_shared(y) else y.shape[1]
