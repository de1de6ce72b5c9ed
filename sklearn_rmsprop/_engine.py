"""The fitting engine, without an estimator: measure the rows, start a state, run steps, train, read off coefficients.

The functions take values and return values: no argument is changed, but for the working memory of the problem's rows. A
fit is `measure`, `start`, `pose`, `train` and `coefficients`, in this order.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sklearn_rmsprop._coordinates import Coordinates, make_coordinates
from sklearn_rmsprop._data import TrainingData, only_columns_with_entries
from sklearn_rmsprop._kernel._steps import run_steps
from sklearn_rmsprop._monitor import History, Monitor
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._problem import Problem, make_problem
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Statistics, measure_rows
from sklearn_rmsprop._stopping import N_REDUCTIONS, Reason, Stopping
from sklearn_rmsprop._update import UpdateRule
from sklearn_rmsprop._validation import HeldOut

# The loss is evaluated after each epoch, but after at least so many steps: on tiny data an epoch is two steps, in which
# the loss hardly changes, and the rule would stop at once. With 50 steps, such fits ended with twice the excess loss.
STEPS_PER_EVALUATION = 100


@dataclass(frozen=True)
class Settings:
    """What the parameters of the estimator say about a fit."""

    objective: Objective
    rule: UpdateRule
    batch_size: int | None
    max_iter: int
    tol: float | None
    n_iter_no_change: int
    standardize: bool
    fit_intercept: bool
    shuffle: bool

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The settings that parameters of the estimator's names stand for."""
        own = ("batch_size", "max_iter", "tol", "n_iter_no_change", "standardize", "fit_intercept", "shuffle")
        return cls(Objective.of(parameters), UpdateRule.of(parameters), *(parameters[name] for name in own))

    def one_pass(self) -> "Settings":
        """The same for one pass over the rows, without a rule that stops it earlier."""
        return replace(self, max_iter=1, tol=None)


def measure(data: TrainingData, settings: Settings, *, n_target_values: int | None = None) -> Statistics:
    """The statistics of the rows that their coordinates are made of; those of several blocks can be merged.

    `n_target_values`: the most targets to take for quantiles, which a robust loss needs; None takes all.
    """
    return measure_rows(
        data.X if settings.standardize else None,
        data.y,
        data.weight,
        data.rows,
        target_values=settings.objective.target_quantile is not None,
        n_values=n_target_values,
    )


def coordinates_of(statistics: Statistics, data: TrainingData, settings: Settings) -> Coordinates:
    """The coordinates in which to fit rows that have these statistics; `data` tells only their type and width."""
    return make_coordinates(
        statistics,
        data.X.dtype,
        data.X.shape[1],
        standardize=settings.standardize,
        fit_intercept=settings.fit_intercept,
        target_quantile=settings.objective.target_quantile,
    )


def start(
    data: TrainingData,
    coordinates: Coordinates,
    settings: Settings,
    generator: np.ndarray,
    *,
    coef: np.ndarray | None = None,
    intercept: np.ndarray | None = None,
) -> State:
    """The state before the first step.

    Parameters
    ----------
    data : TrainingData
        Rows of the fit; only their shapes and type matter.
    coordinates : Coordinates
    settings : Settings
    generator : (2,) uint64
        State of the random number generator.
    coef, intercept : (n_features, n_targets) and (n_targets,), or None
        The point to start from in the user's units. None: zero; for the intercept, where the mean of X is predicted to
        have the mean target. Without `fit_intercept` that is zero.
    """
    n_features, n_targets = data.X.shape[1], data.y.shape[1]
    if not settings.fit_intercept:
        intercept = None
    point = np.zeros((n_features + 1, n_targets))
    if coef is not None or intercept is not None:
        point = coordinates.from_user(
            np.zeros((n_features, n_targets)) if coef is None else coef,
            np.zeros(n_targets) if intercept is None else intercept,
        )
        if intercept is None:
            point[-1] = 0
    return State.start(point, data.X.dtype, generator, bias_correction=settings.rule.bias_correction)


