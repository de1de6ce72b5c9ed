"""Whether a fitted model is one that its rows do not determine."""

from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._statistics import mean_weight, moments_of, sparse_moments

# With fewer rows than columns, a model whose predictions for new rows vary more than the target is mostly worse than
# the target's mean: fits with an R2 below -0.5 had 1.2 to 98, those with an R2 above it up to 1.
ARBITRARY_SPREAD = 1.0


def arbitrary_spread(data: TrainingData, coef: np.ndarray) -> float | None:
    """How many times as much as the target predictions for new rows vary, if that tells of an arbitrary model, or None.

    Arbitrary are large models where there are fewer rows than columns.
    """
    if len(data.rows) >= data.X.shape[1]:
        return None
    spread = float(prediction_spread(data, coef).max())
    return spread if spread > ARBITRARY_SPREAD else None


def prediction_spread(data: TrainingData, coef: np.ndarray) -> np.ndarray:
    """How many times as much as each target a model's predictions for new rows vary, if the columns are independent.

    The sum over the columns of the squared coefficient times the variance, over the variance of the target. `coef` has
    the shape (n_features, n_targets).
    """
    X: Any = data.X
    y, weight, rows = data.y, data.weight, data.rows
    relative = weight / mean_weight(weight, rows) if isinstance(weight, np.ndarray) else None
    x_sd = sparse_moments(X, rows, relative)[1] if sparse.issparse(X) else moments_of(X, rows, relative)[1]
    y_sd = moments_of(y, rows, relative)[1]
    with np.errstate(over="ignore"):
        relative_sd = np.divide(coef * x_sd[:, np.newaxis], y_sd, out=np.zeros(coef.shape), where=y_sd > 0)
        return (relative_sd**2).sum(axis=0)
