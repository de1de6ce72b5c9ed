"""The problem of a fit, posed for the kernel: rows in its coordinates, the loss and the penalty, and their
evaluation."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._kernel._csr_rows import CSRRows
from sklearn_rmsprop._kernel._dense_rows import DenseRows
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._kernel._rows import Rows
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Weight, count_nonzero_rows, visit_probability

# The loss is evaluated on so many rows; all rows in each evaluation would take a tenth to half of an epoch. What a
# sample says about an improvement has an error of about sqrt(excess loss / rows), and it may lack rare rows: so when it
# shows no more improvement, all rows decide (see Stopping).
#
# The loss of each row just before its step needs no rows of its own. That was tried and removed: it is not
# the loss of the averaged iterate but lies above it as far as single steps are long, and goes on falling while these
# shrink.
MOST_EVALUATION_ROWS = 4096

# Long rows: limit the sample by the number of values instead, but use at least FEWEST_EVALUATION_ROWS rows.
EVALUATION_VALUES, FEWEST_EVALUATION_ROWS = 1 << 18, 1024

# So many rows of the sample are neighbours: such are read faster.
NEIGHBOURS = 8


@dataclass(frozen=True)
class Problem:
    """What is minimised. Nothing in it changes during a fit but the working memory of `rows`.

    Attributes
    ----------
    rows : the rows in the kernel's coordinates, with the working copy of a state
    objective, y_unit : loss and penalty in the user's units, and the unit of the targets, (n_targets,)
    loss : the loss in the kernel's units
    y, weight : targets and weights in the kernel's units
    rows_in_all, evaluation_rows : numbers of the rows that take part, and of those on which the loss is evaluated
    batch_size : rows per step
    origin : (n_features,), by what a state is centred that the rows are not; None: both alike
    penalty_elsewhere : the penalty of coefficients that are not trained, per target
    """

    rows: Rows
    objective: Objective
    y_unit: np.ndarray
    loss: Loss
    y: np.ndarray
    weight: Weight
    rows_in_all: np.ndarray
    evaluation_rows: np.ndarray
    batch_size: int
    origin: np.ndarray | None
    penalty_elsewhere: np.ndarray | float = 0.0

    @cached_property
    def steps_per_epoch(self) -> int:
        return count_steps(len(self.rows_in_all), self.batch_size)

    @property
    def is_sampled(self) -> bool:
        """Whether the loss is evaluated on some of the rows only."""
        return len(self.evaluation_rows) < len(self.rows_in_all)

    def null_loss(self, rows: np.ndarray) -> np.ndarray:
        """The loss of the best constant on these rows, per target."""
        return self.objective.null_loss(self.y, self.weight, rows, self.loss)

    def evaluate(self, coef: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The objective of these coordinates on these rows, per target, in the kernel's units."""
        loss = self.loss.of_model(self.rows, coef, rows)
        if not self.objective.is_penalized:
            return loss
        return loss + self.objective.penalty(coef[:-1], self.y_unit) + self.penalty_elsewhere

    def in_user_units(self, losses: np.ndarray) -> float:
        """Losses per target in the kernel's units as one number in the user's: the mean over targets."""
        return float(losses @ self.objective.loss_unit(self.y_unit)) / len(losses)

    def state_on_rows(self, state: State) -> State:
        """A state with the origin of these rows: sparse rows are not centred."""
        return state.with_origin_moved(None if self.origin is None else -self.origin)

    def state_off_rows(self, state: State) -> State:
        """The reverse of `state_on_rows`."""
        return state.with_origin_moved(self.origin)


def make_problem(
    data: TrainingData,
    coordinates: Coordinates,
    objective: Objective,
    *,
    fit_intercept: bool,
    batch_size: int | None,
    shuffle: bool,
) -> Problem:
    """The problem of fitting these rows in these coordinates."""
    X, dtype, n_rows = data.X, data.X.dtype, len(data.rows)
    batch_size = min(batch_size or n_rows, n_rows)
    y, weight = coordinates.target(data.y), coordinates.weight(data.weight, data.rows)
    inverse_unit = coordinates.inverse_unit(dtype, fit_intercept=fit_intercept)
    origin = None
    rows: Rows
    if sparse.issparse(X):
        probability = None
        if objective.is_penalized:
            probability = visit_probability(count_nonzero_rows(X, data.rows), n_rows, batch_size)
        penalties = coordinates.penalties(objective, dtype, probability)
        floor = coordinates.rounding(dtype)
        rows = CSRRows(X, y, weight, data.rows, shuffle, inverse_unit, floor, penalties)
        origin = coordinates.x_mean
    else:
        mean = np.zeros(X.shape[1], dtype) if coordinates.x_mean is None else coordinates.x_mean.astype(dtype)
        penalties = coordinates.penalties(objective, dtype, None)
        rows = DenseRows(
            X, y, weight, data.rows, shuffle, mean, inverse_unit, coordinates.gradient_floor(dtype), penalties
        )
    return Problem(
        rows=rows,
        objective=objective,
        y_unit=coordinates.y_unit,
        loss=objective.loss(coordinates.y_unit),
        y=y,
        weight=weight,
        rows_in_all=data.rows,
        evaluation_rows=choose_evaluation_rows(data.rows, count_evaluation_rows(data.n_values, X.shape[0])),
        batch_size=batch_size,
        origin=origin,
    )


def count_steps(n_rows: int, batch_size: int | None) -> int:
    """Steps of an epoch; without a batch size one with all rows."""
    return math.ceil(n_rows / (batch_size or n_rows))


def count_evaluation_rows(n_values: int, n_rows: int) -> int:
    """On how many rows to evaluate the loss where `n_rows` rows hold so many values."""
    by_values = EVALUATION_VALUES * n_rows // max(1, n_values)
    return min(max(by_values, FEWEST_EVALUATION_ROWS), MOST_EVALUATION_ROWS)


def choose_evaluation_rows(rows: np.ndarray, n: int) -> np.ndarray:
    """All of these rows if they are no more than `n`, or about `n` of them: some neighbours from each of many
    stretches.

    The places within the stretches are random, so that no period in the data coincides with them, and the same each
    time.
    """
    if len(rows) <= n:
        return rows
    n_stretches = n // NEIGHBOURS
    length = len(rows) / n_stretches
    shift = np.random.default_rng(0).random(n_stretches) * (length - NEIGHBOURS)
    starts = (np.arange(n_stretches) * length + shift).astype(np.intp)
    return rows[(starts[:, np.newaxis] + np.arange(NEIGHBOURS)).ravel()]
