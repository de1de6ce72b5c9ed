"""The training loop: steps of the kernel, evaluations of the loss between them, and the end."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_rmsprop._coordinates import advice
from sklearn_rmsprop._monitor import History, Monitor
from sklearn_rmsprop._problem import Problem
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import ROWS_FOR_QUANTILES, sample_evenly
from sklearn_rmsprop._stopping import (
    FEWEST_STEPS,
    N_REDUCTIONS,
    Inside,
    Reason,
    Stopping,
    count_evaluations,
    fewest_steps_inside,
    steps_to_next_evaluation,
)
from sklearn_rmsprop._validation import HeldOut

# Coefficients of standardized columns and targets stay below this, also for a while in training, unless it diverges.
LARGEST_COEFFICIENT = 1e6


@dataclass
class Run:
    """A fit under way.

    Attributes
    ----------
    problem, settings, held_out : as in `train`
    state : where the steps have led to, as `Problem.state_on_rows` has it
    best : the state to end with: the one with the best score of held-out rows, or the last one without such rows
    history : what evaluations have found
    n_steps : steps done
    coef, losses, score : the reported coefficients at the last evaluation, and what it has found
    """

    problem: Problem
    settings: Settings
    held_out: HeldOut | None
    state: State
    best: State
    history: History
    n_steps: int = 0
    coef: np.ndarray = field(default_factory=lambda: np.empty(0))
    losses: np.ndarray = field(default_factory=lambda: np.empty(0))
    score: float | None = None

    @property
    def epochs(self) -> float:
        return self.n_steps / self.problem.steps_per_epoch

    @property
    def n_steps_left(self) -> int:
        return self.settings.max_iter * self.problem.steps_per_epoch - self.n_steps

    @property
    def n_averaged(self) -> int:
        """Steps that the average counts: fewer than were done if the step size has been reduced."""
        return self.n_steps - int(self.state.forgotten)

    def go_on(self, n_steps: int, rate_factor: float | np.ndarray) -> None:
        """Do so many more steps, and evaluate the loss."""
        self.state = self.problem.advance(self.state, self.settings, n_steps, rate_factor)
        self.n_steps += n_steps
        self.coef = self.state.reported()
        self.losses = self.problem.evaluate(self.coef, self.problem.evaluation_rows)
        self.history.add(self.epochs, self.problem.in_user_units(self.losses))
        if not math.isfinite(sum(self.losses.tolist())):
            raise overflow(self.problem, self.state, self.history)
        self.score = None if self.held_out is None else self.held_out.score(self.coef)
        if self.score is None or self.history.add_score(self.score):
            self.best = self.state

    def reached(self) -> State:
        """The state that training would return now."""
        return self.problem.state_off_rows(self.best)

    def aside(self) -> "Run":
        """The same run on rows of its own, whose steps leave this one alone."""
        return replace(self, problem=self.problem.of_targets(np.arange(self.state.coef.shape[1])))


def train(
    problem: Problem,
    state: State,
    settings: Settings,
    monitor: Monitor | None = None,
    held_out: HeldOut | None = None,
) -> tuple[State, History, Reason | None]:
    """Train until the stopping rule ends it.

    On small data the rule uses the loss only after several epochs. With ``tol=None`` the loss is evaluated after each
    of them nevertheless. For a monitor it is evaluated after each epoch too, and the steps are then repeated without a
    pause: pauses cause additional rounding of sparse columns, and a fit must not depend on its monitor.

    Parameters
    ----------
    problem : Problem
    state : State
        Where to start from.
    settings : Settings
    monitor : Monitor
        Sees each evaluation, and may ask to stop.
    held_out : HeldOut
        Rows whose score takes the place of the objective in the stopping rule.

    Returns
    -------
    state : State
        Where training has ended; with rows held out, the state with the best score.
    history : History
    reason : str
        Why it has ended.

    Raises
    ------
    ValueError
        If a number overflows.
    """
    monitor = Monitor() if monitor is None else monitor
    stopping, steps_per_epoch = stopping_rule(problem, settings, held_out), problem.steps_per_epoch
    state = problem.state_on_rows(state)
    history = History(validation_scores=None if held_out is None else [], batch_size=problem.batches.reported_size)
    run = Run(problem, settings, held_out, state, state, history)
    fewest_inside = fewest_inside_an_epoch(problem, settings)
    each_epoch = steps_per_epoch < FEWEST_STEPS and (settings.tol is None or monitor.watches)
    monitor.start(
        settings.max_iter if each_epoch else most_evaluations(run, fewest_inside),
        lambda: problem.in_user_units(problem.null_loss(problem.evaluation_rows)),
    )
    while stopping.reason is None:
        rate_factor = stopping.rate_factor
        n_steps = min(run.n_steps_left, steps_to_next_evaluation(run.n_averaged, steps_per_epoch, fewest_inside))
        end = run.n_steps + n_steps
        if each_epoch:
            watched = run if settings.tol is None else run.aside()
            while watched.n_steps + steps_per_epoch < end:
                if watched is not run:
                    watched.history, watched.best = run.history.copy(), run.best
                if watch(watched, steps_per_epoch, rate_factor, monitor):
                    return watched.reached(), watched.history, "callback"
        asked = watch(run, end - run.n_steps, rate_factor, monitor)
        stopping.check(run.epochs, run.losses, run.coef, score=run.score, asked=asked)
        reduced_to = float(np.min(stopping.rate_factor / rate_factor))
        if reduced_to < 1:
            run.state = run.state.forgetting(reduced_to)
    if not run.state.is_finite():
        raise overflow(problem, run.state, run.history)
    return run.reached(), run.history, stopping.reason


def most_evaluations(run: Run, fewest_inside: float) -> int:
    """The largest number of evaluations, if none are made for a monitor only.

    Evaluations are closer together after each reduction of the step size, and nobody knows how many there will be.
    """
    steps_per_epoch = run.problem.steps_per_epoch
    if run.settings.objective.kind.kinked and steps_per_epoch > fewest_inside:
        return math.ceil(run.n_steps_left / fewest_inside)
    return count_evaluations(run.n_steps_left, steps_per_epoch, fewest_inside)


def watch(run: Run, n_steps: int, rate_factor: float | np.ndarray, monitor: Monitor) -> bool:
    """Continue a run, and report it to the monitor: return whether the monitor asks to stop."""
    monitor.begin_evaluation()
    run.go_on(n_steps, rate_factor)
    return monitor.end_evaluation(run.history, run.reached)


def fewest_inside_an_epoch(problem: Problem, settings: Settings) -> float:
    """How many steps to make at least before an evaluation inside an epoch; infinity: only its end counts."""
    # in an order that is not random, the loss after a part of an epoch says little about the rows to come
    looks_inside = settings.tol is not None and settings.shuffle
    return fewest_steps_inside(problem.batches.size) if looks_inside else math.inf


def stopping_rule(
    problem: Problem, settings: Settings, held_out: HeldOut | None, *, null_loss: np.ndarray | None = None
) -> Stopping:
    """`tol` is a share of the null loss. A validation score is such a share already.

    `null_loss`: the loss of the best constant, where it is known.
    """
    # Without `tol`, a schedule that was chosen is followed to the letter; a single epoch has no stages.
    reduces = settings.objective.kind.kinked and (
        settings.tol is not None or (settings.rule.schedule == "invsqrt" and settings.max_iter > 1)
    )
    # the null loss takes a while: not for nothing in each call of a stream
    if null_loss is None and (reduces or settings.tol is not None):
        null_loss = null_loss_of(problem, settings)
    reference = null_loss if held_out is None else np.ones(1)
    threshold = None if settings.tol is None or reference is None else settings.tol * reference
    return Stopping(
        threshold,
        settings.n_iter_no_change,
        settings.max_iter,
        n_reductions=N_REDUCTIONS if reduces else 0,
        null_loss=null_loss,
        validating=held_out is not None,
        loss_on_more_rows=None if held_out is not None else more_rows_of(problem),
        inside=None if held_out is not None else inside_of(problem, settings),
    )


def null_loss_of(problem: Problem, settings: Settings) -> np.ndarray:
    """The loss of the best constant, per target: on fewer rows where it takes a quantile."""
    rows = problem.confirmation_rows
    return problem.null_loss(sample_evenly(rows, ROWS_FOR_QUANTILES) if settings.objective.kind.robust else rows)


def more_rows_of(problem: Problem) -> Callable[[np.ndarray], np.ndarray] | None:
    """The function from coordinates to losses on the rows that confirm an evaluation; None where those are no more."""
    if not problem.is_sampled:
        return None
    return lambda coef: problem.evaluate(coef, problem.confirmation_rows)


def inside_of(problem: Problem, settings: Settings) -> Inside | None:
    """How to estimate improvements inside epochs; None where the loss is evaluated at their ends only.

    Also None for a model that is no average, because the last iterate oscillates; where most rows lie elsewhere; and
    where the coordinates that are kept for it would take more memory than the rows.
    """
    n_kept = settings.n_iter_no_change * problem.y.shape[1] * (problem.data.X.shape[1] + 1)
    has_all_rows = len(problem.data.rows) > len(problem.evaluation_rows)
    is_inside = problem.steps_per_epoch > fewest_inside_an_epoch(problem, settings)
    if not (settings.rule.average and is_inside and has_all_rows) or n_kept > problem.data.n_values:
        return None
    rows_per_epoch = problem.steps_per_epoch * problem.batches.size
    return Inside(problem.compare, rows_per_epoch, len(problem.confirmation_rows))


def overflow(problem: Problem, state: State, history: History) -> ValueError:
    """The error to raise where numbers are no longer finite."""
    coordinates, dtype = problem.coordinates, state.coef.dtype
    # Once a coefficient has overflowed, all others may. The smallest column needs the largest coefficient.
    column = int(np.argmin(coordinates.x_unit))
    if coordinates.x_unit[column] < LARGEST_COEFFICIENT / np.finfo(dtype).max:
        return ValueError(
            f"X is too small: the coefficient of column {coordinates.number_of(column)} overflows {dtype} in training. "
            f"{advice(dtype)}"
        )
    return ValueError(
        f"Training overflowed {state.coef.dtype} within {history.n_iter} epochs: the coefficients or the loss are no "
        "longer finite. Scale X and y, pass X as float64, or lower learning_rate."
    )
