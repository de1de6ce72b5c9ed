"""A few rows in place of many, where only their means and second moments matter.

With the squared error and all rows in each batch, loss and gradient depend on nothing else. So steps on any rows with
the same means and second moments are the same steps, to the last digits.
"""

from dataclasses import replace

import numpy as np

from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._statistics import is_shared, mean_weight, shares_of


def condensed(data: TrainingData) -> TrainingData:
    """Rows with the same means and second moments of columns and targets: twice as many as there are of these.

    The rows of the triangular factor of the centred rows have their second moments. Together with their negatives they
    have a mean of zero.
    """
    n_features, share = data.X.shape[1], shares_of(data.weight, data.rows)
    columns = np.hstack((data.X[data.rows], data.y[data.rows, : data.n_different - n_features]))
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
