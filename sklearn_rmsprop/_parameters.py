"""Which values each parameter accepts; shared by the estimator and the method for `minimize`."""

from numbers import Integral, Real
from typing import Any

from sklearn_rmsprop._compat import Interval, StrOptions
from sklearn_rmsprop._objective import LOSSES, PENALTIES
from sklearn_rmsprop._schedules import SCHEDULES

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
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="left"), None],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "standardize": ["boolean"],
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
