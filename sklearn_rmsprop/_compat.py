"""Every import of scikit-learn that is private or depends on its version, and nothing else."""

from sklearn.base import BaseEstimator
from sklearn.base import _fit_context as fit_context
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # before scikit-learn 1.9

    def with_callbacks(method):  # type: ignore[no-untyped-def]
        """Leave the method as it is."""
        return method

    CallbackSupportMixin = type("CallbackSupportMixin", (), {"__doc__": "Adds nothing."})

__all__ = [
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "check_matplotlib_support",
    "fit_context",
    "has_callbacks",
    "validate_parameter_constraints",
    "with_callbacks",
]


def has_callbacks(estimator: BaseEstimator) -> bool:
    """Whether callbacks are set, by the user or for the time of a fit by a meta-estimator."""
    return hasattr(estimator, "_skl_callbacks")