def pose(data: TrainingData, coordinates: Coordinates, settings: Settings) -> Problem:
    """The problem of fitting these rows, in these coordinates, ready for the kernel."""
    return make_problem(
        data,
        coordinates,
        settings.objective,
        fit_intercept=settings.fit_intercept,
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
    )


def coefficients(state: State, coordinates: Coordinates) -> tuple[np.ndarray, np.ndarray]:
    """The coefficients (n_features, n_targets) and intercepts (n_targets,) to report: in the user's units, of X's type.

    Raises
    ------
    ValueError
        If they overflow.
    """
    dtype = state.coef.dtype
    with np.errstate(over="ignore"):
        coef, intercept = (array.astype(dtype, copy=False) for array in coordinates.to_user(state.reported()))
    if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
        raise ValueError(f"The coefficients overflow {dtype}. Scale X and y, or pass X as float64.")
    return coef, intercept


def run(
    problem: Problem,
    state: State,
    settings: Settings,
    *,
    n_steps: int | None = None,
    n_epochs: int = 1,
    rate_factor: float | np.ndarray = 1.0,
) -> tuple[State, np.ndarray]:
    """Run some steps, or whole epochs, and evaluate the loss.

    Steps go on in the current epoch of the problem's rows, where the last run ended.

    Parameters
    ----------
    problem : Problem
    state : State
    settings : Settings
    n_steps, n_epochs : int
        How long to run; `n_steps` counts if it is given.
    rate_factor : float or (n_targets,) array
        Multiplies the step sizes, for each target if it is an array.

    Returns
    -------
    state : State
        The state after these steps.
    losses : (n_targets,) array
        The objective of its reported coefficients on the problem's evaluation rows, in the kernel's units.
    """
    if n_steps is None:
        n_steps = n_epochs * problem.steps_per_epoch
    later = _advance(problem, problem.state_on_rows(state), settings, n_steps, rate_factor)
    losses = problem.evaluate(later.reported(), problem.evaluation_rows)
    return problem.state_off_rows(later), losses


