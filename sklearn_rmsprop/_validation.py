"""Validation rows of `early_stopping`, held out of training or passed by the user, and their score."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import REALS, TrainingData, validate_training
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


def validate_own(estimator: Any, X_val: Any, y_val: Any, sample_weight_val: Any, n_targets: int) -> TrainingData | None:
    """The validation data that the user has passed to `fit`, checked like `X` and `y`; None if there is none.

    Raises
    ------
    ValueError, TypeError
        If the data cannot be used for validation, or would not be used.
    """
    names = ("X_val", "y_val", "sample_weight_val")
    passed = [name for name, value in zip(names, (X_val, y_val, sample_weight_val), strict=True) if value is not None]
    if not passed:
        return None
    if not estimator.early_stopping:
        raise ValueError(
            f"early_stopping must be True if fit gets validation data ({', '.join(passed)}); got "
            f"{estimator.early_stopping}. Set early_stopping=True, or do not pass validation data."
        )
    for name in names[:2]:
        if name not in passed:
            raise ValueError(f"fit got {' and '.join(passed)} without {name}. Pass both X_val and y_val, or neither.")
    try:
        data = validate_training(estimator, X_val, y_val, sample_weight_val, dtype=REALS, reset=False)
        if data.y.shape[1] != n_targets:
            raise ValueError(f"y must have {n_targets} columns, as in training; got {data.y.shape[1]}.")
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        message = f"Among X_val, y_val and sample_weight_val (here called X, y and sample_weight): {error}"
        raise kind(message) from error
    return data


def hold_out(
    data: TrainingData, fraction: float, random_state: np.random.RandomState
) -> tuple[TrainingData, TrainingData]:
    """The data without a random fraction of its rows, and the data with only those.

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
            f"on, all of positive weight; {n_rows} rows leave {n_held_out} and {n_rows - n_held_out}. Change "
            "validation_fraction, pass X_val and y_val to fit, or set early_stopping=False."
        )
    trained, held_out = train_test_split(data.rows, test_size=n_held_out, random_state=random_state)
    return replace(data, rows=np.sort(trained)), replace(data, rows=np.sort(held_out))


def make_held_out(data: TrainingData, objective: Objective, coordinates: Coordinates) -> HeldOut:
    """Get ready to score the rows of validation data that take part."""
    selected = data.rows
    y = coordinates.target(data.y[selected])
    weight = weights_of(data.weight, selected)
    weight = weight / weight.max()  # only ratios matter, and sums of these are finite
    rows = np.arange(len(selected), dtype=np.uint32)
    loss = objective.loss(coordinates.y_unit)
    coordinates = replace(coordinates, y_mean=np.zeros(y.shape[1]), y_unit=np.ones(y.shape[1]))
    null_loss = objective.null_loss(y, weight, rows, loss)
    X = data.X if len(selected) == data.X.shape[0] else data.X[selected]
    return HeldOut(X, y, weight, loss, null_loss, coordinates)
