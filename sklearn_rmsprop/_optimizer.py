"""RMSprop's hyper-parameters and state, and the numbers that a run of steps hands to the kernel."""

from copy import copy
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from sklearn_rmsprop._kernel._rows import STATE_ARRAYS, discounted
from sklearn_rmsprop._schedules import Schedule

# Polynomial-decay averaging (Shamir & Zhang, 2013): the average forgets the early iterates like t^-(ETA + 1).
ETA = 3

# Share of a fit's steps through which a coefficient must have rested at zero to be published as zero. Shares from 0.1
# to 0.5 were as good.
REST = 0.2

ZERO_AT_START = ("square", "gradient_mean", "velocity", "threshold", "offset", "active")

# A velocity shrunk by more than this no longer changes a coefficient.
NEGLIGIBLE = 1e-20

# decay_rate="auto" is 1 - AUTO_GAIN / t (Mukkamala & Hein, 2017).
AUTO_GAIN = 0.9


def kept(t: np.ndarray) -> np.ndarray:
    """An F with F(t - 1) / F(t) = (t - 1) / (t + ETA), the share that step t leaves of the average."""
    t = t.astype(np.float64)
    return t * (t + 1) * (t + 2) * (t + 3)


def repeated(value: float, n: int) -> np.ndarray:
    """An array of `n` equal numbers that takes no memory."""
    # np.broadcast_to takes five times as long, which a fit of a few rows feels
    return np.ndarray(n, buffer=np.float64(value), strides=0)


def is_repeated(array: np.ndarray) -> bool:
    """Whether an array was made by `repeated`."""
    return array.strides == (0,)


def fading(momentum: float, n: int) -> np.ndarray:
    """Powers 0, 1, ... of the momentum, zero where they would no longer change a coefficient."""
    powers = np.power(momentum, np.arange(n, dtype=np.float64))
    return np.where(powers > NEGLIGIBLE, powers, 0)


def spread(values: np.ndarray, places: np.ndarray, n: int) -> np.ndarray:
    """An array of length `n` with the values at these places, and zeros elsewhere."""
    result = np.zeros((n, *values.shape[1:]), values.dtype)
    result[places] = values
    return result


def read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Optimizer:
    """The hyper-parameters: what does not change during a fit. `schedule` maps step numbers to step sizes."""

    schedule: Schedule
    decay_rate: float | str
    epsilon: float
    momentum: float
    centered: bool
    average: bool

    def decay(self, steps: np.ndarray) -> np.ndarray:
        """By what the moving averages decay in each of these steps."""
        return self._decay_limit - self._decay_gain / steps

    def keep(self, steps: np.ndarray) -> np.ndarray:
        """The share of the published average that each of these steps leaves."""
        return float(self.average) * (steps - 1) / (steps + ETA)

    @property
    def _decay_limit(self) -> float:
        return 1.0 if isinstance(self.decay_rate, str) else float(self.decay_rate)

    @property
    def _decay_gain(self) -> float:
        return AUTO_GAIN if isinstance(self.decay_rate, str) else 0.0

    def plan(
        self, t: int, n_steps: int, *, rate_factor: float = 1.0, forgotten: int = 0, lazy: bool
    ) -> SimpleNamespace:
        """The numbers for the `n_steps` steps after step `t`: what `_kernel/step.h` asks for.

        `rate_factor` multiplies the step sizes, and the average takes `forgotten` steps as not done. With `lazy`,
        also the sequences by which a sparse kernel makes up for steps that passed a coordinate by.
        """
        steps = np.arange(t + 1, t + n_steps + 1)
        plan = SimpleNamespace(
            rate=rate_factor * self.schedule(steps),
            decay_limit=self._decay_limit, decay_gain=self._decay_gain,
            average=float(self.average), eta=ETA, forgotten=forgotten,
            power=None, decayed=None, inverse_decayed=None, kept=None,
            fading=None, coasting=None, coasting_kept=None,
            momentum=self.momentum, centered=self.centered, epsilon=self.epsilon, steps_before=t,
        )  # fmt: skip
        if lazy:
            ones = repeated(1, n_steps + 1)
            plan.power, plan.decayed, plan.inverse_decayed = ones, ones, ones
            if isinstance(self.decay_rate, str):
                plan.decayed = np.cumprod(np.concatenate(([1.0], self.decay(steps))))
                plan.inverse_decayed = 1 / plan.decayed
            else:
                plan.power = np.power(float(self.decay_rate), np.arange(n_steps + 1))
            if self.average:
                plan.kept = kept(np.arange(t - forgotten, t - forgotten + n_steps + 1))
            else:
                plan.kept = repeated(0, n_steps + 1)
            if self.momentum > 0:
                plan.fading = fading(self.momentum, n_steps + 1)
                plan.coasting = discounted(plan.rate, self.momentum)
                plan.coasting_kept = discounted(plan.rate * plan.kept[:-1], self.momentum)
        return plan


