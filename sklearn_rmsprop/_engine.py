"""The fitting engine, without an estimator: measure the rows, start a state, run steps, train, read off coefficients.

A fit is `measure`, `coordinates_of`, `start`, `pose`, `train` and `coefficients`, in this order. No function changes
its arguments, except the working memory of the problem's rows, and the state given to `train_one_pass`.
"""

import math
from dataclasses import replace

import numpy as np

from sklearn_rmsprop._batches import make_batches
from sklearn_rmsprop._coordinates import Coordinates, advice, make_coordinates
from sklearn_rmsprop._data import TrainingData, only_columns_with_entries
from sklearn_rmsprop._kernel._steps import run_steps
from sklearn_rmsprop._monitor import History, Monitor
from sklearn_rmsprop._problem import Problem, data_for_kernel, make_problem, origin_of_rows
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Statistics, measure_rows
from sklearn_rmsprop._stopping import N_REDUCTIONS, Reason, Stopping
from sklearn_rmsprop._validation import HeldOut
from sklearn_rmsprop._whitening import whitened

# The loss is evaluated after each epoch, but after at least so many steps: on tiny data an epoch is two steps, in which
# the loss hardly changes, and the rule would stop at once. With 50 steps, such fits ended with a larger excess loss.
STEPS_PER_EVALUATION = 100

# The basis of whitened coordinates needs at least so many rows for each column (in `fit`, with "auto"): with fewer than
# two, the smallest eigenvalues of the correlation are far too small, whatever the columns are.
ROWS_PER_COLUMN = 3

# Coefficients of standardized columns and targets stay below this, also for a while in training, unless it diverges.
LARGEST_COEFFICIENT = 1e6


def measure(
    data: TrainingData, settings: Settings, *, n_target_values: int | None = None, count_entries: bool = False
) -> Statistics:
    """The statistics of the rows that their coordinates are made of; those of several blocks can be merged.

    Parameters
    ----------
    data : TrainingData
    settings : Settings
    n_target_values : int or None
        The most targets to take for quantiles, which a robust loss needs; None takes all.
    count_entries : bool
        Whether to count the rows in which a column of sparse rows has an entry: `visit_probability` needs it.
    """
    return measure_rows(
        data.X if settings.standardize or count_entries else None,
        data.y,
        data.weight,
        data.rows,
        target_values=settings.objective.target_quantile is not None,
        with_correlation=settings.may_whiten(data),
        n_values=n_target_values,
        count_entries=count_entries,
    )


def coordinates_of(statistics: Statistics, data: TrainingData, settings: Settings) -> Coordinates:
    """The coordinates in which to fit rows that have these statistics; `data` tells only their type and width."""
    coordinates = make_coordinates(
        statistics,
        data.X.dtype,
        data.X.shape[1],
        standardize=settings.standardize,
        fit_intercept=settings.fit_intercept,
        target_quantile=settings.objective.target_quantile,
    )
    if statistics.x_correlation is None or (settings.whiten == "auto" and not enough_rows(statistics)):
        return coordinates
    l2 = 0.0
    if settings.objective.alpha_l2 > 0:
        with np.errstate(all="ignore"):  # a penalty that overflows is rejected where it is used
            l2 = float(settings.objective.strengths(coordinates.y_unit)[1].mean())
    return whitened(coordinates, statistics, dtype=data.X.dtype, always=settings.whiten is True, l2=l2)


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
    return State.start(point, coordinates.dtype(data.X.dtype), generator, bias_correction=settings.rule.bias_correction)


def enough_rows(statistics: Statistics) -> bool:
    """Whether the correlation of the columns is that of more than a few rows."""
    return bool(statistics.n_distinct >= ROWS_PER_COLUMN * len(statistics.x_correlation))


