"""Whether a fit has stopped before its optimum, as it may with correlated columns that are not whitened.

There the loss falls so slowly that it seems to have ceased to: less than `tol` from evaluation to evaluation. A step of
Newton's method, which correlations do not hinder, shows what is left.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._kernel._losses import SquaredError
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._statistics import sample_evenly, shares_of
from sklearn_rmsprop._stopping import IN_WORDS, Reason
from sklearn_rmsprop._whitening import LOOKED_AT, is_ill_conditioned, standardised
from sklearn_rmsprop._whitening import MOST_COLUMNS as MOST_WHITENED_COLUMNS
from sklearn_rmsprop._whitening import ROWS_PER_COLUMN as ROWS_PER_WHITENED_COLUMN

# The step changes the coefficients of at most so many columns: what it gains is a part of what is left. They are first
# looked at in LOOKED_AT rows for each, but FEWEST_LOOKED_AT at least.
MOST_COLUMNS, MOST_SPARSE_COLUMNS = 512, 256
FEWEST_LOOKED_AT = 512

# Of sparse rows, the fullest columns are those of so many rows. Columns with fewer than FEWEST_ENTRIES entries in a
# sample are left out there: some are equal by chance.
MOST_SPARSE_ROWS, FEWEST_ENTRIES = 1024, 5

# The curvature is that of so many rows for each of these columns, but of FEWEST_ROWS at least.
ROWS_PER_COLUMN, FEWEST_ROWS = 4, 2048

# The gradient is that of at most so many rows, and the gain that on as many others: what lowers the loss of the rows
# that the step was computed from may be their noise.
MOST_ROWS = 1 << 16

# Directions with less than this share of the largest curvature are left out.
NULL_SHARE = 1e-9

# Parts of the step that are tried.
PARTS_OF_STEP = (1.0, 0.5, 0.25, 0.125)

# A fit has stopped short if the step gains so many times `tol`, and this share of the null loss.
TIMES_TOL, SHARE_OF_NULL_LOSS = 10, 1e-3

# Coefficients (n_features, n_targets) and intercepts (n_targets,).
Model = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Step:
    """A sample of some columns, and the step of Newton's method that changes their coefficients.

    Attributes
    ----------
    columns : (n_columns,), numbers of the columns; those that vary in the sample
    sample : (n_rows, n_columns), as `standardised` returns it
    mean, size : (n_columns,), what it has subtracted from the columns, and divided them by
    """

    columns: np.ndarray
    sample: np.ndarray
    mean: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, data: TrainingData, columns: np.ndarray, n_rows: int, *, centred: bool) -> "Step":
        """With a sample of about so many rows."""
        rows = sample_evenly(data.rows, n_rows)
        X: Any = data.X
        if sparse.issparse(X):
            X = X[rows][:, columns].toarray()
            known = np.count_nonzero(X, axis=0) >= FEWEST_ENTRIES
            X, columns = X[:, known], columns[known]
        else:
            X = X[np.ix_(rows, columns)]
        sample, mean, size = standardised(X.astype(np.float64), shares_of(data.weight, rows), centred=centred)
        varies = size > 0
        return cls(columns[varies], sample[:, varies], mean[varies], size[varies])

    def down(self, gradient: np.ndarray, l2: float) -> np.ndarray:
        """The step against this gradient, (n_columns, n_targets); `l2`: strength of the L2 penalty."""
        second_derivatives = self.sample.T @ self.sample + np.diag(l2 / self.size**2)
        if not np.isfinite(second_derivatives).all():  # of tiny columns, which the penalty holds at zero
            return np.zeros_like(gradient)
        eigenvalues, vectors = np.linalg.eigh(second_derivatives)
        varies = eigenvalues > NULL_SHARE * eigenvalues[-1]
        of_directions = vectors[:, varies].T @ (gradient / self.size[:, np.newaxis])
        result: np.ndarray = -(vectors[:, varies] / eigenvalues[varies]) @ of_directions / self.size[:, np.newaxis]
        return result


def stopped_short(
    data: TrainingData,
    settings: Settings,
    coef: np.ndarray,
    intercept: np.ndarray,
    *,
    reason: Reason | None,
    n_rows: int,
) -> str | None:
    """What a warning should say if a fit has stopped before its optimum because of correlated columns, or None.

    Parameters
    ----------
    data : TrainingData
    settings : Settings
    coef, intercept : (n_features, n_targets) and (n_targets,)
        The fitted model.
    reason : str
        Why the fit has stopped.
    n_rows : int
        Rows of the fit, of which `data` may have some only.
    """
    objective, centred = settings.objective, settings.fit_intercept
    if settings.tol is None or not settings.rule.average:
        return None
    model = coef.astype(np.float64), intercept.astype(np.float64)
    columns = columns_to_change(data, coef, nonzero=objective.has_l1)
    if len(columns) < 2 or len(data.rows) < 2 * len(columns):
        return None
    n_looked_at = max(LOOKED_AT * len(columns), FEWEST_LOOKED_AT)
    if not is_ill_conditioned(Step.of(data, columns, n_looked_at, centred=centred).sample):
        return None
    step = Step.of(data, columns, max(ROWS_PER_COLUMN * len(columns), FEWEST_ROWS), centred=centred)
    if not (len(step.columns) > 1 and np.isfinite(step.sample).all()):
        return None
    rows, others = some_and_others(data.rows, are_all=n_rows == len(data.rows))
    with np.errstate(all="ignore"):  # of numbers close to the largest one; a gain that is not finite says nothing
        down = step.down(gradient_of(data, objective, model, rows, step), np.max(objective.alpha_l2))
        if objective.kind.kinked:
            down *= length_for_kinked(data, model, step, down, others)
        gain = largest_gain(data, objective, models_along(model, step, down), others)
    if not (max(TIMES_TOL * settings.tol, SHARE_OF_NULL_LOSS) <= gain < np.inf):
        return None
    return (
        f"The fit stopped because {IN_WORDS[reason]}, but has not reached its optimum: columns of X are strongly "
        f"correlated, and one step of Newton's method lowers the objective by {gain:.2g} times the null loss (the loss "
        f"of the best constant). {remedy(data, settings, n_rows=n_rows)}"
    )


def columns_to_change(data: TrainingData, coef: np.ndarray, *, nonzero: bool) -> np.ndarray:
    """The numbers of the columns whose coefficients the step changes: evenly spread, of sparse rows also the fullest.

    `nonzero`: only those whose coefficients are not zero: there an L1 penalty is smooth.
    """
    X: Any = data.X
    columns = np.flatnonzero(coef.any(axis=1)) if nonzero else np.arange(X.shape[1])
    if not sparse.issparse(X):
        return sample_evenly(columns, MOST_COLUMNS)
    n_entries = np.bincount(X[sample_evenly(data.rows, MOST_SPARSE_ROWS)].indices, minlength=X.shape[1])
    order = np.argsort(-n_entries[columns], kind="stable")
    fullest, others = np.split(columns[order], [MOST_SPARSE_COLUMNS // 2])
    return np.sort(np.append(fullest, sample_evenly(np.sort(others), MOST_SPARSE_COLUMNS // 2)))


def some_and_others(rows: np.ndarray, *, are_all: bool) -> tuple[np.ndarray, np.ndarray]:
    """Up to MOST_ROWS of these rows, and as many others; all of them twice if the fit had no more."""
    if are_all and len(rows) <= MOST_ROWS:
        return rows, rows
    places = sample_evenly(np.arange(len(rows), dtype=np.uint32), min(MOST_ROWS, len(rows) // 2))
    is_other = np.ones(len(rows), bool)
    is_other[places] = False
    return rows[places], sample_evenly(rows[is_other], MOST_ROWS)


def blocks(data: TrainingData, rows: np.ndarray) -> Iterator[tuple[Any, np.ndarray, np.ndarray]]:
    """X, targets, and shares of the weight, of some rows at a time."""
    share = shares_of(data.weight, rows)
    for first in range(0, len(rows), data.n_rows_at_once):
        part = slice(first, first + data.n_rows_at_once)
        yield data.X[rows[part]], np.ascontiguousarray(data.y[rows[part]]), share[part]


def gradient_of(data: TrainingData, objective: Objective, model: Model, rows: np.ndarray, step: Step) -> np.ndarray:
    """The gradient of the objective on these rows, by the columns of the step less their means."""
    coef, intercept = model
    loss = objective.loss(np.ones(len(intercept)))
    of_step = coef[step.columns]
    total = objective.alpha_l2 * of_step + objective.alpha_l1 * np.sign(of_step)
    for X, y, share in blocks(data, rows):
        slope = loss.derivative_and_loss(y, np.ascontiguousarray(X @ coef + intercept))[0] * share[:, np.newaxis]
        total += (X.T @ slope)[step.columns] - step.mean[:, np.newaxis] * slope.sum(axis=0)
    return total


def length_for_kinked(data: TrainingData, model: Model, step: Step, down: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Factors with which the step changes predictions by as much as the errors are large, per target.

    The second derivatives of a loss with a kink are proportional to those of the squared error, if the errors are
    independent of the columns, but by a factor that is not known: the density of the errors at the kink.
    """
    coef, intercept = model
    rows = sample_evenly(rows, FEWEST_ROWS)
    error = np.median(np.abs(data.y[rows] - (data.X[rows] @ coef + intercept)), axis=0)
    change = np.linalg.norm(step.sample @ (down * step.size[:, np.newaxis]), axis=0)
    return np.divide(error, change, out=np.zeros_like(error), where=change > 0)


