"""Hooks that observe training: `verbose`, and scikit-learn's callbacks.

Only monitors may hold the estimator: the engine does not know it.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from sklearn_rmsprop._compat import has_callbacks
from sklearn_rmsprop._state import State
from sklearn_rmsprop._stopping import IN_WORDS, Reason
from sklearn_rmsprop._typing import Rows


@dataclass
class History:
    """What a training run reports.

    Attributes
    ----------
    epochs : epochs done at each evaluation of the loss, with fractions
    loss_curve : the objective there, in the user's units
    validation_scores : the score of held-out rows there; None without such rows
    batch_size : rows that were drawn for a batch
    """

    epochs: list[float] = field(default_factory=list)
    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] | None = None
    batch_size: int = 0

    @property
    def n_epochs(self) -> float:
        """Epochs done so far, with fractions."""
        return self.epochs[-1] if self.epochs else 0.0

    @property
    def n_iter(self) -> int:
        """Epochs begun so far."""
        return math.ceil(self.n_epochs)

    def add(self, epochs: float, loss: float) -> None:
        """Record the loss after so many epochs."""
        self.epochs.append(epochs)
        self.loss_curve.append(loss)

    def add_score(self, score: float) -> bool:
        """Record a score of held-out rows; return whether it is the best so far."""
        assert self.validation_scores is not None
        best = max(self.validation_scores, default=-math.inf)
        self.validation_scores.append(score)
        return score > best

    def copy(self) -> "History":
        """A history with lists of its own."""
        scores = self.validation_scores
        return replace(
            self,
            epochs=self.epochs[:],
            loss_curve=self.loss_curve[:],
            validation_scores=None if scores is None else scores[:],
        )

    def then(self, later: "History") -> "History":
        """This run and a later one. Extends the lists in place, so that a long stream costs no copies."""
        n_before = self.n_epochs
        self.epochs.extend([n_before + epoch for epoch in later.epochs])
        self.loss_curve.extend(later.loss_curve)
        return replace(later, epochs=self.epochs, loss_curve=self.loss_curve)


class Monitor:
    """Hooks of a training run; these do nothing.

    Attributes
    ----------
    watches : whether there is anybody to see the loss, who is to see it at the end of each epoch at least
    """

    watches = False

    def start(self, n_evaluations: int, null_loss: Callable[[], float]) -> None:
        """Before training, with the largest number of evaluations; `null_loss()` is the best constant's loss."""

    def begin_evaluation(self) -> None:
        """Before the steps that lead to an evaluation."""

    def end_evaluation(self, history: History, reached: Callable[[], State]) -> bool:
        """After an evaluation: whether to stop. `reached()` is the state that training would return now."""
        return False

    def finish(self, history: History, reason: Reason | None) -> None:
        """After training, once the fitted attributes are set."""


class Monitors(Monitor):
    """Several monitors at once, or none."""

    def __init__(self, monitors: list[Monitor]):
        self._monitors = monitors
        self.watches = any(monitor.watches for monitor in monitors)

    def start(self, n_evaluations: int, null_loss: Callable[[], float]) -> None:
        for monitor in self._monitors:
            monitor.start(n_evaluations, null_loss)

    def begin_evaluation(self) -> None:
        for monitor in self._monitors:
            monitor.begin_evaluation()

    def end_evaluation(self, history: History, reached: Callable[[], State]) -> bool:
        # each must see the evaluation, also after one that asks to stop
        asked = [monitor.end_evaluation(history, reached) for monitor in self._monitors]
        return any(asked)

    def finish(self, history: History, reason: Reason | None) -> None:
        for monitor in self._monitors:
            monitor.finish(history, reason)


