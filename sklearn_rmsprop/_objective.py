"""What is minimised: names to the kernel's objects, and the yardstick for progress."""

import numpy as np

from sklearn_rmsprop._kernel._losses import Loss, SquaredError
from sklearn_rmsprop._kernel._rows import column_moments

LOSSES: dict[str, type[Loss]] = {"squared_error": SquaredError}


def make_loss(name: str) -> Loss:
    """The kernel's loss for the parameter `loss`."""
    return LOSSES[name]()


def null_loss(y: np.ndarray, weight: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Loss of the best constant prediction, per target: what there is to be gained, for `tol` to be relative to.

    Of a constant target the loss of predicting zero is taken, and of a target that is all zero, 1: any yardstick
    serves where there is nothing to gain.
    """
    mean, variance = column_moments(y, rows, weight)
    square = np.where(variance > 0, variance, mean**2)
    return np.where(square > 0, square / 2, 1.0)
