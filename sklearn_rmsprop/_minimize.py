"""RMSprop for any function: a method for `scipy.optimize.minimize`."""

import inspect
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import OptimizeResult, OptimizeWarning, approx_fprime

from sklearn_rmsprop._compat import validate_parameter_constraints
from sklearn_rmsprop._parameters import MINIMIZE_CONSTRAINTS
from sklearn_rmsprop._schedules import Schedule
from sklearn_rmsprop._typing import ScheduleName
from sklearn_rmsprop._update import Iterate, UpdateRule

# The steps take their gradients at the iterate, so the gradient at the average is an extra one: taken this often it
# costs one percent.
CHECK_EVERY = 100

# Status and message; the numbers are those of SciPy's own methods.
CONVERGED = (0, "No component of the gradient exceeds tol.")
ALL_STEPS = (0, "All maxiter steps were made, as asked for with tol=None.")
TOO_FEW_STEPS = (1, "Maximum number of iterations has been exceeded.")
NOT_FINITE = (3, "NaN or infinity in the function, its gradient or a step; x is the last finite point.")
STOPPED = (99, "`callback` raised `StopIteration`.")
Outcome = tuple[int, str]


def rmsprop(
    fun: Callable[..., Any],
    x0: ArrayLike,
    args: tuple[Any, ...] = (),
    jac: Callable[..., Any] | None = None,
    callback: Callable[..., Any] | None = None,
    *,
    tol: float | None = None,
    learning_rate: float = 0.1,
    decay_rate: float | Literal["auto"] = 0.99,
    epsilon: float = 1e-8,
    momentum: float = 0.0,
    centered: bool = False,
    bias_correction: bool = True,
    schedule: ScheduleName | Schedule = "invsqrt",
    average: bool = True,
    maxiter: int = 10_000,
    bounds: Any = None,
    constraints: Any = (),
    hess: Any = None,
    hessp: Any = None,
    **unknown_options: Any,
) -> OptimizeResult:
    """Minimise any function by RMSprop, as ``scipy.optimize.minimize(..., method=rmsprop)``.

    Every step takes the gradient of the whole function. The options are the parameters of `RMSpropRegressor`, and the
    steps are its steps; of the defaults they share, `decay_rate` differs. Where a function is smooth and cheap, SciPy's
    own BFGS needs far fewer gradients; RMSprop is for gradients that are noisy, or that differ by orders of magnitude
    from coordinate to coordinate, and for learning what the algorithm does.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``, the number to minimise. Without `callback` it is called once, at the end, and for numerical
        gradients.

    x0 : array-like of shape (n,)
        Where to start; never changed. float32 stays float32 in all computations, everything else becomes float64.

    args : tuple, default=()
        Further arguments of `fun` and `jac`.

    jac : callable, default=None
        ``jac(x, *args)``, the gradient, of shape (n,). None: forward differences, in float64, which cost n + 1 calls of
        `fun` a step. `minimize` also accepts True, and replaces its other values (such as "2-point") by None.

    callback : callable, default=None
        Called after each step as ``callback(x)``, or as ``callback(intermediate_result=...)`` with an `OptimizeResult`
        of `x` and `fun` if that is the name of its only parameter, which costs a call of `fun` a step. With `average`,
        `x` is the average so far. Raising `StopIteration` ends the run there.

    tol : float or None, default=None
        The run ends when no component of the gradient at the point to be returned exceeds `tol` in magnitude (as `gtol`
        in BFGS). This is checked before the first step, after every 100 steps and after the last; `maxiter` steps
        without success are then a failure. None makes exactly `maxiter` steps and calls that a success.

    learning_rate : float, default=0.1
        Size of a step, in the units of `x`, in (0, inf). Ignored where `schedule` is a callable. With the other
        defaults, all steps together are about 1800 times as long, in each coordinate.

    decay_rate : float or "auto", default=0.99
        Decay of the moving average of squared gradients, in [0, 1), or 1 - 0.9 / t in step t. Not "auto" as in
        `RMSpropRegressor`: unlike those of mini-batches, the gradients of a function fade on the way to its minimum,
        and divided by an average over all of them they make steps that are too short.

    epsilon : float, default=1e-8
        Added to the root of the moving average, in (0, inf).

    momentum : float, default=0.0
        In [0, 1).

    centered : bool, default=False
        Divide by the gradient's moving standard deviation instead of its moving root mean square.

    bias_correction : bool, default=True
        Make up for the moving average's start from zero.

    schedule : {"invsqrt", "constant", "linear", "cosine"} or callable, default="invsqrt"
        How the step size decays. "linear" and "cosine" reach zero after `maxiter` steps. A callable receives an array
        of step numbers (1, 2, ...) and returns as many step sizes.

    average : bool, default=True
        Return the average of the iterates, late ones above all, instead of the last one.

    maxiter : int, default=10_000
        Largest number of steps, at least 1.

    bounds, constraints : None
        Not supported: anything else is an error.

    hess, hessp : None
        Not used: anything else gets a warning.

    **unknown_options : dict
        Other options get a warning.

    Returns
    -------
    OptimizeResult
        `x`, and `fun` and `jac` there; `nit` steps made, `nfev` and `njev` calls of `fun` and `jac` (numerical
        gradients count in both); `status` 0 (which is `success`), 1 (`maxiter` steps did not reach `tol`), 3 (NaN or
        infinity came up; `x` is the last finite point) or 99 (stopped by `callback`), and the same in words as
        `message`.

    See Also
    --------
    RMSpropRegressor : RMSprop for linear models, compiled, with mini-batches.

    Notes
    -----
    ``schedule="constant", average=False, bias_correction=False`` is the textbook algorithm. Its last iterate does not
    converge: it oscillates around the minimum at a distance of the order of `learning_rate`.

    A good `learning_rate` is a hundredth of the way to go; scaling `x` and `learning_rate` alike changes nothing else.
    The defaults were chosen on convex quadratic functions of 1 to 50 variables and on a logistic regression. They came
    within 2e-4 of an optimum up to 10 away, and within 0.04 of one 100 away, with condition numbers up to 1e3 (1e6
    where the axes of the function are those of `x`). At 1e4 they came within 2e-5 of the minimum of the function, but
    not near the optimum. Winding valleys, such as Rosenbrock's, need smaller and more steps.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from sklearn_rmsprop import rmsprop
    >>> def fun(x):
    ...     return (x[0] - 3) ** 2 + 1000 * (x[1] + 2) ** 2
    >>> def jac(x):
    ...     return 2 * (x[0] - 3), 2000 * (x[1] + 2)
    >>> result = minimize(
    ...     fun, x0=[0, 0], jac=jac, method=rmsprop, options={"maxiter": 1000}
    ... )
    >>> result.x.round(3)
    array([ 3., -2.])

    The textbook algorithm, until the gradient is small:

    >>> textbook = {
    ...     "schedule": "constant",
    ...     "average": False,
    ...     "bias_correction": False,
    ...     "maxiter": 1000,
    ... }
    >>> result = minimize(
    ...     fun, x0=[0, 0], jac=jac, method=rmsprop, tol=1e-5, options=textbook
    ... )
    >>> result.message
    'No component of the gradient exceeds tol.'
    """
    options = {
        "learning_rate": learning_rate,
        "decay_rate": decay_rate,
        "epsilon": float(epsilon),
        "momentum": float(momentum),
        "centered": centered,
        "bias_correction": bias_correction,
        "schedule": schedule,
        "average": average,
    }
    validate_parameter_constraints(MINIMIZE_CONSTRAINTS, {**options, "tol": tol, "maxiter": maxiter}, "rmsprop")
    _check_unsupported(jac=jac, bounds=bounds, constraints=constraints, hess=hess, hessp=hessp, unknown=unknown_options)
    function = _CountedFunction(fun, jac, args if isinstance(args, tuple) else (args,))
    notify = _notifier(callback, function)
    x0 = _start(x0)
    return _result(function, *_descend(function, x0, UpdateRule.of(options), maxiter=maxiter, tol=tol, notify=notify))


