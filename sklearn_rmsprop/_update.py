"""The update rule of RMSprop: its hyper-parameters, and the update in plain NumPy, written to be read.

The compiled kernel (`_kernel/dense_update_template.h`, `_kernel/csr.c`) does the same to the coefficients of a linear
model; the tests compare it with this.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from sklearn_rmsprop._kernel._plan import ETA, Plan
from sklearn_rmsprop._schedules import Schedule, make_schedule

# decay_rate="auto" is 1 - AUTO_GAIN / t in step t (Mukkamala & Hein, 2017).
AUTO_GAIN = 0.9


@dataclass(frozen=True)
class Moments:
    """Moving averages, one number per coordinate.

    Attributes
    ----------
    square, mean : moving averages of the squared gradient and of the gradient
    missing : the share of their weight that still lies on the zeros they start from
    """

    square: np.ndarray
    mean: np.ndarray
    missing: float = 1.0

    @classmethod
    def at_start(cls, x: np.ndarray) -> "Moments":
        """The moving averages before the first gradient."""
        return cls(np.zeros_like(x), np.zeros_like(x))

    def observe(self, gradient: np.ndarray, decay: float) -> "Moments":
        """The moving averages after one more gradient."""
        return Moments(
            square=decay * self.square + (1 - decay) * gradient**2,
            mean=decay * self.mean + (1 - decay) * gradient,
            missing=decay * self.missing,
        )


@dataclass(frozen=True)
class Iterate:
    """What a step changes: the point, its moments, and momentum's accumulated step."""

    x: np.ndarray
    moments: Moments
    velocity: np.ndarray

    @classmethod
    def at_start(cls, x: np.ndarray) -> "Iterate":
        """The iterate before the first step."""
        return cls(x, Moments.at_start(x), np.zeros_like(x))

    def is_finite(self) -> bool:
        """Whether no number has overflowed: a gradient or a step that is not finite shows in one of these."""
        return bool(np.isfinite(self.x).all() and np.isfinite(self.moments.square).all())


@dataclass(frozen=True)
class UpdateRule:
    """The rule by which gradients become steps; the fields are parameters of `RMSpropRegressor`."""

    learning_rate: float
    decay_rate: float | str
    epsilon: float
    momentum: float
    centered: bool
    bias_correction: bool
    schedule: str | Schedule
    average: bool

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """The rule that parameters of these names stand for."""
        return cls(**{field.name: parameters[field.name] for field in fields(cls)})

    # The sequences: functions of step numbers 1, 2, ...

    def step_sizes(self, n_steps: int) -> Schedule:
        """The function from step numbers to step sizes in a run of at most `n_steps` steps."""
        return make_schedule(self.schedule, self.learning_rate, n_steps)

    @property
    def decay_limit(self) -> float:
        """In step t the moving averages are multiplied by decay_limit - decay_gain / t."""
        return 1.0 if isinstance(self.decay_rate, str) else float(self.decay_rate)

    @property
    def decay_gain(self) -> float:
        """See `decay_limit`."""
        return AUTO_GAIN if isinstance(self.decay_rate, str) else 0.0

    def decay(self, steps: np.ndarray) -> np.ndarray:
        """What the moving averages are multiplied by in these steps."""
        return self.decay_limit - self.decay_gain / steps

    def average_decay(self, steps: np.ndarray) -> np.ndarray:
        """The weight of the previous average in each of these steps."""
        return float(self.average) * (steps - 1) / (steps + ETA)

    def plan(self, t: int, rate: np.ndarray, *, forgotten: int, lazy: bool) -> Plan:
        """What the kernel needs for the steps after step `t`, which have the sizes `rate`."""
        return Plan(
            rate,
            decay_limit=self.decay_limit,
            decay_gain=self.decay_gain,
            momentum=self.momentum,
            centered=self.centered,
            epsilon=self.epsilon,
            average=self.average,
            t=t,
            forgotten=forgotten,
            lazy=lazy,
        )

    @property
    def uses_moments(self) -> bool:
        """Whether steps need more than the moving average of squares."""
        return self.momentum > 0 or self.centered

    # The update

    def divisor(self, moments: Moments) -> np.ndarray:
        """What gradients are divided by: their root mean square (`centered`: standard deviation) plus epsilon."""
        variance = moments.square
        if self.centered:
            variance = np.maximum(variance - moments.mean**2, 0)  # rounding may take it below 0
        if self.bias_correction:
            variance = variance / (1 - moments.missing)
        return np.sqrt(variance) + self.epsilon

    def step(self, iterate: Iterate, gradient: np.ndarray, rate: float, decay: float) -> Iterate:
        """Make a step of size `rate` with the gradient at `iterate.x`."""
        moments = iterate.moments.observe(gradient, decay)
        velocity = self.momentum * iterate.velocity + gradient / self.divisor(moments)
        return Iterate(iterate.x - rate * velocity, moments, velocity)
