"""The estimator: its parameters and what `fit`, `partial_fit` and `predict` mean. No loops."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_rmsprop._compat import Interval, StrOptions, fit_context
from sklearn_rmsprop._data import Sample, Units, checked_start, measure_units, validate_training
from sklearn_rmsprop._monitor import make_monitor
from sklearn_rmsprop._objective import LOSSES, make_loss, null_loss
from sklearn_rmsprop._optimizer import Optimizer, State, seed_generator
from sklearn_rmsprop._schedules import ENDING, SCHEDULES, Schedule, make_schedule
from sklearn_rmsprop._stopping import Stopping
from sklearn_rmsprop._training import History, Problem, train

# Data of these types is taken as it is; everything else becomes the first.
REALS = (np.float64, np.float32)


class RMSpropRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Docstring to come."""

    _parameter_constraints: ClassVar[dict] = {
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
        "fit_intercept": ["boolean"],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        loss: str = "squared_error",
        *,
        learning_rate: float = 0.1,
        decay_rate: float | Literal["auto"] = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        bias_correction: bool = True,
        schedule: str | Schedule = "invsqrt",
        average: bool = True,
        batch_size: int | None = 32,
        max_iter: int = 1000,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 5,
        standardize: bool = True,
        fit_intercept: bool = True,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        warm_start: bool = False,
        verbose: int = 0,
    ):
        self.loss = loss
        self.learning_rate = learning_rate
        self.decay_rate = decay_rate
        self.epsilon = epsilon
        self.momentum = momentum
        self.centered = centered
        self.bias_correction = bias_correction
        self.schedule = schedule
        self.average = average
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.standardize = standardize
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> Self:
        """Fit the model from scratch, or with `warm_start` from where the last fit arrived."""
        with self._unchanged_on_failure():
            sample = validate_training(self, X, y, sample_weight, dtype=REALS, reset=True)
            units = measure_units(sample, standardize=self.standardize, fit_intercept=self.fit_intercept)
            state = self._start(sample, units, coef_init, intercept_init)
            stopping, history = self._train(sample, units, state, tol=self.tol, max_iter=self.max_iter)
            self._publish(sample, units, state, history)
        if stopping.reason == "max_iter" and self.tol is not None:
            warnings.warn(
                f"The loss was still improving by more than tol={self.tol} of what there is to gain when "
                f"max_iter={self.max_iter} was reached. Increase max_iter, raise learning_rate, or raise tol.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from these rows in one pass, going on from where the last call arrived."""
        if isinstance(self.schedule, str) and self.schedule in ENDING:
            raise ValueError(
                f"partial_fit cannot use schedule={self.schedule!r}, which must know the number of steps to come. Use "
                "'constant', 'invsqrt' or a callable."
            )
        first = not hasattr(self, "_state")
        with self._unchanged_on_failure():
            dtype = REALS if first else self._state.coef.dtype
            sample = validate_training(self, X, y, sample_weight, dtype=dtype, reset=first)
            if first:
                units = measure_units(sample, standardize=self.standardize, fit_intercept=self.fit_intercept)
                state, before = self._start(sample, units, None, None), History(0, [])
            else:
                units, state, before = self._units, self._state.copy(), History(self.n_iter_, self.loss_curve_)
            n_targets = state.coef.shape[1]
            if sample.y.shape[1] != n_targets:
                raise ValueError(f"y must have {n_targets} targets, as in the first call; got {sample.y.shape[1]}.")
            _, history = self._train(sample, units, state, tol=None, max_iter=1)
            self._publish(sample, units, state, before.then(history))
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the target."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=("csr", "csc", "coo"), dtype=REALS, reset=False)
        return safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _start(self, sample: Sample, units: Units, coef_init, intercept_init) -> State:
        """The state before the first step: at zero, at the point given, or where the last fit arrived."""
        n_features, n_targets = sample.X.shape[1], sample.y.shape[1]
        source = "for this X and y"
        if self.warm_start and hasattr(self, "coef_"):
            source += " (with warm_start=True it defaults to the earlier fit's)"
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        coef, intercept = np.zeros((n_features, n_targets)), np.zeros(n_targets)
        if coef_init is not None:
            shape = (n_features,) if sample.flat else (n_targets, n_features)
            coef = checked_start("coef_init", coef_init, shape, source).reshape(n_targets, n_features).T
        if intercept_init is not None and self.fit_intercept:
            shape = () if sample.flat else (n_targets,)
            intercept = checked_start("intercept_init", intercept_init, shape, source)
        start = units.to_kernel(coef, intercept)
        if intercept_init is None:
            start[-1] = 0
        random_state = check_random_state(self.random_state)
        return State.start(start, sample.X.dtype, seed_generator(random_state), bias_correction=self.bias_correction)

    def _train(
        self, sample: Sample, units: Units, state: State, *, tol: float | None, max_iter: int
    ) -> tuple[Stopping, History]:
        """Run the training loop on `state`."""
        y, weight = units.target(sample.y), units.weights(sample.weight)
        with units.origin_for(sample.X, state):
            problem = Problem(
                rows=units.rows(sample.X, state, self.fit_intercept),
                y=y,
                weight=weight,
                order=sample.order,
                loss=make_loss(self.loss),
                loss_unit=units.y_unit**2,
                batch_size=min(self.batch_size or len(sample.order), len(sample.order)),
                shuffle=self.shuffle,
            )
            optimizer = Optimizer(
                schedule=make_schedule(self.schedule, self.learning_rate, max_iter * problem.steps_per_epoch),
                decay_rate=self.decay_rate,
                epsilon=self.epsilon,
                momentum=self.momentum,
                centered=self.centered,
                average=self.average,
            )
            threshold = None if tol is None else tol * null_loss(y, weight, sample.order)
            stopping = Stopping(threshold, self.n_iter_no_change, max_iter)
            history = train(problem, optimizer, state, stopping, make_monitor(self.verbose))
        return stopping, history

    def _publish(self, sample: Sample, units: Units, state: State, history: History) -> None:
        """Set the fitted attributes."""
        coef, intercept = (array.astype(sample.X.dtype) for array in units.to_user(state.average))
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError(
                f"The coefficients overflow {sample.X.dtype}. Scale X and y, or pass X as float64."
            )
        self.coef_ = coef[:, 0].copy() if sample.flat else np.ascontiguousarray(coef.T)
        self.intercept_ = intercept[0] if sample.flat else intercept
        self.n_iter_ = history.n_iter
        self.t_ = state.t
        self.loss_curve_ = history.loss_curve
        self._units = units
        self._state = state

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        """Give the estimator its attributes back if an exception, Ctrl-C included, ends a fit."""
        before = vars(self).copy()
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise
