"""Passes over the rows for all settings of a search: one for each fold, which is scored, and one on all rows."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.model_selection import check_cv
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.parallel import delayed
from sklearn.utils.validation import check_consistent_length

from sklearn_rmsprop._columns import Columns
from sklearn_rmsprop._data import TrainingData, neighbours
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._statistics import sample_evenly, shares_of

# Settings are compared, in order to discard some, on at most so many rows of each fold, after so many evaluations of
# the training loss, and again when the steps have grown by this factor: comparing takes as long as a few steps.
MOST_ROWS_TO_COMPARE, FIRST_COMPARISON, GROWTH = 4096, 5, 1.5

# A setting is far behind if its mean loss exceeds that of the best one by so many standard errors of the difference.
STANDARD_ERRORS = 3.0

# A function of a fitted model, rows, their targets, and keywords such as `sample_weight`.
Scorer = Callable[..., float]


class Pass:
    """The training of all settings on the selected rows.

    Settings that cannot be columns of one pass are trained in passes of their own: those with another `decay_rate`,
    other coordinates (only without L1 can they be whitened) or other batches.

    Parameters
    ----------
    data : TrainingData
        Its `rows` are those to train on.
    settings : sequence of Settings
    generator : (2,) uint64
        State of the random number generator with which each of these passes begins.
    """

    def __init__(self, data: TrainingData, settings: Sequence[Settings], generator: np.ndarray):
        began = time.perf_counter()
        self.n_settings = len(settings)
        self._parts = [
            (Columns(data, [settings[k] for k in numbers], generator.copy()), numbers)
            for numbers in those_in_one_pass(data, settings)
        ]
        self.seconds = time.perf_counter() - began

    def run(self) -> "Pass":
        """Run until all settings have ended."""
        began = time.perf_counter()
        for part, _ in self._parts:
            part.run()
        self.seconds += time.perf_counter() - began
        return self

    def advance(self) -> None:
        """Run to the next evaluation of the loss, where a setting has not ended."""
        began = time.perf_counter()
        for part, _ in self._parts:
            if not part.ended.all():
                part.advance()
        self.seconds += time.perf_counter() - began

    def end(self, settings: np.ndarray) -> None:
        """End the settings of this mask, with the coefficients of the last evaluation."""
        for part, numbers in self._parts:
            part.end(settings[numbers])

    @property
    def n_steps(self) -> int:
        """The steps of the part that has made the most."""
        return max(part.n_steps for part, _ in self._parts)

    @property
    def n_evaluations(self) -> int:
        """The evaluations of the part that has made the fewest, of those that run."""
        return min((part.n_evaluations for part, _ in self._parts if not part.ended.all()), default=FIRST_COMPARISON)

    def each(self, name: str) -> np.ndarray:
        """An attribute of `Columns` with a number for each setting."""
        values = [(np.asarray(getattr(part, name)), numbers) for part, numbers in self._parts]
        result = np.empty((*values[0][0].shape[:-1], self.n_settings), np.result_type(*(v for v, _ in values)))
        for value, numbers in values:
            result[..., numbers] = value
        return result


class Fold:
    """A pass over the training rows of a fold, and its test rows."""

    def __init__(
        self,
        data: TrainingData,
        train: np.ndarray,
        test: np.ndarray,
        settings: Sequence[Settings],
        generator: np.ndarray,
    ):
        self.training = Pass(data.of_selected(train), settings, generator)
        self._data, self._test = data, test
        self._loss = settings[0].objective.loss(np.ones(len(settings)))
        self._compare_at = 0.0
        self._behind, self._discarded = np.zeros((2, len(settings)), bool)

    def behind(self) -> np.ndarray:
        """Which settings are far behind the best one on the test rows, as of the last comparison."""
        training = self.training
        if training.n_evaluations < FIRST_COMPARISON or training.n_steps < self._compare_at:
            return self._behind
        self._compare_at = GROWTH * training.n_steps
        rows = sample_evenly(self._test, MOST_ROWS_TO_COMPARE)
        predicted = predictions(self._data.X[rows], training.each("coef"), training.each("intercept"))
        y = np.ascontiguousarray(np.broadcast_to(self._data.y[rows], predicted.shape))
        losses = self._loss.derivative_and_loss(y, np.ascontiguousarray(predicted, np.float64))[1]
        weight = shares_of(self._data.weight, rows)
        mean = weight @ losses
        if not np.isfinite(mean).any():
            return self._behind
        excess = losses - losses[:, [np.nanargmin(mean)]]
        mean_excess = weight @ excess
        error = np.sqrt(weight**2 @ (excess - mean_excess) ** 2)
        self._behind = mean_excess > STANDARD_ERRORS * error
        return self._behind

    def finish(self, scorer: Scorer | None, score_params: dict[str, np.ndarray]) -> "FoldResult":
        """Run until all settings have ended, and score them on the test rows; `score_params` are for the scorer."""
        self.training.run()
        began = time.perf_counter()
        scores = self._scores(scorer, score_params)
        unfinished = ~self.training.each("converged") & ~self._discarded
        return FoldResult(scores, unfinished, self.training.seconds, time.perf_counter() - began)

    def discard(self, settings: np.ndarray) -> None:
        """End the settings of this mask as they are."""
        self.training.end(settings)
        self._discarded |= settings

    def _scores(self, scorer: Scorer | None, score_params: dict[str, np.ndarray]) -> np.ndarray:
        """The score of each setting, NaN for one that has overflowed. `scorer`: None for R2."""
        X, y = rows_of(self._data.X, self._test), self._data.y[self._test, 0]
        parameters = {name: value[self._test] for name, value in score_params.items()}
        coef, intercept = self.training.each("coef"), self.training.each("intercept")
        predicted = predictions(X, coef, intercept)
        scores, finite = np.full(len(intercept), np.nan), np.flatnonzero(np.isfinite(intercept))
        if scorer is not None:
            for k in finite:
                model = ModelOfSetting.of(coef[:, k], intercept[k], X, predicted[:, k])
                scores[k] = scorer(model, X, y, **parameters)
        elif len(finite) > 0:  # all at once, which takes a fraction of the time
            of_each = np.broadcast_to(y[:, np.newaxis], (len(y), len(finite)))
            scores[finite] = r2_score(of_each, predicted[:, finite], multioutput="raw_values", **parameters)
        return scores


@dataclass(frozen=True)
class FoldResult:
    """What a search keeps of a fold.

    Attributes
    ----------
    scores : (n_settings,)
    unfinished : (n_settings,) bool
        Whether `max_iter` has ended the training of a setting.
    fit_seconds, score_seconds : the time of all settings together
    """

    scores: np.ndarray
    unfinished: np.ndarray
    fit_seconds: float
    score_seconds: float


def train_fold(arguments: tuple[Any, ...], scorer: Scorer | None, score_params: dict[str, np.ndarray]) -> FoldResult:
    """Train all settings on the fold of these arguments, and score them: it exists no longer than necessary."""
    return Fold(*arguments).finish(scorer, score_params)


def split_rows(cv: Any, X: Any, data: TrainingData, groups: Any | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """The numbers of the training and the test rows of each fold, those of positive weight.

    Rows of weight 0 are left out before the rows are divided: with and without them, the folds must be the same.
    But the row numbers of an iterable are those of all rows.
    """
    rows, y = data.rows, data.y[:, 0]
    if groups is not None:
        check_consistent_length(y, groups)
        groups = np.asarray(groups)
    has_numbers = not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split"))
    cv = check_cv(cv)
    every = len(rows) == len(y)
    if every or has_numbers:
        splits = cv.split(X, y, groups)
    else:
        splits = cv.split(data.X[rows], y[rows], None if groups is None else groups[rows])
    takes_part, found = np.zeros(len(y), bool), []
    takes_part[rows] = True
    for number, split in enumerate(splits):
        train, test = (np.asarray(part) for part in split)
        train, test = (np.flatnonzero(part) if part.dtype == bool else part for part in (train, test))
        if has_numbers and not every:
            train, test = train[takes_part[train]], test[takes_part[test]]
        elif not every:
            train, test = rows[train], rows[test]
        if len(train) == 0 or len(test) == 0:
            part = "training" if len(train) == 0 else "test"
            raise ValueError(
                f"cv must leave rows of positive weight on both sides of each fold; fold {number} has no {part} "
                "rows. Use fewer folds."
            )
        found.append((train, test))
    return found


def run_in_lockstep(folds: Sequence[Fold], parallel: Callable[..., Iterable[Any]]) -> np.ndarray:
    """Train on all folds at the same pace; return which settings were discarded: those far behind in all of them."""
    discarded = np.zeros(folds[0].training.n_settings, bool)
    while not all(fold.training.each("ended").all() for fold in folds):
        list(parallel(delayed(fold.training.advance)() for fold in folds))
        behind = np.logical_and.reduce([fold.behind() for fold in folds]) & ~discarded
        if behind.any():
            discarded |= behind
            for fold in folds:
                fold.discard(behind)
    return discarded


class ModelOfSetting(RegressorMixin, BaseEstimator):
    """The fitted model of one setting that a scorer gets."""

    @classmethod
    def of(cls, coef: np.ndarray, intercept: float, X: Any, predicted: np.ndarray) -> "ModelOfSetting":
        """The model with these coefficients, which predicts `predicted` for the rows `X`."""
        model = cls()
        model.coef_, model.intercept_, model.n_features_in_ = coef, intercept, len(coef)
        model._X, model._predicted = X, predicted
        return model

    def predict(self, X: Any) -> np.ndarray:
        """Predict; for the rows that the model is scored on, what all settings have predicted at once."""
        return self._predicted if X is self._X else predictions(X, self.coef_, self.intercept_)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def those_in_one_pass(data: TrainingData, settings: Sequence[Settings]) -> list[np.ndarray]:
    """The numbers of the settings that can be columns of the same pass."""
    kinds: dict[Any, list[int]] = {}
    for k, setting in enumerate(settings):
        kind = (
            setting.rule.decay_rate,
            setting.objective.has_l1,
            setting.may_whiten(data),
            setting.suits_exact_gradients(data),
        )
        kinds.setdefault(kind, []).append(k)
    return [np.array(numbers) for numbers in kinds.values()]


def predictions(X: Any, coef: np.ndarray, intercept: np.ndarray | float) -> np.ndarray:
    """What linear models predict for these rows."""
    result: np.ndarray = safe_sparse_dot(X, coef, dense_output=True)
    result += intercept
    return result


def rows_of(X: Any, rows: np.ndarray) -> Any:
    """These rows of X, dense ones without a copy where they are neighbours in ascending order."""
    if len(rows) == rows[-1] - rows[0] + 1 and (np.diff(rows.astype(np.int64)) == 1).all():
        found = neighbours(X, int(rows[0]), int(rows[-1]) + 1)
    else:
        found = X[rows]
    return found if sparse.issparse(found) else np.asarray(found)
