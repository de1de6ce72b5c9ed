"""The loop over checks: run the kernel, look at the loss, decide whether to go on."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

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

# A check measures the loss on so many rows, and all rows only where these see no more improvement: all in each check
# would take a tenth to half of an epoch. By the sample alone, 20,000 x 2000 missed 7e-3 in the end instead of 2e-3:
# what it says of an improvement is off by some sqrt(missed / rows). And it may have no rare rows.
#
# (A loss taken in passing, on each row just before it is learned, needs no rows of its own. But all rows were then
# predicted twice, a tenth of an epoch over 26 columns, and sparse fits took twice the epochs: that loss lies above the
# published model's as far as single steps are long, and goes on falling while these shrink.)
SAMPLE_ROWS = 4096

# Of long rows so many numbers in all, but not fewer rows than these: with 1024 rows instead of 4096, fits of 5k x 2000
# took two thirds of the time, of 5k x 500 five sixths, and missed as much.
SAMPLE_NUMBERS, FEWEST_SAMPLE_ROWS = 1 << 18, 1024

# So many rows of the sample lie side by side: such are read faster.
SIDE_BY_SIDE = 8


def sample_size(n_numbers: int, n_rows: int) -> int:
    """Of how many rows to take a sample where `n_rows` hold so many numbers."""
    return min(max(SAMPLE_NUMBERS * n_rows // max(1, n_numbers), FEWEST_SAMPLE_ROWS), SAMPLE_ROWS)


def sample_rows(order: np.ndarray, n_sample: int) -> np.ndarray:
    """All of the rows named, or about `n_sample`, some from each of many equal stretches."""
    if len(order) <= n_sample:
        return order
    n_stretches = n_sample // SIDE_BY_SIDE
    length = len(order) / n_stretches
    # at random within its stretch, so that no period in the data keeps step with them; the same ones in each fit
    shift = np.random.default_rng(0).random(n_stretches) * (length - SIDE_BY_SIDE)
    starts = (np.arange(n_stretches) * length + shift).astype(np.intp)
    return order[(starts[:, np.newaxis] + np.arange(SIDE_BY_SIDE)).ravel()]


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
    sample: np.ndarray  # numbers of the rows that a check measures the loss on
    # of coefficients that are not trained, per target
    penalty_elsewhere: np.ndarray | float

    @cached_property
    def steps_per_epoch(self) -> int:
        return count_steps(self.rows.n_examples, self.batch_size)

    def null_loss(self, rows: np.ndarray) -> np.ndarray:
        """What there is to gain on these rows, per target: the loss of a constant prediction."""
        return self.objective.null_loss(self.examples.y, self.examples.weight, rows, self.loss)

    @cached_property
    def loss_unit(self) -> np.ndarray:
        """The user's loss per unit of the kernel's, per target."""
        return self.objective.loss_unit(self.y_unit)

    @property
    def is_sampled(self) -> bool:
        """Whether checks measure the loss on some of the rows only."""
        return len(self.sample) < len(self.examples.order)

    def measure(self, coef: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The objective of a model on these rows, per target, in the kernel's units."""
        loss = self.loss.of_model(self.rows, coef, rows)
        if not self.objective.is_penalized:
            return loss
        return loss + self.objective.penalty(coef[:-1], self.y_unit) + self.penalty_elsewhere

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
    X: Any = sample.X
    n_numbers = X.nnz if sparse.issparse(X) else X.size
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
        sample=sample_rows(sample.order, sample_size(n_numbers, X.shape[0])),
        penalty_elsewhere=penalty_elsewhere,
    )


def make_stopping(
    problem: Problem, tol: float | None, n_iter_no_change: int, max_iter: int, *, validating: bool
) -> Stopping:
    """When to stop: `tol` is a share of what there is to gain, of which a validation score is a share already."""
    threshold = None
    if tol is not None:
        threshold = tol * (np.ones(1) if validating else problem.null_loss(problem.examples.order))
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
    judged_by_sample = problem.is_sampled and held_out is None and not stopping.by_epochs_only
    coef_to_beat: np.ndarray | None = None

    def exact() -> tuple[np.ndarray, np.ndarray]:
        rows, coef = problem.examples.order, state.published()
        return problem.measure(coef if coef_to_beat is None else coef_to_beat, rows), problem.measure(coef, rows)

    monitor.start(
        math.ceil(stopping.max_iter / epochs_per_check),
        lambda: problem.in_user_units(problem.null_loss(problem.sample)),
    )
    while True:
        monitor.begin_check()
        n_epochs = min(epochs_per_check, stopping.max_iter - history.n_iter)
        run_steps(problem, optimizer, state, n_epochs=n_epochs, rate_factor=stopping.rate_factor)
        coef = state.published()
        objective = problem.measure(coef, problem.sample)
        history.epochs.append(history.n_iter + n_epochs)
        history.loss_curve.append(problem.in_user_units(objective))
        if not math.isfinite(sum(objective.tolist())):
            raise overflow(state, history)
        if held_out is not None:
            scores.append(held_out.score(state))
            objective = np.array([1 - scores[-1]])
            if scores[-1] > best_score:
                best, best_score = state.copy(), scores[-1]
        asked = monitor.end_check(history, best.copy)
        rate_factor = stopping.rate_factor
        if stopping.check(history.n_iter, objective, asked=asked, exact=exact if judged_by_sample else None):
            break
        if judged_by_sample and any(stopping.improved):
            coef_to_beat = coef.copy() if coef_to_beat is None else np.where(stopping.improved, coef, coef_to_beat)
        if stopping.rate_factor < rate_factor:
            state.forget(stopping.rate_factor / rate_factor)
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


def run_steps(problem: Problem, optimizer: Optimizer, state: State, *, n_epochs: int, rate_factor: float) -> None:
    """Run the epochs up to the next check, and bring the state there."""
    n_steps = n_epochs * problem.steps_per_epoch
    lazy = isinstance(problem.rows, CSRRows)
    plan = optimizer.plan(state.t, n_steps, rate_factor=rate_factor, forgotten=state.forgotten, lazy=lazy)
    state.decay_product = run_epochs(
        problem.rows, problem.loss, plan,
        n_epochs=n_epochs, batch_size=problem.batch_size, decay_product=state.decay_product,
    )  # fmt: skip
    state.t += n_steps
    problem.rows.store()