def _result(
    function: "_CountedFunction", x: np.ndarray, before: np.ndarray, nit: int, outcome: Outcome
) -> OptimizeResult:
    """The result at `x`, or at the point one step before if the function is not finite at `x`."""
    value, gradient = function.value(x), function.gradient(x)
    if not (np.isfinite(value) and np.isfinite(gradient).all()):
        x, outcome = before, NOT_FINITE
        value, gradient = function.value(x), function.gradient(x)
    status, message = outcome
    return OptimizeResult(
        x=x,
        fun=value,
        jac=gradient,
        nit=nit,
        nfev=function.nfev,
        njev=function.njev,
        status=status,
        success=status == 0,
        message=message,
    )


def _check_unsupported(
    *, jac: Any, bounds: Any, constraints: Any, hess: Any, hessp: Any, unknown: dict[str, Any]
) -> None:
    """Reject what would make the result wrong, and warn about what has no effect."""
    if not (jac is None or callable(jac)):
        raise TypeError(f"'jac' must be a callable or None. Got {jac!r} instead.")
    if bounds is not None:
        raise ValueError(f"The method rmsprop cannot handle bounds: 'bounds' must be None. Got {bounds!r} instead.")
    if np.any(constraints):
        raise ValueError(
            f"The method rmsprop cannot handle constraints: 'constraints' must be empty. Got {constraints!r} instead."
        )
    for name, value in (("hess", hess), ("hessp", hessp)):
        if value is not None:
            warnings.warn(f"The method rmsprop does not use '{name}'.", RuntimeWarning, stacklevel=4)
    # None is what `minimize` passes for a parameter, perhaps of a later version, that the user did not set.
    names = [name for name, value in unknown.items() if value is not None]
    if names:
        warnings.warn(f"Unknown solver options: {', '.join(names)}", OptimizeWarning, stacklevel=4)


