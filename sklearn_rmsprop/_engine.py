"""The fitting engine, without an estimator: measure the rows, start a state, run steps, train, read off coefficients.

A fit is `prepare` (or `measure` and `coordinates_of`), `start`, `pose`, `train` and `coefficients`, in this order. No
function changes its arguments, except the working memory of the problem's rows, and the state given to
`train_one_pass`.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from sklearn_rmsprop._batches import (
    MOST_IN_ONE_BATCH,
    MOST_IN_ONE_BATCH_OTHERWISE,
    MOST_ROWS_OF_SPACE,
    MOST_TO_CONDENSE,
    Batches,
    is_outlying,
    make_batches,
    weighted_squared_norms,
)
from sklearn_rmsprop._condensed import condensed
from sklearn_rmsprop._coordinates import Coordinates, advice, make_coordinates, varying_columns
from sklearn_rmsprop._data import TrainingData, only_columns_with_entries
from sklearn_rmsprop._monitor import History, Monitor
from sklearn_rmsprop._problem import Problem, data_for_kernel, make_problem, origin_of_rows
from sklearn_rmsprop._row_space import RowSpace, make_row_space, suits_row_space
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import ROWS_FOR_QUANTILES, Statistics, measure_rows, sample_evenly
from sklearn_rmsprop._training import train
from sklearn_rmsprop._whitening import ROWS_PER_COLUMN, are_correlated, may_be_correlated, whitened

# From MANY_ROWS dense rows on, origins and units of the columns are those of SAMPLED_ROWS of them where these represent
# the others (see `survey`). A standard deviation is then known to some 0.3 %, which the steps do not notice.
MANY_ROWS, SAMPLED_ROWS = 200_000, 1 << 16


@dataclass(frozen=True)
class Prepared:
    """The rows of a fit, and the coordinates in which to fit them.

    Attributes
    ----------
    data, coordinates : arguments of `start` and `pose`
    outlying : the numbers of the rows of outlying norm, where they are known already
    space : the space of these rows, if they are few and `data` are their components
    """

    data: TrainingData
    coordinates: Coordinates
    outlying: np.ndarray | None = None
    space: RowSpace | None = None

    def pose(self, settings: Settings) -> Problem:
        """The problem of fitting these rows."""
        in_row_space = self.space is not None
        return pose(self.data, self.coordinates, settings, outlying=self.outlying, in_row_space=in_row_space)

    def of_rows(self, data: TrainingData) -> TrainingData:
        """Other rows, such as those of a validation set, as rows of this fit."""
        return data if self.space is None else self.space.of_rows(data)

    def of_columns(self, state: State) -> tuple[Coordinates, State]:
        """The state of a fit of the columns of X that has led to this state, and its coordinates."""
        return (self.coordinates, state) if self.space is None else (self.space.columns, self.space.leave(state))


def prepare(data: TrainingData, settings: Settings, *, from_zero: bool = True) -> Prepared:
    """Find the coordinates in which to fit these rows. `from_zero`: whether the coefficients start there."""
    if from_zero and suits_row_space(data, settings):
        columns, _ = survey(data, replace(settings, whiten=False))
        l2 = np.asarray(settings.objective.strengths(columns.y_unit)[1])
        if (space := make_row_space(data, columns, l2)) is not None:
            return Prepared(space.data, space.coordinates, space=space)
    return Prepared(data, *survey(data, settings))


def measure(
    data: TrainingData,
    settings: Settings,
    *,
    n_target_values: int | None = None,
    count_entries: bool = False,
    column_rows: np.ndarray | None = None,
    with_correlation: bool | None = None,
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
    column_rows : (n,) uint32 or None
        Rows for the statistics of the columns of a dense X; None takes all.
    with_correlation : bool or None
        Whether to measure the correlation of the columns; None: if the coordinates may be whitened.
    """
    return measure_rows(
        data.X if settings.standardize or count_entries else None,
        data.y,
        data.weight,
        data.rows,
        target_values=settings.objective.target_quantile is not None,
        with_correlation=settings.may_whiten(data) if with_correlation is None else with_correlation,
        n_values=n_target_values,
        count_entries=count_entries,
        column_rows=column_rows,
    )


