"""The problem of a fit, posed for the kernel: rows in its coordinates, the loss and the penalty, and their
evaluation."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop._batches import Batches
from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData, minus_origin
from sklearn_rmsprop._kernel._csr_rows import CSRRows
from sklearn_rmsprop._kernel._dense_rows import DenseRows
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._kernel._rows import Rows
from sklearn_rmsprop._kernel._steps import run_steps
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import (
    NEIGHBOURS,
    Weight,
    count_nonzero_rows,
    mean_weight,
    sample_evenly,
    visit_probability,
)
from sklearn_rmsprop._stopping import Improvement

# The loss is evaluated on at most so many rows; all rows in each evaluation would take a tenth to half of an epoch.
# What a sample says about an improvement has an error of about sqrt(excess loss / rows), and it may lack rare rows: so
# when it shows no improvement, the loss on a larger sample decides (see Stopping).
#
# Using each row's loss just before its step was tried and removed: it is the loss of the iterate, which lies above that
# of the average, and falls as the steps shrink.
MOST_EVALUATION_ROWS = 4096
MOST_CONFIRMATION_ROWS = 1 << 16

# Long rows, or many targets: limit the sample by the number of values of X, and of y, instead, but use at least
# FEWEST_EVALUATION_ROWS rows.
EVALUATION_VALUES, EVALUATION_TARGETS, FEWEST_EVALUATION_ROWS = 1 << 18, 1 << 15, 1024

# The standard error of an improvement is that of its means over so many parts of the rows, or of so many of them: with
# 16 parts, it is known to a fifth at best.
N_PARTS, ROWS_FOR_ERROR = 16, 1 << 13


@dataclass(frozen=True)
class Problem:
    """What is minimised. Nothing in it changes during a fit but the working memory of `rows`.

    Attributes
    ----------
    rows : the rows in the kernel's coordinates, with the working copy of a state
    objective, coordinates : loss and penalty in the user's units, and the coordinates of the fit
    loss : the loss in the kernel's units
    y, weight : targets and weights in the kernel's units
    evaluation_rows, confirmation_rows : indices of the rows on which the loss is evaluated, and confirmed
    origin : (n_features,), the mean that the coordinates subtract but the rows do not; None if there is none
    data, batches, fit_intercept, shuffle : what the problem was made of, as in `make_problem`
    penalty_elsewhere : the penalty of coefficients that are not trained, per target
    """

    rows: Rows
    objective: Objective
    coordinates: Coordinates
    loss: Loss
    y: np.ndarray
    weight: Weight
    evaluation_rows: np.ndarray
    confirmation_rows: np.ndarray
    origin: np.ndarray | None
    data: TrainingData
    batches: Batches
    fit_intercept: bool
    shuffle: bool
    penalty_elsewhere: np.ndarray | float = 0.0

    @cached_property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.batches.drawn) / self.batches.size)

    @property
    def is_sampled(self) -> bool:
        """Whether the loss is evaluated on fewer rows than it can be confirmed on."""
        return len(self.evaluation_rows) < len(self.confirmation_rows)

    def advance(self, state: State, settings: Settings, n_steps: int, rate_factor: float | np.ndarray) -> State:
        """The state after `n_steps` more steps. The states are those of `state_on_rows`."""
        rule, rows = settings.rule, self.rows
        if isinstance(rate_factor, np.ndarray) and rate_factor.size == 1:
            rate_factor = float(rate_factor.item())  # the kernel has factors for several targets only
        of_targets = None
        if isinstance(rate_factor, np.ndarray):
            of_targets, rate_factor = rate_factor, 1.0
        rows.load(state, of_targets)
        steps = np.arange(state.t + 1, state.t + n_steps + 1)
        rate = rule.step_sizes(settings.max_iter * self.steps_per_epoch)(steps)
        plan = rule.plan(state.t, rate_factor * rate, forgotten=state.forgotten, lazy=rows.lazy)
        decay_product = run_steps(
            rows, self.loss, plan, batch_size=self.batches.size, decay_product=state.decay_product
        )
        later = state.after(rows.store(moments=rule.uses_moments), n_steps, decay_product)
        rows.stored_as(later, of_targets)
        return later

    def null_loss(self, rows: np.ndarray) -> np.ndarray:
        """The loss of the best constant on these rows, per target."""
        return self.objective.null_loss(self.y, self.weight, rows, self.loss)

    def evaluate(self, coef: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The objective at this point on these rows, per target, in the kernel's units."""
        loss = self.loss.of_model(self.rows, coef, rows)
        if not self.objective.is_penalized:
            return loss
        penalty = self.objective.penalty(self.coordinates.expand(coef)[:-1], self.coordinates.y_unit)
        return loss + penalty + self.penalty_elsewhere

    def compare(
        self, before: np.ndarray, now: np.ndarray, n_rows: int, targets: np.ndarray | None = None
    ) -> Improvement:
        """The improvement from one point to another on about `n_rows` rows.

        `targets`: a mask of those that are asked for; None for all of them.
        """
        if targets is not None and 2 * np.count_nonzero(targets) <= len(targets):
            # the losses of a few take less time, although a loss takes longer than one of many
            places = np.flatnonzero(targets)
            of_places = [np.ascontiguousarray(point[:, places]) for point in (before, now)]
            return self.of_targets(places).compare(of_places[0], of_places[1], n_rows).of_many(targets)
        rows = sample_evenly(self.data.rows, n_rows)
        at_before, at_now, half_way = (self.evaluate(coef, rows) for coef in (before, now, (before + now) / 2))
        sag = np.maximum((at_before + at_now) / 2 - half_way, 0)
        return Improvement(at_before - at_now, sag, lambda: self.error_of_improvement(before, now, rows))

    def error_of_improvement(self, before: np.ndarray, now: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The standard error of the improvement on these rows, which are a sample of all."""
        looked_at = sample_evenly(rows, ROWS_FOR_ERROR)
        part_of = np.arange(len(looked_at)) // NEIGHBOURS % N_PARTS
        parts = [looked_at[part_of == k] for k in range(N_PARTS)]
        share = np.array([mean_weight(self.weight, part) * len(part) for part in parts])
        share /= share.sum()
        at_before, at_now = (np.array([self.evaluate(coef, part) for part in parts]) for coef in (before, now))
        change = at_before - at_now
        # all rows together have no error
        square = share**2 @ (change - share @ change) ** 2 * (1 - len(rows) / len(self.data.rows))
        return np.sqrt(square * N_PARTS / (N_PARTS - 1) * len(looked_at) / len(rows))

    def in_user_units(self, losses: np.ndarray) -> float:
        """Losses per target in the kernel's units as one number in the user's: the mean over targets."""
        return float(losses @ self.objective.loss_unit(self.coordinates.y_unit)) / len(losses)

    def of_targets(self, targets: np.ndarray) -> "Problem":
        """The problem of some of the targets, whose steps continue in the same epoch and order of the rows.

        Its first state is `State.of_targets` of the state after the last step.
        """
        problem = make_problem(
            self.data.of_targets(targets),
            self.coordinates.of_targets(targets),
            self.objective.of_targets(targets),
            self.batches,
            fit_intercept=self.fit_intercept,
            shuffle=self.shuffle,
        )
        problem.rows.follow(self.rows)
        return replace(
            problem, penalty_elsewhere=np.broadcast_to(self.penalty_elsewhere, self.coordinates.y_unit.shape)[targets]
        )

    def state_on_rows(self, state: State) -> State:
        """A state with the origin of these rows: sparse rows are not centred."""
        return state.with_origin_moved(None if self.origin is None else -self.origin)

    def state_off_rows(self, state: State) -> State:
        """The reverse of `state_on_rows`."""
        return state.with_origin_moved(self.origin)


def data_for_kernel(data: TrainingData, coordinates: Coordinates) -> TrainingData:
    """The data with rows that the kernel can convert to these coordinates on the fly: a copy if X is not such rows."""
    X: Any = data.X
    X, origin = X.astype(coordinates.dtype(X.dtype), copy=False), data.origin
    if sparse.issparse(X) and coordinates.basis is not None:
        X = X.toarray()  # the basis is that of dense columns
    elif sparse.issparse(X) and origin is None and coordinates.sparse_origin is not None:
        origin = coordinates.sparse_origin
        X = minus_origin(X, origin)
    return replace(data, X=X, origin=origin)


def origin_of_rows(data: TrainingData, coordinates: Coordinates) -> np.ndarray | None:
    """The mean that the coordinates subtract, but these rows (made by `data_for_kernel`) do not, or None."""
    if coordinates.x_mean is None or not sparse.issparse(data.X):
        return None
    origin = coordinates.x_mean if data.origin is None else coordinates.x_mean - data.origin
    return origin if origin.any() else None


def make_problem(
    data: TrainingData,
    coordinates: Coordinates,
    objective: Objective,
    batches: Batches,
    *,
    fit_intercept: bool,
    shuffle: bool,
) -> Problem:
    """The problem of fitting these rows, made by `data_for_kernel`, in these coordinates."""
    X: Any = data.X
    dtype, drawn, certain = X.dtype, batches.drawn, batches.certain
    y, weight = coordinates.target(data.y), coordinates.weight(data.weight, data.rows, dtype)
    inverse_unit = coordinates.inverse_unit(objective, dtype, fit_intercept=fit_intercept)
    rows: Rows
    if sparse.issparse(X):
        probability = None
        if objective.is_penalized:
            probability = batches.visit_probability
            if probability is None:
                probability = visit_probability(count_nonzero_rows(X, drawn), len(drawn), batches.size)
                batches = replace(batches, visit_probability=probability)  # for the problem of some of the targets
            if certain is not None:
                probability = probability.copy()
                probability[X[certain].indices] = 1  # in every batch
        if (penalties := coordinates.penalties(objective, dtype, probability)) is not None:
            penalties = np.ascontiguousarray(penalties[0][:, 0]), *penalties[1:]
        floor = coordinates.intercept_floor(dtype)
        of_features = np.ascontiguousarray(inverse_unit[:, 0])  # only a basis makes targets differ
        rows = CSRRows(X, y, weight, drawn, shuffle, of_features, floor, penalties, certain)
    else:
        mean = np.zeros(X.shape[1], dtype) if coordinates.x_mean is None else coordinates.x_mean.astype(dtype)
        of_coordinates = None
        if (penalties := coordinates.penalties(objective, dtype, None)) is not None:
            factor, *of_targets = penalties
            of_coordinates = [(factor * penalty).astype(dtype) for penalty in of_targets]
        floor = coordinates.gradient_floor(objective, dtype)
        basis = None if coordinates.basis is None else coordinates.basis.astype(dtype)
        rows = DenseRows(X, y, weight, drawn, shuffle, mean, inverse_unit, floor, of_coordinates, basis, certain)
    return Problem(
        rows=rows,
        objective=objective,
        coordinates=coordinates,
        loss=objective.loss(coordinates.y_unit),
        y=y,
        weight=weight,
        evaluation_rows=sample_evenly(
            data.rows, count_evaluation_rows(data.n_values, X.shape[0], data.n_different - X.shape[1])
        ),
        confirmation_rows=sample_evenly(data.rows, MOST_CONFIRMATION_ROWS),
        origin=origin_of_rows(data, coordinates),
        data=data,
        batches=batches,
        fit_intercept=fit_intercept,
        shuffle=shuffle,
    )


def count_evaluation_rows(n_values: int, n_rows: int, n_targets: int = 1) -> int:
    """On how many rows to evaluate the loss where `n_rows` rows hold so many values."""
    by_values = EVALUATION_VALUES * n_rows // max(1, n_values)
    wanted = min(by_values, EVALUATION_TARGETS // n_targets)
    return min(max(wanted, FEWEST_EVALUATION_ROWS), MOST_EVALUATION_ROWS)