def _start(x0: ArrayLike) -> np.ndarray:
    """A copy of `x0`, in the type of all computations."""
    x = np.atleast_1d(np.asarray(x0))
    if x.ndim != 1 or x.size == 0 or x.dtype.kind not in "fiub":
        raise ValueError(f"'x0' must be one-dimensional, real and not empty. Got shape {x.shape} of type {x.dtype}.")
    if not np.isfinite(x).all():
        raise ValueError(f"'x0' must be finite. Got {x}.")
    return x.astype(np.float32 if x.dtype == np.float32 else np.float64)


class _CountedFunction:
    """The user's function and its gradient, and how often they were called."""

    def __init__(self, fun: Callable[..., Any], jac: Callable[..., Any] | None, args: tuple[Any, ...]):
        self._fun, self._jac, self._args = fun, jac, args
        self.nfev = self.njev = 0
        # What was computed last, and where.
        self._value: tuple[np.ndarray, float] | None = None
        self._gradient: tuple[np.ndarray, np.ndarray] | None = None

    def value(self, x: np.ndarray) -> float:
        """The function at `x`; not computed again if that is where it was computed last."""
        if self._value is None or not np.array_equal(self._value[0], x):
            self._value = x, self._call(x)
        return self._value[1]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient at `x`; not computed again if that is where it was computed last."""
        if self._gradient is None or not np.array_equal(self._gradient[0], x):
            return self.new_gradient(x)
        return self._gradient[1]

    def new_gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient at `x`, in its type: computed in any case, for it may be noisy."""
        self.njev += 1
        # The user's functions get copies: they may write to them.
        gradient = approx_fprime(x, self._call) if self._jac is None else self._jac(x.copy(), *self._args)
        with np.errstate(all="ignore"):  # too large for float32 becomes infinite, which the caller looks for
            gradient = np.atleast_1d(np.asarray(gradient)).astype(x.dtype)
        if gradient.shape != x.shape:
            raise ValueError(f"'jac' must return an array of shape {x.shape}. Got shape {gradient.shape} instead.")
        self._gradient = x, gradient
        return gradient

    def _call(self, x: np.ndarray) -> float:
        self.nfev += 1
        value = np.asarray(self._fun(x.copy(), *self._args))
        if value.size != 1:
            raise ValueError(f"'fun' must return one number. Got an array of shape {value.shape} instead.")
        return float(value.item())


def _notifier(callback: Callable[..., Any] | None, function: _CountedFunction) -> Callable[[np.ndarray], object]:
    """Find out which of the two kinds of callbacks SciPy knows this is."""
    if callback is None:
        return lambda x: None
    if set(inspect.signature(callback).parameters) == {"intermediate_result"}:
        return lambda x: callback(intermediate_result=OptimizeResult(x=x.copy(), fun=function.value(x)))
    return lambda x: callback(x.copy())


def _descend(
    function: _CountedFunction,
    x: np.ndarray,
    rule: UpdateRule,
    *,
    maxiter: int,
    tol: float | None,
    notify: Callable[[np.ndarray], object],
) -> tuple[np.ndarray, np.ndarray, int, Outcome]:
    """Step until there is a reason to stop.

    Returns
    -------
    x, before : the point to be returned, and the one a step earlier
    nit : steps made
    outcome : the reason
    """
    iterate, before, nit, schedule = Iterate.at_start(x), x, 0, rule.step_sizes(maxiter)
    # In float64 as in the estimator: late steps change the average by less than the resolution of float32.
    average = x.astype(np.float64)
    # A gradient that is NaN does not end the loop here but in the step.
    while tol is None or not np.abs(function.gradient(x)).max() <= tol:
        if nit == maxiter:
            return x, before, nit, ALL_STEPS if tol is None else TOO_FEW_STEPS
        numbers = np.arange(nit + 1, min(nit + CHECK_EVERY, maxiter) + 1)
        # Python's numbers, because NumPy's would turn float32 into float64.
        sequences = (schedule(numbers).tolist(), rule.decay(numbers).tolist(), rule.average_decay(numbers).tolist())
        for rate, decay, average_decay in zip(*sequences, strict=True):
            gradient = function.new_gradient(iterate.x)
            with np.errstate(all="ignore"):
                iterate = rule.step(iterate, gradient, rate, decay)
            if not iterate.is_finite():
                return before, before, nit, NOT_FINITE
            average = average_decay * average + (1 - average_decay) * iterate.x
            before, x, nit = x, average.astype(x.dtype), nit + 1
            try:
                notify(x)
            except StopIteration:
                return x, before, nit, STOPPED
    return x, before, nit, CONVERGED
