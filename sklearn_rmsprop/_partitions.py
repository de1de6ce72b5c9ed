"""Partitions as the user has made them: validated, described, predicted and scored where they lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import _num_samples

from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._data import REALS, TrainingData, validate_training
from sklearn_rmsprop._regressor import RMSpropRegressor
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._statistics import Statistics, merge_moments


@dataclass(frozen=True)
class Partition:
    """What is known about the rows of a partition, without the rows.

    Attributes
    ----------
    none : data without rows, of the same type, width and kind
    names : of the features, or None
    n_rows, n_values : rows that take part, and numbers of X that are stored
    statistics : None without rows
    """

    none: TrainingData
    names: np.ndarray | None
    n_rows: int
    n_values: int
    statistics: Statistics | None


Validated = tuple[TrainingData, np.ndarray | None]


def validate_partition(number: int, X: Any, y: Any, sample_weight: Any = None) -> Validated | Exception | None:
    """The rows, and the names of the features; None of a partition that is empty.

    If the partition is not valid, an error that names it is returned, not raised: of several such errors the one of the
    first partition is to be reported, whichever came first.
    """
    try:
        return _validate(X, y, sample_weight)
    except (ValueError, TypeError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        return kind(f"In partition {number} (counted from 0): {error}")


def _validate(X: Any, y: Any, sample_weight: Any) -> Validated | None:
    if _num_samples(X) == _num_samples(y) == 0:
        return None
    # weights that are all zero are wrong only if those of all partitions are
    weight = None if sample_weight is None else np.asarray(sample_weight)
    weightless = weight is not None and weight.shape == (_num_samples(y),) and not (weight != 0).any()
    validator = RMSpropRegressor()
    data = validate_training(validator, X, y, None if weightless else sample_weight, dtype=REALS, reset=True)
    return replace(data, rows=data.rows[:0]) if weightless else data, getattr(validator, "feature_names_in_", None)


def rows_of(validated: Validated) -> TrainingData:
    """The rows of a validated partition."""
    return validated[0]


def describe(
    validated: Validated | Exception | None, settings: Settings, n_target_values: int
) -> Partition | Exception | None:
    """Measure the rows of a validated partition; `n_target_values` of them for quantiles of the targets."""
    if validated is None or isinstance(validated, Exception):
        return validated
    data, names = validated
    statistics = None
    if len(data.rows):
        count = settings.objective.is_penalized and sparse.issparse(data.X)
        statistics = engine.measure(data, settings, n_target_values=n_target_values, count_entries=count)
    return Partition(data.of_rows(data.rows[:0]), names, len(data.rows), data.n_values, statistics)


def check_alike(described: Sequence[Partition | Exception | None]) -> list[Partition | None]:
    """What `describe` has returned for all partitions, once they are known to be valid, alike, and not all empty.

    Raises
    ------
    ValueError, TypeError
        Naming the first partition that is wrong.
    """
    partitions: list[Partition | None] = []
    for partition in described:
        if isinstance(partition, Exception):
            raise partition
        partitions.append(partition)
    first = next((partition for partition in partitions if partition is not None), None)
    if first is None:
        raise ValueError("X must have at least one row; got empty partitions only.")
    for number, partition in enumerate(partitions):
        for what, of_partition in _MUST_BE_EQUAL.items():
            if partition is not None and of_partition(partition) != of_partition(first):
                raise ValueError(
                    f"All partitions must have the same {what}: got {of_partition(partition)} in partition {number} "
                    f"(counted from 0) and {of_partition(first)} in partition 0."
                )
    if not any(partition.n_rows for partition in partitions if partition is not None):
        raise ValueError("sample_weight must have at least one weight that is not zero; all are zero.")
    return partitions


_MUST_BE_EQUAL: dict[str, Callable[[Partition], Any]] = {
    "number of columns of X": lambda partition: partition.none.X.shape[1],
    "names of columns": lambda partition: None if partition.names is None else partition.names.tolist(),
    "kind of X": lambda partition: "sparse" if sparse.issparse(partition.none.X) else "dense",
    "number of targets": lambda partition: partition.none.y.shape[1],
    "number of dimensions of y": lambda partition: 2 - partition.none.flat,
}


# After the fit


def predict_block(X: Any, model: RMSpropRegressor) -> np.ndarray:
    """The predictions for a partition, which may be empty."""
    if _num_samples(X) == 0:
        shape = model._to_predict_with()[1].shape
        return np.empty((0, *shape), model.coef_.dtype)
    return model.predict(X)


@dataclass(frozen=True)
class Errors:
    """Weight, mean and standard deviation of the targets of some rows, and their mean squared error."""

    weight: float
    mean: np.ndarray
    sd: np.ndarray
    squared_error: np.ndarray


def measure_errors(model: RMSpropRegressor, X: Any, y: Any, sample_weight: Any = None) -> Errors | None:
    """What R2 is made of; None without rows, or weights above zero."""
    y = np.asarray(y, dtype=np.float64)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if not weight.any():
        return None
    mean = np.average(y, axis=0, weights=weight)
    variance = np.average((y - mean) ** 2, axis=0, weights=weight)
    squared_error = np.average((y - model.predict(X)) ** 2, axis=0, weights=weight)
    return Errors(float(weight.sum()), mean, np.sqrt(variance), squared_error)


def r2_of(parts: Sequence[Errors]) -> float:
    """R2 of the rows of all parts, a mean over the targets, as `sklearn.metrics.r2_score` defines it."""
    weights = np.array([part.weight for part in parts])
    _, sd = merge_moments([(np.atleast_1d(p.mean), np.atleast_1d(p.sd)) for p in parts], weights / weights.sum())
    error = np.atleast_1d(np.average([part.squared_error for part in parts], axis=0, weights=weights))
    # a constant target is explained entirely or not at all
    share = np.divide(error, sd**2, out=(error > 0).astype(float), where=sd > 0)
    return float(np.mean(1 - share))
