"""The settings that a search tries: a grid of penalty strengths that suits the data, and all combinations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_rmsprop._compat import validate_parameter_constraints
from sklearn_rmsprop._data import TrainingData, neighbours
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._parameters import CONSTRAINTS
from sklearn_rmsprop._statistics import location, sample_evenly, weights_of

# The best constant of a loss that has no formula for it is that of at most so many rows.
MOST_ROWS_FOR_CONSTANT = 1 << 16

# Rows of X that are converted to float64 at a time.
ROWS_AT_ONCE = 8192

# The largest alpha of an L2 penalty alone: with it, the objective is at most this share of the null loss below that of
# the best constant. (No alpha makes all coefficients zero.)
LEAST_GAIN = 0.1

# Smallest over largest alpha with an L1 penalty, and without. The strengths that may be best with L2 alone spread over
# more decades: from about the variance of the columns, where many columns explain little, down to next to nothing.
EPS, EPS_OF_L2 = 1e-4, 1e-6

# Bisection halves the range of the target until floating-point numbers end.
HALVINGS = 60


def combinations(
    alphas: np.ndarray, l1_ratios: Sequence[float], learning_rates: Sequence[float], decay_rates: Sequence[Any]
) -> list[dict[str, Any]]:
    """All combinations, those that differ in alpha only side by side. `alphas`: a row for each of `l1_ratios`."""
    return [
        {"alpha": float(alpha), "l1_ratio": l1_ratio, "learning_rate": learning_rate, "decay_rate": decay_rate}
        for decay_rate in decay_rates
        for learning_rate in learning_rates
        for row, l1_ratio in zip(alphas, l1_ratios, strict=True)
        for alpha in row
    ]


def checked_alphas(alphas: Any) -> np.ndarray:
    """Strengths that the user has given."""
    values = check_array(alphas, ensure_2d=False, dtype=np.float64, input_name="alphas")
    if values.ndim != 1:
        raise ValueError(
            f"alphas must be a number of strengths, or a list of them; got an array of shape {values.shape}."
        )
    if (values < 0).any():
        raise ValueError(f"alphas must not be negative; got {values.min()}.")
    return values


def values_of(name: str, value: Any, caller: str) -> list[Any]:
    """The values of a parameter that may be a list; `caller`: whose parameter it is, for errors."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return [value]
    values = list(value)
    if not values:
        raise ValueError(f"{name} must be a value or a list of at least one; got an empty one.")
    for one in values:
        validate_parameter_constraints({name: CONSTRAINTS[name]}, {name: one}, caller)
    return values


def alpha_grid(
    data: TrainingData,
    objective: Objective,
    l1_shares: Sequence[float],
    *,
    n_alphas: int,
    eps: float | None,
    fit_intercept: bool,
) -> np.ndarray:
    """Strengths evenly spaced on a logarithmic scale, (n_l1_shares, n_alphas), from the largest useful one down.

    That is where L1 makes all coefficients zero. L2 alone has no such point; where it is the only penalty, the grid
    begins where the penalised objective can gain hardly anything on the null loss: with the gradient g of the null
    model, no coefficients gain more than |g|^2 / (2 alpha).
    """
    gradient, null_loss = null_gradient(data, objective, fit_intercept=fit_intercept)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        of_l1, of_l2 = np.abs(gradient).max(initial=0), gradient @ gradient / (2 * LEAST_GAIN * np.float64(null_loss))
        largest = np.array([of_l1 / share if share > 0 else of_l2 for share in l1_shares])
    smallest_share = np.array([eps or (EPS if share > 0 else EPS_OF_L2) for share in l1_shares])
    # of a constant target, or columns that are all zero: every strength gives the same model
    largest[~(np.isfinite(largest) & (largest * smallest_share > np.finfo(np.float64).tiny))] = 1.0
    return np.geomspace(largest, largest * smallest_share, n_alphas, axis=1)


def null_gradient(data: TrainingData, objective: Objective, *, fit_intercept: bool) -> tuple[np.ndarray, float]:
    """The gradient (n_features,) of the mean loss at the best constant prediction, and the loss there.

    The constant is zero without an intercept. With one, the gradient is that of columns that are centred: at the
    constant the derivative with respect to the intercept is zero.
    """
    rows, loss = data.rows, objective.loss(np.ones(1))
    y, weight = data.y[rows], weights_of(data.weight, rows)
    weight = weight / weight.sum()
    constant = best_constant(data, objective, loss) if fit_intercept else 0.0
    derivative, losses = loss.derivative_and_loss(np.ascontiguousarray(y), np.full(y.shape, constant))
    slope = weight * derivative[:, 0]
    if fit_intercept:  # at a kink any derivative between the two slopes counts: those that add up to zero
        slope -= weight * slope.sum()
    of_row = np.zeros(len(data.y))
    of_row[rows] = slope
    X: Any = data.X
    # dense columns far from zero: less their first value, so that products do not cancel
    origin = X[rows[0]].astype(np.float64) if fit_intercept and not sparse.issparse(X) else None
    gradient = np.zeros(X.shape[1])
    for first in range(0, X.shape[0], ROWS_AT_ONCE):
        last = min(first + ROWS_AT_ONCE, X.shape[0])
        block = neighbours(X, first, last).astype(np.float64, copy=False)
        gradient += (block if origin is None else block - origin).T @ of_row[first:last]
    return gradient, float(weight @ losses[:, 0])


def best_constant(data: TrainingData, objective: Objective, loss: Loss) -> float:
    """The constant prediction with the smallest mean loss."""
    if not objective.kind.robust and not objective.kind.has_tube:
        return float(location(data.y, data.rows, data.weight, None)[0])
    if objective.kind.kinked and not objective.kind.has_tube:
        return float(location(data.y, data.rows, data.weight, objective.target_quantile)[0])
    rows = sample_evenly(data.rows, MOST_ROWS_FOR_CONSTANT)
    y, weight = np.ascontiguousarray(data.y[rows]), weights_of(data.weight, rows)
    low, high = float(y.min()), float(y.max())
    for _ in range(HALVINGS):  # the mean derivative rises with the constant
        middle = low + (high - low) / 2
        if weight @ loss.derivative_and_loss(y, np.full(y.shape, middle))[0][:, 0] > 0:
            high = middle
        else:
            low = middle
    return low + (high - low) / 2
