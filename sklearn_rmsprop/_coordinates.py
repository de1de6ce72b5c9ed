"""The coordinates of a fit: origin and unit of columns, targets and weights; to and from the units of the user."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_rmsprop._data import aligned
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._statistics import Statistics, Weight, is_shared, median_distance, too_large, weighted_quantile

# By how many roundings of its terms a sum that should be zero may differ from it: measured (docs/kernel_notes.md) up to
# 51 for a million rows in one batch, and up to 4 for the standard deviation of a constant column.
ROUNDINGS = 64

# Columns of sparse rows that are not centred count this many times in the norm of a row: a step often changes their
# contributions to its prediction in the same direction. Measured on one-hot, text-like and uniform sparse columns: with
# 1 the excess loss was up to 2.4 times as large, and with 4 rare columns took twice the epochs.
SPARSE_NORM = 2

# float32 rows are trained in float64 where float32 might round a prediction by more than this, in units of the target:
# a larger error of predictions would be a noticeable share of the loss, and a gradient as small as it counts as zero.
LARGEST_ROUNDING = 2.0**-7

# Columns of sparse rows whose mean exceeds so many standard deviations are centred: at least four in five of their
# entries are not zero, so that storing the others, too, costs little. Beside an intercept, a column far from zero is
# nearly a second one, and what it varies by would be fitted very slowly.
DISTANT = 2

# Magnitudes below this do not serve as the unit of a constant column: their inverse may overflow float32.
SMALLEST_MAGNITUDE = 1e-30


@dataclass(frozen=True)
class Coordinates:
    """Origin and unit of the columns, the targets and the weights in the kernel.

    The kernel's features are x - x_mean, and the steps of their coefficients are scaled by 1 / (x_unit * row_norm)
    twice: once for the gradient, once for the step. All coefficients change in each step, so that with 1 / x_unit alone
    a row's prediction would move by more, the more columns it has. Targets are (y - y_mean) / y_unit. Features are
    converted on the fly, targets and weights in a copy.

    Attributes
    ----------
    x_mean : (n_features,), or None where no column is centred; of sparse rows only distant columns are
    x_unit : (n_features,)
    row_norm : root mean square norm of the rows of (x - x_mean) / x_unit, columns that are not centred counted twice
    y_mean, y_unit : (n_targets,)
    y_magnitude : (n_targets,), how large targets are before they are centred, in their unit: what they are rounded by
    weight_unit : mean weight of the rows that were measured
    magnitude : what a prediction in the user's units is rounded by, in units of the target and of the type's epsilon
    basis, inverse_basis : (n_features, n_features), or None
        Whitened coordinates: the coefficients of the kernel's features are basis @ coordinates. The basis includes
        1 / x_unit, so that steps are scaled by 1 / row_norm only.
    l2_in_units : strength of the L2 penalty, in the kernel's units, whose curvature the units of coordinates include;
        None where units are those of the columns
    columns : numbers of these columns in X; None: all of them in order
    """

    x_mean: np.ndarray | None
    x_unit: np.ndarray
    row_norm: float
    y_mean: np.ndarray
    y_unit: np.ndarray
    y_magnitude: np.ndarray
    weight_unit: float
    magnitude: float = 0.0
    basis: np.ndarray | None = None
    inverse_basis: np.ndarray | None = None
    l2_in_units: float | None = None
    columns: np.ndarray | None = None

    def __setstate__(self, stored: dict[str, Any]) -> None:
        self.__dict__.update({name: aligned(value) for name, value in stored.items()})

    def check(self) -> None:
        """Raise a ValueError unless the arrays fit together, which they may not if somebody has replaced them."""
        for name, like in (("x_mean", "x_unit"), ("y_mean", "y_unit"), ("y_magnitude", "y_unit")):
            arrays = [getattr(self, like), getattr(self, name)]
            if name == "x_mean" and arrays[1] is None:
                arrays.pop()
            for array in arrays:
                if not isinstance(array, np.ndarray) or array.ndim != 1 or array.shape != np.shape(arrays[0]):
                    raise ValueError(
                        f"The coordinates' {name} and {like} must be one-dimensional arrays of the same length; got "
                        f"{' and '.join(f'{type(a).__name__} of shape {np.shape(a)}' for a in arrays)}."
                    )

    def number_of(self, column: int) -> int:
        """The number in X of one of these columns."""
        return column if self.columns is None else int(self.columns[column])

    def expand(self, coordinates: np.ndarray) -> np.ndarray:
        """The coefficients and intercept of the kernel's features that these coordinates stand for."""
        if self.basis is None:
            return coordinates
        return np.vstack((self.basis @ coordinates[:-1], coordinates[-1:]))

    def from_user(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Coordinates (n_features + 1, n_targets) of a model in the user's units."""
        coef = coef / self.y_unit
        intercept = (intercept - self.y_mean) / self.y_unit
        if self.x_mean is not None:
            intercept = intercept + self.x_mean @ coef
        return np.vstack((coef if self.inverse_basis is None else self.inverse_basis @ coef, intercept))

    def to_user(self, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, n_targets) and intercepts in the user's units."""
        coordinates = self.expand(coordinates)
        coef = coordinates[:-1] * self.y_unit
        intercept = self.y_mean + coordinates[-1] * self.y_unit
        return coef, intercept if self.x_mean is None else intercept - self.x_mean @ coef

    def target(self, y: np.ndarray) -> np.ndarray:
        """The targets in the kernel's units. A column that is broadcast to several stays one if their units agree."""
        if is_shared(y) and (self.y_mean == self.y_mean[0]).all() and (self.y_unit == self.y_unit[0]).all():
            return np.broadcast_to((y[:, :1] - self.y_mean[0]) / self.y_unit[0], y.shape)
        result = y - self.y_mean
        result /= self.y_unit
        return result

    def weight(self, weight: Weight, rows: np.ndarray, dtype: np.dtype) -> Weight:
        """The weights in the kernel's units.

        Raises
        ------
        ValueError
            If beside the weights of the first call those of all selected rows vanish, or one overflows. The squares
            count: gradients are proportional to the weights, and the kernel squares them in this type.
        """
        with np.errstate(over="ignore", under="ignore"):
            result = weight / self.weight_unit
            largest = result[rows].max() if isinstance(result, np.ndarray) else result
            square = np.square(np.asarray(largest).astype(dtype))
        if not 0 < square < np.inf:
            raise ValueError(
                "sample_weight must be on the scale of the first call's weights, whose mean was "
                f"{self.weight_unit}; got a largest weight of {largest} times that mean, whose square is out of the "
                f"range of {dtype}. Scale the weights."
            )
        return result

    def is_constant_target(self) -> np.ndarray:
        """Which targets have the unit of a constant: its magnitude, or 1."""
        return self.y_unit == _unit_or_one(np.zeros_like(self.y_unit), np.abs(self.y_mean))

    def with_units_of(
        self, other: "Coordinates", theirs: np.ndarray, ours: np.ndarray, targets: np.ndarray
    ) -> "Coordinates":
        """With the origins and units that the other's columns `theirs` have for the columns `ours`, and of targets."""
        x_mean, x_unit = self.x_mean, self.x_unit.copy()
        x_unit[ours] = other.x_unit[theirs]
        if x_mean is not None:
            x_mean = x_mean.copy()
            x_mean[ours] = 0.0 if other.x_mean is None else other.x_mean[theirs]
        names = ("y_mean", "y_unit", "y_magnitude")
        of_targets = {name: np.where(targets, getattr(other, name), getattr(self, name)) for name in names}
        return replace(self, x_mean=x_mean, x_unit=x_unit, **of_targets)

    def of_columns(self, places: np.ndarray) -> "Coordinates":
        """The coordinates of some of the columns."""
        x_mean = None if self.x_mean is None else self.x_mean[places]
        return replace(self, x_mean=x_mean, x_unit=self.x_unit[places], columns=places)

    def of_targets(self, targets: np.ndarray) -> "Coordinates":
        """The coordinates of some of the targets."""
        names = ("y_mean", "y_unit", "y_magnitude")
        return replace(self, **{name: getattr(self, name)[targets] for name in names})

    def _inverse_units(self) -> np.ndarray:
        """1 / unit of the coordinates of the features."""
        return (1 / self.x_unit if self.basis is None else np.ones(len(self.x_unit))) / self.row_norm

    def _shrinkage(self, objective: Objective) -> np.ndarray | float:
        """By what a target's L2 penalty, where stronger than that in the units, shortens the steps of each coordinate.

        The units are made for the weakest penalty of all targets. A stronger one curves the objective more along some
        of the coordinates, by so much more that the unit there is shorter.
        """
        if self.l2_in_units is None or not objective.has_l2:
            return 1.0
        stronger = np.maximum(objective.strengths(self.y_unit)[1] - self.l2_in_units, 0)
        if not stronger.any():
            return 1.0
        square = 1 / self.x_unit**2 if self.basis is None else np.square(self.basis).sum(axis=0)
        return 1 / np.sqrt(1 + square[:, np.newaxis] * stronger)

    def inverse_unit(self, objective: Objective, dtype: np.dtype, *, fit_intercept: bool) -> np.ndarray:
        """1 / unit of each coordinate, and 0 for an intercept that is not fitted: it does not move."""
        result = np.empty((len(self.x_unit) + 1, len(self.y_unit)), dtype)
        result[:-1] = self._inverse_units()[:, np.newaxis] * self._shrinkage(objective)
        result[-1] = fit_intercept
        return result

    @property
    def sparse_origin(self) -> np.ndarray | None:
        """What to subtract from the columns of sparse rows: the mean of those far from zero. None if there are none."""
        if self.x_mean is None:
            return None
        distant = np.abs(self.x_mean) > DISTANT * self.x_unit
        return np.where(distant, self.x_mean, 0) if distant.any() else None

    def dtype(self, dtype: np.dtype) -> np.dtype:
        """The type to train rows of this type in: float32 may have too few digits."""
        enough = np.finfo(dtype).eps * self.magnitude <= LARGEST_ROUNDING
        return np.dtype(dtype if enough else np.float64)

    def gradient_rounding(self, dtype: np.dtype) -> np.ndarray:
        """By how much a mean gradient can differ from zero per unit of what it is multiplied with, per target."""
        residual = np.where(self.y_mean == 0, self.y_magnitude, 1.0)  # how large: targets are 1 once they are centred
        return ROUNDINGS * np.finfo(dtype).eps * residual

    def intercept_floor(self, dtype: np.dtype, prediction: float = 1.0) -> np.ndarray:
        """How much a mean gradient of the intercept can differ from zero by rounding, per target.

        Targets are centred in float64, predictions of this magnitude are computed in the type of the rows.
        """
        return ROUNDINGS * np.finfo(np.float64).eps * self.y_magnitude + prediction * self.gradient_rounding(dtype)

    def distance_in(self, basis: np.ndarray) -> np.ndarray:
        """How far from zero the coordinates of a basis are: (n_features,), in their units."""
        if self.x_mean is None:
            return np.zeros(len(basis))
        return np.sqrt((self.x_mean / self.x_unit) ** 2 @ (basis * self.x_unit[:, np.newaxis]) ** 2)

    def gradient_floor(self, objective: Objective, dtype: np.dtype) -> np.ndarray:
        """How much a mean gradient of dense rows can differ from zero by rounding, per coordinate.

        The products in it are rounded by |x| / unit, and those of the intercept like a prediction.

        Raises
        ------
        ValueError
            If that overflows: no gradient could be told from zero, and the model would stay where it starts.
        """
        distance = np.zeros(len(self.x_unit)) if self.x_mean is None else np.abs(self.x_mean) / self.x_unit
        of_columns = distance if self.basis is None else self.distance_in(self.basis)
        floor = np.empty((len(self.x_unit) + 1, len(self.y_unit)))
        floor[:-1] = self.gradient_rounding(dtype) * self._shrinkage(objective)
        floor[:-1] *= (of_columns / self.row_norm)[:, np.newaxis]
        floor[-1] = self.intercept_floor(dtype, 1 + math.sqrt(distance @ distance))
        if not (floor <= np.finfo(dtype).max).all():
            raise ValueError(f"y is too large: the coefficients in the units of X overflow {dtype}. {advice(dtype)}")
        return floor.astype(dtype)

    def penalties(
        self, objective: Objective, dtype: np.dtype, probability: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """A factor for each coordinate, and the L1 and L2 penalties of each target; None without any.

        The factor is (n_features + 1, n_targets), or has one column for all targets. The penalty of a coordinate is the
        product of the two, in the units of the kernel's gradients.

        `probability`: of sparse rows, that of a batch having an entry of each column.

        Raises
        ------
        ValueError
            If they overflow.
        """
        if not objective.is_penalized:
            return None
        # with a basis the L2 penalty acts on the coefficients, whose gradient is not in units of a coordinate
        factor = np.ones((len(self.x_unit), 1))
        if self.basis is None:
            factor = self._inverse_units()[:, np.newaxis] * self._shrinkage(objective)
        if probability is not None:
            factor = factor / probability[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):
            l1, l2 = objective.strengths(self.y_unit)
            largest = (factor.max(initial=0.0) * np.append(l1, l2)).astype(dtype)
        if not np.isfinite(largest).all():
            raise ValueError(
                f"alpha must be small enough that the penalty does not overflow {dtype} with this X and y; got "
                f"{np.max(objective.alpha_l1 + objective.alpha_l2)}. Set a smaller alpha, or scale X and y."
            )
        return np.vstack((factor, np.zeros(factor.shape[1]))), l1, l2


def varying_columns(statistics: Statistics) -> np.ndarray:
    """Which dense columns vary by more than the rounding of their mean; which sparse ones have entries."""
    if statistics.is_sparse:
        return statistics.x_nonzero_rms > 0
    return statistics.x_sd > _rounding_of_columns(statistics.x_mean)


def make_coordinates(
    statistics: Statistics,
    dtype: np.dtype,
    n_features: int,
    *,
    standardize: bool,
    fit_intercept: bool,
    target_quantile: float | None,
) -> Coordinates:
    """Coordinates in which columns and targets have mean 0 and variance 1, or the user's own without `standardize`.

    Of sparse rows only the nonzero entries count: over all rows a rare column would have a tiny unit, and make huge
    steps. They are not shifted either, unless they are far from zero.

    With a `target_quantile` that quantile is the targets' origin, and their unit one that outliers do not change.
    Without an intercept nothing may be shifted: root mean squares take the place of standard deviations.

    Raises
    ------
    ValueError
        If numbers are so large or so small that their squares or the inverse of their unit is not finite.
    """
    centre = standardize and fit_intercept
    if target_quantile is None:
        y_mean, y_unit, y_magnitude = _unit_of_moments("y", statistics.y_mean, statistics.y_sd, centre=centre)
    else:
        y_mean, y_unit, y_magnitude = _robust_unit(
            statistics.y_values, statistics.y_weight, centre=centre, target_quantile=target_quantile
        )
    if not standardize:
        zeros, ones = np.zeros(len(y_unit)), np.ones(len(y_unit))
        return Coordinates(None, np.ones(n_features), 1.0, zeros, ones, y_magnitude, statistics.weight)
    magnitude = float(np.max(np.abs(y_mean) / y_unit))
    if statistics.is_sparse:
        x_mean, x_unit = _unit_of_entries(statistics, centre=centre)
        centred = np.zeros(n_features, bool) if x_mean is None else x_mean != 0
        share = statistics.x_nonzero_weight[~centred] / statistics.n_rows
        row_norm = (SPARSE_NORM**2 * share.sum() + np.count_nonzero(centred)) ** 0.5
    else:
        x_mean, x_unit, _ = _unit_of_moments("X", statistics.x_mean, statistics.x_sd, centre=centre)
        x_mean = x_mean if centre else None
        row_norm = _n_varying(statistics, centre=centre) ** 0.5
    if x_mean is not None:  # coefficients are about 1 in these units
        magnitude += ROUNDINGS * float(np.linalg.norm(x_mean / x_unit))
    coordinates = Coordinates(
        x_mean,
        x_unit,
        max(1.0, row_norm),  # 1 is the unit of the intercept
        y_mean,
        y_unit,
        y_magnitude / y_unit,
        statistics.weight,
        magnitude,
    )
    dtype = coordinates.dtype(dtype)
    _check_inverse(x_unit, dtype)
    if x_mean is None:
        return coordinates
    # what the kernel subtracts is rounded to its type, and must be the same number everywhere
    return replace(coordinates, x_mean=x_mean.astype(dtype).astype(np.float64))


def _n_varying(statistics: Statistics, *, centre: bool) -> int:
    """How many dense columns contribute to the norm of a row: those that vary, or without an origin, those not zero."""
    if not centre:
        return int(np.count_nonzero(np.hypot(statistics.x_sd, statistics.x_mean)))
    return int(np.count_nonzero(varying_columns(statistics)))


def _rounding_of_columns(mean: np.ndarray) -> np.ndarray:
    """How far from zero the standard deviation of a constant column may be: moments are in float64 whatever X is."""
    return ROUNDINGS * np.finfo(np.float64).eps * np.abs(mean)


def _unit_of_moments(
    name: str, mean: np.ndarray, sd: np.ndarray, *, centre: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origin, unit and root mean square of columns. Not to `centre` gives an origin of zero."""
    distance = np.abs(mean)
    with np.errstate(over="ignore"):
        square = sd**2 + mean**2
    if not np.isfinite(square).all():
        raise too_large(name, square)
    magnitude = _unit_or_one(np.hypot(sd, mean), distance)
    if not centre:
        return np.zeros_like(mean), magnitude, magnitude
    return mean, _unit_or_one(sd, distance, _rounding_of_columns(mean)), magnitude


def _unit_of_entries(statistics: Statistics, *, centre: bool) -> tuple[np.ndarray | None, np.ndarray]:
    """Origin and unit of the columns of sparse rows. No origin if none is to be centred, or none is far from zero."""
    x_unit = _unit_or_one(statistics.x_nonzero_rms, np.zeros(len(statistics.x_nonzero_mean)))
    # others have too many zeros for a mean that large: mean^2 <= p / (1 - p) variance with a share p of nonzeros
    full = np.flatnonzero(statistics.x_nonzero_weight >= DISTANT**2 / (1 + DISTANT**2) * statistics.n_rows)
    if not centre or len(full) == 0:
        return None, x_unit
    mean, sd = statistics.moments_with_zeros(full)
    varies = sd > _rounding_of_columns(mean)
    distant = varies & (np.abs(mean) > DISTANT * sd)
    if not distant.any():
        return None, x_unit
    x_mean = np.zeros_like(x_unit)
    x_mean[full[distant]] = mean[distant]
    x_unit[full[distant]] = sd[distant]
    return x_mean, x_unit


def _robust_unit(
    values: np.ndarray, weight: np.ndarray, *, centre: bool, target_quantile: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Origin, unit and magnitude of targets that outliers do not change.

    That quantile, the median distance from the median, and the median distance from zero.
    """
    zero = np.zeros(values.shape[1])
    magnitude = _unit_or_one(_finite(median_distance(values, weight, zero)), zero)
    if not centre:
        return zero, magnitude, magnitude

    def at(quantile: float) -> np.ndarray:
        return np.array([weighted_quantile(column, weight, quantile) for column in values.T])

    origin = at(target_quantile)
    median = origin if target_quantile == 0.5 else at(0.5)
    distance = _finite(median_distance(values, weight, median))
    return origin, _unit_or_one(distance, np.abs(origin), _rounding_of_columns(magnitude)), magnitude


def _unit_or_one(unit: np.ndarray, magnitude: np.ndarray, rounding: np.ndarray | float = 0.0) -> np.ndarray:
    """The unit if above `rounding`; for a constant column its magnitude, which is large beside its roundings, or 1."""
    return np.where(unit > rounding, unit, np.where(magnitude > SMALLEST_MAGNITUDE, magnitude, 1.0))


def _finite(distance: np.ndarray) -> np.ndarray:
    """The distances of targets, if they are finite."""
    if not np.isfinite(distance).all():
        raise too_large("y", distance)
    return distance


def _check_inverse(x_unit: np.ndarray, dtype: np.dtype) -> None:
    """Reject columns so small that the inverse of their unit overflows."""
    with np.errstate(over="ignore"):
        too_small = ~np.isfinite((1 / x_unit).astype(dtype))
    if too_small.any():
        column = int(np.flatnonzero(too_small)[0])
        raise ValueError(
            f"X is too small: the unit of column {column} is {x_unit[column]}, which has no finite inverse in {dtype}. "
            "Scale this column."
        )


def advice(dtype: np.dtype) -> str:
    """What to do where numbers of this type have overflowed."""
    return "Scale X and y, or pass X as float64." if dtype == np.float32 else "Scale X and y."
