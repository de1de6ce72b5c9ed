"""What the parameters of the estimator say about a fit, made once from their names and values."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from scipy import sparse

from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._update import UpdateRule
from sklearn_rmsprop._whitening import MOST_COLUMNS

# The sum of the step sizes of a fit must be at least this, in units of a row's prediction. The distance of the optimum
# is about one unit. Fits with a sum of 20 had converged to many digits, fits with a sum of 5 had not.
FARTHEST_OPTIMUM = 20.0

# Condensing takes 2 k^2 operations a row, with k columns and targets, and a step 4 per column: more columns than this,
# or than there may be steps, take longer.
MOST_CONDENSED = 200


@dataclass(frozen=True)
class Settings:
    """What the parameters of the estimator say about a fit."""

    objective: Objective
    rule: UpdateRule
    batch_size: int | str | None
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    standardize: bool
    whiten: bool | str
    fit_intercept: bool
    shuffle: bool

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The settings that parameters of the estimator's names stand for."""
        own = ("batch_size", "max_iter", "tol", "n_iter_no_change", "standardize", "whiten", "fit_intercept", "shuffle")
        values = {name: parameters[name] for name in own}
        if not isinstance(values["whiten"], str):
            values["whiten"] = bool(values["whiten"])  # of NumPy's booleans, too
        return cls(Objective.of(parameters), UpdateRule.of(parameters), **values)

    def may_whiten(self, data: TrainingData) -> bool:
        """Whether the fit of these rows may have whitened coordinates.

        Raises
        ------
        ValueError
            If they are asked for, but cannot be had.
        """
        obstacles = {
            "a sparse X": sparse.issparse(data.X),
            "an L1 penalty": self.objective.has_l1,
            "standardize=False": not self.standardize,
        }
        if self.whiten is True and any(obstacles.values()):
            found = " and ".join(name for name, is_there in obstacles.items() if is_there)
            raise ValueError(f"whiten must be False or 'auto' with {found}; got True. Set whiten='auto'.")
        if any(obstacles.values()) or self.whiten is False or data.X.shape[1] == 1:
            return False
        return self.whiten is True or data.X.shape[1] <= MOST_COLUMNS

    def may_condense(self, data: TrainingData) -> bool:
        """Whether fewer rows can stand for these, if all are in each batch, and whether that saves time.

        Not rows of float32, in which other rows would be rounded, far from zero.
        """
        if sparse.issparse(data.X) or data.X.dtype != np.float64 or not self.objective.kind.quadratic:
            return False
        return 2 * data.n_different < len(data.rows) and data.n_different <= min(MOST_CONDENSED, self.max_iter)

    def suits_exact_gradients(self, data: TrainingData, *, in_row_space: bool = False) -> bool:
        """Whether a fit of few rows should make few exact steps instead of many noisy ones.

        `in_row_space`: whether they are the components of rows.

        It should not with correlated columns that are not whitened (which `pose` finds out, where L1 forbids it), nor
        with a loss that grows linearly: then the optimum takes more steps. Nor if `max_iter` steps, one per epoch,
        cannot reach the optimum.
        """
        if self.objective.kind.robust or callable(self.rule.schedule):
            return False
        with_l1 = self.objective.has_l1 and self.standardize and self.may_condense(data)
        if not (in_row_space or self.may_whiten(data) or data.X.shape[1] == 1 or with_l1):
            return False
        steps = self.rule.step_sizes(self.max_iter)(np.arange(1, self.max_iter + 1))
        return float(steps.sum()) >= FARTHEST_OPTIMUM

    def one_pass(self) -> "Settings":
        """The same for one pass over the rows, without a rule that stops it earlier."""
        return replace(self, max_iter=1, tol=None)
