"""RMSprop: linear regression by mini-batches as a scikit-learn estimator, and a method for SciPy's `minimize`."""

from importlib.metadata import version

from sklearn_rmsprop._displays import PathDisplay, RegressionLineDisplay, TrainingCurveDisplay
from sklearn_rmsprop._minimize import rmsprop
from sklearn_rmsprop._regressor import RMSpropRegressor
from sklearn_rmsprop._search import RMSpropRegressorCV

__version__ = version("sklearn-rmsprop")
__all__ = [
    "PathDisplay",
    "RMSpropRegressor",
    "RMSpropRegressorCV",
    "RegressionLineDisplay",
    "TrainingCurveDisplay",
    "__version__",
    "rmsprop",
]
