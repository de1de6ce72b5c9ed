"""Every import of scikit-learn that is private or depends on its version, and nothing else."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from sklearn_rmsprop._typing import Decorated

try:
    from sklearn.callback import CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # before scikit-learn 1.9
    _with_callbacks = None
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


# Without types, the decorators of scikit-learn would hide the signatures of the methods from type checkers.


def fit_context(*, prefer_skip_nested_validation: bool) -> Callable[[Decorated], Decorated]:
    """Decorate a method that fits: its estimator's parameters are validated first."""
    decorate: Any = _fit_context(prefer_skip_nested_validation=prefer_skip_nested_validation)
    return decorate


def with_callbacks(method: Decorated) -> Decorated:
    """Decorate a method that runs callbacks; before scikit-learn 1.9 it is left as it is."""
    decorated: Any = method if _with_callbacks is None else _with_callbacks(method)
    return decorated


def has_callbacks(estimator: BaseEstimator) -> bool:
    """Whether callbacks are set, by the user or for the time of a fit by a meta-estimator."""
    return hasattr(estimator, "_skl_callbacks")
