"""From what the user passes to arrays that the kernel may read: validated data, weights, starting points."""

from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from sklearn_rmsprop._statistics import Weight

# Data of these types is taken as it is; everything else becomes the first.
REALS = (np.float64, np.float32)

# Row numbers are 32-bit in the kernel: a permutation takes half the memory, and is shuffled faster.
MAX_ROWS = np.iinfo(np.uint32).max

# Rows whose weight is below this share of the largest one are treated like rows of weight zero: relative to the mean
# weight theirs would underflow.
NEGLIGIBLE_WEIGHT = 1e-290


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
    """

    X: np.ndarray | sparse.csr_matrix
    y: np.ndarray
    weight: Weight
    rows: np.ndarray
    flat: bool

    @property
    def n_values(self) -> int:
        """How many numbers of X are stored."""
        X: Any = self.X
        return X.nnz if sparse.issparse(X) else X.size


def validate_training(estimator: BaseEstimator, X, y, sample_weight, *, dtype, reset: bool) -> TrainingData:
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
    X = checked_csr(X) if sparse.issparse(X) else np.require(X, requirements=["C", "A"])
    flat = y.ndim == 1
    y = np.require(y, np.float64, ["C", "A"]).reshape(n_rows, -1)
    if not np.isfinite(y.sum()):
        # scikit-learn looks at an object array before None and the like become NaN
        check_array(y, input_name="y")
    weight = checked_weight(sample_weight, n_rows)
    rows = np.arange(n_rows, dtype=np.uint32)
    if isinstance(weight, np.ndarray):
        rows = rows[weight > NEGLIGIBLE_WEIGHT * weight.max()]
    return TrainingData(X, y, weight, rows, flat)


def checked_csr(X: sparse.csr_matrix) -> sparse.csr_matrix:
    """X with indices of one signed type that lie within it: compiled code would read beyond its memory otherwise."""
    data, indices, indptr = X.data, X.indices, X.indptr
    if (
        len(indptr) != X.shape[0] + 1
        or indptr[0] < 0
        or indptr[-1] > min(len(indices), len(data))
        or (indptr[1:] < indptr[:-1]).any()
        or (len(indices) and (indices.min() < 0 or indices.max() >= X.shape[1]))
    ):
        raise ValueError("X must be a valid sparse matrix; its indices or indptr point outside of it.")
    index = np.int32 if indices.dtype == indptr.dtype == np.int32 else np.int64
    n_stored = min(len(indices), len(data))
    as_needed = (
        np.require(data[:n_stored], requirements=["C", "A"]),
        np.require(indices[:n_stored], index, ["C", "A"]),
        np.require(indptr, index, ["C", "A"]),
    )
    if all(new is old for new, old in zip(as_needed, (data, indices, indptr), strict=True)):
        return X
    return make_csr(X.shape, *as_needed)


def make_csr(shape: tuple[int, int], data, indices: np.ndarray, indptr: np.ndarray) -> sparse.csr_matrix:
    """A matrix of just these arrays, where SciPy's constructor might convert them."""
    X = sparse.csr_matrix(shape, dtype=data.dtype)
    X.data, X.indices, X.indptr = data, indices, indptr
    return X


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
    return replace(data, X=make_csr((X.shape[0], len(columns)), X.data, number[X.indices], X.indptr)), columns


def checked_weight(sample_weight, n_rows: int) -> Weight:
    """One weight per row as float64, or 1 where none were passed."""
    if sample_weight is None:
        return 1.0
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
    return np.require(weight, np.float64, ["C", "A"])


def checked_start(data: TrainingData, coef_init, intercept_init) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The point to start from that was passed to `fit`: coefficients and intercepts, each None if it was not given."""
    n_features, n_targets = data.X.shape[1], data.y.shape[1]
    coef = intercept = None
    if coef_init is not None:
        coef = checked_coef("coef_init", coef_init, n_features, n_targets, flat=data.flat)
    if intercept_init is not None:
        intercept = checked_intercept("intercept_init", intercept_init, n_targets, flat=data.flat)
    return coef, intercept


def checked_coef(name: str, value, n_features: int, n_targets: int, *, flat: bool) -> np.ndarray:
    """Coefficients that the user has given, as (n_features, n_targets) float64; sparse ones become dense."""
    if sparse.issparse(value):
        value = value.toarray()
    shapes = ((n_features,), (1, n_features)) if flat else ((n_targets, n_features),)
    return _checked_numbers(name, value, shapes).reshape(n_targets, n_features).T


def checked_intercept(name: str, value, n_targets: int, *, flat: bool) -> np.ndarray:
    """Intercepts that the user has given, as (n_targets,) float64."""
    return _checked_numbers(name, value, ((), (1,)) if flat else ((n_targets,),)).reshape(n_targets)


def _checked_numbers(name: str, value, shapes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Finite numbers as float64, of one of these shapes, the first of which is that of the fitted attribute."""
    if not isinstance(value, Real):
        value = check_array(
            value, ensure_2d=False, allow_nd=True, ensure_min_samples=0, dtype=np.float64, input_name=name
        )
    value = np.asarray(value, dtype=np.float64)
    if value.shape not in shapes:
        raise ValueError(
            f"{name} (the earlier fit's with warm_start=True) must have shape {' or '.join(map(str, shapes))} "
            f"for this X and y; got {value.shape}."
        )
    if not np.isfinite(value).all():
        raise ValueError(f"{name} must be finite; got {value}.")
    return value
