"""Whether a fitted model has learned the noise of its rows: how well will it predict new ones?"""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, cg

from sklearn_rmsprop._batches import MOST_ROWS_OF_SPACE
from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._row_space import RowSpace
from sklearn_rmsprop._statistics import location, sample_evenly, shares_of, weighted_moments, weights_of

# With fewer rows than columns, a model whose predictions for new rows vary more than the target, if the columns are
# independent, is mostly worse than the target's mean: fits with an R2 below -0.5 had 1.2 to 98, those with an R2 above
# it up to 1. Columns often are not. So where generalized cross-validation can tell, it must also estimate an R2 below
# POOR_R2. Measured on 384 fits of 30 to 300 rows: 94 % of those with an R2 below -0.5 warn, and 3 % of those with an R2
# above 0.1; without that condition, 96 and 27 %.
ARBITRARY_SPREAD, POOR_R2 = 1.0, 0.25

# A sparse model of many columns without a penalty counts as overfitted ("learned by heart") if its errors on new rows
# cost this share more of the target's variance. Measured on data with 1 to 30 entries a row: at an estimate of 0.08 it
# predicts new rows 0.01 of R2 worse than Ridge, at 0.14 (words of docstrings) 0.1, at 0.25 0.3.
LEARNED_BY_HEART, MANY_COLUMNS = 0.1, 100

# Predictions of a fit without a penalty are like those of ridge regression with this penalty, relative to the mean
# squared norm of a row; what they are compared with is like the `Ridge` of rows of norm 1. Measured on text-like rows,
# the estimates of R2 are within 0.1 of that on new rows.
LIKE_NO_PENALTY, LIKE_RIDGE = 1e-3, 1.0

# Conjugate gradients end at this residual: with 0.1, R2 is estimated up to 0.3 too high, and with 0.01 they take longer
# than the fit.
SOLVED, MOST_SOLVER_STEPS = 0.03, 100

# Errors are measured on at most so many rows.
MOST_ROWS = 4096

REMEDY = 'Set penalty="l2" (and choose alpha by cross-validation), or early_stopping=True.'


def overfitted(
    data: TrainingData,
    objective: Objective,
    coef: np.ndarray,
    intercept: np.ndarray,
    coordinates: Coordinates,
    *,
    n_rows: int,
    space: RowSpace | None,
    early_stopping: bool,
) -> str | None:
    """What a warning should say if a model has learned the noise of its rows, or None.

    `coef` has the shape (n_features, n_targets); `data` may be a sample of the `n_rows` rows. `space`: where the fit
    took place in it.
    """
    is_wide = n_rows < data.X.shape[1]
    if is_wide and (text := arbitrary(data, objective, coef, intercept, space)) is not None:
        return text
    if objective.is_penalized or early_stopping:
        return None
    if not sparse.issparse(data.X):
        return too_many_rows_for_a_space(data) if is_wide and n_rows > MOST_ROWS_OF_SPACE else None
    n_columns = int(np.count_nonzero(coef.any(axis=1)))
    if n_columns < MANY_COLUMNS:
        return None
    if is_wide:
        lost = lost_to_noise_if_wide(data, coordinates)
    else:
        lost = lost_to_noise(data, objective, coef, intercept, share=n_columns / n_rows)
    if lost <= LEARNED_BY_HEART:
        return None
    return (
        f"The model is overfitted: X has {n_columns} columns for {n_rows} rows, there is no penalty, and the model has "
        f"fitted much of the noise of these rows, so that it predicts new rows worse. {REMEDY}"
    )


def arbitrary(
    data: TrainingData, objective: Objective, coef: np.ndarray, intercept: np.ndarray, space: RowSpace | None
) -> str | None:
    """What to say of large coefficients where there are fewer rows than columns, if they are arbitrary."""
    spread = prediction_spread(data, coef)
    is_large = spread > ARBITRARY_SPREAD
    if is_large.any() and space is not None:
        is_large &= cross_validated_r2(data, coef, intercept, space) < POOR_R2
    if not is_large.any():
        return None
    # measured on 20 to 1000 rows of up to 15 times as many columns
    remedy = 'Set penalty="l2" and alpha, for example to 0.1; do not raise learning_rate above 0.2.'
    if objective.has_l2:
        remedy = "Set a larger alpha; do not raise learning_rate above 0.2."
    return (
        f"X has more columns ({data.X.shape[1]}) than rows, so many different models fit these rows, and the "
        "coefficients of this one are large: the standard deviation of predictions for new rows may be "
        f"{spread[is_large].max():.2g} times that of y. {remedy}"
    )


def prediction_spread(data: TrainingData, coef: np.ndarray) -> np.ndarray:
    """How many times as much as each target a model's predictions for new rows vary, if the columns are independent.

    The sum over the columns of the squared coefficient times the variance, over the variance of the target. `coef` has
    the shape (n_features, n_targets).
    """
    x_sd, y_sd = (weighted_moments(columns, data.rows, data.weight)[1] for columns in (data.X, data.y))
    with np.errstate(over="ignore"):
        relative_sd = np.divide(coef * x_sd[:, np.newaxis], y_sd, out=np.zeros(coef.shape), where=y_sd > 0)
        return (relative_sd**2).sum(axis=0)