def survey(data: TrainingData, settings: Settings) -> tuple[Coordinates, np.ndarray | None]:
    """The coordinates in which to fit these rows, and the numbers of those of outlying norm, if they are known already.

    The coordinates change the path of a fit, not what it converges to. So of many dense rows some are measured, which
    saves one of three times that a fit reads X. All are measured where these rows do not represent the others: if a
    column is constant in them, or if any row has an outlying norm in their units, as those have in which a column is
    nonzero that seldom is, or is far larger than in the sample. (The norms of all rows are needed in any case.)
    """
    dense = not sparse.issparse(data.X)
    correlated = settings.may_whiten(data)
    if correlated and settings.whiten == "auto":
        correlated = may_be_correlated(data, centred=settings.fit_intercept)
    if dense and settings.standardize and settings.batch_size == "auto" and len(data.rows) >= MANY_ROWS:
        sample = data.of_selected(sample_evenly(data.rows, SAMPLED_ROWS))
        statistics = measure(
            data,
            settings,
            n_target_values=ROWS_FOR_QUANTILES,
            column_rows=sample.rows,
            with_correlation=correlated,
        )
        if varying_columns(statistics).all():
            coordinates = coordinates_of(statistics, data, settings)
            with_target = not settings.objective.kind.robust
            for rows in (sample, data):  # if there are outlying rows, some of them are mostly in the sample
                square = weighted_squared_norms(rows, coordinates, with_target=with_target)
                if is_outlying(square, float(square.mean())).any():
                    break
            else:
                return coordinates, data.rows[:0]
    statistics = measure(data, settings, n_target_values=ROWS_FOR_QUANTILES, with_correlation=correlated)
    return coordinates_of(statistics, data, settings), None


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
    with np.errstate(all="ignore"):  # a penalty that overflows is rejected where it is used
        l2 = np.asarray(settings.objective.strengths(coordinates.y_unit)[1])
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


def pose(
    data: TrainingData,
    coordinates: Coordinates,
    settings: Settings,
    *,
    in_stream: bool = False,
    batches: Batches | None = None,
    outlying: np.ndarray | None = None,
    in_row_space: bool = False,
) -> Problem:
    """The problem of fitting these rows, in these coordinates, ready for the kernel.

    `in_stream`: whether these are the rows of one call of many. `batches`: those to make of the rows; None makes them
    as `settings.batch_size` says. `outlying`: the rows of outlying norm, if they are known (see `survey`).
    `in_row_space`: whether they are the components of rows.
    """
    most_in_one = 0
    if batches is None and not in_stream and settings.batch_size == "auto":
        most_in_one = most_in_one_batch(data, settings, in_row_space=in_row_space)
    data = data_for_kernel(data, coordinates)
    if batches is None:
        batches = make_batches(
            data,
            coordinates,
            settings.batch_size,
            with_target=not settings.objective.kind.robust,
            most_in_one=most_in_one,
            in_stream=in_stream,
            outlying=outlying,
        )
        if batches.size == len(data.rows) and not in_stream and settings.may_condense(data):
            data = condensed(data)
            batches = Batches(len(data.rows), data.rows, None, n_represented=batches.size)
    return make_problem(
        data,
        coordinates,
        settings.objective,
        batches,
        fit_intercept=settings.fit_intercept,
        shuffle=settings.shuffle,
    )


def most_in_one_batch(data: TrainingData, settings: Settings, *, in_row_space: bool) -> int:
    """The most rows of which "auto" makes one batch."""
    if not settings.suits_exact_gradients(data, in_row_space=in_row_space):
        return MOST_IN_ONE_BATCH_OTHERWISE
    if in_row_space:
        return MOST_ROWS_OF_SPACE
    if not settings.objective.has_l1:
        return MOST_IN_ONE_BATCH
    most = max(MOST_IN_ONE_BATCH, MOST_TO_CONDENSE // data.n_different**2)
    if len(data.rows) <= most and are_correlated(data, centred=settings.fit_intercept):
        return MOST_IN_ONE_BATCH_OTHERWISE
    return most


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
            f"X is too small relative to y: the coefficient of column {column} overflows {dtype}. {advice(dtype)}"
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

    Steps continue in the current epoch of the problem's rows, where the last run ended.

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
    later = problem.advance(problem.state_on_rows(state), settings, n_steps, rate_factor)
    losses = problem.evaluate(later.reported(), problem.evaluation_rows)
    return problem.state_off_rows(later), losses


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
