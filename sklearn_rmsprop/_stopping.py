"""When to stop, and why."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

Reason = Literal["converged", "validation", "callback", "max_iter"]

IN_WORDS: dict[Reason | None, str] = {
    "converged": "the loss no longer falls by tol",
    "validation": "the validation score no longer rises by tol",
    "callback": "a callback asked for it",
    "max_iter": "max_iter is reached",
}


# The gradient of a loss with a kink does not vanish at the optimum: the iterates hover as widely as they step, and
# their average is off to one side. A fit of such a loss that has ceased to improve goes on with DROP times the step
# size, and an average that takes only that share of the steps as done, DROPS times. Without, such fits missed up to
# 3e-2 of the null loss.
DROP, DROPS = 0.3, 4


class Stopping:
    """Stops when the objective has ceased to improve, when asked to, or when the epochs are used up.

    Several targets share each pass over the rows, and it ends when none of them improves any more. Where the loss
    itself is below the threshold no further improvement can count, and there is nothing to wait for.

    Parameters
    ----------
    threshold : (n_targets,) array or None
        An improvement smaller than this does not count. None: go on for `max_iter` epochs.
    n_iter_no_change : int
        Successive checks without improvement after which the fit has converged.
    max_iter : int
        Epochs allowed.
    n_drops : int
        How often to go on with smaller steps before the fit counts as converged.
    validating : bool
        Whether it is the score of held-out rows that is checked.

    Attributes
    ----------
    reason : {"converged", "validation", "callback", "max_iter"} or None
        Why the fit has stopped; None while it runs. The first of these that applies.
    rate_factor : float
        What the step sizes are to be multiplied by.
    improved : list of bool
        Per target, whether the last check is the best so far, that the next ones are compared with.
    """

    def __init__(
        self,
        threshold: np.ndarray | None,
        n_iter_no_change: int,
        max_iter: int,
        *,
        n_drops: int = 0,
        validating: bool = False,
    ):
        self.n_iter_no_change = n_iter_no_change
        self.max_iter = max_iter
        self.rate_factor = 1.0
        self._n_drops = n_drops
        self._no_change: Reason = "validation" if validating else "converged"
        self.reason: Reason | None = None
        # per target; none without a threshold
        self._least = [] if threshold is None else threshold.tolist()
        self._to_beat = [math.inf] * len(self._least)
        self._exact = [math.inf] * len(self._least)  # the least losses of all rows seen
        self.improved = [False] * len(self._least)
        self._n_unchanged = 0

    @property
    def by_epochs_only(self) -> bool:
        """Whether losses make no difference."""
        return not self._least

    def check(
        self,
        n_iter: int,
        losses: np.ndarray,
        *,
        asked: bool = False,
        exact: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> bool:
        """Whether to stop after `n_iter` epochs, the last of which had these losses, one per target.

        `asked`: whether a callback has asked to stop. `exact`: where the losses are those of a sample of the rows, a
        function that returns the losses of all rows, at each target's best check and now. The sample says when to look
        at them.
        """
        if self._least:
            now = losses.tolist()
            self._compare(now)
            if exact is not None and self._has_ceased(now):
                at_best, exactly_now = (loss.tolist() for loss in exact())
                self._compare_exactly(at_best, exactly_now, now)
                now = exactly_now
            if self._has_ceased(now):
                if self._n_drops == 0 or self._nothing_left(now):
                    self.reason = self._no_change
                else:
                    self._n_drops -= 1
                    self._n_unchanged = 0
                    self.rate_factor *= DROP
        if self.reason is None and asked:
            self.reason = "callback"
        if self.reason is None and n_iter >= self.max_iter:
            self.reason = "max_iter"
        return self.reason is not None

    # Loops over targets below, because with one, as there mostly is, arrays take several times as long.

    def _compare(self, losses: list[float]) -> None:
        """Count the checks without improvement."""
        self._n_unchanged += 1
        for k, loss in enumerate(losses):
            self.improved[k] = loss < self._to_beat[k]
            if self.improved[k]:
                self._to_beat[k] = loss - self._least[k]
                self._n_unchanged = 0

    def _compare_exactly(self, at_best: list[float], now: list[float], on_sample: list[float]) -> None:
        """Take this check for the best so far of those targets that have improved on all rows, if not on the sample."""
        for k, least in enumerate(self._least):
            # the best check on the sample, by chance, need not be the best on all rows
            best = min(at_best[k], self._exact[k])
            self._exact[k] = min(best, now[k])
            if now[k] < best - least:
                self._to_beat[k] = on_sample[k] - least
                self.improved[k] = True
                self._n_unchanged = 0

    def _nothing_left(self, losses: list[float]) -> bool:
        return all(loss <= least for loss, least in zip(losses, self._least, strict=True))

    def _has_ceased(self, losses: list[float]) -> bool:
        return self._n_unchanged >= self.n_iter_no_change or self._nothing_left(losses)
