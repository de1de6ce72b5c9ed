"""From what the user passes to what the kernel takes: validated arrays, weights, and units. X is never changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from sklearn_rmsprop._kernel._rows import CSRRows, Rows, column_mean_square, dense_rows
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._optimizer import State, is_repeated, repeated, spread
from sklearn_rmsprop._statistics import ROUNDINGS, finite, origin_unit_and_size, touch_probability, unit_or_one

# Row numbers are 32-bit in the kernel: half the memory of a permutation, and faster to shuffle.
MAX_ROWS = np.iinfo(np.uint32).max


# The unit of a sparse column, in root mean squares of its nonzero entries. Columns that are not centred push a row's
# prediction all in one direction, so that with 1 the iterates hover widely: the squared error took up to twice the
# epochs, and the Huber loss missed 9e-3 of the null loss on text-like data where it now misses 2e-3.
SPARSE_UNIT = 4


@dataclass(frozen=True)
class Sample:
    """Training data as it came, but validated.

    Attributes
    ----------
    X : (n_rows, n_features), C-contiguous or CSR
    y : (n_rows, n_targets)
    weight : (n_rows,)
    order : numbers of the rows whose weight is not zero
    flat : whether y came one-dimensional
    coordinates : numbers of the coordinates that the columns of X stand for, the intercept's last; None: all
    """

    X: np.ndarray | sparse.csr_matrix
    y: np.ndarray
    weight: np.ndarray
    order: np.ndarray
    flat: bool
    coordinates: np.ndarray | None = None


@dataclass(frozen=True)
class Examples:
    """What the kernel takes of a sample besides X: targets and weights in its units.

    Attributes
    ----------
    order : numbers of the rows that take part
    y : (n_rows, n_targets)
    weight : (n_rows,)
    generator : state of the random numbers that shuffle the rows, or None to leave them as they come
    """

    order: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    generator: np.ndarray | None


@dataclass(frozen=True)
class Units:
    """Origin and unit of the columns, the targets and the weights in the kernel.

    The kernel's features are (x - x_mean) / x_unit and its targets (y - y_mean) / y_unit. Features are converted on the
    fly, targets and weights in a copy. `y_size` is how large the targets are, not centred, in their unit (a root mean
    square, or with a robust loss a median size): what the kernel's are rounded by.
    """

    x_mean: np.ndarray
    x_unit: np.ndarray
    y_mean: np.ndarray
    y_unit: np.ndarray
    y_size: np.ndarray
    weight: float

    def to_kernel(self, coef: np.ndarray, intercept: np.ndarray) -> np.ndarray:
        """Coordinates (n_features + 1, n_targets) of a model in the user's units."""
        coef = coef / self.y_unit
        intercept = (intercept - self.y_mean) / self.y_unit + self.x_mean @ coef
        return np.vstack((coef, intercept))

    def to_user(self, coordinates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (n_features, n_targets) and intercepts in the user's units."""
        coef = coordinates[:-1] * self.y_unit
        return coef, self.y_mean + coordinates[-1] * self.y_unit - self.x_mean @ coef

    def target(self, y: np.ndarray) -> np.ndarray:
        """The targets in the kernel's units."""
        result = y - self.y_mean
        result /= self.y_unit
        return result

    def weights(self, weight: np.ndarray) -> np.ndarray:
        """The weights in the kernel's units."""
        return divided(weight, self.weight)

    def take(self, coordinates: np.ndarray | None) -> "Units":
        """Those of a sample of these coordinates."""
        if coordinates is None:
            return self
        return replace(self, x_mean=self.x_mean[coordinates[:-1]], x_unit=self.x_unit[coordinates[:-1]])

    def spread(self, coordinates: np.ndarray | None, n_features: int) -> "Units":
        """Those of all columns: of a column that is not among these coordinates nothing is known, its unit is 1."""
        if coordinates is None:
            return self
        x_unit = np.ones(n_features)
        x_unit[coordinates[:-1]] = self.x_unit
        return replace(self, x_mean=spread(self.x_mean, coordinates[:-1], n_features), x_unit=x_unit)

    def rows(
        self, X, examples: Examples, state: State, fit_intercept: bool, penalties: tuple[np.ndarray, np.ndarray] | None
    ) -> Rows:
        """The kernel's view of X and a state. An intercept that is not fitted is a coordinate that does not move."""
        real, n_targets = state.coef.dtype, state.coef.shape[1]
        inverse_unit = np.empty((len(self.x_unit) + 1, n_targets), real)
        inverse_unit[:-1] = (1 / self.x_unit)[:, np.newaxis]
        inverse_unit[-1] = fit_intercept
        rounding = ROUNDINGS * np.finfo(real).eps * self.y_size
        if sparse.issparse(X):
            return CSRRows(X, examples, state, inverse_unit, rounding, penalties)
        # what the products in a gradient are rounded by: |x| / unit, and in the intercept's that of a prediction
        distance = np.abs(self.x_mean) / self.x_unit
        size = np.append(distance, 1 + np.linalg.norm(distance))[:, np.newaxis]
        floor = (size * rounding).astype(real)
        return dense_rows(X, examples, state, self.x_mean.astype(real), inverse_unit, floor, penalties)

    def penalties(
        self, objective: Objective, X, order: np.ndarray, batch_size: int
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The L1 and L2 penalty of each coordinate in the units of the kernel's gradients, or None without any.

        Raises
        ------
        ValueError
            If they overflow.
        """
        if not objective.is_penalized:
            return None
        per_feature = 1 / self.x_unit
        if sparse.issparse(X):
            per_feature = per_feature / touch_probability(X, order, batch_size)
        per_coordinate = np.append(per_feature, 0.0)[:, np.newaxis]
        with np.errstate(over="ignore", invalid="ignore"):
            l1, l2 = ((per_coordinate * strength).astype(X.dtype) for strength in objective.strengths(self.y_unit))
        if not (np.isfinite(l1).all() and np.isfinite(l2).all()):
            raise ValueError(
                f"alpha must be small enough for the penalty not to overflow {X.dtype} in the units of this X and y; "
                f"got {objective.alpha_l1 + objective.alpha_l2}."
            )
        return l1, l2

    @contextmanager
    def origin_for(self, X, state: State) -> Iterator[None]:
        """Meanwhile, let `state` be a model on X as the kernel takes it: a sparse X is never centred."""
        if not sparse.issparse(X):
            yield
            return
        state.move_origin(-self.x_mean)
        yield
        state.move_origin(self.x_mean)


def validate_training(estimator: BaseEstimator, X, y, sample_weight, *, dtype, reset: bool) -> Sample:
    """Check what was passed to `fit` or `partial_fit`, by scikit-learn's rules and with its messages.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what is accepted and what came.
    """
    if sparse.issparse(y):
        raise TypeError(f"y must be a dense array; got a sparse one of shape {y.shape}.")
    X, y = validate_data(
        estimator, X, y, accept_sparse="csr", dtype=dtype, order="C", multi_output=True, y_numeric=True, reset=reset
    )
    n_rows = X.shape[0]
    if n_rows >= MAX_ROWS:
        raise ValueError(f"X must have fewer than {MAX_ROWS} rows in one call; got {n_rows}. Use partial_fit.")
    if sparse.issparse(X):
        X = checked_csr(X)
    flat = y.ndim == 1
    y = np.ascontiguousarray(y, dtype=np.float64).reshape(n_rows, -1)
    weight = checked_weight(sample_weight, n_rows)
    order = np.arange(n_rows, dtype=np.uint32)
    if sample_weight is not None:
        order = order[weight > 0]
    return Sample(X, y, weight, order, flat)


def checked_csr(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """X with indices of one type that lie within it: compiled code would read beyond its memory otherwise."""
    indptr, indices = X.indptr, X.indices
    if (
        len(indptr) != X.shape[0] + 1
        or indptr[0] < 0
        or indptr[-1] > min(len(indices), len(X.data))
        or (np.diff(indptr) < 0).any()
        or (len(indices) and (indices.min() < 0 or indices.max() >= X.shape[1]))
    ):
        raise ValueError("X must be a valid sparse matrix; its indices or indptr point outside of it.")
    index = np.int32 if indices.dtype == indptr.dtype == np.int32 else np.int64
    n_stored = min(len(indices), len(X.data))
    if indices.dtype == indptr.dtype == index and len(indices) == len(X.data):
        return X
    return make_csr(X.shape, X.data[:n_stored], indices[:n_stored].astype(index), indptr.astype(index))


def make_csr(shape: tuple[int, int], data, indices: np.ndarray, indptr: np.ndarray) -> sparse.csr_matrix:
    """A matrix of just these arrays, of which SciPy might make others."""
    X = sparse.csr_matrix(shape, dtype=data.dtype)
    X.data, X.indices, X.indptr = data, indices, indptr
    return X


def narrow(sample: Sample, learned: np.ndarray | None = None) -> Sample:
    """The sample without columns that have no entries and are not among the coordinates `learned` before.

    Their coefficients stay zero. A few rows of very many columns would otherwise cost many times as much for the
    columns without entries as for the others. Only where X has fewer entries than columns: to renumber takes a copy.
    """
    X: Any = sample.X
    n_features = X.shape[1]
    if not sparse.issparse(X) or not 0 < X.nnz < n_features:
        return sample
    takes_part = np.zeros(n_features + 1, dtype=bool)
    takes_part[X.indices] = True
    takes_part[-1] = True
    if learned is not None:
        takes_part[learned] = True
    coordinates = np.flatnonzero(takes_part)
    if len(coordinates) > n_features // 2:
        return sample
    number = np.empty(n_features + 1, X.indices.dtype)
    number[coordinates] = np.arange(len(coordinates))
    X = make_csr((X.shape[0], len(coordinates) - 1), X.data, number[X.indices], X.indptr)
    return replace(sample, X=X, coordinates=coordinates)


def checked_weight(sample_weight, n_rows: int) -> np.ndarray:
    """One weight a row as float64: ones that take no memory where none were passed."""
    if sample_weight is None:
        return repeated(1, n_rows)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight)
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, ensure_min_samples=0, input_name="sample_weight"
    )
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight must have shape ({n_rows},), one weight for each row of X; got {weight.shape}."
        )
    if (weight < 0).any():
        raise ValueError(f"sample_weight must not be negative; got a weight of {weight.min()}.")
    if not weight.any():
        raise ValueError("sample_weight must have at least one weight that is not zero; all are zero.")
    return weight


def mean_weight(weight: np.ndarray, order: np.ndarray) -> float:
    """Mean weight of the rows in `order`."""
    if is_repeated(weight):
        return float(weight[0])
    # divided first: the sum of weights near the largest float overflows
    largest = weight.max()
    return largest * float(np.mean(weight[order] / largest))


def divided(weight: np.ndarray, unit: float) -> np.ndarray:
    """The weights in this unit; equal ones stay one number in memory."""
    return repeated(weight[0] / unit, len(weight)) if is_repeated(weight) else weight / unit


def starting_point(sample: Sample, units: Units, coef_init, intercept_init) -> np.ndarray:
    """Coordinates of the point to start from, given in the user's units, or zero: the mean of the target."""
    n_features, n_targets = sample.X.shape[1], sample.y.shape[1]
    if coef_init is None and intercept_init is None:
        return np.zeros((n_features + 1, n_targets))
    coef, intercept = np.zeros((n_features, n_targets)), np.zeros(n_targets)
    if coef_init is not None:
        shape = (n_features,) if sample.flat else (n_targets, n_features)
        coef = checked_start("coef_init", coef_init, shape).reshape(n_targets, n_features).T
    if intercept_init is not None:
        intercept = checked_start("intercept_init", intercept_init, () if sample.flat else (n_targets,))
    start = units.to_kernel(coef, intercept)
    if intercept_init is None:
        start[-1] = 0
    return start


def checked_start(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """A starting value as float64, of the shape of the attribute it stands for."""
    if not isinstance(value, Real):
        value = check_array(value, ensure_2d=False, ensure_min_samples=0, dtype=np.float64, input_name=name)
    value = np.asarray(value, dtype=np.float64)
    if value.shape != shape:
        raise ValueError(
            f"{name} (the earlier fit's with warm_start=True) must have shape {shape} for this X and y; "
            f"got {value.shape}."
        )
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite; got {value}.")
    return value


def measure_units(sample: Sample, *, standardize: bool, fit_intercept: bool, level: float | None) -> Units:
    """Units in which the columns and the targets have mean 0 and variance 1, or the user's own.

    With a `level` the targets' origin is that quantile, and their unit one that outliers do not change. Without an
    intercept nothing may be shifted: root mean squares take the place of standard deviations. The columns of a sparse
    X are not shifted either, and only their nonzero entries count: over all rows a rare column would have a tiny unit,
    and take huge steps.

    Raises
    ------
    ValueError
        If a mean square overflows.
    """
    n_features, n_targets = sample.X.shape[1], sample.y.shape[1]
    weight_unit = mean_weight(sample.weight, sample.order)
    weight = divided(sample.weight, weight_unit)
    centre = standardize and fit_intercept
    y_mean, y_unit, y_size = origin_unit_and_size("y", sample.y, sample.order, weight, centre=centre, level=level)
    if not standardize:
        x_mean, x_unit = np.zeros(n_features), np.ones(n_features)
        return Units(x_mean, x_unit, np.zeros(n_targets), np.ones(n_targets), y_size, weight_unit)
    if sparse.issparse(sample.X):
        square = finite("X", column_mean_square(sample.X, sample.order, weight), sample.coordinates)
        x_mean = np.zeros(n_features)
        x_unit = unit_or_one(SPARSE_UNIT * np.sqrt(square), x_mean)
    else:
        x_mean, x_unit, _ = origin_unit_and_size("X", sample.X, sample.order, weight, centre=centre)
        # what the kernel subtracts is rounded to its type, and must be the same number everywhere
        x_mean = x_mean.astype(sample.X.dtype).astype(np.float64)
    return Units(x_mean, x_unit, y_mean, y_unit, y_size / y_unit, weight_unit)
