"""From what the user passes to arrays that the kernel may read: validated data, weights, starting points."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from sklearn_rmsprop._statistics import Weight, is_shared, weights_of

# Data of these types is taken as it is; everything else becomes the first.
REALS = (np.float64, np.float32)

# Row numbers are 32-bit in the kernel: a permutation takes half the memory, and is shuffled faster.
MAX_ROWS = np.iinfo(np.uint32).max

# Rows whose weight is below this share of the largest one are treated like rows of weight zero: relative to the mean
# weight theirs would underflow.
NEGLIGIBLE_WEIGHT = 1e-290

# Numbers of X that are copied at a time.
VALUES_AT_ONCE = 1 << 18

INVALID_CSR = (
    "X must be a valid sparse matrix: indptr must start at 0 and must not decrease, indices must be numbers of columns "
    "of X, and both must be one-dimensional arrays of integers. This matrix violates one of these rules; its method "
    "check_format() tells which one."
)


@dataclass(frozen=True)
class TrainingData:
    """Training data, validated.

    Attributes
    ----------
    X : (n_rows, n_features), C-contiguous or CSR
    y : (n_rows, n_targets), float64
    weight : (n_rows,), or one number where no weights were passed
    rows : numbers of the rows that take part: those whose weight is not zero
    flat : whether y came one-dimensional
    origin : (n_features,), what has been subtracted from the columns of a sparse X; None: nothing
    """

    X: np.ndarray | sparse.csr_matrix
    y: np.ndarray
    weight: Weight
    rows: np.ndarray
    flat: bool
    origin: np.ndarray | None = None

    @property
    def n_values(self) -> int:
        """How many numbers of X are stored."""
        X: Any = self.X
        return X.nnz if sparse.issparse(X) else X.size

    @property
    def n_different(self) -> int:
        """How many columns and targets there are; a target that is broadcast to several is one."""
        return self.X.shape[1] + (1 if is_shared(self.y) else self.y.shape[1])

    @property
    def n_rows_at_once(self) -> int:
        """How many rows to copy at a time, which bounds the memory for it."""
        return max(1, VALUES_AT_ONCE * len(self.y) // max(1, self.n_values))

    def of_targets(self, targets: np.ndarray) -> "TrainingData":
        """The data with some of the targets; a column that is broadcast stays one."""
        if is_shared(self.y):
            n_targets = self.y[:1, targets].shape[1]
            return replace(self, y=np.broadcast_to(self.y[:, :1], (len(self.y), n_targets)))
        return replace(self, y=np.ascontiguousarray(self.y[:, targets]))

    def of_selected(self, rows: np.ndarray) -> "TrainingData":
        """The same data, of which these rows take part: nothing is copied."""
        return replace(self, rows=np.ascontiguousarray(rows, np.uint32))

    def of_rows(self, rows: np.ndarray) -> "TrainingData":
        """A copy of some of the rows, in this order; all of them take part."""
        weight = self.weight[rows] if isinstance(self.weight, np.ndarray) else self.weight
        every = np.arange(len(rows), dtype=np.uint32)
        return replace(self, X=self.X[rows], y=self.y[rows], weight=weight, rows=every)

    def __setstate__(self, stored: dict[str, Any]) -> None:
        X = stored["X"]
        if sparse.issparse(X):
            for name in ("data", "indices", "indptr"):
                setattr(X, name, aligned(getattr(X, name)))
        self.__dict__.update({name: aligned(value) for name, value in stored.items()})

    @staticmethod
    def concatenate(blocks: Sequence["TrainingData"]) -> "TrainingData":
        """The rows of several blocks, all of which take part, one block after the other."""
        if len(blocks) == 1:
            return blocks[0]
        weights = [block.weight for block in blocks]
        weight: Weight = weights[0]
        if any(isinstance(w, np.ndarray) or w != weight for w in weights):
            weight = np.concatenate([weights_of(b.weight, np.arange(len(b.y))) for b in blocks])
        y = np.concatenate([block.y for block in blocks])
        stacked: Any = [block.X for block in blocks]
        X = checked_csr(sparse.vstack(stacked, "csr")) if sparse.issparse(stacked[0]) else np.concatenate(stacked)
        return replace(blocks[0], X=X, y=y, weight=weight, rows=np.arange(len(y), dtype=np.uint32))


def aligned(value: Any) -> Any:
    """What was pickled: arrays may then lie anywhere in memory, but compiled code reads aligned ones."""
    return np.require(value, requirements=["A"]) if isinstance(value, np.ndarray) else value


def validate_training(estimator: BaseEstimator, X, y, sample_weight, *, dtype, reset: bool) -> TrainingData:
    """Check what was passed to `fit` or `partial_fit`, by scikit-learn's rules and with its messages.

    Raises
    ------
    ValueError, TypeError
        Naming the argument, what is accepted and what came.
    """
    check_array_likes(X=X, y=y, sample_weight=sample_weight)
    if sparse.issparse(y):
        raise TypeError(f"y must be a dense array; got a sparse one of shape {y.shape}.")
    check_kind("X", X)
    y = numeric_target(y)
    X, y = validate_data(
        estimator, X, y, accept_sparse="csr", dtype=dtype, order="C", multi_output=True, y_numeric=True, reset=reset
    )
    X = as_real(X, dtype)
    n_rows = X.shape[0]
    if n_rows >= MAX_ROWS:
        raise ValueError(f"X must have fewer than {MAX_ROWS} rows in one call; got {n_rows}. Use partial_fit.")
    X = checked_csr(X) if sparse.issparse(X) else np.require(X, requirements=["C", "A"])
    flat = y.ndim == 1
    y = np.require(y, np.float64, ["C", "A"]).reshape(n_rows, -1)
    weight = checked_weight(sample_weight, n_rows)
    rows = np.arange(n_rows, dtype=np.uint32)
    if isinstance(weight, np.ndarray):
        rows = rows[weight > NEGLIGIBLE_WEIGHT * weight.max()]
    return TrainingData(X, y, weight, rows, flat)


def check_array_likes(**values: Any) -> None:
    """Raise a TypeError for arguments that can be iterated over, but are no array-likes: NumPy takes them for a scalar.

    Generators and other iterators, sets, and the views of dictionaries.
    """
    for name, value in values.items():
        array_like = sparse.issparse(value) or any(hasattr(value, a) for a in ("__getitem__", "__array__"))
        if isinstance(value, Iterable) and not array_like:
            raise TypeError(
                f"{name} must be an array, a list or a table; got {type(value).__name__}, which can only be iterated "
                f"over. Pass list({name}) instead."
            )


def numeric_target(y: Any) -> Any:
    """The targets, for scikit-learn to check; objects as numbers, with NaN in place of None and pandas' NA.

    Raises
    ------
    ValueError
        If they are strings or other objects that are not numbers, which class labels mostly are.
    """
    check_kind("y", y)
    if y is None:
        return y
    values = np.asarray(y)
    check_kind("y", values)
    if values.dtype.kind not in "OSU":
        return y
    if values.dtype.kind == "O":
        values = np.array(values)
        missing = [value is None or type(value).__name__ in ("NAType", "NaTType") for value in values.ravel()]
        values[np.reshape(missing, values.shape)] = np.nan
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError):
        found = next((value for value in values.ravel().tolist() if not is_number(value)), None)
        raise ValueError(
            f"y must be numbers, because this is a regressor; got {found!r}. To predict classes, use a classifier "
            "instead, such as scikit-learn's SGDClassifier or LogisticRegression."
        ) from None


def is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def check_kind(name: str, data: Any) -> None:
    """Reject what NumPy would turn into numbers that mean nothing, without an error.

    Times become counts of whatever unit their type has, and missing ones -9.2e18; masked values become what is stored
    below the mask.

    Raises
    ------
    ValueError
        If there are times or masked values.
    """
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise ValueError(
            f"{name} must not have masked values; got {np.ma.getmaskarray(data).sum()} of them. Leave out their rows, "
            "or replace the values, for example with the method `filled`."
        )
    columns = getattr(data, "columns", None) if hasattr(data, "dtypes") else None
    dtypes: list[Any] = [getattr(data, "dtype", None)] if columns is None else list(data.dtypes)
    for place, dtype in enumerate(dtypes):
        # NumPy's and pandas' types have a kind, those of polars tell
        if getattr(dtype, "kind", None) in ("m", "M") or (hasattr(dtype, "is_temporal") and dtype.is_temporal()):
            where = "" if columns is None else f" in column {columns[place]!r}"
            raise ValueError(
                f"{name} must be numbers; got times of type {dtype}{where}. Convert them to numbers first, for example "
                "to days with (times - times.min()) / np.timedelta64(1, 'D')."
            )


def as_real(X: Any, dtype: Any) -> Any:
    """X, of that type or one of those: scikit-learn leaves sparse pandas frames of booleans as they are."""
    accepted = dtype if isinstance(dtype, tuple) else (dtype,)
    return X if X.dtype in accepted else X.astype(accepted[0])


def checked_csr(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """X with indices of one signed type that lie within it: compiled code would read beyond its memory otherwise.

    Raises
    ------
    ValueError
        If an index points outside of X.
    """
    data, indices, indptr = X.data, X.indices, X.indptr
    arrays = all(isinstance(array, np.ndarray) and array.ndim == 1 for array in (data, indices, indptr))
    if (
        not arrays
        or indices.dtype.kind not in "iu"
        or indptr.dtype.kind not in "iu"
        or len(indptr) != X.shape[0] + 1
        or indptr[0] != 0
        or indptr[-1] > min(len(indices), len(data))
        or (indptr[1:] < indptr[:-1]).any()
    ):
        raise ValueError(INVALID_CSR)
    n_stored = int(indptr[-1])
    if not n_stored == len(indices) == len(data):
        data, indices = data[:n_stored], indices[:n_stored]
    if n_stored and (indices.min() < 0 or indices.max() >= X.shape[1]):
        raise ValueError(INVALID_CSR)
    index = np.int32 if indices.dtype == indptr.dtype == np.int32 else np.int64
    as_needed = (
        np.require(data, requirements=["C", "A"]),
        np.require(indices, index, ["C", "A"]),
        np.require(indptr, index, ["C", "A"]),
    )
    if all(new is old for new, old in zip(as_needed, (X.data, X.indices, X.indptr), strict=True)):
        return X
    return make_csr(X.shape, *as_needed)


def make_csr(shape: tuple[int, int], data, indices: np.ndarray, indptr: np.ndarray) -> sparse.csr_matrix:
    """A matrix of just these arrays, where SciPy's constructor might convert them."""
    X = sparse.csr_matrix(shape, dtype=data.dtype)
    X.data, X.indices, X.indptr = data, indices, indptr
    return X


