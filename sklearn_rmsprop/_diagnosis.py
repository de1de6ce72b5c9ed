"""Whether columns or targets are too far from zero to fit, and whether `delta` leaves gradients to fit."""

from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import (
    location,
    median_distance,
    sample_evenly,
    shares_of,
    weighted_moments,
    weights_of,
)

# Without an intercept, columns may be this many standard deviations from zero, also in dense data, whose whitened
# coordinates even out more. Measured beside 20 one-hot columns: sparse data had an excess loss of 2e-4 at 10 standard
# deviations, 1e-3 at 30 and 1e-2 at 100; dense data 2e-5 at 10,000 and 9e-3 at 30,000.
MOST_DISTANT_SPARSE, MOST_DISTANT = 20.0, 1e4

# A column varies if its standard deviation is more than this share of its mean, which rounding does not cause.
VARIES = 1e-11

# Without an intercept, predictions may miss the mean of y by this many of its standard deviations. The loss of the best
# constant is then that of zero, so that the default `tol` stands for 1 % of the variance.
FARTHEST_MEAN = 10.0

# Errors are measured on at most so many rows: shares of rows and medians then have an error of about 1 %.
MOST_ROWS = 4096

# A tube is too wide if fewer than this share of the rows have an error that costs something, although the typical error
# is more than this share of the spread of y. Measured with tubes of 0.05 to 4 times the spread, on targets of which the
# columns explain 0.5 to 0.999: without the warning a fit loses at most 0.15 of R2, with it up to all.
FEWEST_OUTSIDE, LARGEST_ERROR = 0.01, 0.5

# A stream is told once that its tube is too wide: when no row of its first steps has moved the model. That as many rows
# lie in a useful tube by chance is next to impossible, even if each call has one row.
STEPS_TO_MOVE = 30

# Beside a spread of y of 1, "huber" with a delta below this is the absolute error: errors smaller than delta are too
# rare to matter. Its gradients are as small as delta, and vanish beside `epsilon` or the roundings of float32.
SMALLEST_DELTA = 1e-3

# A target this many times the spread from the median is an outlier, which "huber" is chosen for.
OUTLYING = 20.0


def distant_columns(data: TrainingData, settings: Settings) -> str | None:
    """What a warning should say if columns are too far from zero for a fit without an intercept, or None.

    There nothing is centred, and what such a column varies by is a direction in which the loss is nearly flat.
    """
    X: Any = data.X
    if settings.fit_intercept or not settings.standardize or X.shape[1] == 1:
        return None
    rows = sample_evenly(data.rows, MOST_ROWS)
    mean, sd = weighted_moments(X, rows, data.weight)
    distance = np.divide(np.abs(mean), sd, out=np.zeros(X.shape[1]), where=sd > VARIES * np.abs(mean))
    column = int(np.argmax(distance))
    if distance[column] <= (MOST_DISTANT_SPARSE if sparse.issparse(X) else MOST_DISTANT):
        return None
    return (
        f"Column {column} of X lies {distance[column]:.2g} standard deviations from zero, and without an intercept the "
        "fit cannot centre it: what the column varies by may not be fitted. Set fit_intercept=True, or subtract the "
        "mean from the column."
    )


def missing_intercept(data: TrainingData, settings: Settings, coef: np.ndarray) -> str | None:
    """What a warning should say if a fit without an intercept misses the mean of y by far, or None.

    Nothing else in such a model matters. `coef` has the shape (n_features, n_targets).
    """
    if settings.fit_intercept:
        return None
    X: Any = data.X
    rows = sample_evenly(data.rows, MOST_ROWS)
    share = shares_of(data.weight, rows)
    y = data.y[rows]
    with np.errstate(over="ignore", invalid="ignore"):  # of float32, for which y may be too large
        missed = np.abs(share @ (y - X[rows] @ coef))
    _, sd = weighted_moments(data.y, data.rows, data.weight)
    distance = np.divide(missed, sd, out=np.zeros(len(sd)), where=sd > 0)
    target = int(np.argmax(distance))
    if distance[target] <= FARTHEST_MEAN:
        return None
    name = "y" if len(sd) == 1 else f"column {target} of y"
    return (
        f"Predictions miss the mean of {name} by {distance[target]:.2g} of its standard deviations: without an "
        "intercept, the columns of X cannot reach it. Set fit_intercept=True, or subtract the mean from y."
    )


