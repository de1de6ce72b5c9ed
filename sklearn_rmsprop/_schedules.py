"""How the step size decays: names to pure functions from step numbers (1, 2, ...) to step sizes."""

from collections.abc import Callable

import numpy as np

Schedule = Callable[[np.ndarray], np.ndarray]

# Steps after which "invsqrt" has decayed to 1 / sqrt(2): enough to come near the optimum at the full rate, few enough
# for the decay to help the average within an epoch of a few thousand rows.
INVSQRT_STEPS = 100


def constant(t: np.ndarray, n_steps: int) -> np.ndarray:
    """Step sizes of 1."""
    return np.broadcast_to(1.0, t.shape)


def invsqrt(t: np.ndarray, n_steps: int) -> np.ndarray:
    """1 / sqrt(1 + t / 100)."""
    return np.sqrt(INVSQRT_STEPS / (INVSQRT_STEPS + t))


def linear(t: np.ndarray, n_steps: int) -> np.ndarray:
    """From 1 in the first step down in a straight line to 0 after `n_steps`."""
    return np.maximum(0.0, 1 - (t - 1) / n_steps)


def cosine(t: np.ndarray, n_steps: int) -> np.ndarray:
    """From 1 in the first step down along half a cosine to 0 after `n_steps`."""
    return (1 + np.cos(np.pi * np.minimum(1.0, (t - 1) / n_steps))) / 2


SCHEDULES = {"constant": constant, "invsqrt": invsqrt, "linear": linear, "cosine": cosine}

# Those that must know the number of steps.
ENDING = frozenset({"linear", "cosine"})


def make_schedule(schedule: str | Schedule, learning_rate: float, n_steps: int) -> Schedule:
    """Turn the parameter `schedule` into a function from an array of step numbers to step sizes.

    Parameters
    ----------
    schedule : str or callable
        A key of `SCHEDULES`, whose shape is multiplied by `learning_rate`, or a function of step numbers that returns
        the step sizes themselves.
    learning_rate : float
    n_steps : int
        Number of steps at which "linear" and "cosine" reach zero.

    Returns
    -------
    callable
    """
    if not callable(schedule):
        shape = SCHEDULES[schedule]
        return lambda t: learning_rate * shape(t, n_steps)

    def checked(t: np.ndarray) -> np.ndarray:
        sizes = np.asarray(schedule(t), dtype=np.float64)
        if sizes.shape != t.shape:
            raise ValueError(
                "The callable 'schedule' must return one step size for each step number: it got an array of shape "
                f"{t.shape} and returned one of shape {sizes.shape}."
            )
        bad = ~(np.isfinite(sizes) & (sizes >= 0))
        if bad.any():
            raise ValueError(
                "The callable 'schedule' must return finite step sizes that are not negative: it returned "
                f"{sizes[bad][0]} for step {t[bad][0]}."
            )
        return sizes

    return checked
