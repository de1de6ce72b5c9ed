"""The coordinates of a stream: those of the first call of `partial_fit`, and what later calls change about them."""

from dataclasses import replace
from typing import Any

import numpy as np

from sklearn_rmsprop._coordinates import Coordinates, varying_columns
from sklearn_rmsprop._data import TrainingData, only_columns_with_entries
from sklearn_rmsprop._engine import coordinates_of, enough_rows, measure
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Statistics

# Origin and unit of a column or target are those of the first call. If the mean of a later call lies more than so many
# units from the origin, or its unit is so many times as large or as small, the first call was not typical. Measured:
# with origins wrong by 10 units the excess loss is 0.1 after three passes over the rows, with units wrong by a factor
# of 100 it is 1e-4.
FARTHEST_ORIGIN, MOST_DIFFERENT_UNIT = 5.0, 100.0

# A call of fewer rows says too little about either.
FEWEST_ROWS_TO_COMPARE = 10


def first_coordinates(data: TrainingData, settings: Settings) -> tuple[Coordinates, Statistics | None]:
    """The coordinates for a stream, and the statistics of its rows if more of them are needed for a basis."""
    return coordinates_from(measure(data, settings), data, settings)


def coordinates_from(
    statistics: Statistics, data: TrainingData, settings: Settings
) -> tuple[Coordinates, Statistics | None]:
    """The coordinates for rows with these statistics, and the statistics if more rows are needed for a basis."""
    if statistics.x_correlation is None or enough_rows(statistics):
        return coordinates_of(statistics, data, settings), None
    return coordinates_of(replace(statistics, x_correlation=None), data, settings), statistics


def next_coordinates(
    data: TrainingData,
    settings: Settings,
    coordinates: Coordinates,
    state: State,
    statistics: Statistics | None,
    *,
    n_calls: int,
) -> tuple[Coordinates, State, Statistics | None]:
    """The coordinates for a further call of a stream, the state in them, and the statistics if more rows are needed.

    With enough rows, coordinates are made anew of all rows so far, with a basis. A basis is left when an L1 penalty has
    been set, which needs the columns' own axes. Columns and targets that begin to vary get units, or a new basis. After
    1, 2, 4, 8, ... calls the coordinates are compared with those of the latest rows.
    """
    may_whiten = settings.may_whiten(data)
    new = coordinates
    if statistics is not None and may_whiten:
        latest = measure(data, settings)
        same_kind = (latest.y_values is None) == (statistics.y_values is None)  # or the loss has changed
        statistics = Statistics.merge([statistics, latest]) if same_kind else latest
        if enough_rows(statistics):
            new, statistics = coordinates_of(statistics, data, settings), None
    elif coordinates.basis is not None and settings.objective.has_l1:
        new = replace(coordinates, basis=None, inverse_basis=None)
    elif coordinates.basis is not None and has_late_columns(data, settings, coordinates, state):
        new, statistics = first_coordinates(data, settings)
    is_corrected = False
    if new is coordinates and settings.standardize and n_calls.bit_count() == 1:
        new, statistics = corrected(data, settings, coordinates, statistics)
        is_corrected = new is not coordinates
    if new is not coordinates:
        points = [new.from_user(*coordinates.to_user(p.astype(np.float64))) for p in (state.coef, state.average)]
        if is_corrected:
            for point in points:
                # where the prediction for the mean of the rows is the mean of the targets: from hundreds of units
                # away, the short steps late in a stream would not reach it
                point[-1] = 0
        state = state.restarted_at(*points, dtype=new.dtype(state.coef.dtype))
    elif settings.standardize:
        new = with_late_units(data, settings, coordinates, state)
    return new, state, statistics


def corrected(
    data: TrainingData, settings: Settings, coordinates: Coordinates, statistics: Statistics | None
) -> tuple[Coordinates, Statistics | None]:
    """The coordinates with other origins and units where those are not typical of these rows, and the statistics.

    The same object if all are typical.
    """
    if len(data.rows) < FEWEST_ROWS_TO_COMPARE:
        return coordinates, statistics
    latest = measure(data, settings)
    fresh, of_these_rows = coordinates_from(latest, data, settings)
    targets = ~fresh.is_constant_target()
    targets &= differ(coordinates.y_mean, fresh.y_mean, coordinates.y_unit, fresh.y_unit)
    columns = varying_columns(latest) & differ(coordinates.x_mean, fresh.x_mean, coordinates.x_unit, fresh.x_unit)
    if not (columns.any() or targets.any()):
        return coordinates, statistics
    if coordinates.basis is not None or (coordinates.x_mean is None) != (fresh.x_mean is None):
        return fresh, of_these_rows
    places = np.flatnonzero(columns)
    return coordinates.with_units_of(fresh, places, places, targets), statistics


def differ(
    mean: np.ndarray | None, other_mean: np.ndarray | None, unit: np.ndarray, other_unit: np.ndarray
) -> np.ndarray:
    """Where one origin is far from the other, or one unit much larger than the other. Origins of None are zeros."""
    distance = np.abs((0.0 if mean is None else mean) - (0.0 if other_mean is None else other_mean))
    larger, smaller = np.maximum(unit, other_unit), np.minimum(unit, other_unit)
    result: np.ndarray = (distance > FARTHEST_ORIGIN * larger) | (larger > MOST_DIFFERENT_UNIT * smaller)
    return result


def has_late_columns(data: TrainingData, settings: Settings, coordinates: Coordinates, state: State) -> bool:
    """Whether a column varies that was constant when the basis was made: no coordinate that has moved shows it."""
    has_moved = state.scaled_square[:-1].any(axis=1) | state.coef[:-1].any(axis=1)
    shown: Any = np.abs(coordinates.inverse_basis)  # type: ignore[arg-type]
    constant = shown[has_moved].max(axis=0, initial=0) <= np.finfo(np.float32).eps * shown.max(axis=0)
    if not has_moved.any() or not constant.any():
        return False
    varies = varying_columns(measure(data, replace(settings, whiten=False)))
    return bool((constant & varies).any())


def with_late_units(data: TrainingData, settings: Settings, coordinates: Coordinates, state: State) -> Coordinates:
    """The coordinates with units from these rows for targets, and without a basis columns, that were constant so far.

    Without them a column that is zero in the first call and of the order of 1e6 in later ones makes steps of 1e6 times
    the right length. As constants have had no gradient, the state is the same in any units of theirs.
    """
    narrow, columns = only_columns_with_entries(data)
    if columns is None and state.scaled_square.all():
        return coordinates  # the usual case, in a fraction of the time
    columns = np.arange(data.X.shape[1]) if columns is None else columns
    still: Any = np.zeros(len(columns), dtype=bool)
    if coordinates.basis is None:
        still = ~(state.scaled_square[columns].any(axis=1) | state.coef[columns].any(axis=1))
    targets = coordinates.is_constant_target()
    if targets.any():
        targets &= ~(state.scaled_square.any(axis=0) | state.coef.any(axis=0))
    if not (still.any() or targets.any()):
        return coordinates
    settings = replace(settings, whiten=False)
    try:
        statistics = measure(narrow, settings)
        fresh = coordinates_of(statistics, narrow, settings)
    except ValueError:
        coordinates_of(measure(data, settings), data, settings)  # the same error with the number of the column in X
        raise
    targets &= ~fresh.is_constant_target()
    late = np.flatnonzero(still & varying_columns(statistics))
    return coordinates.with_units_of(fresh, late, columns[late], targets)