@dataclass
class State:
    """What changes during a fit: a value that is created, copied and stored; what is stored is not mutated any more.

    The arrays are (n_features + 1, n_targets), the intercept last. Read-only ones may be shared with earlier states.

    Attributes
    ----------
    coef : the current iterate
    average : what is published: the average of the iterates, or the iterate itself
    square, gradient_mean : moving averages of the squared gradient and of the gradient
    velocity : momentum's accumulated step
    threshold : the accumulated steps of the L1 penalty
    offset : by how much the other steps, accumulated, exceed the coefficient
    active : the last step at which the coefficient was not zero, where there is an L1 penalty
    generator : state of the random number generator
    t : steps done
    forgotten : steps that the average takes as not done
    decay_product : product of all decay rates so far, 0 without bias correction
    """

    coef: np.ndarray
    average: np.ndarray
    square: np.ndarray
    gradient_mean: np.ndarray
    velocity: np.ndarray
    threshold: np.ndarray
    offset: np.ndarray
    active: np.ndarray
    generator: np.ndarray
    t: int
    decay_product: float
    forgotten: int

    @classmethod
    def start(cls, coef: np.ndarray, dtype: np.dtype, generator: np.ndarray, *, bias_correction: bool) -> "State":
        """The state before the first step, at the point `coef`."""
        average = np.array(coef, dtype=np.float64, order="C")
        coef = average.astype(dtype)
        return cls(
            coef=coef,
            average=average,
            # not zeros_like, which writes: arrays that stay zero, like a penalty's, take no memory
            **{name: np.zeros(coef.shape, dtype) for name in ZERO_AT_START},
            generator=generator,
            t=0,
            decay_product=float(bias_correction),
            forgotten=0,
        )

    def copy(self) -> "State":
        """A state of its own, with arrays that may be written to even if these are read-only."""
        duplicate = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(duplicate, name, np.array(value, order="C"))
        return duplicate

    def widened(self, now: np.ndarray | None, then: np.ndarray | None, n: int) -> "State":
        """The state of the coordinates `then`; those that this one lacks are zero.

        This one's are `now`, all among `then`. Both are ascending numbers below `n`, or None for all of these. If they
        are the same, it is this very state: copy it before it is written to.
        """
        if now is None or (then is not None and len(then) == len(now)):
            return self
        places, length = (now, n) if then is None else (np.searchsorted(then, now), len(then))
        wider = copy(self)
        wider.generator = self.generator.copy()
        for name in STATE_ARRAYS:
            setattr(wider, name, spread(getattr(self, name), places, length))
        return wider

    def take(self, places: np.ndarray) -> "State":
        """A state of its own of the coordinates at these places only."""
        part = copy(self)
        part.generator = self.generator.copy()
        for name in STATE_ARRAYS:
            setattr(part, name, getattr(self, name)[places])
        return part

    def idle(self, n_steps: int, optimizer: Optimizer) -> "State":
        """The state after steps in which no coordinate has a gradient.

        Without momentum the coefficients stand still meanwhile, and so do the threshold, the offset and the last active
        step, but the moving averages go on. Arrays that stay as they are it shares with this state, as read-only views.
        """
        later = copy(self)
        later.t += n_steps
        steps = np.arange(self.t + 1, later.t + 1)
        decay, keep = optimizer.decay(steps).prod(), optimizer.keep(steps - self.forgotten).prod()
        for name in STATE_ARRAYS:
            setattr(later, name, read_only(getattr(self, name)))
        later.coef = self.coef.copy()
        later.average = self.average - self.coef
        later.average *= keep
        later.average += self.coef
        later.square = self.square * self.square.dtype.type(decay)
        if optimizer.centered:
            later.gradient_mean = self.gradient_mean * self.gradient_mean.dtype.type(decay)
        return later

    def put(self, places: np.ndarray, part: "State") -> None:
        """Take over all that `part` has become, which is a state of the coordinates at these places.

        An array that is read-only is another state's, too: where it changes, a copy takes its place.
        """
        for name, value in vars(part).items():
            if name not in STATE_ARRAYS:
                setattr(self, name, value)
                continue
            array = getattr(self, name)
            if not array.flags.writeable:
                if np.array_equal(array[places], value):
                    continue
                array = array.copy()
                setattr(self, name, array)
            array[places] = value

    def move_origin(self, by: np.ndarray) -> None:
        """Express the same model in features that are smaller by `by`: only the intercept changes."""
        if not by.any():
            return
        for array in (self.coef, self.average):
            array[-1] += by @ array[:-1]

    def drop_unused(self, *, momentum: float, centered: bool) -> None:
        """Clear what is not kept up to date while these are off, so that they begin anew once they are on again."""
        # new arrays of zeros, which take no memory yet
        if momentum == 0:
            self.velocity = np.zeros(self.velocity.shape, self.velocity.dtype)
            if not centered:
                self.gradient_mean = np.zeros(self.gradient_mean.shape, self.gradient_mean.dtype)

    def forget(self, share: float) -> None:
        """Let the average go on as if only this share of the steps so far had been done: it forgets them sooner."""
        self.forgotten = self.t - int(share * (self.t - self.forgotten))

    def published(self) -> np.ndarray:
        """The model that the state stands for: the average, but zero where the L1 penalty keeps a coefficient there.

        An average of iterates is hardly ever zero. But a coefficient that belongs at zero comes to rest there, and one
        that does not never rests for long, so that resting through the last `REST` of all steps tells them apart.
        """
        if not self.threshold.any():
            return self.average
        at_rest = (self.threshold > 0) & (self.coef == 0) & (self.t - self.active >= REST * self.t)
        return np.where(at_rest, 0, self.average)

    def is_finite(self) -> bool:
        """Whether no number has overflowed."""
        return all(np.isfinite(getattr(self, name)).all() for name in STATE_ARRAYS)


def seed_generator(random_state: np.random.RandomState) -> np.ndarray:
    """Draw a state for the kernel's generator, whose first number is odd."""
    generator = random_state.randint(1, np.iinfo(np.int64).max, size=2, dtype=np.int64).astype(np.uint64)
    generator[0] |= np.uint64(1)
    return generator