def neighbours(X: Any, first: int, last: int) -> Any:
    """The rows from `first` up to `last`, without a copy (SciPy copies entries)."""
    if not sparse.issparse(X):
        return X[first:last]
    start, end = X.indptr[first], X.indptr[last]
    shape, indptr = (last - first, X.shape[1]), X.indptr[first : last + 1] - start
    return make_csr(shape, X.data[start:end], X.indices[start:end], indptr)


def only_columns_with_entries(data: TrainingData) -> tuple[TrainingData, np.ndarray | None]:
    """The data without the columns of a sparse X that have no entries, and the numbers of the columns that are left.

    Renumbering the entries takes a copy of them, so that the data is left as it is, and None returned for the numbers,
    unless X has fewer entries than columns.
    """
    X: Any = data.X
    n_features = X.shape[1]
    if not sparse.issparse(X) or not 0 < X.nnz < n_features:
        return data, None
    has_entry = np.zeros(n_features, dtype=bool)
    has_entry[X.indices] = True
    columns = np.flatnonzero(has_entry)
    if len(columns) > n_features // 2:
        return data, None
    number = np.empty(n_features, X.indices.dtype)
    number[columns] = np.arange(len(columns))
    origin = None if data.origin is None else data.origin[columns]
    X = make_csr((X.shape[0], len(columns)), X.data, number[X.indices], X.indptr)
    return replace(data, X=X, origin=origin), columns


