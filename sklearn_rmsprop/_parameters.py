"""Which values each parameter accepts; shared by the estimator and the method for `minimize`."""

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from sklearn_rmsprop._compat import Interval, StrOptions
from sklearn_rmsprop._objective import LOSSES, PENALTIES
from sklearn_rmsprop._schedules import ENDING, SCHEDULES

CONSTRAINTS: dict[str, list[Any]] = {
    "loss": [StrOptions(set(LOSSES))],
    "learning_rate": [Interval(Real, 0, None, closed="neither")],
    "decay_rate": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
    "epsilon": [Interval(Real, 0, None, closed="neither")],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "centered": ["boolean"],
    "bias_correction": ["boolean"],
    "schedule": [StrOptions(set(SCHEDULES)), callable],
    "average": ["boolean"],
    "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "standardize": ["boolean"],
    "whiten": ["boolean", StrOptions({"auto"})],
    "delta": [Interval(Real, 0, None, closed="left")],
    "quantile": [Interval(Real, 0, 1, closed="neither")],
    "penalty": [StrOptions(set(PENALTIES)), None],
    "alpha": [Interval(Real, 0, None, closed="left")],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "fit_intercept": ["boolean"],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "warm_start": ["boolean"],
    "verbose": ["verbose"],
}

# SciPy spells "max_iter" as one word.
MINIMIZE_CONSTRAINTS = {**CONSTRAINTS, "maxiter": CONSTRAINTS["max_iter"]}


def check_for_partial_fit(parameters: Mapping[str, Any]) -> None:
    """Reject values that need to know when training ends.

    Raises
    ------
    ValueError
        Naming the parameter.
    """
    schedule = parameters["schedule"]
    if isinstance(schedule, str) and schedule in ENDING:
        raise ValueError(
            f"partial_fit cannot use schedule={schedule!r}, because a stream has no last step at which the step size "
            "could reach zero. Set 'constant', 'invsqrt' or a callable."
        )
    if parameters["early_stopping"]:
        raise ValueError("partial_fit cannot use early_stopping=True, because it makes a single pass. Use fit.")
