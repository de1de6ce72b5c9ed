"""Who looks on while a model is trained: `verbose`, and scikit-learn's callbacks.

A monitor knows nothing of the kernel, and the training loop nothing of the estimator, which only a monitor may hold.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_rmsprop._optimizer import State
from sklearn_rmsprop._stopping import IN_WORDS, Reason


@dataclass
class History:
    """What a training run has to tell.

    Attributes
    ----------
    epochs : epochs done at each check
    loss_curve : the objective there, in the user's units
    validation_scores : the score there of the rows held out; None without such rows
    """

    epochs: list[int] = field(default_factory=list)
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None

    @property
    def n_iter(self) -> int:
        """Epochs done so far."""
        return self.epochs[-1] if self.epochs else 0

    def copy(self) -> "History":
        """A history with lists of its own."""
        scores = self.validation_scores
        return History(self.epochs[:], self.loss_curve[:], None if scores is None else scores[:])

    def then(self, later: "History") -> "History":
        """This run and a later one; the lists grow in place, for streams of very many calls."""
        n_before = self.n_iter
        self.epochs.extend([n_before + epoch for epoch in later.epochs])
        self.loss_curve.extend(later.loss_curve)
        return History(self.epochs, self.loss_curve, later.validation_scores)


class Monitor:
    """Hooks of a training run; these do nothing."""

    def start(self, n_checks: int, null_loss: Callable[[], float]) -> None:
        """Before training: at most so many checks to come; `null_loss()` is the best constant's loss on their rows."""

    def begin_check(self) -> None:
        """Before the epochs that lead to a check."""

    def end_check(self, history: History, reached: Callable[[], State]) -> bool:
        """After a check: whether to stop. `reached()` is a copy of the state that would be published."""
        return False

    def finish(self, history: History, reason: Reason | None) -> None:
        """After training, once the model is published."""


class Monitors(Monitor):
    """Several monitors at once, or none."""

    def __init__(self, monitors: list[Monitor]):
        self._monitors = monitors

    def start(self, n_checks: int, null_loss: Callable[[], float]) -> None:
        for monitor in self._monitors:
            monitor.start(n_checks, null_loss)

    def begin_check(self) -> None:
        for monitor in self._monitors:
            monitor.begin_check()

    def end_check(self, history: History, reached: Callable[[], State]) -> bool:
        # each must see the check, also after one that asks to stop
        asked = [monitor.end_check(history, reached) for monitor in self._monitors]
        return any(asked)

    def finish(self, history: History, reason: Reason | None) -> None:
        for monitor in self._monitors:
            monitor.finish(history, reason)


class VerboseMonitor(Monitor):
    """Prints a table with a line per check, and why training stopped.

    Parameters
    ----------
    n_before : int
        Epochs done in earlier calls of `partial_fit`, whose table this one continues.
    """

    def __init__(self, n_before: int = 0):
        self._n_before = n_before

    def start(self, n_checks: int, null_loss: Callable[[], float]) -> None:
        self._null_loss = null_loss()
        self._began = time.perf_counter()

    def end_check(self, history: History, reached: Callable[[], State]) -> bool:
        loss = history.loss_curve[-1]
        # zero where the square of a tiny target's unit is
        explained = 1 - loss / self._null_loss if self._null_loss > 0 else math.nan
        cells = {"epoch": f"{self._n_before + history.n_iter}", "loss": f"{loss:.6g}", "explained": f"{explained:.5f}"}
        if history.validation_scores is not None:
            cells["validation"] = f"{history.validation_scores[-1]:.5f}"
        cells["seconds"] = f"{time.perf_counter() - self._began:.3f}"
        if self._n_before + len(history.epochs) == 1:
            print("".join(f"{heading:>12}" for heading in cells))
        print("".join(f"{text:>12}" for text in cells.values()))
        return False

    def finish(self, history: History, reason: Reason | None) -> None:
        print(f"Stopped after {history.n_iter} epochs: {IN_WORDS[reason]}.")


class CallbackMonitor(Monitor):
    """Calls scikit-learn's callbacks: the fit is a task, and each check a task within it.

    Parameters
    ----------
    estimator : the estimator being fitted
    X, y, sample_weight : what its user passed
    reconstruct : from a state and a history to the attributes of a model fitted so far
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        reconstruct: Callable[[State, History], dict[str, Any]],
    ):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._estimator = estimator
        self._reconstruct = reconstruct

    def start(self, n_checks: int, null_loss: Callable[[], float]) -> None:
        self._fit = self._estimator._init_callback_context(max_subtasks=n_checks)
        self._fit.call_on_fit_task_begin(**self._arguments)

    def begin_check(self) -> None:
        self._check = self._fit.subcontext(task_name="check")
        self._check.call_on_fit_task_begin(**self._arguments)

    def end_check(self, history: History, reached: Callable[[], State]) -> bool:
        # a function, since most callbacks do not ask for a model, and to make one costs time and memory
        return self._check.call_on_fit_task_end(
            **self._arguments, reconstruction_attributes=lambda: self._reconstruct(reached(), history.copy())
        )

    def finish(self, history: History, reason: Reason | None) -> None:
        self._fit.call_on_fit_task_end(**self._arguments, reconstruction_attributes={})
