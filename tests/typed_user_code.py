"""Code as users write it, for type checkers only: `make lint` checks it with mypy --strict and pyright.

A comment `type: ignore` marks what must be an error; the checkers complain where it is none.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from sklearn_rmsprop import (
    PathDisplay,
    RegressionLineDisplay,
    RMSpropRegressor,
    RMSpropRegressorCV,
    TrainingCurveDisplay,
    rmsprop,
)

X: NDArray[np.float64] = np.zeros((10, 2))
y = X @ np.array([1.0, 2.0])

model = RMSpropRegressor("huber", penalty="l2", schedule="cosine", tol=None, decay_rate=0.9, whiten=True)
RMSpropRegressor(decay_rate="auto", batch_size=None, whiten="auto", schedule=lambda t: 0.1 / t)
RMSpropRegressor("hubr")  # type: ignore[arg-type]
RMSpropRegressor(penalty="L2")  # type: ignore[arg-type]
RMSpropRegressor(schedule="cosin")  # type: ignore[arg-type]
RMSpropRegressor(decay_rate="automatic")  # type: ignore[arg-type]
RMSpropRegressor(whiten="yes")  # type: ignore[arg-type]
RMSpropRegressor(learning_rate="0.1")  # type: ignore[arg-type]

assert_type(model.fit(X, y, sample_weight=[1.0] * 10, X_val=X, y_val=y.tolist()), RMSpropRegressor)
assert_type(model.partial_fit(X, y).fit(X, y), RMSpropRegressor)
model.fit(X)  # type: ignore[call-arg]
model.fit(X, y, weights=y)  # type: ignore[call-arg]
model.partial_fit(X, y, X_val=X)  # type: ignore[call-arg]

assert_type(model.predict(X), NDArray[np.floating[Any]])
assert_type(model.score(X, y), float)
assert_type(model.coef_, NDArray[np.floating[Any]])
assert_type(model.intercept_, float | NDArray[np.floating[Any]])
assert_type(model.loss_curve_, list[float])
assert_type(model.validation_scores_, list[float])
assert_type(model.evaluation_epochs_, list[float])
assert_type(model.t_, int)
assert_type(model.n_features_in_, int)

assert_type(model.set_params(learning_rate=0.1), RMSpropRegressor)
assert_type(model.get_params(), dict[str, Any])
assert_type(model.set_fit_request(sample_weight=True, X_val="X_valid"), RMSpropRegressor)
assert_type(model.set_partial_fit_request(sample_weight=False), RMSpropRegressor)
assert_type(model.set_score_request(sample_weight=None), RMSpropRegressor)
model.set_fit_request(weights=True)  # type: ignore[call-arg]

assert_type(TrainingCurveDisplay.from_estimator(model), TrainingCurveDisplay)
assert_type(RegressionLineDisplay.from_estimator(model, X, y), RegressionLineDisplay)

search = RMSpropRegressorCV("huber", alphas=[0.1, 1.0], decay_rate=[0.9, "auto"], cv=3, select="one_se")
RMSpropRegressorCV(select="worst")  # type: ignore[arg-type]
assert_type(search.fit(X, y, groups=y), RMSpropRegressorCV)
assert_type(search.predict(X), NDArray[np.floating[Any]])
assert_type(search.score(X, y), float)
assert_type(PathDisplay.from_estimator(search), PathDisplay)


def square(x: NDArray[np.float64]) -> float:
    return float(x @ x)


assert_type(rmsprop(square, [1.0, 2.0], decay_rate="auto", schedule="constant"), OptimizeResult)
rmsprop(square, [1.0, 2.0], schedule="cosin")  # type: ignore[arg-type]
