"""When to stop, and why; and when a loss with a kink needs smaller steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

# On tiny data an epoch is a few steps, in which the loss hardly changes: the rule would stop at once. Evaluations are
# at least so many steps apart. With 50, fits of few rows ended with a larger excess loss.
FEWEST_STEPS = 100

# On large data the loss is evaluated inside epochs: after so many steps of at least so many rows in all, and then
# whenever their number has grown by this share: the averaged iterate needs more steps in proportion to those it counts
# before it can have improved much. (It counts those since the start, or fewer after a reduction of the step size.) The
# fewer rows in a step, the noisier it is, and the more steps it takes.
FEWEST_STEPS_INSIDE, FEWEST_ROWS_INSIDE, GROWTH = 1000, 32_000, 0.2

# An improvement inside an epoch is estimated on this share of the rows read since the last evaluation, but on at least
# FEWEST_ROWS_COMPARED: three losses of each row then take about a tenth of the time of these steps.
SHARE_COMPARED, FEWEST_ROWS_COMPARED = 1 / 16, 4096

# It is estimated only where the evaluation rows show no improvement by this multiple of the threshold, which is what
# the noise of 4096 rows adds to one threshold at most.
FACTOR_TO_COMPARE = 8.0

Reason = Literal["converged", "validation", "callback", "max_iter"]

IN_WORDS: dict[Reason | None, str] = {
    "converged": "the loss no longer falls by tol",
    "validation": "the validation score no longer rises by tol",
    "callback": "a callback asked for it",
    "max_iter": "max_iter is reached",
}

# The gradient of a kinked loss does not vanish at the optimum: the width of the oscillation of the iterates is that of
# a step, and their average is biased. So a fit with such a loss has stages: when its loss no longer falls, the fit
# continues with REDUCTION times the step size, and the step count of the average is multiplied by REDUCTION;
# N_REDUCTIONS times in all. Measured (docs/kernel_notes.md): four reductions by about half a decade take the step size
# to 1 %; 0.5 six times needs more epochs, 0.1 twice leaves a larger excess loss, and more reductions gain little.
REDUCTION, N_REDUCTIONS = 0.3, 4

# Several targets enter a stage together, when this share of them has ceased to improve; the last one ends when all
# have. Measured (docs/kernel_notes.md): waiting for all of them takes up to 1.8 times the epochs, and with half of them
# the largest excess loss of any target is up to twice as large.
SHARE_CEASED = 0.75

# But they wait for a target whose loss still falls by this multiple of the threshold in `n_iter_no_change` evaluations:
# with smaller steps it would not arrive. With 4, some targets ended above the optimum that fits of their own reach.
FAST = 2.0

# The excess loss that the oscillation causes falls slowly with the step size, like 1 / sqrt(t): with an extreme
# quantile by more than `tol` for hundreds of epochs. So the first stage ends after this share of max_iter at the
# latest, and the other stages share the rest equally.
LONGEST_FIRST_STAGE = 0.3

# Steps are in units of the target's spread, and far too long where nearly all of it is explained. So they are
# multiplied by this times the share of the null loss that is left, if that is below 1, as in Polyak's step size, which
# is proportional to the loss. With 2, steps keep their length down to half of the null loss (docs/kernel_notes.md).
STEPS_PER_UNEXPLAINED = 2.0


# With a kinked loss, an `Improvement` is compared with this share of the threshold. After a reduction of the step size
# the averaged iterates of two evaluations differ by less than independent noise would make them.
SHARE_OF_KINKED = 0.5


@dataclass(frozen=True)
class Improvement:
    """How much lower the loss is at one point than at an earlier one, on a sample of the rows, per target.

    Attributes
    ----------
    value : (n_targets,)
        The mean over the rows.
    sag : (n_targets,)
        How far the loss half-way between the points lies below the mean of the losses at the points. It is not
        negative, because losses are convex, and hardly depends on the sample: the errors of the targets cancel.
    error : callable
        Returns the standard error of the value, (n_targets,). It is seldom needed, and takes most of the time.
    """

    value: np.ndarray
    sag: np.ndarray
    error: Callable[[], np.ndarray]

    def of_target(self, k: int) -> "Improvement":
        """The improvement of one target."""
        target = [k]
        return Improvement(self.value[target], self.sag[target], lambda: self.error()[target])

    def of_many(self, targets: np.ndarray) -> "Improvement":
        """The same as one of more targets, NaN for those that the mask leaves out."""

        def of_all(values: np.ndarray) -> np.ndarray:
            result = np.full(len(targets), np.nan)
            result[targets] = values
            return result

        return Improvement(of_all(self.value), of_all(self.sag), lambda: of_all(self.error()))

    def is_below(self, limit: np.ndarray, growth: float, among: np.ndarray) -> np.ndarray:
        """For which of the targets `among` the largest likely improvement is below a limit: masks.

        `growth`: the factor by which the steps have grown in between.

        Late in a fit the two averaged iterates differ from the optimum by independent noise. Let e_1 and e_2 be the
        excess losses that it causes. Near the optimum the loss is a quadratic function, and then the sag is
        (e_1 + e_2) / 4. As e is proportional to 1 / t, e_1 = growth * e_2, which gives e_1: no improvement can be
        larger. Where progress is slow, the noise is not independent, and e_1 is larger than that. The iterates then
        differ little, and so do their losses on any sample: so if the improvement that was measured is larger by more
        than its standard error, it counts.
        """
        below = among & (4 * self.sag * growth / (growth + 1) < limit)
        doubtful = below & (self.value >= limit)
        if doubtful.any():
            below &= ~doubtful | (self.value - self.error() < limit)
        return below


class Compare(Protocol):
    """Estimates the improvement from earlier coordinates to later ones on about so many rows, for a mask of targets."""

    def __call__(self, before: np.ndarray, now: np.ndarray, n_rows: int, targets: np.ndarray) -> Improvement: ...


@dataclass(frozen=True)
class Inside:
    """How improvements are estimated where the loss is evaluated inside epochs.

    Attributes
    ----------
    compare : Compare
    rows_per_epoch : rows that the steps of an epoch read
    most_rows : rows on which the end of a fit is confirmed
    """

    compare: Compare
    rows_per_epoch: int
    most_rows: int


def fewest_steps_inside(batch_size: int) -> int:
    """How many steps to make before an evaluation inside an epoch."""
    return max(FEWEST_STEPS_INSIDE, math.ceil(FEWEST_ROWS_INSIDE / batch_size))


def steps_to_next_evaluation(n_averaged: int, steps_per_epoch: int, fewest_inside: float) -> int:
    """After how many more steps to evaluate the loss: after an epoch, or several short ones, or inside a long one.

    `n_averaged`: steps that the average counts. `fewest_inside`: how many at least to make inside an epoch; infinity:
    only its end counts.
    """
    if steps_per_epoch <= fewest_inside:
        return steps_per_epoch * math.ceil(FEWEST_STEPS / steps_per_epoch)
    return min(max(int(fewest_inside), int(GROWTH * n_averaged)), steps_per_epoch)


def count_evaluations(n_steps: int, steps_per_epoch: int, fewest_inside: float) -> int:
    """How often the loss is evaluated in so many steps, at the end included."""
    n_done = n_evaluations = 0
    while n_done < n_steps:
        interval = steps_to_next_evaluation(n_done, steps_per_epoch, fewest_inside)
        if interval >= steps_per_epoch:  # and stays so
            return n_evaluations + math.ceil((n_steps - n_done) / interval)
        n_done += interval
        n_evaluations += 1
    return n_evaluations


class Stopping:
    """The stopping rule: stops when the loss has ceased to improve, when asked to, or when the epochs are used up.

    Several targets share each pass over the rows, and the fit ends when each of them has ceased to improve. One that
    has ceased counts as such even if its loss falls by chance later, until the steps become smaller. With a kinked
    loss, they become smaller for all targets together. The fit ends at once where the loss itself is below the
    threshold, because no further improvement could count.

    The losses that are compared may be those of a sample of the rows. They are noisy, and the sample may lack rare
    rows: so when they show no more improvement, the losses on more rows decide, now and at the best evaluation so far.

    Where the loss is evaluated inside epochs, the noise of the sample is larger than what is to be gained between two
    evaluations, and the losses would show an improvement or none by chance. There a target has ceased to improve when
    the largest likely `Improvement` since the evaluation `n_iter_no_change` evaluations ago is below the threshold.

    Parameters
    ----------
    threshold : (n_targets,) array or None
        An improvement smaller than this does not count. None: the fit runs for `max_iter` epochs.
    n_iter_no_change : int
        Successive evaluations without improvement after which the fit has converged.
    max_iter : int
        Epochs allowed.
    n_reductions : int
        How often to reduce the step size before the fit counts as converged. If it is above 0, the step sizes
        also follow the share of the null loss that is unexplained.
    null_loss : (n_targets,) array or None
        The loss of the best constant, for `n_reductions` above 0. None: the steps do not follow that share.
    validating : bool
        Whether the losses are those of held-out rows.
    loss_on_more_rows : callable or None
        From coordinates to the losses on all rows or a large sample, where `check` gets those on a small one.
    inside : Inside or None
        How to estimate improvements where the loss is evaluated inside epochs.

    Attributes
    ----------
    reason : {"converged", "validation", "callback", "max_iter"} or None
        Why the fit has stopped; None while it runs. The first of these that applies.
    rate_factor : float or (n_targets,) array
        What the step sizes are to be multiplied by.
    """

    def __init__(
        self,
        threshold: np.ndarray | None,
        n_iter_no_change: int,
        max_iter: int,
        *,
        n_reductions: int = 0,
        null_loss: np.ndarray | None = None,
        validating: bool = False,
        loss_on_more_rows: Callable[[np.ndarray], np.ndarray] | None = None,
        inside: Inside | None = None,
    ):
        self.n_iter_no_change = n_iter_no_change
        self.max_iter = max_iter
        self.rate_factor: float | np.ndarray = 1.0
        self.reason: Reason | None = None
        self._n_reductions = self._n_reductions_left = n_reductions
        self._null_loss = null_loss
        self._stage_factor = 1.0
        self._unexplained_factor: float | np.ndarray = 1.0
        self._no_change: Reason = "validation" if validating else "converged"
        self._loss_on_more_rows = loss_on_more_rows
        # per target; empty without a threshold
        self._threshold = [] if threshold is None else threshold.tolist()
        self._to_beat = [math.inf] * len(self._threshold)
        self._best_on_more_rows = [math.inf] * len(self._threshold)
        self._improved = [False] * len(self._threshold)
        self._losses: list[list[float]] = []  # at the last evaluations in this stage
        self._n_unchanged = [0] * len(self._threshold)
        self._n_evaluations = 0  # in this stage
        self._best_coef: np.ndarray | None = None  # of each target's best evaluation
        self._inside = inside
        self._past: list[_Evaluation] = []  # the last ones in this stage, at most n_iter_no_change
        self._is_quiet = np.zeros(len(self._threshold), bool)  # ceased to improve in this stage, by their Improvement

    def check(
        self,
        epochs: float,
        losses: np.ndarray,
        coef: np.ndarray,
        *,
        score: float | None = None,
        asked: bool = False,
    ) -> bool:
        """Whether to stop after so many epochs.

        Parameters
        ----------
        epochs : float
        losses : (n_targets,) array
            The losses of the coordinates `coef`.
        coef : (n_features + 1, n_targets) array
            Must not be changed afterwards.
        score : float or None
            The score of held-out rows. If there is one, it is compared in place of the losses.
        asked : bool
            Whether a callback has asked to stop.
        """
        ceased = False
        self._n_evaluations += 1
        if self._threshold:
            now = losses.tolist() if score is None else [1 - score]
            self._compare(now)
            self._losses = [*self._losses, now][-self.n_iter_no_change - 1 :]
            if self._inside is not None:
                if self._loss_on_more_rows is not None and self._nothing_left(now):
                    now = self._loss_on_more_rows(coef).tolist()
                self._find_quiet(self._inside, _Evaluation(epochs, losses, coef))
            elif self._loss_on_more_rows is not None and (self._has_ceased() or self._nothing_left(now)):
                now = self._compare_on_more_rows(now, coef)
            ceased = self._has_ceased()
            if self._nothing_left(now) or (ceased and self._n_reductions_left == 0):
                self.reason = self._no_change
            if self._loss_on_more_rows is not None and any(self._improved):
                self._best_coef = coef if self._best_coef is None else np.where(self._improved, coef, self._best_coef)
        if self.reason is None and self._n_reductions > 0:
            if self._n_reductions_left > 0 and (ceased or epochs >= self._end_of_stage()):
                self._begin_stage()
            self._set_rate_factor(losses)
        if self.reason is None and asked:
            self.reason = "callback"
        if self.reason is None and epochs >= self.max_iter:
            self.reason = self._no_change if self._has_settled() else "max_iter"
        return self.reason is not None

    def go_on_with(
        self,
        targets: np.ndarray,
        loss_on_more_rows: Callable[[np.ndarray], np.ndarray] | None,
        inside: Inside | None = None,
    ) -> None:
        """Forget all targets but these; `loss_on_more_rows` and `inside` are as before, for these only."""
        for name in ("_threshold", "_to_beat", "_best_on_more_rows", "_improved", "_n_unchanged"):
            values = getattr(self, name)
            setattr(self, name, [values[k] for k in targets] if values else [])
        for name in ("rate_factor", "_unexplained_factor", "_null_loss"):
            value = getattr(self, name)
            setattr(self, name, value[targets] if isinstance(value, np.ndarray) else value)
        self._losses = [[losses[k] for k in targets] for losses in self._losses]
        if self._best_coef is not None:
            self._best_coef = self._best_coef[:, targets]
        self._loss_on_more_rows = loss_on_more_rows
        if self._inside is not None and inside is not None:
            self._inside = inside
            self._past = [past.of_targets(targets) for past in self._past]
            self._is_quiet = self._is_quiet[targets]

    # The stages of a loss with a kink

    def _end_of_stage(self) -> float:
        """The epoch at which the current stage ends at the latest."""
        n_done = self._n_reductions - self._n_reductions_left
        share = LONGEST_FIRST_STAGE + (1 - LONGEST_FIRST_STAGE) * n_done / self._n_reductions
        return share * self.max_iter

    def _begin_stage(self) -> None:
        self._n_reductions_left -= 1
        self._stage_factor *= REDUCTION
        self._n_unchanged = [0] * len(self._threshold)
        self._n_evaluations = 0
        self._past = self._past[-1:]
        self._losses = self._losses[-1:]
        self._is_quiet[:] = False

    def _set_rate_factor(self, losses: np.ndarray) -> None:
        """The factor of the stage and of the unexplained share, which never rises, nor falls faster than by stages."""
        if self._null_loss is not None:
            share = np.minimum(self._unexplained_factor, STEPS_PER_UNEXPLAINED * losses / self._null_loss)
            self._unexplained_factor = np.maximum(share, REDUCTION * self._unexplained_factor)
        self.rate_factor = self._stage_factor * self._unexplained_factor

    def _has_settled(self) -> bool:
        """Whether the last stage has been reached, and no target has improved in it.

        That the last evaluation shows no improvement would not do: after the reductions, the steps of a fit that is
        still far from the optimum gain little at a time.
        """
        in_last_stage = self._n_reductions > 0 and self._n_reductions_left == 0
        return in_last_stage and min(self._n_unchanged, default=0) >= self._n_evaluations > 0

    def _find_quiet(self, inside: Inside, now: "_Evaluation") -> None:
        """Find the targets whose improvement has become smaller than the threshold, on more rows, too.

        Only if there may be enough of them to matter.
        """
        past, self._past = self._past, [*self._past, now][-self.n_iter_no_change :]
        if len(past) < self.n_iter_no_change:
            return
        before, threshold = past[0], np.array(self._threshold)
        if not self._are_enough(self._is_quiet | (before.losses - now.losses < FACTOR_TO_COMPARE * threshold)):
            return
        n_read = (now.epochs - past[-1].epochs) * inside.rows_per_epoch
        n_compared = min(max(int(SHARE_COMPARED * n_read), FEWEST_ROWS_COMPARED), inside.most_rows)
        quiet, share = ~self._is_quiet, SHARE_OF_KINKED if self._n_reductions > 0 else 1.0
        for n_rows in (n_compared, inside.most_rows):
            if quiet.any():
                improvement = inside.compare(before.coef, now.coef, n_rows, quiet)
                quiet = improvement.is_below(share * threshold, now.epochs / before.epochs, quiet)
        self._is_quiet |= quiet

    # Loops over targets below, because with one, the usual case, arrays take several times as long.

    def _compare(self, losses: list[float]) -> None:
        """Count each target's evaluations without improvement."""
        for k, loss in enumerate(losses):
            self._improved[k] = loss < self._to_beat[k]
            if self._improved[k]:
                self._to_beat[k] = loss - self._threshold[k]
            if not self._improved[k] or self._n_unchanged[k] >= self.n_iter_no_change:
                self._n_unchanged[k] += 1
            else:
                self._n_unchanged[k] = 0

    def _compare_on_more_rows(self, on_sample: list[float], coef: np.ndarray) -> list[float]:
        """Return the losses on more rows; an improvement there counts even if the sample shows none."""
        assert self._loss_on_more_rows is not None
        at_best = self._loss_on_more_rows(coef if self._best_coef is None else self._best_coef).tolist()
        now: list[float] = self._loss_on_more_rows(coef).tolist()
        for k, threshold in enumerate(self._threshold):
            # the best evaluation on the sample, by chance, need not be the best one on more rows
            best = min(at_best[k], self._best_on_more_rows[k])
            self._best_on_more_rows[k] = min(best, now[k])
            if now[k] < best - threshold:
                self._to_beat[k] = on_sample[k] - threshold
                self._improved[k] = True
                self._n_unchanged[k] = 0
        return now

    def _nothing_left(self, losses: list[float]) -> bool:
        return all(loss <= threshold for loss, threshold in zip(losses, self._threshold, strict=True))

    def _has_ceased(self) -> bool:
        """Whether enough targets have ceased to improve in this stage."""
        if self._inside is not None:
            have_ceased = self._is_quiet.tolist()
        else:
            have_ceased = [n >= self.n_iter_no_change for n in self._n_unchanged]
        return self._are_enough(have_ceased) and not self._one_is_fast(have_ceased)

    def _one_is_fast(self, have_ceased: Sequence[bool]) -> bool:
        """Whether the loss of a target that has not ceased to improve still falls fast."""
        before, now = self._losses[0], self._losses[-1]
        return any(
            not ceased and before[k] - now[k] > FAST * self._threshold[k] for k, ceased in enumerate(have_ceased)
        )

    def _are_enough(self, have_ceased: Sequence[bool] | np.ndarray) -> bool:
        """Whether these targets are enough for the next stage, or all of them, if there is none."""
        wanted = SHARE_CEASED if self._n_reductions_left > 0 else 1.0
        return sum(have_ceased) >= wanted * len(have_ceased)


@dataclass(frozen=True)
class _Evaluation:
    """Losses and coordinates at an evaluation."""

    epochs: float
    losses: np.ndarray
    coef: np.ndarray

    def of_targets(self, targets: np.ndarray) -> "_Evaluation":
        return _Evaluation(self.epochs, self.losses[targets], self.coef[:, targets])
