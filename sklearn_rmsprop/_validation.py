"""Rows held out of training by `early_stopping`, and their score."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._statistics import weights_of


@dataclass(frozen=True)
class HeldOut:
    """Validation rows, with targets in the kernel's units: squares of tiny ones would underflow in the user's.

    Attributes
    ----------
    X, y, weight : the rows
    loss : the loss that is measured
    null_loss : (n_targets,), the loss of the best constant
    coordinates : those of the fit for targets in the kernel's units
    """

    X: np.ndarray | sparse.csr_matrix
    y: np.ndarray
    weight: np.ndarray
    loss: Loss
    null_loss: np.ndarray
    coordinates: Coordinates

    def score(self, coef: np.ndarray) -> float:
        """The share of the null loss that these coordinates explain, a mean over targets: R2 for squared errors."""
        coef, intercept = self.coordinates.to_user(coef)
        prediction = np.ascontiguousarray(safe_sparse_dot(self.X, coef, dense_output=True) + intercept)
        _, losses = self.loss.derivative_and_loss(self.y, prediction)
        return float(np.mean(1 - np.average(losses, axis=0, weights=self.weight) / self.null_loss))


def hold_out(
    data: TrainingData, fraction: float, random_state: np.random.RandomState
) -> tuple[TrainingData, np.ndarray]:
    """The data without a random fraction of its rows, and the numbers of those.

    Raises
    ------
    ValueError
        If too few rows are left on either side.
    """
    n_rows = len(data.rows)
    n_held_out = math.ceil(fraction * n_rows)
    if n_held_out < 2 or n_held_out >= n_rows:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction} needs at least 2 rows to hold out and 1 to train "
            f"on, of positive weight; {n_rows} rows leave {n_held_out} and {n_rows - n_held_out}. Change "
            "validation_fraction, or set early_stopping=False."
        )
    trained, held_out = train_test_split(data.rows, test_size=n_held_out, random_state=random_state)
    return replace(data, rows=np.sort(trained)), np.sort(held_out)


def make_held_out(data: TrainingData, selected: np.ndarray, objective: Objective, coordinates: Coordinates) -> HeldOut:
    """Get ready to score the selected rows."""
    y = coordinates.target(data.y[selected])
    weight = weights_of(data.weight, selected)
    weight = weight / weight.max()  # only ratios matter, and sums of these are finite
    rows = np.arange(len(selected), dtype=np.uint32)
    loss = objective.loss(coordinates.y_unit)
    coordinates = replace(coordinates, y_mean=np.zeros(y.shape[1]), y_unit=np.ones(y.shape[1]))
    null_loss = objective.null_loss(y, weight, rows, loss)
    return HeldOut(data.X[selected], y, weight, loss, null_loss, coordinates)
