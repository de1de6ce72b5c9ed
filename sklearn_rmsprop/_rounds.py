"""Data-parallel fits: rounds of local training on blocks of rows that lie elsewhere, whose states are averaged.

The training loop is the ordinary one (`_training.py`): to it, `BlocksProblem` is a problem like any other, whose steps
are done on all blocks at once. This module does not know where the blocks are: a `Cluster` runs the functions of
`_blocks.py` there.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from sklearn_rmsprop import _blocks as tasks
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._batches import Batches, outlying_places, size_of_batch
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._objective import not_zero
from sklearn_rmsprop._partitions import Partition, check_alike, describe, rows_of
from sklearn_rmsprop._problem import MOST_CONFIRMATION_ROWS, Problem, count_evaluation_rows
from sklearn_rmsprop._schedules import ENDING
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Statistics, visit_probability, weighted_quantile

# Quantiles of targets are measured on about the first of these numbers of rows, but at least the second of a partition:
# the share of the rows below them then has an error of about 0.002.
MOST_TARGET_VALUES, FEWEST_TARGET_VALUES = 1 << 16, 256


# Blocks of more than this many bytes are made in pieces, at most so many, which bounds the memory for it.
PIECE_BYTES, MOST_PIECES = 1 << 24, 4


class Cluster(Protocol):
    """Where the blocks are. A handle stands for the result of a function there, or is it."""

    def submit(self, function: Callable[..., Any], *arguments: Any, home: int | None = None) -> Any:
        """Call a function there; handles among its arguments become what they stand for. Returns a handle.

        Results with the same `home` should be at the same place, if it still exists.
        """

    def map(self, function: Callable[..., Any], *arguments: Sequence[Any]) -> list[Any]:
        """Call a function there for the first element of each argument, for the second, and so on."""

    def gather(self, handles: Sequence[Any]) -> list[Any]:
        """What the handles stand for."""


@dataclass(frozen=True, kw_only=True)
class BlocksProblem(Problem):
    """The problem of fitting rows in blocks elsewhere. As a problem of its own it has a sample of these rows.

    Attributes
    ----------
    cluster, blocks : where the rows are
    block_sizes, block_weights : number of rows of each block, and the sum of their weights
    common, shared : what tasks need besides a block, and a handle of it there
    exact_null_loss : of all rows, per target
    sample : the sample, in the units of the user
    """

    cluster: Cluster
    blocks: list[Any]
    block_sizes: np.ndarray
    block_weights: np.ndarray
    common: tasks.Common
    shared: Any
    exact_null_loss: np.ndarray
    sample: TrainingData

    @cached_property
    def steps_per_epoch(self) -> int:
        return math.ceil(self.block_sizes.max() / self.common.batch_size)

    @property
    def n_rows(self) -> int:
        """The number of all rows that take part."""
        return self.common.n_drawn + (0 if self.common.certain is None else len(self.common.certain.rows))

    @property
    def is_sampled(self) -> bool:
        return len(self.evaluation_rows) < self.n_rows

    def null_loss(self, rows: np.ndarray) -> np.ndarray:
        """That of all rows, whichever are asked for."""
        return self.exact_null_loss

    def of_targets(self, targets: np.ndarray) -> "BlocksProblem":
        """The problem itself: nothing in it changes, and targets are always trained together."""
        assert len(targets) == self.y.shape[1]
        return self

    def advance(self, state: State, settings: Settings, n_steps: int, rate_factor: float | np.ndarray) -> State:
        """The mean of the states after `n_steps` more steps on each block."""
        start = self.cluster.submit(_same, tasks.Round(state, n_steps, rate_factor))
        states = self._on_blocks(tasks.advance, range(len(self.blocks)), self.shared, start)
        return State.mean(states, self.block_sizes / self.block_sizes.sum())

    def evaluate(self, coef: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The objective on the sample, or on the larger samples of the blocks and all certain rows."""
        if rows is self.evaluation_rows:
            return super().evaluate(coef, rows)
        at = self.cluster.submit(_same, coef)
        most_rows = max(1, MOST_CONFIRMATION_ROWS // len(self.blocks))
        losses = self._on_blocks(tasks.evaluate, self.shared, at, most_rows)
        weights = self.block_weights
        if self.common.certain is not None:
            losses.append(tasks.evaluate([self.common.certain], self.common, coef, most_rows))
            weights = np.append(weights, tasks.total_weight(self.common.certain))
        return np.average(losses, axis=0, weights=weights)

    def _on_blocks(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """What a function returns for each block; arguments are handles of what all share, or a range of numbers."""
        n = len(self.blocks)
        columns = [argument if isinstance(argument, range) else [argument] * n for argument in arguments]
        return self.cluster.gather(self.cluster.map(function, self.blocks, *columns))


def _same(value: Any) -> Any:
    """The value, as the result of a task: several tasks share it, and it can be made again where it is lost."""
    return value


def check_for_rounds(schedule: Any, *, early_stopping: bool) -> None:
    """Reject values that a fit in rounds has no use for.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    if isinstance(schedule, str) and schedule in ENDING:
        raise ValueError(
            f"schedule must be 'invsqrt', 'constant' or a callable if the rows are in blocks (partitions); got "
            f"{schedule!r}, which falls to zero only at max_iter. Set one of the others."
        )
    if early_stopping:
        raise ValueError(
            "early_stopping must be False if the rows are in blocks (partitions), because no rows can be held out "
            "there; got True. Set it to False (tol stops the fit), or hold out rows of your own and stop the fit by a "
            "callback that scores them."
        )


def describe_partitions(
    cluster: Cluster, validated: list[Any], settings: Settings
) -> tuple[list[Any], list[Partition]]:
    """Handles of the rows of the partitions that have any, and what these partitions are like.

    `validated`: handles of what `validate_partition` returns; the list is emptied.

    Raises
    ------
    ValueError, TypeError
        Naming the first partition that is not valid, or not like the others.
    """
    n = len(validated)
    n_target_values = max(FEWEST_TARGET_VALUES, MOST_TARGET_VALUES // n)
    shared = [cluster.submit(_same, settings)] * n
    partitions = check_alike(cluster.gather(cluster.map(describe, validated, shared, [n_target_values] * n)))
    with_rows = {k: partition for k, partition in enumerate(partitions) if partition is not None and partition.n_rows}
    handles = cluster.map(rows_of, [validated[k] for k in with_rows])
    validated.clear()
    return handles, list(with_rows.values())


def make_blocks_problem(
    cluster: Cluster,
    handles: list[Any],
    partitions: Sequence[Partition],
    settings: Settings,
    *,
    n_blocks: int,
    exchange: bool,
    seed: int,
) -> BlocksProblem:
    """The problem of fitting the rows of partitions, once these have been described.

    Parameters
    ----------
    cluster : Cluster
    handles : list
        Of the partitions' rows. It is emptied: the partitions are let go when their rows have been exchanged.
    partitions : sequence of Partition
        What they are like; all have rows.
    settings : Settings
    n_blocks : int
        Number of blocks; fewer if there are fewer rows, or without `exchange` fewer partitions.
    exchange : bool
        Whether to deal the rows at random to the blocks.
    seed : int
        Of the exchange.
    """
    statistics = Statistics.merge([partition.statistics for partition in partitions])  # type: ignore[misc]
    dtype = np.result_type(*(partition.none.X.dtype for partition in partitions))
    none = replace(partitions[0].none, X=partitions[0].none.X.astype(dtype, copy=False))
    coordinates = engine.coordinates_of(statistics, none, settings)
    common = tasks.Common(settings, coordinates, 1, statistics.n_rows, None, None)
    places, null_loss = survey_all(cluster, handles, partitions, common, statistics)
    common = with_certain_rows(cluster, handles, places, common, dtype)
    n_values, as_one = sum(partition.n_values for partition in partitions), settings.batch_size is None
    sizes = np.array([p.n_rows - len(rows) for p, rows in zip(partitions, places, strict=True)])
    if exchange:
        n_blocks = min(n_blocks, common.n_drawn)
        n_pieces = min(MOST_PIECES, 1 + n_values * dtype.itemsize // n_blocks // PIECE_BYTES)
        blocks = exchange_rows(
            cluster, handles, sizes, places, n_blocks=n_blocks, n_pieces=n_pieces, as_one=as_one, seed=seed
        )
    else:
        blocks = group_partitions(cluster, handles, sizes, places, n_blocks=n_blocks, as_one=as_one)
    handles.clear()
    return pose_blocks(cluster, blocks, common, statistics, n_values=n_values, null_loss=null_loss)


def pose_blocks(
    cluster: Cluster,
    blocks: list[Any],
    common: tasks.Common,
    statistics: Statistics,
    *,
    n_values: int,
    null_loss: np.ndarray,
) -> BlocksProblem:
    """The problem of fitting the rows of these blocks; in `common`, what depends on the blocks is still open.

    `statistics` and `null_loss` are those of all rows, which have `n_values` numbers of X.
    """
    sizes, weights = map(np.array, zip(*cluster.gather(cluster.map(tasks.size_and_weight, blocks)), strict=True))
    batch_size = size_of_batch(common.settings.batch_size, common.coordinates, int(sizes.min()))
    probability = None
    if statistics.x_nonzero_rows is not None:
        probability = visit_probability(statistics.x_nonzero_rows, statistics.n_rows, batch_size)
    common = replace(common, batch_size=batch_size, visit_probability=probability)
    sample = draw_sample(cluster, blocks, sizes, common, count_evaluation_rows(n_values, statistics.n_rows))
    batches = Batches(len(sample.rows), sample.rows, None, probability)
    local = engine.pose(sample, common.coordinates, common.settings, batches=batches)
    # `evaluate` tells by the array whether it is asked for the sample
    rows = {"evaluation_rows": local.data.rows, "confirmation_rows": local.data.rows.copy()}
    return BlocksProblem(
        **{field.name: getattr(local, field.name) for field in fields(local)} | rows,
        cluster=cluster,
        blocks=blocks,
        block_sizes=sizes,
        block_weights=weights,
        common=common,
        shared=cluster.submit(_same, common),
        exact_null_loss=null_loss,
        sample=sample,
    )


def survey_all(
    cluster: Cluster,
    handles: Sequence[Any],
    partitions: Sequence[Partition],
    common: tasks.Common,
    statistics: Statistics,
) -> tuple[list[np.ndarray], np.ndarray]:
    """The numbers of each partition's rows that outweigh their batch, and the null loss."""
    constant = (best_constant(statistics, common.settings) - common.coordinates.y_mean) / common.coordinates.y_unit
    shared = [cluster.submit(_same, common)] * len(handles)
    surveys = cluster.gather(cluster.map(tasks.survey, handles, shared, [constant] * len(handles)))
    weights = [p.statistics.n_rows * p.statistics.weight for p in partitions]  # type: ignore[union-attr]
    null_loss = not_zero(
        np.average([s.null_loss for s in surveys], axis=0, weights=weights),
        np.average([s.loss_of_zero for s in surveys], axis=0, weights=weights),
    )
    largest = np.concatenate([s.largest for s in surveys])
    owner = np.repeat(np.arange(len(surveys)), [len(s.largest) for s in surveys])
    places = np.concatenate([s.places for s in surveys])
    outlying = outlying_places(largest, sum(s.total for s in surveys) / statistics.n_rows)
    return [np.sort(places[outlying][owner[outlying] == k]) for k in range(len(surveys))], null_loss


def with_certain_rows(
    cluster: Cluster, handles: list[Any], places: list[np.ndarray], common: tasks.Common, dtype: np.dtype
) -> tasks.Common:
    """The same with the rows at these places of the partitions, which are in every batch."""
    chosen = [k for k, rows in enumerate(places) if len(rows)]
    if not chosen:
        return common
    parts = cluster.gather(cluster.map(_rows_of, [handles[k] for k in chosen], [places[k] for k in chosen]))
    X: list[Any] = [part.X.astype(dtype, copy=False) for part in parts]
    certain = TrainingData.concatenate([replace(part, X=x) for part, x in zip(parts, X, strict=True)])
    return replace(common, certain=certain, n_drawn=common.n_drawn - len(certain.rows))


def best_constant(statistics: Statistics, settings: Settings) -> np.ndarray:
    """The constant of least loss, per target, as `Objective.null_loss` has it."""
    quantile = settings.objective.target_quantile
    if quantile is None:
        return np.asarray(statistics.y_mean)
    return np.array([weighted_quantile(column, statistics.y_weight, quantile) for column in statistics.y_values.T])


def exchange_rows(
    cluster: Cluster,
    handles: list[Any],
    sizes: np.ndarray,
    places: list[np.ndarray],
    *,
    n_blocks: int,
    n_pieces: int,
    as_one: bool,
    seed: int,
) -> list[Any]:
    """Deal the rows at random over blocks of equal size, or one row more; each is made piece by piece.

    When a piece has been joined, the shares that it was made of are let go. So there is never a second copy of a block.
    """
    n, n_shares = len(handles), n_blocks * n_pieces
    first = (np.cumsum(sizes) - sizes) % n_shares
    seeds = [(seed, 0, k) for k in range(n)]
    dealt = cluster.map(tasks.deal, handles, places, seeds, [n_shares] * n, first.tolist())
    handles.clear()
    shares = [cluster.map(tasks.pick, dealt, [number] * n) for number in range(n_shares)]
    pieces = [cluster.submit(tasks.join, (seed, 1, k), *shares[k], home=k % n_blocks) for k in range(n_shares)]
    return [cluster.submit(tasks.collect, as_one, *pieces[k::n_blocks], home=k) for k in range(n_blocks)]


def group_partitions(
    cluster: Cluster, handles: list[Any], sizes: np.ndarray, places: list[np.ndarray], *, n_blocks: int, as_one: bool
) -> list[Any]:
    """Neighbouring partitions as blocks of about equal size."""
    left = cluster.map(tasks.without, handles, places)
    handles.clear()
    n_blocks = min(n_blocks, int(np.count_nonzero(sizes)))
    middle = np.cumsum(sizes) - sizes / 2
    number = np.minimum((middle / sizes.sum() * n_blocks).astype(int), n_blocks - 1)
    number[sizes == 0] = -1
    groups = [np.flatnonzero(number == k) for k in range(n_blocks)]
    return [cluster.submit(tasks.collect, as_one, *(left[i] for i in group)) for group in groups if len(group)]


def draw_sample(
    cluster: Cluster, blocks: list[Any], sizes: np.ndarray, common: tasks.Common, n_rows: int
) -> TrainingData:
    """A sample of all rows, from each block in proportion, in which certain rows have their share of the weight."""
    wanted = [math.ceil(n_rows * size / sizes.sum()) for size in sizes]
    sample = TrainingData.concatenate(cluster.gather(cluster.map(tasks.draw, blocks, wanted)))
    if common.certain is None:
        return sample
    share = len(sample.rows) / common.n_drawn
    return TrainingData.concatenate([sample, tasks.scaled(common.certain, share)])


def _rows_of(data: TrainingData, rows: np.ndarray) -> TrainingData:
    return data.of_rows(rows)