def train(
    problem: Problem,
    state: State,
    settings: Settings,
    monitor: Monitor | None = None,
    held_out: HeldOut | None = None,
) -> tuple[State, History, Reason | None]:
    """Train until the stopping rule ends it.

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
    history = History(validation_scores=None if held_out is None else [])
    stopping = _stopping_rule(problem, settings, held_out)
    epochs_at_once = math.ceil(STEPS_PER_EVALUATION / problem.steps_per_epoch)
    state = problem.state_on_rows(state)
    best = state
    monitor.start(
        math.ceil(settings.max_iter / epochs_at_once),
        lambda: problem.in_user_units(problem.null_loss(problem.evaluation_rows)),
    )
    while True:
        monitor.begin_evaluation()
        n_epochs = min(epochs_at_once, settings.max_iter - history.n_iter)
        state = _advance(problem, state, settings, n_epochs * problem.steps_per_epoch, stopping.rate_factor)
        coef = state.reported()
        losses = problem.evaluate(coef, problem.evaluation_rows)
        history.add(n_epochs, problem.in_user_units(losses))
        if not math.isfinite(sum(losses.tolist())):
            raise _overflow(state, history)
        if held_out is None:
            best = state
        else:
            score = held_out.score(coef)
            if history.add_score(score):
                best = state
            losses = np.array([1 - score])
        asked = monitor.end_evaluation(history, lambda best=best: problem.state_off_rows(best))  # type: ignore[misc]
        rate_factor = stopping.rate_factor
        if stopping.check(history.n_iter, losses, coef, asked=asked):
            break
        if stopping.rate_factor < rate_factor:
            state = state.forgetting(stopping.rate_factor / rate_factor)
    if not state.is_finite():
        raise _overflow(state, history)
    return problem.state_off_rows(best), history, stopping.reason


def train_one_pass(
    data: TrainingData, coordinates: Coordinates, settings: Settings, state: State, monitor: Monitor
) -> tuple[State, History]:
    """One pass over these rows from a state, as `partial_fit` makes it.

    A few rows have entries in some hundreds of columns, while a model may have a million. Where coordinates without
    a gradient do not move, the kernel is given only the columns with entries, and the state takes over what has become
    of them: it must not be used any more.
    """
    settings = settings.one_pass()
    narrow, columns = data, None
    if settings.rule.momentum == 0 and coordinates.x_mean is None:
        narrow, columns = only_columns_with_entries(data)
    if columns is None:
        later, history, _ = train(pose(data, coordinates, settings), state, settings, monitor)
        return later, history
    places = np.append(columns, data.X.shape[1])
    part = state.of_coordinates(places)
    problem = pose(narrow, coordinates.of_columns(columns), settings)
    steps = np.arange(state.t + 1, state.t + problem.steps_per_epoch + 1)
    decays = {
        "average_decay": float(settings.rule.average_decay(steps - state.forgotten).prod()),
        "moment_decay": float(settings.rule.decay(steps).prod()),
    }
    if settings.objective.is_penalized:

        def penalty_after(before: State) -> np.ndarray:
            """The penalty, per target, of coefficients that have no gradient in these steps."""
            scale = before.deviation_scale * decays["average_decay"]
            after = replace(before, deviation_scale=scale, t=before.t + len(steps))
            return settings.objective.penalty(after.reported()[:-1], coordinates.y_unit)

        problem = replace(problem, penalty_elsewhere=penalty_after(state) - penalty_after(part))
    trained, history, _ = train(problem, part, settings, monitor)
    coefficients(trained, coordinates.of_columns(columns))  # raises if they overflow, while the state can still be used
    return state.absorb(places, trained, **decays), history


def _stopping_rule(problem: Problem, settings: Settings, held_out: HeldOut | None) -> Stopping:
    """`tol` is a share of the null loss. A validation score is such a share already."""
    threshold = None
    if settings.tol is not None:
        null_loss = np.ones(1) if held_out is not None else problem.null_loss(problem.rows_in_all)
        threshold = settings.tol * null_loss
    on_all_rows = None
    if held_out is None and problem.is_sampled:

        def on_all_rows(coef: np.ndarray) -> np.ndarray:
            return problem.evaluate(coef, problem.rows_in_all)

    return Stopping(
        threshold,
        settings.n_iter_no_change,
        settings.max_iter,
        n_reductions=N_REDUCTIONS if settings.objective.kind.kinked else 0,
        validating=held_out is not None,
        loss_on_all_rows=on_all_rows,
    )


def _advance(
    problem: Problem, state: State, settings: Settings, n_steps: int, rate_factor: float | np.ndarray
) -> State:
    """The state after `n_steps` more steps. States here have the origin of the problem's rows."""
    rule, rows = settings.rule, problem.rows
    of_targets = rate_factor if isinstance(rate_factor, np.ndarray) else None
    rows.load(state, of_targets)
    rate = rule.step_sizes(settings.max_iter * problem.steps_per_epoch)(np.arange(state.t + 1, state.t + n_steps + 1))
    plan = rule.plan(
        state.t, rate if of_targets is not None else rate_factor * rate, forgotten=state.forgotten, lazy=rows.lazy
    )
    decay_product = run_steps(
        rows, problem.loss, plan, batch_size=problem.batch_size, decay_product=state.decay_product
    )
    later = state.after(rows.store(moments=rule.uses_moments), n_steps, decay_product)
    rows.stored_as(later, of_targets)
    return later


def _overflow(state: State, history: History) -> ValueError:
    """The error to raise where numbers are no longer finite."""
    return ValueError(
        f"Training overflowed {state.coef.dtype} within {history.n_iter} epochs: the coefficients or the loss are no "
        "longer finite. Scale X and y, or pass float64, or lower learning_rate."
    )
