"""What is minimised: a loss and a penalty, from names and the user's units to the kernel's objects and units."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sklearn_rmsprop._kernel import _losses
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._statistics import Weight, location


@dataclass(frozen=True)
class LossKind:
    """What the rest of the package has to know about a loss.

    Attributes
    ----------
    kernel : class
    degree : power of the target's unit that the loss is measured in
    parameter : name of its own parameter, if it has one
    robust : whether it grows linearly where errors are large: then outliers must not determine the target's unit
    kinked : whether its derivative jumps
    has_tube : whether errors smaller than its parameter cost nothing
    quadratic : whether it is a quadratic function of the prediction everywhere
    """

    kernel: type[Loss]
    degree: int
    parameter: str | None
    robust: bool
    kinked: bool
    has_tube: bool = False
    quadratic: bool = False


LOSSES = {
    "squared_error": LossKind(_losses.SquaredError, 2, None, robust=False, kinked=False, quadratic=True),
    "absolute_error": LossKind(_losses.AbsoluteError, 1, None, robust=True, kinked=True),
    "huber": LossKind(_losses.Huber, 2, "delta", robust=True, kinked=False),
    "quantile": LossKind(_losses.Quantile, 1, "quantile", robust=True, kinked=True),
    "epsilon_insensitive": LossKind(_losses.EpsilonInsensitive, 1, "delta", robust=True, kinked=True, has_tube=True),
    "squared_epsilon_insensitive": LossKind(
        _losses.SquaredEpsilonInsensitive, 2, "delta", robust=False, kinked=False, has_tube=True
    ),
}

PENALTIES = ("l2", "l1", "elasticnet")


@dataclass(frozen=True)
class Objective:
    """Weighted mean loss + alpha * (l1_ratio * |coef|_1 + (1 - l1_ratio) / 2 * |coef|^2), in the user's units.

    `alpha_l1` and `alpha_l2` are alpha times these factors: numbers, or arrays with one for each target. The methods
    that take `y_unit`, (n_targets,), return what belongs to targets and coefficients measured in it; their losses are
    then in units of `y_unit ** degree`.
    """

    kind: LossKind
    delta: float
    quantile: float
    alpha_l1: float | np.ndarray
    alpha_l2: float | np.ndarray

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> "Objective":
        """The objective that parameters of the estimator's names stand for.

        Raises
        ------
        ValueError
            If the loss would be zero everywhere.
        """
        loss, delta, penalty = parameters["loss"], parameters["delta"], parameters["penalty"]
        if loss == "huber" and delta == 0:
            raise ValueError("delta must be larger than 0 with loss='huber', which is zero everywhere at 0; got 0.")
        l1_share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": parameters["l1_ratio"]}[penalty]
        alpha = 0.0 if penalty is None else parameters["alpha"]
        return cls(LOSSES[loss], delta, parameters["quantile"], alpha * l1_share, alpha * (1 - l1_share))

    def with_penalties(self, alpha_l1: np.ndarray, alpha_l2: np.ndarray) -> "Objective":
        """The same loss with penalties of their own for each target."""
        return replace(self, alpha_l1=alpha_l1, alpha_l2=alpha_l2)

    def of_targets(self, targets: np.ndarray) -> "Objective":
        """The objective of some of the targets."""
        if isinstance(self.alpha_l1, np.ndarray) and isinstance(self.alpha_l2, np.ndarray):
            return self.with_penalties(self.alpha_l1[targets], self.alpha_l2[targets])
        return self

    @cached_property  # each call of a stream asks several times
    def has_l1(self) -> bool:
        return bool(np.max(self.alpha_l1) > 0)

    @cached_property
    def has_l2(self) -> bool:
        return bool(np.max(self.alpha_l2) > 0)

    @property
    def is_penalized(self) -> bool:
        return self.has_l1 or self.has_l2

    @property
    def target_quantile(self) -> float | None:
        """The quantile of the target that is the origin of a fit with a robust loss; None where its mean is."""
        if not self.kind.robust:
            return None
        return self.quantile if self.kind.parameter == "quantile" else 0.5

    def loss(self, y_unit: np.ndarray) -> Loss:
        """The kernel's loss."""
        in_units = self.delta / y_unit if self.kind.parameter == "delta" else np.full_like(y_unit, self.quantile)
        return self.kind.kernel(in_units)

    def loss_unit(self, y_unit: np.ndarray) -> np.ndarray:
        """The user's loss per unit of the kernel's."""
        return y_unit**self.kind.degree

    def strengths(self, y_unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factors of |coef|_1 and |coef|^2 / 2 in the kernel's loss, per target."""
        degree = self.kind.degree  # not divided by loss_unit(y_unit), which may underflow
        return self.alpha_l1 / y_unit ** (degree - 1), self.alpha_l2 * y_unit ** (2 - degree)

    def penalty(self, coef: np.ndarray, y_unit: np.ndarray) -> np.ndarray:
        """The penalty of coefficients (n_features, n_targets), per target."""
        l1, l2 = self.strengths(y_unit)
        return l1 * np.abs(coef).sum(axis=0) + l2 / 2 * (coef**2).sum(axis=0)

    def null_loss(self, y: np.ndarray, weight: Weight, rows: np.ndarray, loss: Loss) -> np.ndarray:
        """The loss of the best constant prediction over the selected rows, per target: what `tol` is relative to.

        For some robust losses the median serves, which is nearly the best constant. A loss of zero cannot serve as a
        reference: then it is the loss of predicting zero, and 1 for a target that is all zero.
        """
        result = loss.of_constant(y, weight, rows, location(y, rows, weight, self.target_quantile))
        return result if (result > 0).all() else not_zero(result, loss.of_constant(y, weight, rows, 0.0))


def not_zero(null_loss: np.ndarray, loss_of_zero: np.ndarray) -> np.ndarray:
    """The null loss, or where it is zero the loss of predicting zero, or 1."""
    result = np.where(null_loss > 0, null_loss, loss_of_zero)
    return np.where(result > 0, result, 1.0)
