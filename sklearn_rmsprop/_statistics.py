"""Where the numbers of a column lie and how far apart: weighted means, quantiles and the units made of them."""

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from sklearn_rmsprop._kernel._rows import column_moments

# Roundings of its terms by which a sum that is zero may miss it.
ROUNDINGS = 64

# Standard deviation of a normal distribution per median absolute deviation.
NORMAL_MAD = 1.4826

# Rows of a sparse matrix that are counted at a time, which bounds the memory for it.
ROWS_COUNTED = 1 << 12


def origin_unit_and_size(
    name: str, columns: np.ndarray, order: np.ndarray, weight: np.ndarray, *, centre: bool, level: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard deviation and root mean square of each column over the rows in `order`.

    With a `level`, what outliers do not change: that quantile, the median distance from the median, and that from zero.
    Not to `centre` gives an origin of zero, and the size for a unit.
    """
    if level is not None:
        return robust_origin_unit_and_size(name, columns, order, weight, centre=centre, level=level)
    mean, variance = column_moments(columns, order, weight)
    with np.errstate(over="ignore"):
        square = finite(name, variance + mean**2)
    distance_from_zero = np.abs(mean)
    size = unit_or_one(np.sqrt(square), distance_from_zero)
    if not centre:
        return np.zeros_like(mean), size, size
    rounding = ROUNDINGS * np.finfo(columns.dtype).eps * distance_from_zero
    return mean, unit_or_one(np.sqrt(variance), distance_from_zero, rounding), size


def robust_origin_unit_and_size(
    name: str, columns: np.ndarray, order: np.ndarray, weight: np.ndarray, *, centre: bool, level: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`origin_unit_and_size` with a `level`."""
    zero = np.zeros(columns.shape[1])
    size = unit_or_one(finite(name, distance(columns, order, weight, zero)), zero)
    if not centre:
        return zero, size, size
    origin = location(columns, order, weight, level)
    middle = origin if level == 0.5 else location(columns, order, weight, 0.5)
    return origin, unit_or_one(finite(name, distance(columns, order, weight, middle)), np.abs(origin)), size


def location(columns: np.ndarray, order: np.ndarray, weight: np.ndarray, level: float | None) -> np.ndarray:
    """Weighted mean of each column, or a quantile."""
    if level is None:
        return column_moments(columns, order, weight)[0]
    return np.array([weighted_quantile(column[order], weight[order], level) for column in columns.T])


def distance(columns: np.ndarray, order: np.ndarray, weight: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Median distance from the origin, times what makes it a standard deviation if the column is normal.

    Where more than half of a column is at its origin, the mean distance.
    """
    result = np.empty(columns.shape[1])
    for k, column in enumerate(columns.T):
        away = np.abs(column[order] - origin[k])
        result[k] = NORMAL_MAD * weighted_quantile(away, weight[order], 0.5) or np.average(away, weights=weight[order])
    return result


def weighted_quantile(values: np.ndarray, weight: np.ndarray, level: float) -> float:
    """A value that no more than `level` of the weight lies below, and no more than 1 - `level` above."""
    if (weight == weight[0]).all():
        place = min(int(level * len(values)), len(values) - 1)
        return float(np.partition(values, place)[place])
    by_size = np.argsort(values)
    cumulated = np.cumsum(weight[by_size])
    place = min(np.searchsorted(cumulated, level * cumulated[-1], side="right"), len(values) - 1)
    return float(values[by_size[place]])


def unit_or_one(unit: np.ndarray, size: np.ndarray, rounding: np.ndarray | float = 0.0) -> np.ndarray:
    """The unit where above `rounding`; of a constant column its size, beside which no rounding looks large, or 1."""
    return np.where(unit > rounding, unit, np.where(size > 0, size, 1.0))


def finite(name: str, square: np.ndarray, numbers: np.ndarray | None = None) -> np.ndarray:
    """The mean squares of the columns, if they are numbers. `numbers`: what the user counts the columns as."""
    if not np.isfinite(square).all():
        column = int(np.flatnonzero(~np.isfinite(square))[0])
        column = column if numbers is None else int(numbers[column])
        raise ValueError(f"{name} is too large: the mean square of column {column} overflows float64. Scale it.")
    return square


def touch_probability(X: sparse.csr_matrix, order: np.ndarray, batch_size: int) -> np.ndarray:
    """Probability that a batch holds an entry of each column, a mean over an epoch's batches.

    A column without entries is never met; for it, the result is 1.
    """
    takes_part = np.zeros(X.shape[0], dtype=bool)
    takes_part[order] = True
    count = np.zeros(X.shape[1])
    for start in range(0, X.shape[0], ROWS_COUNTED):
        rows = X[start : start + ROWS_COUNTED]
        if not rows.has_canonical_format:
            rows.sum_duplicates()  # of the slice, which is a copy
        taken = np.repeat(takes_part[start : start + ROWS_COUNTED], np.diff(rows.indptr))
        count += np.bincount(rows.indices[taken], minlength=X.shape[1])
    n_rows = len(order)
    whole, rest = divmod(n_rows, batch_size)
    present = count > 0
    other = np.maximum(n_rows - count[present], 0)
    met = whole * met_by(batch_size, n_rows, other) + (met_by(rest, n_rows, other) if rest else 0)
    result = np.ones(X.shape[1])
    result[present] = met / (whole + (rest > 0))
    return result


def met_by(batch_size: int, n_rows: int, other: np.ndarray) -> np.ndarray:
    """Probability that not all rows of a batch are among the `other` ones of `n_rows` rows."""
    apart = np.maximum(other - batch_size, 0)
    missed = gammaln(other + 1) - gammaln(apart + 1) + gammaln(n_rows - batch_size + 1) - gammaln(n_rows + 1)
    return np.where(other >= batch_size, -np.expm1(np.minimum(missed, 0)), 1.0)
