"""Weighted means, variances and quantiles of columns, and the statistics of a block of rows, which can be merged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from sklearn_rmsprop._kernel._csr_rows import entry_moments
from sklearn_rmsprop._kernel._moments import column_moments

# Standard deviation of a normal distribution per median absolute deviation.
NORMAL_MAD = 1.4826

# Rows of a sparse matrix that are counted at a time, which bounds the memory for it.
ROWS_COUNTED = 1 << 12

# Below SMALLEST_SQUARE squares lose digits or underflow, and are computed again in units of the largest number. So many
# rows tell whether a column with a mean of zero is all zero.
SMALLEST_SQUARE, ROWS_TO_LOOK_AT = 1e-280, 1024

# The correlation is measured on the larger of these numbers of rows: in all, and per column (10 would be enough).
FEWEST_CORRELATION_ROWS, CORRELATION_ROWS_PER_COLUMN = 4096, 20

# Rows are sampled in runs of so many neighbours, which are read faster.
NEIGHBOURS = 8

# Quantiles of the targets of a fit with a robust loss are those of about so many rows: known to some 1 %, which the
# steps do not notice, in a third of the time.
ROWS_FOR_QUANTILES = 1 << 13

Weight = np.ndarray | float


def weights_of(weight: Weight, rows: np.ndarray) -> np.ndarray:
    """The weights of the selected rows, as an array."""
    return weight[rows] if isinstance(weight, np.ndarray) else np.full(len(rows), weight)


def shares_of(weight: Weight, rows: np.ndarray) -> np.ndarray:
    """The share of each selected row in their weight, whose sum may overflow."""
    share = weights_of(weight, rows)
    share = share / share.max()
    return share / share.sum()


def sample_evenly(rows: np.ndarray, n: int) -> np.ndarray:
    """All of these rows if they are no more than `n`, or about `n`: a few neighbours from each of many stretches.

    The places within the stretches are random, so that no period in the data coincides with them, and always the same.
    """
    if len(rows) <= n:
        return rows
    n_stretches = n // NEIGHBOURS
    length = len(rows) / n_stretches
    shift = np.random.default_rng(0).random(n_stretches) * (length - NEIGHBOURS)
    starts = (np.arange(n_stretches) * length + shift).astype(np.intp)
    return rows[(starts[:, np.newaxis] + np.arange(NEIGHBOURS)).ravel()]


def mean_weight(weight: Weight, rows: np.ndarray) -> float:
    """Mean weight of the selected rows."""
    if not isinstance(weight, np.ndarray):
        return float(weight)
    # divided first: the sum of weights near the largest float overflows
    largest = weight.max()
    return largest * float(np.mean(weight[rows] / largest))


def is_shared(columns: np.ndarray) -> bool:
    """Whether all columns are one column, which is broadcast and has memory for one only."""
    return columns.shape[1] > 1 and columns.strides[1] == 0


def moments_once_if_shared(
    columns: np.ndarray, rows: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and variance of columns over the selected rows; a column that is broadcast is measured once."""
    if not is_shared(columns):
        return column_moments(columns, rows, weight)
    mean, variance = column_moments(np.ascontiguousarray(columns[:, :1]), rows, weight)
    return np.repeat(mean, columns.shape[1]), np.repeat(variance, columns.shape[1])


def location(columns: np.ndarray, rows: np.ndarray, weight: Weight, quantile: float | None) -> np.ndarray:
    """Weighted quantile of each column over the selected rows, or its mean if `quantile` is None."""
    if quantile is None:
        return moments_once_if_shared(columns, rows, weight if isinstance(weight, np.ndarray) else None)[0]
    weights, different = weights_of(weight, rows), columns[:, :1] if is_shared(columns) else columns
    quantiles = np.array([weighted_quantile(column[rows], weights, quantile) for column in different.T])
    return np.broadcast_to(quantiles, columns.shape[1])


