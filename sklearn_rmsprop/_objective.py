"""What is minimised: a loss and a penalty, from names and the user's units to the kernel's objects and units."""

from dataclasses import dataclass

import numpy as np

from sklearn_rmsprop._kernel import _losses
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._statistics import location


@dataclass(frozen=True)
class LossKind:
    """What is to be known of a loss outside of the kernel.

    Attributes
    ----------
    kernel : class
    degree : power of the target's unit that the loss is measured in
    shape : name of its own parameter, if it has one
    robust : whether it grows as the error where errors are large: outliers then must not set the target's unit
    kinked : whether its derivative jumps
    """

    kernel: type[Loss]
    degree: int
    shape: str | None
    robust: bool
    kinked: bool


LOSSES = {
    "squared_error": LossKind(_losses.SquaredError, 2, None, robust=False, kinked=False),
    "absolute_error": LossKind(_losses.AbsoluteError, 1, None, robust=True, kinked=True),
    "huber": LossKind(_losses.Huber, 2, "delta", robust=True, kinked=False),
    "quantile": LossKind(_losses.Quantile, 1, "quantile", robust=True, kinked=True),
    "epsilon_insensitive": LossKind(_losses.EpsilonInsensitive, 1, "delta", robust=True, kinked=True),
    "squared_epsilon_insensitive": LossKind(_losses.SquaredEpsilonInsensitive, 2, "delta", robust=False, kinked=False),
}

PENALTIES = ("l2", "l1", "elasticnet")


@dataclass(frozen=True)
class Objective:
    """Weighted mean loss + alpha * (l1_ratio * |coef|_1 + (1 - l1_ratio) / 2 * |coef|^2), in the user's units.

    The methods that take `y_unit`, (n_targets,), return what belongs to targets and coefficients measured in it; their
    losses are then in units of `y_unit ** degree`.
    """

    kind: LossKind
    delta: float
    quantile: float
    alpha_l1: float
    alpha_l2: float

    @property
    def is_penalized(self) -> bool:
        return self.alpha_l1 > 0 or self.alpha_l2 > 0

    @property
    def level(self) -> float | None:
        """The quantile of the target about which a robust fit works; None for its mean."""
        if not self.kind.robust:
            return None
        return self.quantile if self.kind.shape == "quantile" else 0.5

    def loss(self, y_unit: np.ndarray) -> Loss:
        """The kernel's loss."""
        shape = self.delta / y_unit if self.kind.shape == "delta" else np.full_like(y_unit, self.quantile)
        return self.kind.kernel(shape)

    def loss_unit(self, y_unit: np.ndarray) -> np.ndarray:
        """The user's loss per unit of the kernel's."""
        return y_unit**self.kind.degree

    def strengths(self, y_unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Factors of |coef|_1 and |coef|^2 / 2 in the kernel's loss, per target."""
        unit = self.loss_unit(y_unit)
        return self.alpha_l1 * y_unit / unit, self.alpha_l2 * y_unit**2 / unit

    def penalty(self, coef: np.ndarray, y_unit: np.ndarray) -> np.ndarray:
        """The penalty of coefficients (n_features, n_targets), per target."""
        l1, l2 = self.strengths(y_unit)
        return l1 * np.abs(coef).sum(axis=0) + l2 / 2 * (coef**2).sum(axis=0)

    def null_loss(self, y: np.ndarray, weight: np.ndarray, order: np.ndarray, loss: Loss) -> np.ndarray:
        """Loss of a constant prediction per target: what there is to be gained, for `tol` to be relative to.

        The best constant, or for some robust losses the median, which is nearly as good. Where that leaves nothing to
        gain, the loss of predicting zero is taken, and 1 for a target that is all zero: any yardstick serves there.
        """
        result = loss.of_constant(y, weight, order, location(y, order, weight, self.level))
        if (result > 0).all():
            return result
        result = np.where(result > 0, result, loss.of_constant(y, weight, order, 0.0))
        return np.where(result > 0, result, 1.0)


def make_objective(
    loss: str, *, delta: float, quantile: float, penalty: str | None, alpha: float, l1_ratio: float
) -> Objective:
    """The objective that the parameters of these names stand for.

    Raises
    ------
    ValueError
        If a loss of width zero is left of the parameters.
    """
    if loss == "huber" and delta == 0:
        raise ValueError("delta must be larger than 0 with loss='huber', which is zero everywhere at 0; got 0.")
    share = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
    strength = 0.0 if penalty is None else alpha
    return Objective(LOSSES[loss], delta, quantile, strength * share, strength * (1 - share))
