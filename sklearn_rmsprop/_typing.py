"""What type checkers are told: values that parameters accept, and methods that scikit-learn leaves without types."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

LossName = Literal[
    "squared_error", "absolute_error", "huber", "quantile", "epsilon_insensitive", "squared_epsilon_insensitive"
]
PenaltyName = Literal["l2", "l1", "elasticnet"]
ScheduleName = Literal["constant", "invsqrt", "linear", "cosine"]

# Tables: array-likes, which include data frames, and sparse matrices, which are none.
Rows: TypeAlias = ArrayLike | sparse.sparray | sparse.spmatrix

Numbers = NDArray[np.floating[Any]]

# What `set_fit_request` and its kin accept: whether the argument is requested, or the name that it has for the caller.
Request = bool | str | None

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

if TYPE_CHECKING:

    class ScikitLearnMethods:
        """Methods and attributes of the estimator that scikit-learn defines or generates, with their types."""

        n_features_in_: int
        feature_names_in_: NDArray[np.object_]

        def get_params(self, deep: bool = True) -> dict[str, Any]: ...

        def set_params(self, **params: Any) -> Self: ...

        def score(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...

        def set_callbacks(self, *callbacks: Any) -> Self: ...

        def set_fit_request(
            self,
            *,
            sample_weight: Request = ...,
            coef_init: Request = ...,
            intercept_init: Request = ...,
            X_val: Request = ...,
            y_val: Request = ...,
            sample_weight_val: Request = ...,
        ) -> Self: ...

        def set_partial_fit_request(self, *, sample_weight: Request = ...) -> Self: ...

        def set_score_request(self, *, sample_weight: Request = ...) -> Self: ...

else:

    class ScikitLearnMethods:
        """Nothing at run time."""
