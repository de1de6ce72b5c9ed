"""The optimizer's state: a value that is started, trained by the engine, averaged with other states, and stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_rmsprop._kernel._memory import checked_array

# With an L1 penalty, the share of all steps through which a coefficient must have been zero to be reported as zero.
# Measured (docs/kernel_notes.md): shares from 0.05 to 0.5 give the same excess loss; a larger share gives fewer wrong
# zeros and finds fewer of the right ones.
REST_SHARE = 0.2

# An array of which fewer than this share of the elements are not zero is stored as their places and values.
SPARSE_SHARE = 0.5


def scaled(array: np.ndarray, scale: float) -> np.ndarray:
    """The product, of the array's type; the array itself where the scale is 1."""
    return array if scale == 1 else array * array.dtype.type(scale)


def smallest_scale(dtype: np.dtype) -> float:
    """A scale of stored numbers below this is multiplied into them.

    It is far from where the scale itself, or numbers divided by it, leave the range of their type.
    """
    return float(np.finfo(dtype).tiny) ** 0.25


def pack(array: np.ndarray) -> Any:
    """The array, or its nonzero elements where they are few, ready to be stored."""
    places = np.flatnonzero(array)
    if len(places) >= SPARSE_SHARE * array.size:
        return array
    if array.size <= np.iinfo(np.uint32).max:
        places = places.astype(np.uint32)
    return array.shape, places, array.ravel()[places]


def unpack(packed: Any) -> np.ndarray:
    """The array that was packed, where the kernel can read it: a file that is mapped into memory may not be aligned."""
    if isinstance(packed, np.ndarray):
        return np.require(packed, requirements=["C", "A"])
    shape, places, values = packed
    array = np.zeros(shape, values.dtype)
    array.ravel()[places] = values
    return array


