"""What a fit of rows that lie in several places computes there: functions of one block of rows, which change nothing.

They do not know where they run or who calls them (see `_rounds.py`). Called again with the same arguments, as happens
after the loss of a worker, each returns the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._batches import MOST_CERTAIN, Batches, weighted_squared_norms
from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData, aligned, neighbours
from sklearn_rmsprop._problem import Problem, data_for_kernel
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State, make_generator
from sklearn_rmsprop._statistics import weights_of

# The rows of a block, in pieces, because those of a large block need not follow one another in memory.
Block = Sequence[TrainingData]


@dataclass(frozen=True)
class Survey:
    """What the outlying rows and the null loss are found with.

    Attributes
    ----------
    total : sum of the squared norms of the rows
    places, largest : numbers of the rows with the largest squared norms, and these
    null_loss, loss_of_zero : losses of the best constant and of zero, per target
    """

    total: float
    places: np.ndarray
    largest: np.ndarray
    null_loss: np.ndarray
    loss_of_zero: np.ndarray


@dataclass(frozen=True)
class Common:
    """What all blocks of a fit have in common.

    Attributes
    ----------
    settings, coordinates : of the fit
    batch_size : rows that are drawn for a batch
    n_drawn : rows of all blocks together
    certain : rows that are in every batch of every block, or None
    visit_probability : as in `Batches`
    """

    settings: Settings
    coordinates: Coordinates
    batch_size: int
    n_drawn: int
    certain: TrainingData | None
    visit_probability: np.ndarray | None


@dataclass(frozen=True)
class Round:
    """What all blocks have in common in a round: the state to start from, and how to continue."""

    state: State
    n_steps: int
    rate_factor: float | np.ndarray


# Before the fit


def survey(data: TrainingData, common: Common, constant: np.ndarray) -> Survey:
    """Find the rows of largest norm, and the loss of a constant (in units of the targets)."""
    settings, coordinates = common.settings, common.coordinates
    largest, places, total = np.empty(0), data.rows[:0], 0.0
    if isinstance(settings.batch_size, str):
        with_target = not settings.objective.kind.robust
        square = weighted_squared_norms(data_for_kernel(data, coordinates), coordinates, with_target=with_target)
        chosen = np.sort(np.argpartition(square, -MOST_CERTAIN)[-MOST_CERTAIN:]) if len(square) > MOST_CERTAIN else ...
        largest, places, total = square[chosen], data.rows[chosen], float(square.sum())
    loss = settings.objective.loss(coordinates.y_unit)
    y, weight = coordinates.target(data.y), coordinates.weight(data.weight, data.rows, data.X.dtype)
    of_constants = (loss.of_constant(y, weight, data.rows, value) for value in (constant, 0.0))
    return Survey(total, places, largest, *of_constants)


def without(data: TrainingData, rows: np.ndarray) -> TrainingData:
    """The data without these rows."""
    return replace(data, rows=np.setdiff1d(data.rows, rows, assume_unique=True)) if len(rows) else data


def deal(data: TrainingData, rows: np.ndarray, seed: Sequence[int], n_blocks: int, first: int) -> list[TrainingData]:
    """Deal all rows but these at random to the blocks, one after the other, beginning with block `first`.

    Each share is in the order of the rows, which are read faster so; `join` mixes them.
    """
    order = np.random.default_rng(seed).permutation(without(data, rows).rows)
    return [data.of_rows(np.sort(order[(block - first) % n_blocks :: n_blocks])) for block in range(n_blocks)]


def pick(parts: Sequence[TrainingData], number: int) -> TrainingData:
    """One of the parts."""
    return parts[number]


def join(seed: Sequence[int], *parts: TrainingData) -> TrainingData:
    """The rows of all parts in a random order."""
    sizes = [len(part.y) for part in parts]
    places = np.random.default_rng(seed).permutation(sum(sizes))
    stacked: Any = [part.X for part in parts]
    if sparse.issparse(stacked[0]):
        return TrainingData.concatenate(parts).of_rows(np.argsort(places))
    X = np.empty((len(places), stacked[0].shape[1]), np.result_type(*(x.dtype for x in stacked)))
    for x, at in zip(stacked, np.split(places, np.cumsum(sizes)[:-1]), strict=True):
        X[at] = x  # without a second copy of the rows
    others = TrainingData.concatenate([replace(part, X=np.empty((len(part.y), 0), X.dtype)) for part in parts])
    return replace(others.of_rows(np.argsort(places)), X=X)


def collect(as_one: bool, *pieces: TrainingData) -> list[TrainingData]:
    """A block of these pieces, without a copy unless they are to become one."""
    return [TrainingData.concatenate([p.of_rows(p.rows) for p in pieces])] if as_one else [*pieces]


def draw(block: Block, n_rows: int) -> TrainingData:
    """A sample of about so many rows."""
    return TrainingData.concatenate([part.of_rows(part.rows) for part in sample(block, n_rows)])


def sample(block: Block, n_rows: int) -> list[TrainingData]:
    """About so many rows, or all: the first ones of each piece, without a copy, because they are in a random order."""
    share = min(1.0, n_rows / count_rows(block))
    return [stretch(piece, piece.rows[: math.ceil(share * len(piece.rows))]) for piece in block]


def stretch(data: TrainingData, rows: np.ndarray) -> TrainingData:
    """The data of these rows, which follow one another but for rows that do not take part, without a copy."""
    first, last = int(rows[0]), int(rows[-1]) + 1
    weight = data.weight[first:last] if isinstance(data.weight, np.ndarray) else data.weight
    return replace(data, X=neighbours(data.X, first, last), y=data.y[first:last], weight=weight, rows=rows - rows[0])


def count_rows(block: Block) -> int:
    """The number of rows that take part."""
    return sum(len(piece.rows) for piece in block)


def total_weight(data: TrainingData) -> float:
    """The weight of the rows that take part."""
    return float(weights_of(data.weight, data.rows).sum())


def size_and_weight(block: Block) -> tuple[int, float]:
    """The number of rows that take part, and their weight."""
    return count_rows(block), sum(total_weight(piece) for piece in block)


# During the fit


def advance(block: Block, number: int, common: Common, start: Round) -> State:
    """The state after the steps of a round on the rows of a block.

    The rows are in a random order, so that each round takes those that follow the ones of the last round, and an epoch
    takes every row once. The kernel shuffles them, by a generator of this block and step.
    """
    size, state, n_left = common.batch_size, start.state, start.n_steps
    n_steps_of = np.array([math.ceil(len(piece.rows) / size) for piece in block])
    ends = np.cumsum(n_steps_of)
    while n_left > 0:
        done = state.t % ends[-1]
        at = int(np.searchsorted(ends, done, side="right"))
        done -= ends[at] - n_steps_of[at]
        n_steps = min(n_left, int(n_steps_of[at] - done))
        if len(block) == 1 and done == 0 and n_left > n_steps:
            n_steps = n_left - n_left % n_steps  # several short epochs
        rows = block[at].rows[done * size :][: n_steps * size]
        state = replace(state, generator=make_generator([*start.state.generator.tolist(), number, state.t]))
        state = pose(block[at], rows, common).advance(state, common.settings, n_steps, start.rate_factor)
        n_left -= n_steps
    return replace(state, generator=start.state.generator)


def pose(data: TrainingData, rows: np.ndarray, common: Common) -> Problem:
    """The problem of taking steps with these rows, which follow one another in the data.

    A batch has some of the `m` selected rows, and all certain rows. The mean over the blocks of its expected gradient
    must be the gradient of all rows. The kernel divides the gradient by the sum of `m` and the number of certain rows.
    The weights correct for that, and for the certain rows being in every block.
    """
    part = stretch(data, rows)
    drawn, certain = part.rows, None
    if common.certain is not None:
        m, n_drawn, n_certain = len(rows), common.n_drawn, len(common.certain.rows)
        scale = n_drawn * (m + n_certain) / ((n_drawn + n_certain) * m)
        part = scaled(part if len(part.y) == m else part.of_rows(part.rows), scale)
        part = TrainingData.concatenate([part, scaled(common.certain, scale * m / n_drawn)])
        drawn, certain = np.split(part.rows, [m])
    batches = Batches(min(common.batch_size, len(drawn)), drawn, certain, common.visit_probability)
    return engine.pose(part, common.coordinates, common.settings, batches=batches)


def scaled(data: TrainingData, factor: float) -> TrainingData:
    """The data with this multiple of its weights."""
    return replace(data, weight=factor * weights_of(data.weight, np.arange(len(data.y))))


def evaluate(block: Block, common: Common, coef: np.ndarray, most_rows: int) -> np.ndarray:
    """The objective at these coordinates, those of `Problem.state_on_rows`, on a sample of the rows, per target."""
    parts, losses = sample(block, most_rows), []
    for part in parts:
        batches = Batches(len(part.rows), part.rows, None, common.visit_probability)
        problem = engine.pose(part, common.coordinates, common.settings, batches=batches)
        losses.append(problem.evaluate(aligned(coef), part.rows))
    return np.average(losses, axis=0, weights=[total_weight(part) for part in parts])