def useless_delta(data: TrainingData, objective: Objective, coef: np.ndarray, intercept: np.ndarray) -> str | None:
    """What a warning should say if `delta` does not do for these targets what it is there for, or None.

    `coef` has the shape (n_features, n_targets). Spreads are standard deviations that outliers do not change.
    """
    if objective.kind.parameter != "delta":
        return None
    X: Any = data.X
    rows = sample_evenly(data.rows, MOST_ROWS)
    y, weight = data.y[rows], weights_of(data.weight, rows)
    with np.errstate(over="ignore", invalid="ignore"):  # of float32, for which y may be too large
        error = np.abs(y - (X[rows] @ coef + intercept))
    median = location(y, np.arange(len(rows)), weight, 0.5)
    spread, error_spread = median_distance(y, weight, median), median_distance(error, weight, np.zeros(len(median)))
    farthest = np.abs(y - median).max(axis=0)
    outside = np.average(error > objective.delta, axis=0, weights=weight)
    for k in np.flatnonzero(spread > 0):
        name = "y" if len(spread) == 1 else f"column {k} of y"
        if objective.kind.has_tube:
            if outside[k] < FEWEST_OUTSIDE and error_spread[k] > LARGEST_ERROR * spread[k]:
                return (
                    f"delta={objective.delta} is too large for {name}, whose standard deviation is about "
                    f"{spread[k]:.2g} (without outliers): errors of up to delta have a loss of zero, and "
                    f"{1 - outside[k]:.0%} of the rows have no larger error, so the model has learned little. "
                    f"{smaller_tube(spread[k])}"
                )
        elif objective.delta < SMALLEST_DELTA * spread[k]:
            return tiny_delta(objective.delta, name, spread[k])
        elif outside[k] == 0 and farthest[k] > OUTLYING * spread[k]:
            return (
                f"delta={objective.delta} is too large for {name}, whose standard deviation is about {spread[k]:.2g} "
                "(without outliers): no error is larger than delta, so loss='huber' is the squared error, and outliers "
                "have their full weight. Set delta to the largest error that is not an outlier (for example "
                f"{spread[k]:.1g} or less)."
            )
    return None


def useless_delta_of_stream(
    n_steps: int, state: State, data: TrainingData, objective: Objective, coordinates: Coordinates
) -> str | None:
    """The same for a stream, once: what its first steps tell. `n_steps`: the steps before these rows."""
    if objective.kind.parameter != "delta":
        return None
    unit = coordinates.y_unit.max()
    if not objective.kind.has_tube:
        return (
            tiny_delta(objective.delta, "y", unit) if n_steps == 0 and objective.delta < SMALLEST_DELTA * unit else None
        )
    if not n_steps < STEPS_TO_MOVE <= state.t:
        return None
    distance = np.abs(data.y[data.rows] - coordinates.y_mean).max(axis=0)
    had_gradient = state.scaled_square.any(axis=0) | state.coef[:-1].any(axis=0)  # squares restart with a new basis
    unmoved = ~had_gradient & (distance > 0)
    if not unmoved.any():
        return None
    return (
        f"delta={objective.delta} is too large: no row so far has a larger error, and errors of up to delta have a "
        f"loss of zero, so the coefficients have not changed. {smaller_tube(distance[unmoved][0])}"
    )


def smaller_tube(spread: float) -> str:
    """What to do about a tube that is too wide."""
    return (
        f"Set delta to the largest error that does not matter (for example {spread / 10:.1g} or less), or to 0, so "
        "that every error counts."
    )


def tiny_delta(delta: float, name: str, spread: float) -> str:
    """What to say about "huber" with a `delta` that hardly any error is below."""
    return (
        f"delta={delta} is too small for {name}, whose standard deviation is about {spread:.2g} (without outliers): "
        "nearly all errors are larger than delta, so loss='huber' is the absolute error, with gradients that may be "
        "too small to train with. Set delta to the largest error that is not an outlier (for example "
        f"{spread / 10:.1g} or more), or use loss='absolute_error'."
    )
