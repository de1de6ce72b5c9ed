"""What a fitted estimator holds: how attributes are set, stored and loaded, predict, and continue training."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import (
    REALS,
    as_real,
    check_array_likes,
    check_kind,
    check_shape,
    checked_coef,
    checked_csr,
    checked_intercept,
    coef_shapes,
    intercept_shapes,
)
from sklearn_rmsprop._engine import coefficients
from sklearn_rmsprop._kernel._memory import fingerprint
from sklearn_rmsprop._monitor import History
from sklearn_rmsprop._state import State
from sklearn_rmsprop._statistics import Statistics
from sklearn_rmsprop._typing import Numbers, Rows, ScikitLearnMethods

# The number of the format in which a fitted model is stored. Increase it when what is stored changes.
STORAGE_FORMAT = 2


class FittedModel(ScikitLearnMethods):
    """Mixin of the estimator with all that reads and writes the fitted attributes.

    Besides the public ones these are `_state` and `_coordinates`, from which training continues, `_flat`, whether
    `coef_` is one-dimensional, `_set_coefficients`, the fingerprint of `coef_` and `intercept_` as they were set, and
    `_statistics`, those of all rows so far while `partial_fit` still waits for more to make a basis of.
    """

    coef_: Numbers
    intercept_: float | Numbers
    loss_curve_: list[float]
    evaluation_epochs_: list[float]
    validation_scores_: list[float]
    momentum: float
    centered: bool
    _flat: bool
    _state: State
    _coordinates: Coordinates
    _statistics: Statistics | None
    _set_coefficients: tuple[Any, ...] | None

    def predict(self, X: Rows) -> Numbers:
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_targets)
            `X @ coef_.T + intercept_`; float32 where the model and `X` are.
        """
        check_is_fitted(self)
        check_array_likes(X=X)
        check_kind("X", X)
        rows: Any = validate_data(self, X, accept_sparse=("csr", "csc"), dtype=REALS, reset=False)
        rows = as_real(rows, REALS)
        if sparse.issparse(rows) and rows.format == "csr":
            rows = checked_csr(rows)
        coef, intercept = self._to_predict_with()
        return safe_sparse_dot(rows, coef.T, dense_output=True) + intercept

    def _set_fitted(
        self,
        coordinates: Coordinates,
        state: State,
        history: History,
        *,
        flat: bool,
        before: History | None = None,
    ) -> None:
        """Set the fitted attributes; raises before any is set.

        `flat`: whether the coefficients are one-dimensional; `before`: what earlier calls of `partial_fit` recorded.
        """
        coef, intercept = coefficients(state, coordinates)
        self.coef_ = coef[:, 0] if flat else np.ascontiguousarray(coef.T)
        self.intercept_ = intercept[0] if flat else intercept
        if before is not None:
            history = before.then(history)
        elif history.validation_scores is not None:
            self.validation_scores_ = history.validation_scores
        self.n_iter_ = history.n_iter
        self.batch_size_ = history.batch_size
        self.t_ = state.t
        self.loss_curve_ = history.loss_curve
        self.evaluation_epochs_ = history.epochs
        self._coordinates = coordinates
        self._state = state.without_unused(momentum=self.momentum, centered=self.centered)
        self._flat = flat
        self._set_coefficients = self._fingerprint(self._state)

    def _to_go_on_from(self) -> tuple[State, Coordinates]:
        """State and coordinates from which training continues; the state is moved to `coef_` and `intercept_` if the
        user has changed these.

        Raises
        ------
        ValueError
            If these do not belong together.
        """
        state, coordinates = self._state, self._coordinates  # read once: another thread may replace them
        n_features, n_targets = np.size(coordinates.x_unit), np.size(coordinates.y_unit)
        coordinates.check()
        state.check(n_features, n_targets)
        if self._fingerprint(state) == self._set_coefficients:
            return state, coordinates
        coef = checked_coef("coef_", self.coef_, n_features, n_targets)
        intercept = checked_intercept("intercept_", self.intercept_, n_targets)
        return state.at_point(coordinates.from_user(coef, intercept)), coordinates

    def _to_predict_with(self) -> tuple[np.ndarray, np.ndarray]:
        """`coef_` and `intercept_` as arrays of the shapes that `fit` sets, also where the user has assigned others."""
        coef: Any = self.coef_
        coef = np.asarray(coef.toarray() if sparse.issparse(coef) else coef)
        intercept = np.asarray(self.intercept_)
        if not hasattr(self, "_flat"):  # both have been set by hand
            return coef.reshape((*intercept.shape, -1)) if sparse.issparse(self.coef_) else coef, intercept
        n_features, n_targets = np.size(self._coordinates.x_unit), np.size(self._coordinates.y_unit)
        check_shape("coef_", coef.shape, coef_shapes(n_features, n_targets))
        check_shape("intercept_", intercept.shape, intercept_shapes(n_targets))
        shape = () if self._flat else (n_targets,)
        return coef.reshape(*shape, n_features), intercept.reshape(shape)

    def _fingerprint(self, state: State) -> tuple[Any, ...] | None:
        """What changes with `coef_` and `intercept_`; None where these are no arrays of the type that we set."""
        arrays = self.coef_, np.asarray(self.intercept_)
        if not all(isinstance(array, np.ndarray) and array.dtype == state.coef.dtype for array in arrays):
            return None
        # nearly all arrays are plain already, which is known sooner than `np.require` finds it
        plain = [a if a.flags.carray else np.require(a, requirements=["C", "A", "E"]) for a in arrays]
        return tuple((array.shape, fingerprint(array)) for array in plain)

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        """Give the estimator its attributes back if an exception, Ctrl-C included, ends a fit."""
        before = self.__dict__.copy()
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def __getstate__(self) -> dict[str, Any]:
        """What is stored of the estimator, and what `copy.copy` copies: no list or array that both would share.

        State, coordinates and statistics are stored as dictionaries of arrays and numbers, because skops must be told
        to trust every class but those of NumPy, SciPy and scikit-learn. `coef_` is left out if it can be computed from
        the state.
        """
        stored: dict[str, Any] = {**super().__getstate__()}  # type: ignore[dict-item]
        if "_state" in stored:
            stored["_format"] = STORAGE_FORMAT
            stored["_state"] = self._state.copy().__getstate__()
            stored["_coordinates"] = {**vars(self._coordinates)}
            stored["_statistics"] = None if self._statistics is None else {**vars(self._statistics)}
            for name in ("loss_curve_", "evaluation_epochs_"):
                stored[name] = getattr(self, name)[:]
            stored["coef_"], stored["intercept_"] = copy(self.coef_), copy(self.intercept_)
            if self._fingerprint(self._state) == self._set_coefficients:
                del stored["coef_"]
        return stored

    def __setstate__(self, stored: dict[str, Any]) -> None:
        stored = dict(stored)
        found = stored.pop("_format", None)
        if "_state" in stored and found != STORAGE_FORMAT:
            raise ValueError(
                f"This {type(self).__name__} was stored in format {found}, and this version of sklearn-rmsprop "
                f"reads format {STORAGE_FORMAT} only. Load it with the version that stored it, or fit it again."
            )
        if "_state" in stored:
            state = State.__new__(State)
            state.__setstate__(stored["_state"])
            stored["_state"], stored["_coordinates"] = state, Coordinates(**stored["_coordinates"])
            if stored["_statistics"] is not None:
                stored["_statistics"] = Statistics(**stored["_statistics"])
        super().__setstate__(stored)  # type: ignore[misc]
        if "_state" in stored and "coef_" not in stored:
            coef = coefficients(self._state, self._coordinates)[0]
            self.coef_ = coef[:, 0] if self._flat else np.ascontiguousarray(coef.T)
            # on another processor the last bits may differ, which is no change by the user
            self._set_coefficients = self._fingerprint(self._state)