def minus_origin(X: sparse.csr_matrix, origin: np.ndarray) -> sparse.csr_matrix:
    """A copy of sparse rows less the origin, (n_features,): columns whose origin is not zero become full."""
    columns = np.flatnonzero(origin)
    shape, n_rows = X.shape, X.shape[0]
    values = np.tile(-origin[columns].astype(X.dtype), n_rows)
    subtracted = sparse.csr_matrix(
        (values, np.tile(columns, n_rows), len(columns) * np.arange(n_rows + 1)), shape=shape
    )
    return checked_csr(sparse.csr_matrix(X + subtracted))


def checked_weight(sample_weight, n_rows: int) -> Weight:
    """One weight per row as float64, or 1 where none were passed."""
    if sample_weight is None:
        return 1.0
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight)
    check_kind("sample_weight", sample_weight)
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
    return np.require(weight, np.float64, ["C", "A"])


def checked_start(data: TrainingData, coef_init, intercept_init) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The point to start from that was passed to `fit`: coefficients and intercepts, each None if it was not given."""
    n_features, n_targets = data.X.shape[1], data.y.shape[1]
    coef = intercept = None
    if coef_init is not None:
        coef = checked_coef("coef_init", coef_init, n_features, n_targets)
    if intercept_init is not None:
        intercept = checked_intercept("intercept_init", intercept_init, n_targets)
    return coef, intercept


def checked_coef(name: str, value, n_features: int, n_targets: int) -> np.ndarray:
    """Coefficients that the user has given, as (n_features, n_targets) float64; sparse ones become dense."""
    if sparse.issparse(value):
        value = value.toarray()
    return _checked_numbers(name, value, coef_shapes(n_features, n_targets)).reshape(n_targets, n_features).T


def checked_intercept(name: str, value, n_targets: int) -> np.ndarray:
    """Intercepts that the user has given, as (n_targets,) float64."""
    return _checked_numbers(name, value, intercept_shapes(n_targets)).reshape(n_targets)


def coef_shapes(n_features: int, n_targets: int) -> tuple[tuple[int, ...], ...]:
    """The shapes that coefficients may have: one target may have a dimension of its own or none."""
    return ((n_features,), (1, n_features)) if n_targets == 1 else ((n_targets, n_features),)


def intercept_shapes(n_targets: int) -> tuple[tuple[int, ...], ...]:
    """The shapes that intercepts may have."""
    return ((), (1,)) if n_targets == 1 else ((n_targets,),)


def check_shape(name: str, shape: tuple[int, ...], shapes: tuple[tuple[int, ...], ...]) -> None:
    """Raise a ValueError unless the shape is one of these."""
    if shape not in shapes:
        origin = " (the earlier fit's with warm_start=True)" if name.endswith("_init") else ""
        raise ValueError(
            f"{name}{origin} must have shape {' or '.join(map(str, shapes))} for this X and y; got {shape}."
        )


def _checked_numbers(name: str, value, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Finite numbers as float64, of one of these shapes."""
    if not isinstance(value, Real):
        value = check_array(
            value, ensure_2d=False, allow_nd=True, ensure_min_samples=0, dtype=np.float64, input_name=name
        )
    value = np.asarray(value, dtype=np.float64)
    check_shape(name, value.shape, shapes)
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite; got {value}.")
    return value
