"""Rows held out of training, and how well they are predicted."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils.extmath import safe_sparse_dot

from sklearn_rmsprop._data import Sample, Units
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._optimizer import State


@dataclass(frozen=True)
class HeldOut:
    """Validation rows, in the user's units like everything here.

    Attributes
    ----------
    X, y, weight : the rows
    loss : the measure
    null_loss : (n_targets,), the loss of predicting a constant
    units : those of the state
    """

    X: np.ndarray | sparse.csr_matrix
    y: np.ndarray
    weight: np.ndarray
    loss: Loss
    null_loss: np.ndarray
    units: Units

    def score(self, state: State) -> float:
        """The share of the null loss that the published model explains, a mean over targets: R2 for squared errors."""
        coef, intercept = self.units.to_user(state.published())
        prediction = np.ascontiguousarray(safe_sparse_dot(self.X, coef, dense_output=True) + intercept)
        _, losses = self.loss.derivative_and_loss(self.y, prediction)
        return float(np.mean(1 - np.average(losses, axis=0, weights=self.weight) / self.null_loss))


def hold_out(sample: Sample, fraction: float, random_state: np.random.RandomState) -> tuple[Sample, np.ndarray]:
    """The sample without a random fraction of its rows, and the numbers of those.

    Raises
    ------
    ValueError
        If too few rows are left on either side.
    """
    n_rows = len(sample.order)
    n_held_out = math.ceil(fraction * n_rows)
    if n_held_out < 2 or n_held_out >= n_rows:
        raise ValueError(
            f"early_stopping=True with validation_fraction={fraction} needs at least 2 rows to hold out and 1 to train "
            f"on, of positive weight; {n_rows} rows leave {n_held_out} and {n_rows - n_held_out}."
        )
    kept, held_out = train_test_split(sample.order, test_size=n_held_out, random_state=random_state)
    return replace(sample, order=np.sort(kept)), np.sort(held_out)


def make_held_out(sample: Sample, rows: np.ndarray, objective: Objective, units: Units) -> HeldOut:
    """Get ready to score the rows named."""
    y, weight = np.ascontiguousarray(sample.y[rows]), sample.weight[rows]
    order = np.arange(len(rows), dtype=np.uint32)
    loss = objective.loss(np.ones(y.shape[1]))
    null_loss = objective.null_loss(y, weight, order, loss)
    return HeldOut(sample.X[rows], y, weight, loss, null_loss, units)
