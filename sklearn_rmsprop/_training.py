"""The loop over checks: run the kernel, look at the loss, decide whether to go on."""

import math
from dataclasses import dataclass, field

import numpy as np

from sklearn_rmsprop._kernel._epoch import Order, run_epochs
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._kernel._rows import CSRRows, Rows
from sklearn_rmsprop._monitor import Monitor
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._optimizer import Optimizer, State
from sklearn_rmsprop._stopping import Stopping
from sklearn_rmsprop._validation import HeldOut

# A check follows each epoch, but not fewer steps than this: on tiny data an epoch is two steps, in which the loss
# hardly moves, and the rule would stop at once.
STEPS_PER_CHECK = 100


@dataclass(frozen=True)
class Problem:
    """What is fitted, fixed during the fit: rows with their targets and weights in the kernel's units."""

    rows: Rows
    y: np.ndarray
    weight: np.ndarray
    order: np.ndarray
    objective: Objective
    y_unit: np.ndarray
    loss: Loss
    batch_size: int
    shuffle: bool

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)


@dataclass
class History:
    """What a training run has to tell: epochs done; at each check the objective, in the user's units, and the score."""

    n_iter: int
    loss_curve: list[float]
    validation_scores: list[float] = field(default_factory=list)

    def then(self, later: "History") -> "History":
        """This run and a later one; the list grows in place, for streams of very many calls."""
        self.loss_curve.extend(later.loss_curve)
        return History(self.n_iter + later.n_iter, self.loss_curve)


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

    With rows held out their score takes the place of the objective, and `state` ends as it was where that was best.

    Raises
    ------
    ValueError
        If a number overflows.
    """
    history = History(0, [])
    order = Order(problem.order, state.generator if problem.shuffle else None, problem.rows.n_bytes)
    epochs_per_check = math.ceil(STEPS_PER_CHECK / problem.steps_per_epoch)
    best, best_score = state, -math.inf
    while True:
        n_epochs = min(epochs_per_check, stopping.max_iter - history.n_iter)
        objective = run_check(problem, optimizer, state, order, n_epochs=n_epochs, rate_factor=stopping.rate_factor)
        history.n_iter += n_epochs
        history.loss_curve.append(float(np.mean(objective * problem.objective.loss_unit(problem.y_unit))))
        monitor.check(history.n_iter, history.loss_curve[-1])
        overflowed = not np.isfinite(objective).all()
        if held_out is not None and not overflowed:
            problem.rows.store()
            score = held_out.score(state)
            history.validation_scores.append(score)
            objective = np.array([1 - score])
            if score > best_score:
                best, best_score = state.copy(), score
        rate_factor = stopping.rate_factor
        if overflowed or stopping.check(history.n_iter, objective):
            break
        if stopping.rate_factor < rate_factor:
            state.forget(stopping.rate_factor / rate_factor)
    problem.rows.store()
    if overflowed or not state.is_finite():
        raise ValueError(
            f"Training overflowed {state.coef.dtype} within {history.n_iter} epochs: the coefficients or the loss are "
            "no longer finite. Scale X and y, or pass float64, or lower learning_rate."
        )
    vars(state).update(vars(best))
    return history


def run_check(
    problem: Problem, optimizer: Optimizer, state: State, order: Order, *, n_epochs: int, rate_factor: float
) -> np.ndarray:
    """Run the epochs up to the next check; return the objective per target, in the kernel's units."""
    n_steps = n_epochs * problem.steps_per_epoch
    lazy = isinstance(problem.rows, CSRRows)
    plan = optimizer.plan(state.t, n_steps, rate_factor=rate_factor, forgotten=state.forgotten, lazy=lazy)
    losses, state.decay_product = run_epochs(
        problem.rows, problem.loss, problem.y, problem.weight, order, plan,
        n_epochs=n_epochs, batch_size=problem.batch_size, decay_product=state.decay_product,
    )  # fmt: skip
    state.t += n_steps
    loss = losses.mean(axis=0)
    if not problem.objective.is_penalized:
        return loss
    problem.rows.store()
    return loss + problem.objective.penalty(state.published()[:-1], problem.y_unit)
