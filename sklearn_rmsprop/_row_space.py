"""The coordinates of a fit of fewer rows than columns: the directions in which the rows differ.

Many models then fit the rows equally well. Gradient descent from zero ends at the one of least norm, because each
gradient is a combination of the rows. RMSprop divides each column's gradient by a size of its own: so it leaves these
directions, and ends at a model with larger coefficients, which predicts new rows worse. With the principal components
of the rows as coordinates it cannot leave them. And however many columns there are, a step takes only n^2 operations.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop._batches import MOST_ROWS_OF_SPACE
from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import shares_of
from sklearn_rmsprop._whitening import NULL_SHARE

# Where directions of the rows are lost to rounding, their variance must be below this share of the L2 penalty.
LOST_TO_PENALTY = 1e-3


@dataclass(frozen=True)
class RowSpace:
    """The rows of a fit in the coordinates of their principal components, and the way back.

    Attributes
    ----------
    columns : Coordinates
        Those of the columns of X, without a basis.
    data : TrainingData
        The rows in the coordinates of the components. Its X is (n_rows, n_components).
    coordinates : Coordinates
        Those of the components.
    mean : (n_features,), or 0
        The origin of the columns.
    rows : (n_rows, n_features)
        The centred rows, divided by `metric`.
    metric : (n_features,)
    combinations : (n_rows, n_components)
        The components as combinations of `rows`.
    """

    columns: Coordinates
    data: TrainingData
    coordinates: Coordinates
    mean: np.ndarray | float
    rows: np.ndarray
    metric: np.ndarray
    combinations: np.ndarray

    def of_rows(self, data: TrainingData) -> TrainingData:
        """Other rows in the coordinates of the components."""
        X: Any = data.X
        relative = ((X.toarray() if sparse.issparse(X) else X) - self.mean) / self.metric
        return replace(data, X=relative @ self.rows.T @ self.combinations)

    def leave(self, state: State) -> State:
        """The state in the coordinates of the columns."""
        points = [
            np.vstack((self.rows.T @ (self.combinations @ point[:-1]) / self.metric[:, np.newaxis], point[-1:]))
            for point in (state.coef.astype(np.float64), state.average)
        ]
        return state.restarted_at(*points, dtype=state.coef.dtype)


def suits_row_space(data: TrainingData, settings: Settings) -> bool:
    """Whether to fit these rows in the coordinates of their components."""
    return (
        len(data.rows) < data.X.shape[1]
        and len(data.rows) <= MOST_ROWS_OF_SPACE
        and not sparse.issparse(data.X)
        and settings.standardize
        and settings.whiten is not False
        and not settings.objective.has_l1
    )


def make_row_space(data: TrainingData, columns: Coordinates, l2: np.ndarray) -> RowSpace | None:
    """The space of these rows, whose columns have these coordinates.

    None if the rows do not differ, or if scales differ so much that directions are lost in which the penalty is weak.
    `l2`: strengths of the L2 penalty, in the kernel's units.
    """
    data = data.of_rows(data.rows)
    is_penalized, weakest = float(l2.max()) > 0, float(l2.min())
    mean = 0.0 if columns.x_mean is None else columns.x_mean
    rows = data.X - mean
    if columns.x_mean is not None:
        rows[:, (data.X[0] == data.X).all(axis=0)] = 0  # not what their mean is rounded by
    size = float(np.abs(rows).max())
    if size == 0:
        return None
    # Gradients are combinations of the rows in the metric in which the norm is least: that of the penalty.
    size = size if is_penalized else 1.0
    metric = np.full(len(columns.x_unit), size) if is_penalized else columns.x_unit
    rows = rows / metric
    products = rows @ rows.T
    root_share = np.sqrt(shares_of(data.weight, data.rows))[:, np.newaxis]
    eigenvalues, vectors = np.linalg.eigh(products * root_share * root_share.T)
    # smaller ones are rounding
    smallest = len(rows) * np.finfo(np.float64).eps * eigenvalues[-1]
    if is_penalized:
        # in the others, the penalty must leave nothing to learn, except in the direction that the mean takes away
        n_lost = np.count_nonzero(eigenvalues <= smallest) - (columns.x_mean is not None)
        if n_lost > 0 and size**2 * smallest > LOST_TO_PENALTY * weakest:
            return None
    else:
        smallest = NULL_SHARE * eigenvalues[-1]
    found = eigenvalues > smallest
    if not found.any():
        return None
    # rows * root_share = vectors * sqrt(eigenvalues) * components.T
    combinations = vectors[:, found] * root_share * (size / np.sqrt(eigenvalues[found]))
    X = np.ascontiguousarray(products @ combinations, columns.dtype(data.X.dtype))
    if is_penalized:
        square = size**2 * eigenvalues[found]
        unit = np.sqrt(square + weakest)
        row_norm = max(1.0, float((square / unit**2).sum()) ** 0.5)
        coordinates = replace(columns, x_mean=None, x_unit=unit, row_norm=row_norm, l2_in_units=weakest)
    else:
        # Each component has the unit of a standardized column, and not its own standard deviation: components of which
        # the rows have little are learned late, or not at all if that gains less than `tol`: they are mostly noise.
        coordinates = replace(columns, x_mean=None, x_unit=np.ones(X.shape[1]))
    return RowSpace(columns, replace(data, X=X), coordinates, mean, rows, metric, combinations)