def median_distance(columns: np.ndarray, weight: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Median distance of each column from the origin, times what makes it a standard deviation if the column is normal.

    Where more than half of a column is at its origin, the mean distance.
    """
    result = np.empty(columns.shape[1])
    for k, column in enumerate(columns.T):
        distance = np.abs(column - origin[k])
        result[k] = NORMAL_MAD * weighted_quantile(distance, weight, 0.5) or np.average(distance, weights=weight)
    return result


def weighted_quantile(values: np.ndarray, weight: np.ndarray, quantile: float) -> float:
    """A value such that at most `quantile` of the weight lies below it, and at most 1 - `quantile` above."""
    if (weight == weight[0]).all():
        place = min(int(quantile * len(values)), len(values) - 1)
        return float(np.partition(values, place)[place])
    ascending = np.argsort(values)
    cumulated = np.cumsum(weight[ascending])
    place = min(np.searchsorted(cumulated, quantile * cumulated[-1], side="right"), len(values) - 1)
    return float(values[ascending[place]])


@dataclass(frozen=True)
class Statistics:
    """What is known about the rows of a block: enough for the coordinates of a fit, and merged without the rows.

    What was not asked for is None (typed Any to spare callers checks for None).

    Attributes
    ----------
    n_rows, weight : number of rows of positive weight, and their mean weight
    y_mean, y_sd : (n_targets,), means and standard deviations
    y_values, y_weight : targets of (some of) the rows and their weights, for quantiles
    x_mean, x_sd : (n_features,), of dense rows
    x_correlation : (n_features, n_features), of (a sample of) dense rows: mean product of columns less x_mean over x_sd
    n_distinct : how many rows of that sample differ from each other, or more: repeated rows count like weighted ones
    x_nonzero_mean, x_nonzero_sd, x_nonzero_weight : (n_features,)
        Of the nonzero entries of sparse rows: mean, standard deviation and total weight.
    x_nonzero_rows : (n_features,), in how many of the sparse rows a column has an entry
    """

    n_rows: int
    weight: float
    y_mean: Any = None
    y_sd: Any = None
    y_values: Any = None
    y_weight: Any = None
    x_mean: Any = None
    x_sd: Any = None
    x_correlation: Any = None
    n_distinct: Any = None
    x_nonzero_mean: Any = None
    x_nonzero_sd: Any = None
    x_nonzero_weight: Any = None
    x_nonzero_rows: Any = None

    @property
    def is_sparse(self) -> bool:
        """Whether the columns are those of sparse rows."""
        return self.x_nonzero_weight is not None

    @property
    def x_nonzero_rms(self) -> np.ndarray:
        """Root mean square of the nonzero entries of sparse rows."""
        square = self.x_nonzero_mean**2 + self.x_nonzero_sd**2
        result = np.sqrt(square)
        tiny = (square < SMALLEST_SQUARE) & (self.x_nonzero_weight > 0)
        # for all columns this would take as long as everything else that is made of them
        result[tiny] = np.hypot(self.x_nonzero_mean[tiny], self.x_nonzero_sd[tiny])
        return result

    def moments_with_zeros(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of some columns of sparse rows, by their numbers, zeros included."""
        missing = 1 - np.minimum(self.x_nonzero_weight[columns] / self.n_rows, 1)
        # a column without zeros may seem to have them, because its weights are summed up with roundings
        missing[missing < self.n_rows * np.finfo(np.float64).eps] = 0
        present, mean, sd = 1 - missing, self.x_nonzero_mean[columns], self.x_nonzero_sd[columns]
        return present * mean, np.hypot(np.sqrt(present) * sd, np.sqrt(present * missing) * mean)

    @staticmethod
    def merge(blocks: Sequence["Statistics"]) -> "Statistics":
        """The statistics of all rows of several blocks together."""
        n_rows = np.array([block.n_rows for block in blocks])
        largest = max(block.weight for block in blocks)
        shares = n_rows * np.array([block.weight / largest for block in blocks])
        mean = largest * float(shares.sum() / n_rows.sum())
        shares = shares / shares.sum()
        merged: dict[str, Any] = {}
        if blocks[0].y_values is not None:
            merged["y_values"] = np.concatenate([block.y_values for block in blocks])
            # in this order of factors, weights of 1 stay equal, and their quantiles exact
            weights = [b.y_weight * (b.weight / largest * (b.n_rows / b.y_weight.sum())) for b in blocks]
            merged["y_weight"] = np.concatenate(weights)
        if blocks[0].is_sparse:
            # weights are relative to the mean of their block, and become relative to the mean of all
            nonzero = np.array([block.x_nonzero_weight * (block.weight / mean) for block in blocks])
            total = nonzero.sum(axis=0)
            of_column = np.divide(nonzero, total, out=np.zeros_like(nonzero), where=total > 0)
            moments = [(block.x_nonzero_mean, block.x_nonzero_sd) for block in blocks]
            merged["x_nonzero_mean"], merged["x_nonzero_sd"] = merge_moments(moments, of_column)
            merged["x_nonzero_weight"] = total
        if blocks[0].x_nonzero_rows is not None:
            merged["x_nonzero_rows"] = np.sum([block.x_nonzero_rows for block in blocks], axis=0)
        merged["y_mean"], merged["y_sd"] = merge_moments([(b.y_mean, b.y_sd) for b in blocks], shares)
        merged["x_mean"], merged["x_sd"] = merge_moments([(b.x_mean, b.x_sd) for b in blocks], shares)
        if blocks[0].x_correlation is not None:
            merged["x_correlation"] = merge_correlations(blocks, shares, merged["x_mean"], merged["x_sd"])
            merged["n_distinct"] = sum(block.n_distinct for block in blocks)
        return Statistics(int(n_rows.sum()), mean, **merged)


def merge_moments(blocks: Sequence[tuple[Any, Any]], shares: np.ndarray) -> tuple[Any, Any]:
    """Mean and standard deviation of all blocks together (Chan et al., 1983).

    `shares`: of the weight; (n_blocks,), or (n_blocks, n_columns) if they differ between columns.
    """
    if blocks[0][0] is None:
        return None, None
    shares = shares.reshape(len(blocks), -1)
    means = np.array([mean for mean, _ in blocks])
    mean = (shares * means).sum(axis=0)
    deviations = np.hypot(np.array([sd for _, sd in blocks]), means - mean)
    largest = deviations.max(axis=0)
    relative = np.divide(deviations, largest, out=np.zeros_like(deviations), where=largest > 0)
    return mean, largest * np.sqrt((shares * relative**2).sum(axis=0))


def merge_correlations(
    blocks: Sequence["Statistics"], shares: np.ndarray, mean: np.ndarray, sd: np.ndarray
) -> np.ndarray:
    """The correlation of all blocks together, whose columns have this mean and standard deviation."""
    inverse = np.divide(1, sd, out=np.zeros_like(sd), where=sd > 0)
    total = np.zeros((len(sd), len(sd)))
    for share, block in zip(shares, blocks, strict=True):
        own, shift = block.x_sd * inverse, (block.x_mean - mean) * inverse
        total += share * (block.x_correlation * own[:, np.newaxis] * own + shift[:, np.newaxis] * shift)
    return total


def correlation(
    X: np.ndarray, rows: np.ndarray, weight: np.ndarray | None, mean: np.ndarray, sd: np.ndarray
) -> tuple[np.ndarray, int]:
    """Weighted mean product of the columns, less their mean and over their standard deviation, on a sample of the rows.

    And how many rows of the sample are distinct. In float64, because sums in float32 lose the small eigenvalues of
    ill-conditioned columns.
    """
    sample = sample_evenly(rows, max(FEWEST_CORRELATION_ROWS, CORRELATION_ROWS_PER_COLUMN * X.shape[1]))
    columns = (X[sample] - mean) / np.where(sd > 0, sd, 1)
    share = np.full(len(sample), 1 / len(sample)) if weight is None else weight[sample] / weight[sample].sum()
    with np.errstate(over="ignore", invalid="ignore"):  # columns that overflow are rejected where their units are made
        # equal rows have equal sums, and others hardly ever
        sums = (columns * np.random.default_rng(0).normal(size=X.shape[1])).sum(axis=1)
        columns -= share @ columns
        return (columns * share[:, np.newaxis]).T @ columns, len(np.unique(sums))


def measure_rows(
    X: np.ndarray | sparse.csr_matrix | None,
    y: np.ndarray,
    weight: Weight,
    rows: np.ndarray,
    *,
    target_values: bool,
    with_correlation: bool = False,
    n_values: int | None = None,
    count_entries: bool = False,
    column_rows: np.ndarray | None = None,
) -> Statistics:
    """The statistics of the selected rows.

    Parameters
    ----------
    X : (n_rows, n_features) or None
        None: nothing is to be known about the columns.
    y : (n_rows, n_targets)
    weight : (n_rows,) or float
    rows : numbers of the rows that count
    target_values : bool
        Whether quantiles of the targets are needed; otherwise their moments are taken.
    with_correlation : bool
        Whether the correlation of dense columns is needed.
    n_values : int or None
        About the most rows whose targets are taken for quantiles; None takes all.
    count_entries : bool
        Whether to count the rows in which each column of a sparse X has an entry.
    column_rows : numbers of rows, or None
        Those of the selected rows that the statistics of dense columns are taken from; None takes all.
    """
    unit = mean_weight(weight, rows)
    relative = weight / unit if isinstance(weight, np.ndarray) else None
    known: dict[str, Any] = {}
    if target_values:
        sampled = rows if n_values is None else sample_evenly(rows, n_values)
        shape = (len(sampled), y.shape[1])
        known["y_values"] = np.broadcast_to(y[sampled, :1], shape) if is_shared(y) else y[sampled]
        known["y_weight"] = np.ones(len(sampled)) if relative is None else relative[sampled]
    else:
        known["y_mean"], known["y_sd"] = moments_of(y, rows, relative)
    if sparse.issparse(X):
        moments = nonzero_moments(X, rows, relative)
        known["x_nonzero_mean"], known["x_nonzero_sd"], known["x_nonzero_weight"] = moments
        if relative is not None:
            known["x_nonzero_weight"] /= relative[rows].mean()  # not 1 for weights so small that their mean is rounded
        if count_entries:
            known["x_nonzero_rows"] = count_nonzero_rows(X, rows)
    elif X is not None:
        known["x_mean"], known["x_sd"] = moments_of(X, rows if column_rows is None else column_rows, relative)
        if with_correlation:
            of_columns = correlation(X, rows, relative, known["x_mean"], known["x_sd"])
            known["x_correlation"], known["n_distinct"] = of_columns
    return Statistics(len(rows), unit, **known)


def moments_of(columns: np.ndarray, rows: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of columns, however small their numbers are."""
    mean, variance = moments_once_if_shared(columns, rows, weight)
    sd = np.sqrt(variance)
    for j in np.flatnonzero((variance < SMALLEST_SQUARE) & (np.abs(mean) < SMALLEST_SQUARE**0.5)):
        # a column of zeros, which is common, is recognised by its first rows
        column = columns[rows if mean[j] != 0 else rows[:ROWS_TO_LOOK_AT], j].astype(np.float64)
        if largest := np.abs(column).max():
            column = columns[rows, j].astype(np.float64)[:, np.newaxis] / largest
            every = np.arange(len(rows), dtype=np.uint32)
            in_units = column_moments(column, every, None if weight is None else weight[rows])
            mean[j], sd[j] = largest * in_units[0][0], largest * np.sqrt(in_units[1][0])
    return mean, sd


def nonzero_moments(
    X: sparse.csr_matrix, rows: np.ndarray, weight: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of each column's nonzero entries, however small, and their total weight.

    `weight` is relative to the mean of the rows.

    Raises
    ------
    ValueError
        If a mean square overflows.
    """
    mean, variance, total = entry_moments(X, rows, weight)
    if (total > len(rows) * (1 + len(rows) * np.finfo(np.float64).eps)).any():
        # a column with more entries than rows: they are parts of entries, of which only the sums mean something
        X = X.copy()
        X.sum_duplicates()
        mean, variance, total = entry_moments(X, rows, weight)
    sd = np.sqrt(variance)
    with np.errstate(over="ignore"):
        square = mean**2 + variance
    if not np.isfinite(square).all():
        raise too_large("X", square)
    if ((square < SMALLEST_SQUARE) & (total > 0)).any():
        largest = np.zeros(X.shape[1])
        np.maximum.at(largest, X.indices, np.abs(X.data))
        scale = np.where((square < SMALLEST_SQUARE) & (largest > 0), largest, 1.0)
        relative = sparse.csr_matrix((X.data / scale[X.indices], X.indices, X.indptr), shape=X.shape)
        mean, variance, _ = entry_moments(relative, rows, weight)
        mean, sd = scale * mean, scale * np.sqrt(variance)
    return mean, sd, total


def sparse_moments(X: sparse.csr_matrix, rows: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean and standard deviation of sparse columns over the selected rows, their zeros included.

    scikit-learn's `mean_variance_axis` overflows in float32, and counts the parts of a duplicate entry as entries. The
    mean is subtracted before squaring, and columns are in units of their largest number.
    """
    selected = X[rows].astype(np.float64)
    selected.sum_duplicates()  # of the selection, which is a copy
    share = np.full(len(rows), 1 / len(rows)) if weight is None else weight[rows] / weight[rows].sum()
    share = np.repeat(share, np.diff(selected.indptr))
    columns, n_columns = selected.indices, X.shape[1]
    largest = np.zeros(n_columns)
    np.maximum.at(largest, columns, np.abs(selected.data))
    values = np.divide(selected.data, largest[columns], out=np.zeros(len(columns)), where=largest[columns] > 0)
    mean = np.bincount(columns, share * values, n_columns)
    variance = np.bincount(columns, share * (values - mean[columns]) ** 2, n_columns)
    elsewhere = np.maximum(1 - np.bincount(columns, share, n_columns), 0)
    elsewhere[np.bincount(columns, minlength=n_columns) == len(rows)] = 0  # what is left there is rounding
    variance += elsewhere * mean**2
    return largest * mean, largest * np.sqrt(variance)


def too_large(name: str, square: np.ndarray) -> ValueError:
    """The error that names the first of the columns whose mean square is not finite."""
    column = int(np.flatnonzero(~np.isfinite(square))[0])
    return ValueError(f"{name} is too large: the mean square of column {column} overflows float64. Scale this column.")


def count_nonzero_rows(X: sparse.csr_matrix, rows: np.ndarray) -> np.ndarray:
    """In how many of the selected rows each column has an entry."""
    takes_part = np.zeros(X.shape[0], dtype=bool)
    takes_part[rows] = True
    count = np.zeros(X.shape[1])
    for start in range(0, X.shape[0], ROWS_COUNTED):
        block = X[start : start + ROWS_COUNTED]
        if not block.has_canonical_format:
            block.sum_duplicates()  # of the slice, which is a copy
        counted = np.repeat(takes_part[start : start + ROWS_COUNTED], np.diff(block.indptr))
        count += np.bincount(block.indices[counted], minlength=X.shape[1])
    return count


def visit_probability(count: np.ndarray, n_rows: int, batch_size: int) -> np.ndarray:
    """Probability that a batch has an entry of each column: a mean over the batches of an epoch.

    `count`: in how many of the `n_rows` rows a column has an entry. Without entries the result is 1.
    """
    whole, rest = divmod(n_rows, batch_size)
    present = count > 0
    without = np.maximum(n_rows - count[present], 0)
    visits = whole * _not_all_among(batch_size, n_rows, without)
    if rest:
        visits += _not_all_among(rest, n_rows, without)
    result = np.ones(len(count))
    result[present] = visits / (whole + (rest > 0))
    return result


def _not_all_among(batch_size: int, n_rows: int, without: np.ndarray) -> np.ndarray:
    """Probability that the rows of a batch are not all among the `without` rows without an entry."""
    left = np.maximum(without - batch_size, 0)
    log_all = gammaln(without + 1) - gammaln(left + 1) + gammaln(n_rows - batch_size + 1) - gammaln(n_rows + 1)
    return np.where(without >= batch_size, -np.expm1(np.minimum(log_all, 0)), 1.0)


def weighted_moments(columns: Any, rows: np.ndarray, weight: Weight) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of dense or sparse columns over these rows."""
    relative = weight / mean_weight(weight, rows) if isinstance(weight, np.ndarray) else None
    moments = sparse_moments if sparse.issparse(columns) else moments_of
    return moments(columns, rows, relative)
