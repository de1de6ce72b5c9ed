"""Linear regression by mini-batch RMSprop, as a scikit-learn estimator."""

from importlib.metadata import version

from sklearn_rmsprop._regressor import RMSpropRegressor

__version__ = version("sklearn-rmsprop")
__all__ = ["RMSpropRegressor", "__version__"]
