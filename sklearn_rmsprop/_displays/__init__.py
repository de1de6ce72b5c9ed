"""Pictures of a fit, in the conventions of scikit-learn's displays."""

from sklearn_rmsprop._displays.path import PathDisplay
from sklearn_rmsprop._displays.regression_line import RegressionLineDisplay
from sklearn_rmsprop._displays.training_curve import TrainingCurveDisplay

__all__ = ["PathDisplay", "RegressionLineDisplay", "TrainingCurveDisplay"]