def pose(data: TrainingData, coordinates: Coordinates, settings: Settings, *, in_stream: bool = False) -> Problem:
    """The problem of fitting these rows, in these coordinates, ready for the kernel.

    `in_stream`: whether these are the rows of one call of many.
    """
    data = data_for_kernel(data, coordinates)
    with_target = not settings.objective.kind.robust
    batches = make_batches(data, coordinates, settings.batch_size, with_target=with_target, in_stream=in_stream)
    return make_problem(
        data,
        coordinates,
        settings.objective,
        batches,
        fit_intercept=settings.fit_intercept,
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
    with np.errstate(over="ignore", invalid="ignore"):
        coef, intercept = (array.astype(dtype, copy=False) for array in coordinates.to_user(state.reported()))
    if not np.isfinite(coef).all():
        column = coordinates.number_of(int(np.flatnonzero(~np.isfinite(coef).all(axis=1))[0]))
        raise ValueError(
            f"X is too small beside y: the coefficient of column {column} overflows {dtype}. {advice(dtype)}"
        )
    if not np.isfinite(intercept).all():
        raise ValueError(f"The intercept overflows {dtype}. {advice(dtype)}")
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
            raise _overflow(problem, state, history)
        score = None if held_out is None else held_out.score(coef)
        if score is None or history.add_score(score):
            best = state
        asked = monitor.end_evaluation(history, lambda best=best: problem.state_off_rows(best))  # type: ignore[misc]
        rate_factor = stopping.rate_factor
        if stopping.check(history.n_iter, losses, coef, score=score, asked=asked):
            break
        reduced_to = float(np.min(stopping.rate_factor / rate_factor))
        if reduced_to < 1:
            state = state.forgetting(reduced_to)
    if not state.is_finite():
        raise _overflow(problem, state, history)
    return problem.state_off_rows(best), history, stopping.reason


def train_one_pass(
    data: TrainingData, coordinates: Coordinates, settings: Settings, state: State, monitor: Monitor
) -> tuple[State, History]:
    """One pass over these rows from a state, as `partial_fit` makes it.

    A few rows have entries in some hundreds of columns, while a model may have a million. Where coordinates without
    a gradient do not move, the kernel is given only the columns with entries, and the state takes over what has become
    of them: it must not be used any more.
    """
    settings, data = settings.one_pass(), data_for_kernel(data, coordinates)
    narrow, columns = data, None
    if settings.rule.momentum == 0 and origin_of_rows(data, coordinates) is None:
        narrow, columns = only_columns_with_entries(data)
    if columns is None:
        later, history, _ = train(pose(data, coordinates, settings, in_stream=True), state, settings, monitor)
        return later, history
    places = np.append(columns, data.X.shape[1])
    part = state.of_coordinates(places)
    problem = pose(narrow, coordinates.of_columns(columns), settings, in_stream=True)
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
    # Without `tol`, a schedule that was chosen is followed to the letter; a single epoch has no stages.
    reduces = settings.objective.kind.kinked and (
        settings.tol is not None or (settings.rule.schedule == "invsqrt" and settings.max_iter > 1)
    )
    # the null loss takes a while: not for nothing in each call of a stream
    null_loss = problem.null_loss(problem.rows_in_all) if reduces or settings.tol is not None else None
    reference = null_loss if held_out is None else np.ones(1)
    threshold = None if settings.tol is None or reference is None else settings.tol * reference
    on_all_rows = None
    if held_out is None and problem.is_sampled:

        def on_all_rows(coef: np.ndarray) -> np.ndarray:
            return problem.evaluate(coef, problem.rows_in_all)

    return Stopping(
        threshold,
        settings.n_iter_no_change,
        settings.max_iter,
        n_reductions=N_REDUCTIONS if reduces else 0,
        null_loss=null_loss,
        validating=held_out is not None,
        loss_on_all_rows=on_all_rows,
    )


def _advance(
    problem: Problem, state: State, settings: Settings, n_steps: int, rate_factor: float | np.ndarray
) -> State:
    """The state after `n_steps` more steps. The states are those of `state_on_rows`."""
    rule, rows = settings.rule, problem.rows
    if isinstance(rate_factor, np.ndarray) and rate_factor.size == 1:
        rate_factor = float(rate_factor.item())  # the kernel has factors for several targets only
    of_targets = None
    if isinstance(rate_factor, np.ndarray):
        of_targets, rate_factor = rate_factor, 1.0
    rows.load(state, of_targets)
    rate = rule.step_sizes(settings.max_iter * problem.steps_per_epoch)(np.arange(state.t + 1, state.t + n_steps + 1))
    plan = rule.plan(state.t, rate_factor * rate, forgotten=state.forgotten, lazy=rows.lazy)
    decay_product = run_steps(
        rows, problem.loss, plan, batch_size=problem.batches.size, decay_product=state.decay_product
    )
    later = state.after(rows.store(moments=rule.uses_moments), n_steps, decay_product)
    rows.stored_as(later, of_targets)
    return later


def _overflow(problem: Problem, state: State, history: History) -> ValueError:
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
        "longer finite. Scale X and y, or pass float64, or lower learning_rate."
    )
