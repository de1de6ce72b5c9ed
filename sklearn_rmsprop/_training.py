"""The loop over checks: run the kernel, look at the loss, decide whether to go on."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_rmsprop._data import Examples, Sample, Units
from sklearn_rmsprop._kernel._epoch import run_epochs
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._kernel._rows import CSRRows, Rows
from sklearn_rmsprop._monitor import History, Monitor
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._optimizer import Optimizer, State
from sklearn_rmsprop._stopping import DROPS, Stopping
from sklearn_rmsprop._validation import HeldOut

# A check follows each epoch, but not fewer steps than this: on tiny data an epoch is two steps, in which the loss
# hardly moves, and the rule would stop at once. Half as many saved 6 % of the time on 50 x 5 (with more checks, though)
# and missed 1.7 times as much there and on 100 x 10, four times as much on diabetes.
STEPS_PER_CHECK = 100


def count_steps(n_rows: int, batch_size: int | None) -> int:
    """Steps of an epoch; without a batch size one with all rows."""
    return math.ceil(n_rows / (batch_size or n_rows))


@dataclass(frozen=True)
class Problem:
    """What is fitted, fixed during the fit: rows with their targets and weights in the kernel's units."""

    rows: Rows
    examples: Examples
    objective: Objective
    y_unit: np.ndarray
    loss: Loss
    batch_size: int
    # of coefficients that are not trained, per target
    penalty_elsewhere: np.ndarray | float

    @cached_property
    def steps_per_epoch(self) -> int:
        return count_steps(self.rows.n_examples, self.batch_size)

    @cached_property
    def null_loss(self) -> np.ndarray:
        """What there is to gain, per target: the loss of a constant prediction."""
        examples = self.examples
        return self.objective.null_loss(examples.y, examples.weight, examples.order, self.loss)

    @cached_property
    def loss_unit(self) -> np.ndarray:
        """The user's loss per unit of the kernel's, per target."""
        return self.objective.loss_unit(self.y_unit)

    def in_user_units(self, loss: np.ndarray) -> float:
        """A loss per target in the kernel's units as one number in the user's: the mean over targets."""
        return float(loss @ self.loss_unit) / len(loss)


def pose_problem(
    sample: Sample,
    units: Units,
    objective: Objective,
    state: State,
    *,
    fit_intercept: bool,
    batch_size: int | None,
    shuffle: bool,
    penalty_elsewhere: np.ndarray | float = 0.0,
) -> Problem:
    """The problem in the kernel's units, its rows tied to `state`."""
    n_rows = len(sample.order)
    batch_size = min(batch_size or n_rows, n_rows)
    penalties = units.penalties(objective, sample.X, sample.order, batch_size)
    examples = Examples(
        order=sample.order,
        y=units.target(sample.y),
        weight=units.weights(sample.weight),
        generator=state.generator if shuffle else None,
    )
    return Problem(
        rows=units.rows(sample.X, examples, state, fit_intercept, penalties),
        examples=examples,
        objective=objective,
        y_unit=units.y_unit,
        loss=objective.loss(units.y_unit),
        batch_size=batch_size,
        penalty_elsewhere=penalty_elsewhere,
    )


def make_stopping(
    problem: Problem, tol: float | None, n_iter_no_change: int, max_iter: int, *, validating: bool
) -> Stopping:
    """When to stop: `tol` is a share of what there is to gain, of which a validation score is a share already."""
    threshold = None
    if tol is not None:
        threshold = tol * (np.ones(1) if validating else problem.null_loss)
    n_drops = DROPS if problem.objective.kind.kinked else 0
    return Stopping(threshold, n_iter_no_change, max_iter, n_drops=n_drops, validating=validating)


def train(
    problem: Problem,
    optimizer: Optimizer,
    state: State,
    stopping: Stopping,
    *,
    monitor: Monitor,
    held_out: HeldOut | None = None,
) -> History:
    """Train until `stopping` says so. Updates `state`; when this raises, `state` is of no use any more.

    `monitor` sees each check, and may ask to stop.

    With rows held out their score takes the place of the objective, and `state` ends as it was where that was best.

    Raises
    ------
    ValueError
        If a number overflows.
    """
    scores: list[float] = []
    history = History(validation_scores=None if held_out is None else scores)
    epochs_per_check = math.ceil(STEPS_PER_CHECK / problem.steps_per_epoch)
    best, best_score = state, -math.inf

    def reached() -> State:
        problem.rows.store()
        return best.copy()

    monitor.start(math.ceil(stopping.max_iter / epochs_per_check), lambda: problem.in_user_units(problem.null_loss))
    while True:
        monitor.begin_check()
        n_epochs = min(epochs_per_check, stopping.max_iter - history.n_iter)
        objective = run_check(problem, optimizer, state, n_epochs=n_epochs, rate_factor=stopping.rate_factor)
        history.epochs.append(history.n_iter + n_epochs)
        history.loss_curve.append(problem.in_user_units(objective))
        if not math.isfinite(sum(objective.tolist())):
            raise overflow(state, history)
        if held_out is not None:
            problem.rows.store()
            scores.append(held_out.score(state))
            objective = np.array([1 - scores[-1]])
            if scores[-1] > best_score:
                best, best_score = state.copy(), scores[-1]
        asked = monitor.end_check(history, reached)
        rate_factor = stopping.rate_factor
        if stopping.check(history.n_iter, objective, asked=asked):
            break
        if stopping.rate_factor < rate_factor:
            state.forget(stopping.rate_factor / rate_factor)
    problem.rows.store()
    if not state.is_finite():
        raise overflow(state, history)
    vars(state).update(vars(best))
    return history


def overflow(state: State, history: History) -> ValueError:
    """The error to raise where numbers are no longer finite."""
    return ValueError(
        f"Training overflowed {state.coef.dtype} within {history.n_iter} epochs: the coefficients or the loss are no "
        "longer finite. Scale X and y, or pass float64, or lower learning_rate."
    )


def run_check(problem: Problem, optimizer: Optimizer, state: State, *, n_epochs: int, rate_factor: float) -> np.ndarray:
    """Run the epochs up to the next check; return the objective per target, in the kernel's units."""
    n_steps = n_epochs * problem.steps_per_epoch
    lazy = isinstance(problem.rows, CSRRows)
    plan = optimizer.plan(state.t, n_steps, rate_factor=rate_factor, forgotten=state.forgotten, lazy=lazy)
    loss, state.decay_product = run_epochs(
        problem.rows, problem.loss, plan,
        n_epochs=n_epochs, batch_size=problem.batch_size, decay_product=state.decay_product,
    )  # fmt: skip
    state.t += n_steps
    if not problem.objective.is_penalized:
        return loss
    problem.rows.store()
    return loss + problem.objective.penalty(state.published()[:-1], problem.y_unit) + problem.penalty_elsewhere
