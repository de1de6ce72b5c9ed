"""The update of RMSprop in plain NumPy: the definition of the algorithm, written to be read.

The compiled kernel does the same to the coefficients of a linear model, and the tests hold it to this.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Moments:
    """Moving averages, one number a coordinate.

    Attributes
    ----------
    square, mean : of the squared gradient and of the gradient
    missing : the part of their weight that still lies on the zeros they start from
    """

    square: np.ndarray
    mean: np.ndarray
    missing: float = 1.0

    @classmethod
    def at_start(cls, x: np.ndarray) -> "Moments":
        """Those before the first gradient."""
        return cls(np.zeros_like(x), np.zeros_like(x))

    def observe(self, gradient: np.ndarray, decay: float) -> "Moments":
        """Those with one gradient more."""
        return Moments(
            square=decay * self.square + (1 - decay) * gradient**2,
            mean=decay * self.mean + (1 - decay) * gradient,
            missing=decay * self.missing,
        )


@dataclass(frozen=True)
class State:
    """What a step changes: the point, its moments, and momentum's accumulated step."""

    x: np.ndarray
    moments: Moments
    velocity: np.ndarray

    @classmethod
    def at_start(cls, x: np.ndarray) -> "State":
        """The state before the first step."""
        return cls(x, Moments.at_start(x), np.zeros_like(x))

    def is_finite(self) -> bool:
        """Whether all is well: a gradient or a step that is not finite shows in one of these."""
        return bool(np.isfinite(self.x).all() and np.isfinite(self.moments.square).all())


@dataclass(frozen=True)
class Rule:
    """The rule by which a gradient becomes a step; the parameters are those of `RMSpropRegressor`."""

    epsilon: float
    momentum: float
    centered: bool
    bias_correction: bool

    def divisor(self, moments: Moments) -> np.ndarray:
        """What gradients are divided by: their typical size, and no less than epsilon."""
        spread = moments.square
        if self.centered:
            spread = np.maximum(spread - moments.mean**2, 0)  # a variance; rounding may take it below 0
        if self.bias_correction:
            spread = spread / (1 - moments.missing)
        return np.sqrt(spread) + self.epsilon

    def step(self, state: State, gradient: np.ndarray, rate: float, decay: float) -> State:
        """Go a step of size `rate` from the gradient at `state.x`."""
        moments = state.moments.observe(gradient, decay)
        velocity = self.momentum * state.velocity + gradient / self.divisor(moments)
        return State(state.x - rate * velocity, moments, velocity)