class VerboseMonitor(Monitor):
    """Prints a table with a line per evaluation, and why training stopped.

    Parameters
    ----------
    n_before : float
        Epochs done in earlier calls of `partial_fit`, whose table this one continues.
    """

    watches = True

    def __init__(self, n_before: float = 0):
        self._n_before = n_before
        self._has_heading = n_before > 0

    def start(self, n_evaluations: int, null_loss: Callable[[], float]) -> None:
        self._null_loss = null_loss()
        self._began = time.perf_counter()

    def end_evaluation(self, history: History, reached: Callable[[], State]) -> bool:
        loss = history.loss_curve[-1]
        # the null loss is zero where the squares of tiny targets underflow
        explained = 1 - loss / self._null_loss if self._null_loss > 0 else math.nan
        epochs = self._n_before + history.n_epochs
        cells = {
            "epoch": f"{epochs:.0f}" if epochs == round(epochs) else f"{epochs:.2f}",
            "loss": f"{loss:.6g}",
            "explained": f"{explained:.5f}",
        }
        if history.validation_scores is not None:
            cells["validation"] = f"{history.validation_scores[-1]:.5f}"
        cells["seconds"] = f"{time.perf_counter() - self._began:.3f}"
        if not self._has_heading:
            print("".join(f"{heading:>12}" for heading in cells))
            self._has_heading = True
        print("".join(f"{text:>12}" for text in cells.values()))
        return False

    def finish(self, history: History, reason: Reason | None) -> None:
        print(f"Stopped after {history.n_iter} epochs: {IN_WORDS[reason]}.")


class CallbackMonitor(Monitor):
    """Calls scikit-learn's callbacks: the fit is a task, and each evaluation a task within it.

    Parameters
    ----------
    estimator : the estimator being fitted
    X, y, sample_weight : what its user passed
    reconstruct : from a state and a history to the attributes of a model fitted so far
    """

    watches = True

    def __init__(
        self,
        estimator: BaseEstimator,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        reconstruct: Callable[[State, History], dict[str, Any]],
    ):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._estimator = estimator
        self._reconstruct = reconstruct

    def start(self, n_evaluations: int, null_loss: Callable[[], float]) -> None:
        self._fit = self._estimator._init_callback_context(max_subtasks=n_evaluations)
        self._fit.call_on_fit_task_begin(**self._arguments)

    def begin_evaluation(self) -> None:
        self._evaluation = self._fit.subcontext(task_name="evaluation")
        self._evaluation.call_on_fit_task_begin(**self._arguments)

    def end_evaluation(self, history: History, reached: Callable[[], State]) -> bool:
        # a function, because most callbacks do not ask for a model, and making one takes time and memory
        return self._evaluation.call_on_fit_task_end(
            **self._arguments, reconstruction_attributes=lambda: self._reconstruct(reached(), history.copy())
        )

    def finish(self, history: History, reason: Reason | None) -> None:
        self._fit.call_on_fit_task_end(**self._arguments, reconstruction_attributes={})


class SearchMonitor:
    """Reports the passes of a search: lines for `verbose`, and tasks within the fit for scikit-learn's callbacks."""

    def __init__(self, estimator: Any, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._estimator = estimator
        self._fit: Any = None

    def start(self, n_tasks: int) -> None:
        """Before the first of so many passes."""
        if has_callbacks(self._estimator):
            self._fit = self._estimator._init_callback_context(max_subtasks=n_tasks)
            self._fit.call_on_fit_task_begin(**self._arguments)

    def follow(self, name: str, results: Iterator[Any], n: int) -> Iterator[Any]:
        """Yield the results of `n` passes, each of which is one task of this name."""
        for number in range(n):
            began = time.perf_counter()
            task = None if self._fit is None else self._fit.subcontext(task_name=name)
            if task is not None:
                task.call_on_fit_task_begin(**self._arguments)
            result = next(results)
            if task is not None:
                task.call_on_fit_task_end(**self._arguments)
            if self._estimator.verbose:
                which = name if n == 1 else f"{name} {number + 1} of {n}"
                print(f"{which}: {time.perf_counter() - began:.3f} s")
            yield result

    def finish(self) -> None:
        """After the fitted attributes are set."""
        if self._fit is not None:
            self._fit.call_on_fit_task_end(**self._arguments, reconstruction_attributes={})