def cross_validated_r2(data: TrainingData, coef: np.ndarray, intercept: np.ndarray, space: RowSpace) -> np.ndarray:
    """An estimate of R2 on new rows, per target, by generalized cross-validation (Golub, Heath and Wahba, 1979).

    It is that of the ridge regression with the training error of the model.
    """
    share = shares_of(data.weight, data.rows)
    X: Any = data.X
    y = data.y[data.rows]
    error = share @ (y - (X[data.rows] @ coef + intercept)) ** 2
    centred = y - share @ y
    Z = space.data.X.astype(np.float64)
    square = share @ Z**2
    Z *= np.sqrt(share)[:, np.newaxis] / np.sqrt(square)  # of orthonormal columns
    of_components = (np.sqrt(share)[:, np.newaxis] * centred).T @ Z  # (n_targets, n_components)
    variance = share @ centred**2
    elsewhere = np.maximum(variance - (of_components**2).sum(axis=1), 0)
    # how much of a row's own target its prediction follows is an average by weight: others are no rows at all
    leverage, leverage_of_mean = share @ Z**2, float(share @ share)
    result = np.empty(len(error))
    for k in range(len(error)):

        def left(ridge: float, k: int = k) -> float:
            return float(((ridge / (square + ridge) * of_components[k]) ** 2).sum() + elsewhere[k])

        least, most = 1e-10 * square.max(), 1e3 * square.max()
        for _ in range(50):
            ridge = (least * most) ** 0.5
            least, most = (ridge, most) if left(ridge) < error[k] else (least, ridge)
        share_left = 1 - leverage_of_mean - float(leverage @ (square / (square + least)))
        known = variance[k] > 0 and share_left > 0
        result[k] = 1 - left(least) / share_left**2 / variance[k] if known else 1.0
    return result


def too_many_rows_for_a_space(data: TrainingData) -> str:
    """What to say of a dense fit of more columns than rows, without a penalty, that was not made in their space."""
    return (
        f"X has more columns ({data.X.shape[1]}) than rows, and more than {MOST_ROWS_OF_SPACE} rows. So the fit does "
        "not end at the coefficients of least norm, and predicts new rows worse than least squares does (in "
        f"measurements, by 0.2 of R2). {REMEDY}"
    )


def lost_to_noise_if_wide(data: TrainingData, coordinates: Coordinates) -> float:
    """By how much R2 on new rows is below that of ridge regression, where sparse rows have more columns than rows.

    Both are estimates by generalized cross-validation, whose traces are those of a random vector (Hutchinson, 1990). Of
    several targets, the largest loss.
    """
    X: Any = data.X
    X = X[data.rows] if len(data.rows) < X.shape[0] else X
    X = X.astype(np.float64) @ sparse.diags_array(1 / coordinates.x_unit)
    X /= np.abs(X.data).max(initial=0) or 1  # squares of small numbers would underflow
    root_share = np.sqrt(shares_of(data.weight, data.rows))
    norm = float(root_share**2 @ np.asarray(X.multiply(X).sum(axis=1)).ravel())
    if norm == 0:
        return 0.0

    def centred(vector: np.ndarray) -> np.ndarray:
        """A vector of the rows, times the root of their shares, less their mean."""
        return vector - root_share * (root_share @ vector)

    def solve(ridge: float, vector: np.ndarray) -> np.ndarray:
        """(products of the centred rows + ridge)^-1 times the vector."""

        def times(v: np.ndarray) -> np.ndarray:
            return centred(root_share * (X @ (X.T @ (root_share * centred(v))))) + ridge * v

        operator = LinearOperator((len(vector), len(vector)), matvec=times, dtype=np.float64)
        solution: np.ndarray = cg(operator, vector, rtol=SOLVED, maxiter=MOST_SOLVER_STEPS)[0]
        return solution

    # the trace is an average by weight: rows without any are no rows at all
    probe = centred(np.random.default_rng(0).choice([-1.0, 1.0], size=len(root_share)) * root_share)
    trace = [probe @ solve(scale * norm / len(probe), probe) for scale in (LIKE_NO_PENALTY, LIKE_RIDGE)]
    lost = 0.0
    for target in data.y[data.rows].T:
        y = centred(root_share * (target / (np.abs(target).max() or 1)))
        if not y.any():
            continue
        left = [solve(scale * norm / len(probe), y) for scale in (LIKE_NO_PENALTY, LIKE_RIDGE)]
        error = [r @ r / (t / (probe @ probe)) ** 2 for r, t in zip(left, trace, strict=True)]
        lost = max(lost, (error[0] - error[1]) / float(y @ y))
    return lost


def lost_to_noise(
    data: TrainingData, objective: Objective, coef: np.ndarray, intercept: np.ndarray, *, share: float
) -> float:
    """By how much R2 on new rows is below that of the best model. `share`: coefficients for each row.

    Each coefficient takes 1 / n_rows of the variance of the noise away from the training rows, and adds as much on new
    ones. (On dense rows that is so, too; but there it is least squares that users compare with.) Of several targets,
    the largest loss.
    """
    X: Any = data.X
    rows = sample_evenly(data.rows, MOST_ROWS)
    y, weight = data.y[rows], weights_of(data.weight, rows)
    degree = 1 if objective.kind.robust else 2
    noise, spread = (mean_deviation(values, weight, degree) for values in (y - (X[rows] @ coef + intercept), y))
    unexplained = np.divide(noise, spread, out=np.zeros_like(noise), where=spread > 0) ** 2
    return float(unexplained.max()) * share / (1 - share) if share < 1 else np.inf


def mean_deviation(columns: np.ndarray, weight: np.ndarray, degree: int) -> np.ndarray:
    """The mean distance of each column from its median (degree 1), or the standard deviation (degree 2)."""
    center = location(columns, np.arange(len(columns)), weight, 0.5 if degree == 1 else None)
    mean: np.ndarray = np.average(np.abs(columns - center) ** degree, axis=0, weights=weight)
    return mean ** (1 / degree)
