"""How rows are divided into mini-batches: how many rows each has, and which rows are in every batch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._kernel._moments import squared_norms as squared_norms_of_rows
from sklearn_rmsprop._statistics import is_shared

# A row is outlying if its norm exceeds this multiple of the root mean square norm of all rows: 6 and 10 are as good
# for extreme rows, and worse for log-normal columns (docs/kernel_notes.md).
OUTLYING = 4

# The most rows that are in every batch: they cost as much as other rows of the batch. One default batch.
MOST_CERTAIN = 32

SMALLEST_BATCH, LARGEST_BATCH = 32, 256

# Up to so many rows are all in one batch, where exact gradients suit the fit (`Settings.suits_exact_gradients`) and
# there are no more columns than rows: within 1000 steps they reach the optimum; with batches of 32 an excess loss
# remains. Where they do not suit it, up to as many rows as two batches have: the median excess loss of 300 problems was
# 0 instead of 5e-5, that of the worst ones, which are ill-conditioned, up to twice as large.
MOST_IN_ONE_BATCH, MOST_IN_ONE_BATCH_OTHERWISE = 500, 64

# With L1, the noise of batches decides which small coefficients are zero. Where a few rows can stand for all, exact
# steps take no longer, the more rows there are; but to find these few takes k^2 operations a row, with k columns and
# targets. Up to so many operations in all, fits take about as long as with batches of 32 (docs/kernel_notes.md).
MOST_TO_CONDENSE = 10_000_000

# In place of more columns, rows have components. Those of so many take seconds to find, and 600 exact steps no longer.
MOST_ROWS_OF_SPACE = 2048


@dataclass(frozen=True)
class Batches:
    """How the rows are divided into mini-batches.

    Attributes
    ----------
    size : rows that are drawn for a batch
    drawn : numbers of the rows that batches are drawn from
    certain : numbers of the rows that are also in every batch, or None
    visit_probability : (n_features,), or None
        Of sparse rows, the probability that a batch has an entry of each column, where it is known: if the rows are
        some of many, these tell little about rare columns. None: it is measured on the rows.
    n_represented : int or None
        How many rows those of a batch stand for, if more than themselves.
    """

    size: int
    drawn: np.ndarray
    certain: np.ndarray | None
    visit_probability: np.ndarray | None = None
    n_represented: int | None = None

    @property
    def reported_size(self) -> int:
        """The batch size to tell the user."""
        return self.size if self.n_represented is None else self.n_represented


def make_batches(
    data: TrainingData,
    coordinates: Coordinates,
    batch_size: int | str | None,
    *,
    with_target: bool,
    most_in_one: int,
    in_stream: bool,
    outlying: np.ndarray | None = None,
) -> Batches:
    """The batches for a parameter `batch_size`.

    Parameters
    ----------
    data : TrainingData
    coordinates : Coordinates
    batch_size : int, "auto" or None
        None: all rows. "auto": by rule, with rows of outlying norm in every batch.
    with_target : bool
        Whether the norm of a row includes its target: with a robust loss, no target outweighs others.
    most_in_one : int
        The most rows of which "auto" makes one batch. Not of those of one call of many: their number must not matter.
    in_stream : bool
        Whether these are the rows of one call of many.
    outlying : (n,) uint32 or None
        What `outlying_rows` returns, if it is known already.
    """
    n_rows, n_features = len(data.rows), data.X.shape[1]
    if batch_size == "auto" and not in_stream and n_features <= n_rows <= most_in_one:
        batch_size = None
    size = size_of_batch(batch_size, coordinates, n_rows, in_stream=in_stream)
    if not isinstance(batch_size, str):
        return Batches(size, data.rows, None)
    certain = outlying_rows(data, coordinates, with_target=with_target) if outlying is None else outlying
    if len(certain) == 0:
        return Batches(min(size, n_rows), data.rows, None)
    drawn = np.setdiff1d(data.rows, certain, assume_unique=True)
    return Batches(min(size, len(drawn)), drawn, certain)


def size_of_batch(
    batch_size: int | str | None, coordinates: Coordinates, n_rows: int, *, in_stream: bool = False
) -> int:
    """The number of rows in a batch for a parameter `batch_size`, of `n_rows` rows."""
    if isinstance(batch_size, str):
        is_whitened = coordinates.basis is not None
        n_known = None if in_stream else n_rows
        batch_size = choose_batch_size(len(coordinates.x_unit), is_whitened=is_whitened, n_rows=n_known)
    return min(batch_size or n_rows, n_rows)


def choose_batch_size(n_features: int, *, is_whitened: bool, n_rows: int | None) -> int:
    """The batch size "auto": in whitened coordinates a power of two, the larger the more columns there are.

    Whitened coordinates take 4 d^2 operations a batch, which should not be many more than the 4 d b of its b rows; they
    also need hardly more epochs with larger batches, as other coordinates do. At least 16 batches an epoch.

    Parameters
    ----------
    n_features : int
    is_whitened : bool
    n_rows : int or None
        None: the rows are those of one call in a stream, whose number must not matter.
    """
    wanted = n_features * (0.64 if n_features <= 100 else 1.25) if is_whitened else 0
    size = SMALLEST_BATCH
    while size < wanted and size < LARGEST_BATCH and (n_rows is None or n_rows >= 32 * size):
        size *= 2
    return size


def outlying_rows(data: TrainingData, coordinates: Coordinates, *, with_target: bool) -> np.ndarray:
    """The numbers of the rows that outweigh their batch: a few of outlying norm, in ascending order.

    The norm is that of the standardised row, times the root of its weight. With `with_target` it includes the largest
    target of the row. (With a robust loss, no target outweighs others.)

    Such a row decides the optimum in some direction, but is in one batch an epoch: its gradient is a rare shock, whose
    effect on an adaptive step is not its share of the mean. Survey sampling takes such units with certainty (Cochran,
    1977, ch. 5).
    """
    square = weighted_squared_norms(data, coordinates, with_target=with_target)
    return data.rows[outlying_places(square, float(square.mean()))]


def is_outlying(square: np.ndarray, mean_square: float) -> np.ndarray:
    """Which of these squared norms are outlying; not those that are NaN."""
    return square > OUTLYING**2 * mean_square


def outlying_places(square: np.ndarray, mean_square: float) -> np.ndarray:
    """The places of outlying squared norms, the MOST_CERTAIN largest ones if there are more, in ascending order."""
    outlying = np.flatnonzero(is_outlying(square, mean_square))
    if len(outlying) > MOST_CERTAIN:
        outlying = outlying[np.argpartition(square[outlying], -MOST_CERTAIN)[-MOST_CERTAIN:]]
    return np.sort(outlying)


def weighted_squared_norms(data: TrainingData, coordinates: Coordinates, *, with_target: bool) -> np.ndarray:
    """The weight of each selected row times its squared norm, with or without that of its target."""
    with np.errstate(over="ignore"):  # numbers that overflow here overflow in training, which says so
        square = squared_norms(data, coordinates)
        if with_target:
            square += largest_squared_target(data, coordinates)
        if isinstance(data.weight, np.ndarray):
            square *= data.weight[data.rows] / coordinates.weight_unit
    return square


def largest_squared_target(data: TrainingData, coordinates: Coordinates) -> np.ndarray:
    """The square of each selected row's largest target, in units of the targets."""
    every = len(data.rows) == len(data.y)  # selecting all rows by their numbers takes longer than everything else
    result: Any = None
    for k in range(1 if is_shared(data.y) else data.y.shape[1]):
        target = (data.y[:, k] if every else data.y[data.rows, k]) - coordinates.y_mean[k]
        target /= coordinates.y_unit[k]
        np.square(target, out=target)
        result = target if result is None else np.maximum(result, target, out=result)
    return result


def squared_norms(data: TrainingData, coordinates: Coordinates) -> np.ndarray:
    """The squared norm of each selected row in units of its columns."""
    X: Any = data.X
    inverse_unit = 1 / coordinates.x_unit
    if not sparse.issparse(X):
        mean = np.zeros(X.shape[1]) if coordinates.x_mean is None else coordinates.x_mean
        return squared_norms_of_rows(X, data.rows, mean, inverse_unit)
    result = np.empty(len(data.rows))
    every = len(data.rows) == X.shape[0]
    for first in range(0, len(result), data.n_rows_at_once):
        part = slice(first, first + data.n_rows_at_once)
        block = X[part] if every else X[data.rows[part]]
        scaled = block.data * inverse_unit[block.indices]
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        result[part] = np.bincount(row, scaled * scaled, minlength=block.shape[0])
    return result