@dataclass(eq=False)
class State:
    """What changes during a fit. A state is a value: its methods return new ones, but for `absorb`.

    Arrays are (n_features + 1, n_targets) with the intercept last; None stands for zeros. Deviation and moments are
    stored in units of a scale, so that steps which change all coordinates by a common factor need not touch them.

    Attributes
    ----------
    coef : the current iterate
    scaled_deviation, deviation_scale : their product is the averaged iterate less the current one
    scaled_square, scaled_gradient_mean, moment_scale : moving averages of the squared gradient and of the gradient
    velocity : momentum's accumulated step
    threshold : the accumulated steps of the L1 penalty
    offset : the accumulated gradient steps less the coefficient
    active : the last step at which the coefficient was not zero, where there is an L1 penalty
    generator : state of the random number generator
    t : steps done
    decay_product : product of all decays so far; 0 without bias correction
    forgotten : number of the first steps that are not in the step count of the average
    """

    coef: np.ndarray
    scaled_square: np.ndarray
    generator: np.ndarray
    t: int
    decay_product: float
    forgotten: int = 0
    scaled_deviation: np.ndarray | None = None
    scaled_gradient_mean: np.ndarray | None = None
    velocity: np.ndarray | None = None
    threshold: np.ndarray | None = None
    offset: np.ndarray | None = None
    active: np.ndarray | None = None
    deviation_scale: float = 1.0
    moment_scale: float = 1.0

    @classmethod
    def start(cls, coef: np.ndarray, dtype: np.dtype, generator: np.ndarray, *, bias_correction: bool) -> "State":
        """The state before the first step, at the point `coef`."""
        coef = np.ascontiguousarray(coef)
        rounded = coef.astype(dtype)
        return cls(
            coef=rounded,
            scaled_deviation=coef - rounded if rounded.dtype != coef.dtype else None,
            scaled_square=np.zeros(coef.shape, dtype),
            generator=generator,
            t=0,
            decay_product=float(bias_correction),
        )

    def after(self, stored: dict[str, np.ndarray], n_steps: int, decay_product: float) -> "State":
        """The state after steps of the kernel, whose rows have returned these arrays."""
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is noticed later, and gets an error
            deviation = stored["average"] - stored["coef"]
        return State(
            coef=stored["coef"],
            scaled_deviation=deviation,
            scaled_square=stored["square"],
            generator=stored["generator"],
            t=self.t + n_steps,
            decay_product=decay_product,
            forgotten=self.forgotten,
            scaled_gradient_mean=stored.get("gradient_mean"),
            velocity=stored.get("velocity"),
            # without a penalty they stay as they are
            threshold=stored.get("threshold", self.threshold),
            offset=stored.get("offset", self.offset),
            active=stored.get("active", self.active),
        )

    @property
    def average(self) -> np.ndarray:
        """The averaged iterate, in float64."""
        if self.scaled_deviation is None:
            return self.coef.astype(np.float64)
        if self.deviation_scale == 1:
            return self.coef + self.scaled_deviation
        result = self.scaled_deviation * self.deviation_scale
        result += self.coef
        return result

    @property
    def square(self) -> np.ndarray:
        """The moving average of the squared gradient."""
        return scaled(self.scaled_square, self.moment_scale)

    @property
    def gradient_mean(self) -> np.ndarray | None:
        """The moving average of the gradient."""
        return None if self.scaled_gradient_mean is None else scaled(self.scaled_gradient_mean, self.moment_scale)

    def reported(self) -> np.ndarray:
        """The coordinates to report: the averaged iterate, and zero where the L1 penalty holds a coefficient there.

        An average of iterates is hardly ever zero. But a coefficient whose optimum is zero stays there
        eventually; others keep leaving it.
        """
        if self.threshold is None or self.active is None:
            return self.average
        at_zero = (self.threshold > 0) & (self.coef == 0) & (self.t - self.active >= REST_SHARE * self.t)
        return np.where(at_zero, 0, self.average)

    def is_finite(self) -> bool:
        """Whether no number has overflowed."""
        return all(np.isfinite(array).all() for array in self.arrays().values())

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays with a number per coordinate, by name."""
        return {name: a for name, a in vars(self).items() if isinstance(a, np.ndarray) and name != "generator"}

    def check(self, n_features: int, n_targets: int) -> None:
        """Raise a ValueError unless the arrays have the shape and the types that compiled code will read.

        They may not if somebody has written to the attributes of an estimator, or fitted it in two threads.
        """
        real = np.float32 if getattr(self.coef, "dtype", None) == np.float32 else np.float64
        dtypes = dict.fromkeys(("coef", "scaled_square"), real)
        for name in ("scaled_gradient_mean", "velocity", "threshold", "offset", "active", "scaled_deviation"):
            if getattr(self, name) is not None:
                dtypes[name] = np.float64 if name == "scaled_deviation" else real
        for name, dtype in dtypes.items():
            checked_array(f"The state's {name}", getattr(self, name), dtype, (n_features + 1, n_targets))
        checked_array("The state's generator", self.generator, np.uint64, (2,))

    def with_arrays(self, change: Any, **others: Any) -> "State":
        """This state with `change(array)` in place of each array with a number per coordinate."""
        return replace(self, **{name: change(array) for name, array in self.arrays().items()}, **others)

    def with_origin_moved(self, by: np.ndarray | None) -> "State":
        """The same model for features that are smaller by `by`, (n_features,): only the intercept changes.

        The averaged intercept belongs to the reported coefficients, some of which the L1 penalty may hold at zero.
        """
        if by is None:
            return self
        average, coef = self.average, self.coef.copy()
        average[-1] += by @ self.reported()[:-1]
        coef[-1] += by @ coef[:-1]
        return replace(self, coef=coef, scaled_deviation=average - coef, deviation_scale=1.0)

    def at_point(self, point: np.ndarray) -> "State":
        """The state with both the current and the averaged iterate at `point`; nothing else changes.

        With an L1 penalty the offset of a coefficient that is not zero is the threshold, with the coefficient's sign:
        with another offset the next step would move it, even without a gradient.
        """
        point = np.ascontiguousarray(point)
        coef, offset, active = point.astype(self.coef.dtype), self.offset, self.active
        if offset is not None and self.threshold is not None:
            offset = np.where(coef != 0, np.copysign(self.threshold, coef), offset)
        if active is not None:
            active = np.where(coef != 0, active.dtype.type(self.t), active)
        return replace(
            self, coef=coef, scaled_deviation=point - coef, deviation_scale=1.0, offset=offset, active=active
        )

    def restarted_at(self, coef: np.ndarray, average: np.ndarray, *, dtype: np.dtype) -> "State":
        """The state at these iterates, in other coordinates: moving averages start anew, the step count continues.

        They are corrected for that start even without `bias_correction`: by now a step would be far too long.
        """
        rounded = np.array(coef, dtype=dtype, order="C")
        return State(
            coef=rounded,
            scaled_square=np.zeros_like(rounded),
            generator=self.generator,
            t=self.t,
            decay_product=1.0,
            forgotten=self.forgotten,
            scaled_deviation=average - rounded,
        )

    def forgetting(self, share: float) -> "State":
        """Multiply the step count of the average by `share`, which gives less weight to the iterates so far."""
        return replace(self, forgotten=self.t - int(share * (self.t - self.forgotten)))

    def without_unused(self, *, momentum: float, centered: bool) -> "State":
        """Without the moments that these settings do not update: they restart at zero when needed again."""
        return replace(
            self,
            velocity=self.velocity if momentum > 0 else None,
            scaled_gradient_mean=self.scaled_gradient_mean if momentum > 0 or centered else None,
        )

    def of_targets(self, targets: np.ndarray) -> "State":
        """The state of some of the targets."""
        return self.with_arrays(lambda array: np.ascontiguousarray(array[:, targets]))

    def of_coordinates(self, places: np.ndarray) -> "State":
        """The state of the coordinates at these places."""
        return self.with_arrays(lambda array: array[places])

    def absorb(self, places: np.ndarray, part: "State", *, average_decay: float, moment_decay: float) -> "State":
        """The state after steps in which only the coordinates at `places` had gradients, and have become `part`.

        Meanwhile the others' deviation and moments have decayed by these factors. To touch only the coordinates at
        `places`, this writes into the arrays of the state, which must not be used any more.
        """
        result = replace(self)
        result.generator, result.t, result.decay_product = part.generator, part.t, part.decay_product
        result.deviation_scale *= average_decay
        result.moment_scale *= moment_decay
        if result.deviation_scale == 0:
            result.scaled_deviation, result.deviation_scale = None, 1.0
        elif result.deviation_scale < smallest_scale(np.dtype(np.float64)) and result.scaled_deviation is not None:
            result.scaled_deviation, result.deviation_scale = result.scaled_deviation * result.deviation_scale, 1.0
        if result.moment_scale < smallest_scale(result.scaled_square.dtype):
            for name in ("scaled_square", "scaled_gradient_mean"):
                if (array := getattr(result, name)) is not None:
                    setattr(result, name, scaled(array, result.moment_scale))
            result.moment_scale = 1.0
        scale = {"scaled_deviation": result.deviation_scale}
        scale |= dict.fromkeys(("scaled_square", "scaled_gradient_mean"), result.moment_scale)
        for name, values in part.arrays().items():
            array = getattr(result, name)
            if array is None or not array.flags.writeable:
                array = np.zeros(self.coef.shape, values.dtype) if array is None else array.copy()
                setattr(result, name, array)
            array[places] = values / scale[name] if name in scale else values
        return result

    @staticmethod
    def mean(states: Sequence["State"], shares: Sequence[float]) -> "State":
        """The mean of states with these shares, which add up to 1: one round of data-parallel training.

        All numbers are averaged; a coefficient has been zero through the least of the states' shares of their steps.
        The generator is that of the first state.
        """
        result = replace(states[0])
        result.deviation_scale = result.moment_scale = 1.0

        def mean_of(arrays: list[np.ndarray | None]) -> np.ndarray | None:
            present = [array for array in arrays if array is not None]
            if not present:
                return None
            total = np.zeros(present[0].shape)
            for share, array in zip(shares, arrays, strict=True):
                if array is not None:
                    total += share * array
            return total.astype(present[0].dtype)

        average = sum(share * state.average for share, state in zip(shares, states, strict=True))
        coef = sum(share * state.coef.astype(np.float64) for share, state in zip(shares, states, strict=True))
        result.coef = np.asarray(coef, dtype=states[0].coef.dtype)
        result.scaled_deviation = average - result.coef
        result.scaled_square = np.asarray(mean_of([state.square for state in states]))
        result.scaled_gradient_mean = mean_of([state.gradient_mean for state in states])
        for name in ("velocity", "threshold", "offset"):
            setattr(result, name, mean_of([getattr(state, name) for state in states]))
        result.generator = states[0].generator.copy()
        for name in ("t", "forgotten"):
            setattr(result, name, round(sum(p * getattr(s, name) for p, s in zip(shares, states, strict=True))))
        # States may have done different numbers of steps: `reported` uses `active` relative to `t`.
        active = [np.floor(s.active * (result.t / max(s.t, 1))) for s in states if s.active is not None]
        result.active = np.max(active, axis=0) if active else None
        result.decay_product = sum(p * s.decay_product for p, s in zip(shares, states, strict=True))
        return result

    def copy(self) -> "State":
        """A state with arrays of its own."""
        return self.with_arrays(np.copy, generator=self.generator.copy())

    def __getstate__(self) -> dict[str, Any]:
        """What is stored of it: no zeros."""
        stored = {name: value for name, value in vars(self).items() if value is not None}
        return stored | {name: pack(array) for name, array in self.arrays().items()}

    def __setstate__(self, stored: dict[str, Any]) -> None:
        for name, value in stored.items():
            setattr(self, name, unpack(value) if isinstance(value, tuple | np.ndarray) else value)


def seed_generator(random_state: np.random.RandomState) -> np.ndarray:
    """Draw a state for the kernel's generator: two numbers, the first of them odd."""
    generator = random_state.randint(1, np.iinfo(np.int64).max, size=2, dtype=np.int64).astype(np.uint64)
    generator[0] |= np.uint64(1)
    return generator


def make_generator(seed: Sequence[int]) -> np.ndarray:
    """A state for the kernel's generator that depends on these numbers only."""
    generator = np.random.SeedSequence(seed).generate_state(2, np.uint64)
    generator[0] |= np.uint64(1)
    return generator
