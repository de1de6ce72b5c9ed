"""What a fitted estimator holds: how its attributes are set, stored and loaded, how they predict and train further."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import REALS, checked_coef, checked_intercept
from sklearn_rmsprop._engine import coefficients
from sklearn_rmsprop._kernel._memory import fingerprint
from sklearn_rmsprop._monitor import History
from sklearn_rmsprop._state import State

# The number of the format in which a fitted model is stored. Whoever changes what is stored takes the next one.
STORAGE_FORMAT = 1


class FittedModel:
    """Mixin of the estimator with all that reads and writes the fitted attributes.

    Besides the public ones these are `_state` and `_coordinates`, from which training goes on, `_epochs`, the epochs
    done at each point of `loss_curve_`, and `_set_coefficients`, the fingerprint of `coef_` and `intercept_` as they
    were set.
    """

    coef_: Any
    intercept_: Any
    loss_curve_: list[float]
    momentum: float
    centered: bool
    _epochs: list[int]
    _state: State
    _coordinates: Coordinates
    _set_coefficients: tuple[int, ...] | None

    def predict(self, X: ArrayLike) -> np.ndarray:
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
        X = validate_data(self, X, accept_sparse=("csr", "csc", "coo"), dtype=REALS, reset=False)
        coef: Any = self.coef_
        if sparse.issparse(coef):
            coef = coef.toarray().reshape((*np.shape(self.intercept_), -1))
        return safe_sparse_dot(X, coef.T, dense_output=True) + self.intercept_

    def _set_fitted(
        self,
        coordinates: Coordinates,
        state: State,
        history: History,
        *,
        flat: bool,
        before: History | None = None,
    ) -> None:
        """Set the fitted attributes, once it is sure that all can be set.

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
        self.t_ = state.t
        self.loss_curve_ = history.loss_curve
        self._epochs = history.epochs
        self._coordinates = coordinates
        self._state = state.without_unused(momentum=self.momentum, centered=self.centered)
        self._set_coefficients = self._fingerprint()

    def _state_to_go_on_from(self) -> State:
        """The state that training goes on from: moved to `coef_` and `intercept_` if the user has changed these."""
        if self._fingerprint() == self._set_coefficients:
            return self._state
        n_coordinates, n_targets = self._state.coef.shape
        flat = np.ndim(self.intercept_) == 0
        coef = checked_coef("coef_", self.coef_, n_coordinates - 1, n_targets, flat=flat)
        intercept = checked_intercept("intercept_", self.intercept_, n_targets, flat=flat)
        return self._state.at_point(self._coordinates.from_user(coef, intercept))

    def _fingerprint(self) -> tuple[int, ...] | None:
        """Numbers that change with `coef_` and `intercept_`; None where these are no arrays of the type that we set."""
        arrays = self.coef_, np.asarray(self.intercept_)
        if not all(isinstance(array, np.ndarray) and array.dtype == self._state.coef.dtype for array in arrays):
            return None
        return tuple(fingerprint(np.ascontiguousarray(array)) for array in arrays)

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
        """What is stored of the estimator, and what `copy.copy` copies: nothing that both would write to.

        `coef_` is left out where it follows from the rest.
        """
        stored: dict[str, Any] = {**super().__getstate__()}  # type: ignore[dict-item]
        if "_state" in stored:
            stored["_format"] = STORAGE_FORMAT
            stored["_state"] = self._state.copy()
            stored["loss_curve_"], stored["_epochs"] = self.loss_curve_[:], self._epochs[:]
            if self._fingerprint() == self._set_coefficients:
                stored["coef_"] = "flat" if self.coef_.ndim == 1 else "by target"
        return stored

    def __setstate__(self, stored: dict[str, Any]) -> None:
        stored = dict(stored)
        found = stored.pop("_format", None)
        if "_state" in stored:
            if found != STORAGE_FORMAT:
                raise ValueError(
                    f"This {type(self).__name__} was stored in format {found}, and this version of sklearn-rmsprop "
                    f"reads format {STORAGE_FORMAT} only. Load it with the version that stored it, or fit it anew."
                )
            if isinstance(shape := stored["coef_"], str):
                coef = coefficients(stored["_state"], stored["_coordinates"])[0]
                stored["coef_"] = coef[:, 0] if shape == "flat" else np.ascontiguousarray(coef.T)
        super().__setstate__(stored)  # type: ignore[misc]
