"""The fitted model that solvers return if they have no estimator class of their own."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Linear:
    """A fitted linear model."""

    coef: np.ndarray
    intercept: float

    def predict(self, X):
        """Return the predictions."""
        return X @ self.coef + self.intercept
