"""Several settings of a fit, trained together: each is a column of coefficients, and each row is read once for all.

The settings share the target, the rows, their order and their coordinates. They differ in penalty and learning rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np

from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._data import TrainingData
from sklearn_rmsprop._problem import Problem
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._stopping import Improvement, Stopping, steps_to_next_evaluation
from sklearn_rmsprop._training import fewest_inside_an_epoch, inside_of, more_rows_of, null_loss_of, stopping_rule

# Columns that have ended are taken out when they are at least this share of those in the pass: to take some out, those
# that remain are copied.
SHARE_TO_TAKE_OUT = 0.25


class Columns:
    """One pass over the rows for several settings, under way.

    With a smooth loss each column ends where a fit of its own would, and leaves. With a kinked loss all of them reduce
    the step size together, as several targets do, and end together.

    Parameters
    ----------
    data : TrainingData
        With one target.
    settings : sequence of Settings
        They may differ in the strengths of the penalties and in the learning rate, and agree on whether there is an L1
        penalty.
    generator : (2,) uint64
        State of the random number generator.

    Attributes
    ----------
    coef : (n_features, n_settings)
        Of X's type in the units of the data. Of a column that has ended, final; of the others, as of the last
        evaluation; NaN before it, and where numbers have overflowed.
    intercept : (n_settings,)
    n_iter : (n_settings,) int
        Epochs begun.
    converged : (n_settings,) bool
        Whether the column has ended before `max_iter`.
    ended : (n_settings,) bool
    is_whitened : (n_settings,) bool
        Whether their coordinates have a basis: that of all is the same.
    n_steps : int
        Steps done.
    n_evaluations : int
    """

    def __init__(self, data: TrainingData, settings: Sequence[Settings], generator: np.ndarray):
        n, first = len(settings), settings[0]
        l1, l2 = (np.array([getattr(s.objective, name) for s in settings], float) for name in ("alpha_l1", "alpha_l2"))
        self._settings = replace(first, objective=first.objective.with_penalties(l1, l2))
        prepared = engine.prepare(data, self._settings)
        self._prepared, n_features = prepared, data.X.shape[1]
        coordinates = prepared.coordinates.of_targets(np.zeros(n, dtype=np.intp))
        data = replace(prepared.data, y=np.broadcast_to(prepared.data.y, (len(prepared.data.y), n)))
        self._problem = replace(prepared, data=data, coordinates=coordinates).pose(self._settings)
        state = engine.start(data, coordinates, self._settings, generator)
        self._state = self._problem.state_on_rows(state)
        self._rates = np.ones(n)
        if not callable(first.rule.schedule):
            self._rates = np.array([s.rule.learning_rate for s in settings]) / first.rule.learning_rate
        self._factors = np.ones(n)
        self._past: list[np.ndarray] = []  # coordinates at the last evaluations, to as many as stopping rules look back
        self._improvements: dict[int, Improvement] = {}  # of all columns since the first of these, by number of rows
        self._rules = stopping_rules(self._problem, self._settings, self._compare)
        self._fewest_inside = fewest_inside_an_epoch(self._problem, self._settings)
        self._in_pass = np.arange(n)
        self.n_steps = self.n_evaluations = 0
        self.coef = np.full((n_features, n), np.nan, self._state.coef.dtype)
        self.intercept = np.full(n, np.nan, self._state.coef.dtype)
        self.n_iter, self.converged, self.ended = np.zeros(n, int), np.zeros(n, bool), np.zeros(n, bool)
        self.is_whitened = np.full(n, coordinates.basis is not None)

    def run(self) -> "Columns":
        """Run until all columns have ended."""
        while not self.ended.all():
            self.advance()
        return self

    def advance(self) -> None:
        """Run to the next evaluation of the loss, and end the columns whose stopping rule says so."""
        problem, settings = self._problem, self._settings
        steps_per_epoch, columns = problem.steps_per_epoch, self._in_pass
        n_steps = min(
            settings.max_iter * steps_per_epoch - self.n_steps,
            steps_to_next_evaluation(self.n_steps - int(self._state.forgotten), steps_per_epoch, self._fewest_inside),
        )
        factor = (self._rates * self._factors)[columns]
        self._state = problem.advance(
            self._state, settings, n_steps, factor if (factor != factor[0]).any() else factor[0]
        )
        self.n_steps += n_steps
        self.n_evaluations += 1
        coef = self._state.reported()
        losses = problem.evaluate(coef, problem.evaluation_rows)
        epochs = self.n_steps / steps_per_epoch
        self._record(epochs)
        self._past = [*self._past, coef][-settings.n_iter_no_change - 1 :]
        self._improvements.clear()
        if settings.objective.kind.kinked:
            self._check_together(epochs, losses, coef)
        else:
            self._check_each(epochs, losses, coef)
        self._take_out()

    def _check_each(self, epochs: float, losses: np.ndarray, coef: np.ndarray) -> None:
        """End the columns whose own stopping rule says so, or whose loss has overflowed."""
        is_finite = np.isfinite(losses).tolist()
        for place, column in enumerate(self._in_pass.tolist()):
            if self.ended[column]:
                continue
            if not is_finite[place]:
                self._fail(column)
                continue
            rule, own = self._rules[column], slice(place, place + 1)
            if rule.check(epochs, losses[own], np.ascontiguousarray(coef[:, own])):
                self.ended[column], self.converged[column] = True, rule.reason == "converged"

    def _check_together(self, epochs: float, losses: np.ndarray, coef: np.ndarray) -> None:
        """End all columns, or reduce their step size, if the stopping rule that they share says so."""
        (rule,), columns = self._rules, self._in_pass
        if not np.isfinite(losses).all():
            self._fail(columns)
            return
        if rule.check(epochs, losses, coef):
            self.ended[columns], self.converged[columns] = True, rule.reason == "converged"
        reduced_to = float(np.min(rule.rate_factor / self._factors[columns]))
        self._factors[columns] = rule.rate_factor
        if reduced_to < 1:
            self._state = self._state.forgetting(reduced_to)

    def _fail(self, columns: int | np.ndarray) -> None:
        """End columns whose numbers have overflowed."""
        self.ended[columns] = True
        self.coef[:, columns], self.intercept[columns] = np.nan, np.nan

    def end(self, columns: np.ndarray) -> None:
        """End these columns, as a mask or numbers, with the coefficients of the last evaluation."""
        self.ended[columns] = True
        self._take_out()

    def _compare(
        self, column: int, before: np.ndarray, now: np.ndarray, n_rows: int, targets: np.ndarray
    ) -> Improvement:
        """The improvement of a column, as its stopping rule asks for it: measured for all columns at once."""
        known = self._improvements
        if n_rows not in known:
            measured = self._problem.compare(self._past[0], self._past[-1], n_rows)
            known[n_rows] = replace(measured, error=cache(measured.error))
        return known[n_rows].of_target(int(np.searchsorted(self._in_pass, column)))

    def _record(self, epochs: float) -> None:
        """Set the coefficients of the columns that have not ended."""
        places = np.flatnonzero(~self.ended[self._in_pass])
        columns = self._in_pass[places]
        coordinates, state = self._prepared.of_columns(self._problem.state_off_rows(self._state).of_targets(places))
        coordinates = coordinates.of_targets(np.zeros(len(places), dtype=np.intp))
        with np.errstate(over="ignore", invalid="ignore"):
            coef, intercept = coordinates.to_user(state.reported())
            self.coef[:, columns], self.intercept[columns] = coef, intercept
        finite = np.isfinite(self.coef[:, columns]).all(axis=0) & np.isfinite(self.intercept[columns])
        overflowed = columns[~finite]
        self.coef[:, overflowed], self.intercept[overflowed] = np.nan, np.nan
        self.n_iter[columns] = int(np.ceil(epochs))

    def _take_out(self) -> None:
        """Go on without the columns that have ended, if they are many enough."""
        stays = ~self.ended[self._in_pass]
        if stays.any() and (~stays).sum() >= SHARE_TO_TAKE_OUT * len(stays):
            places = np.flatnonzero(stays)
            self._problem, self._state = self._problem.of_targets(places), self._state.of_targets(places)
            self._in_pass = self._in_pass[places]
            self._past = [np.ascontiguousarray(coef[:, places]) for coef in self._past]
            if self._settings.objective.kind.kinked:
                inside = inside_of(self._problem, self._settings)
                self._rules[0].go_on_with(places, more_rows_of(self._problem), inside)


def stopping_rules(problem: Problem, settings: Settings, compare: Callable[..., Improvement]) -> list[Stopping]:
    """The stopping rule of each column, or of a kinked loss the one that all of them share.

    `compare`: from the number of a column, and the arguments of `Inside.compare`, to its improvement.
    """
    if settings.objective.kind.kinked:
        return [stopping_rule(problem, settings, None)]
    first, rules = np.array([0]), []
    alone = problem.of_targets(first)
    null_loss = None if settings.tol is None else null_loss_of(alone, settings)  # of the one target
    for k in range(len(problem.coordinates.y_unit)):
        of_column = replace(alone, objective=problem.objective.of_targets(np.array([k])))
        rule = stopping_rule(of_column, settings, None, null_loss=null_loss)
        if (inside := inside_of(of_column, settings)) is not None:
            rule.go_on_with(first, more_rows_of(of_column), replace(inside, compare=partial(compare, k)))
        rules.append(rule)
    return rules
