"""The loop over checks: run the kernel, look at the loss, decide whether to go on."""

import math
from dataclasses import dataclass

import numpy as np

from sklearn_rmsprop._kernel._epoch import Order, run_epochs
from sklearn_rmsprop._kernel._losses import Loss
from sklearn_rmsprop._kernel._rows import CSRRows, Rows
from sklearn_rmsprop._monitor import Monitor
from sklearn_rmsprop._optimizer import Optimizer, State
from sklearn_rmsprop._stopping import Stopping

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
    loss: Loss
    loss_unit: np.ndarray
    batch_size: int
    shuffle: bool

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.order) / self.batch_size)


@dataclass
class History:
    """What a training run has to tell: epochs done, and the loss at each check, in the user's units."""

    n_iter: int
    loss_curve: list[float]

    def then(self, later: "History") -> "History":
        """This run and a later one; the list grows in place, for streams of very many calls."""
        self.loss_curve.extend(later.loss_curve)
        return History(self.n_iter + later.n_iter, self.loss_curve)


def train(problem: Problem, optimizer: Optimizer, state: State, stopping: Stopping, monitor: Monitor) -> History:
    """Train until `stopping` says so. Updates `state`; when this raises, `state` is of no use any more.

    Raises
    ------
    ValueError
        If a number overflows.
    """
    history = History(0, [])
    order = Order(problem.order, state.generator if problem.shuffle else None, problem.rows.n_bytes)
    epochs_per_check = math.ceil(STEPS_PER_CHECK / problem.steps_per_epoch)
    while True:
        n_epochs = min(epochs_per_check, stopping.max_iter - history.n_iter)
        losses = run_check(problem, optimizer, state, order, n_epochs)
        history.n_iter += n_epochs
        history.loss_curve.append(float(np.mean(losses * problem.loss_unit)))
        monitor.check(history.n_iter, history.loss_curve[-1])
        overflowed = not np.isfinite(losses).all()
        if overflowed or stopping.check(history.n_iter, losses):
            break
    problem.rows.store()
    if overflowed or not state.is_finite():
        raise ValueError(
            f"Training overflowed {state.coef.dtype} within {history.n_iter} epochs: the coefficients or the loss are "
            "no longer finite. Scale X and y, or pass float64, or lower learning_rate."
        )
    return history


def run_check(problem: Problem, optimizer: Optimizer, state: State, order: Order, n_epochs: int) -> np.ndarray:
    """Run the epochs up to the next check; return the mean loss per target."""
    n_steps = n_epochs * problem.steps_per_epoch
    plan = optimizer.plan(state.t, n_steps, lazy=isinstance(problem.rows, CSRRows))
    losses, state.decay_product = run_epochs(
        problem.rows, problem.loss, problem.y, problem.weight, order, plan,
        n_epochs=n_epochs, batch_size=problem.batch_size, decay_product=state.decay_product,
    )  # fmt: skip
    state.t += n_steps
    return losses.mean(axis=0)
