"""When to stop, and why."""

from typing import Literal

import numpy as np

Reason = Literal["converged", "max_iter"]


class Stopping:
    """Stops when the objective has ceased to improve, or the epochs are used up.

    Several targets share each pass over the rows, and it ends when none of them improves any more. Where the loss
    itself is below the threshold no further improvement can count, and there is nothing to wait for.

    Parameters
    ----------
    threshold : (n_targets,) array or None
        An improvement smaller than this does not count. None: go on for `max_iter` epochs.
    n_iter_no_change : int
        Successive checks without improvement after which the fit has converged.
    max_iter : int
        Epochs allowed.

    Attributes
    ----------
    reason : {"converged", "max_iter"} or None
        Why the fit has stopped; None while it runs.
    """

    def __init__(self, threshold: np.ndarray | None, n_iter_no_change: int, max_iter: int):
        self.threshold = threshold
        self.n_iter_no_change = n_iter_no_change
        self.max_iter = max_iter
        self.reason: Reason | None = None
        self._best: np.ndarray | float = np.inf
        self._n_unchanged = 0

    def check(self, n_iter: int, losses: np.ndarray) -> bool:
        """Whether to stop after `n_iter` epochs, the last of which had these losses, one per target."""
        if self.threshold is not None:
            improved = losses < self._best - self.threshold
            self._best = np.where(improved, losses, self._best)
            self._n_unchanged = 0 if improved.any() else self._n_unchanged + 1
            nothing_left = (losses <= self.threshold).all()
            if nothing_left or self._n_unchanged >= self.n_iter_no_change:
                self.reason = "converged"
        if self.reason is None and n_iter >= self.max_iter:
            self.reason = "max_iter"
        return self.reason is not None