def models_along(model: Model, step: Step, down: np.ndarray) -> list[Model]:
    """A model, and those after parts of the step: curvatures of few rows may be too small, and the step too long."""
    coef, intercept = model
    models = [model]
    for part in PARTS_OF_STEP:
        there = coef.copy()
        there[step.columns] += part * down
        models.append((there, intercept - part * (step.mean @ down)))
    return models


def largest_gain(data: TrainingData, objective: Objective, models: Sequence[Model], rows: np.ndarray) -> float:
    """By how much the best of the models is better than the first on these rows, over the null loss.

    Of several targets, that with the largest gain counts.
    """
    units = np.ones(data.y.shape[1])
    loss = objective.loss(units)
    at_models = np.array([objective.penalty(coef, units) for coef, _ in models])
    for X, y, share in blocks(data, rows):
        for k, (coef, intercept) in enumerate(models):
            at_models[k] += share @ loss.derivative_and_loss(y, np.ascontiguousarray(X @ coef + intercept))[1]
    null_loss = objective.null_loss(data.y, data.weight, rows, loss)
    return float(((at_models[0] - at_models[1:].min(axis=0)) / null_loss).max())


def remedy(data: TrainingData, settings: Settings, *, n_rows: int) -> str:
    """What to do about correlated columns: everything that keeps them from being whitened."""
    objective, n_features = settings.objective, data.X.shape[1]
    obstacles = {
        "pass X as a dense array": sparse.issparse(data.X),
        'set penalty="l2"': objective.has_l1,
        "set standardize=True": not settings.standardize,
        "set whiten=True": settings.whiten is False
        or n_features > MOST_WHITENED_COLUMNS
        or n_rows < ROWS_PER_WHITENED_COLUMN * n_features,
    }
    changes = [change for change, is_needed in obstacles.items() if is_needed] or ["set whiten=True"]
    text = f"To have the columns decorrelated, {' and '.join(changes)}. Or set momentum=0.9 and a smaller tol."
    if objective.has_l1 and objective.kind.kernel is SquaredError:
        text += " Lasso and ElasticNet minimise the same objective."
    return text
