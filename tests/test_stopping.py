"""The stopping rule: alone, and where the loss is evaluated on a sample of the rows."""

from typing import get_args

import numpy as np
import oracles
import pytest
from datasets import linear, missed
from engine_setup import data_of, set_up, settings_of
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor, _problem, _stopping
from sklearn_rmsprop._problem import MOST_EVALUATION_ROWS, count_evaluation_rows
from sklearn_rmsprop._statistics import sample_evenly
from sklearn_rmsprop._stopping import (
    IN_WORDS,
    REDUCTION,
    Improvement,
    Inside,
    Reason,
    Stopping,
    count_evaluations,
    steps_to_next_evaluation,
)


def run(stopping, losses):
    """Return after how many checks, one an epoch, the rule stops."""
    for n_iter, loss in enumerate(losses, start=1):
        if stopping.check(n_iter, np.atleast_1d(loss), coef_of(n_iter, np.size(loss))):
            return n_iter
    return None


def coef_of(n_iter, n_targets=1):
    """Return coordinates that tell at which evaluation each target had them."""
    return np.full((2, n_targets), float(n_iter))


def test_stops_after_so_many_checks_without_improvement():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=3, max_iter=100)
    assert run(stopping, [5, 4, 3, 2.95, 2.94, 2.93, 1]) == 6
    assert stopping.reason == "converged"


def test_improvement_is_measured_from_the_best():
    """Small gains add up, and a setback is none."""
    stopping = Stopping(np.array([0.1]), n_iter_no_change=3, max_iter=100)
    assert run(stopping, [5, 4.96, 4.92, 4.88, 6, 4.84, 4.76, 4.75, 4.74, 4.73]) == 10


def test_stops_at_once_where_nothing_is_left():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=3, max_iter=100)
    assert run(stopping, [5, 0.1]) == 2
    assert stopping.reason == "converged"


def test_several_targets_wait_for_the_last():
    stopping = Stopping(np.array([0.1, 0.1]), n_iter_no_change=2, max_iter=100)
    assert run(stopping, [[5, 5], [5, 4], [5, 3], [5, 3], [5, 3]]) == 5


def test_stops_at_the_limit():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=3, max_iter=4)
    assert run(stopping, [5, 4, 3, 2, 1]) == 4
    assert stopping.reason == "max_iter"


def test_stops_when_asked_to():
    """It has converged all the same if it has, and has not run out of epochs if asked with the last of them."""
    for losses, reason in [([5, 4, 3], "callback"), ([5, 4, 0], "converged")]:
        stopping = Stopping(np.array([0.1]), n_iter_no_change=3, max_iter=3)
        asked = [stopping.check(n + 1, np.array([losses[n]]), coef_of(n + 1), asked=n == 2) for n in range(3)]
        assert asked == [False, False, True]
        assert stopping.reason == reason


def test_every_reason_has_words():
    assert set(IN_WORDS) == set(get_args(Reason))


def test_without_tolerance_only_the_limit_counts():
    assert run(Stopping(None, n_iter_no_change=1, max_iter=7), [0.0] * 10) == 7


def test_steps_become_smaller_so_often_before_a_fit_counts_as_converged():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=100, n_reductions=3)
    assert run(stopping, [5.0] * 100) == 1 + 2 * 4
    assert stopping.reason == "converged"
    assert stopping.rate_factor == pytest.approx(REDUCTION**3)


def test_an_improvement_after_smaller_steps_is_waited_for():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=100, n_reductions=1)
    #                                  drops here v                      v stops here
    assert run(stopping, [5.0, 5.0, 5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0]) == 8
    assert stopping.rate_factor == pytest.approx(REDUCTION)


def test_steps_stay_as_they_are_where_there_is_nothing_to_wait_for():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=100, n_reductions=3)
    assert run(stopping, [5.0, 0.05]) == 2
    assert stopping.reason == "converged"


def rate_factors(stopping, losses):
    """Return the factor of the step sizes after each check, one an epoch."""
    factors = []
    for n_iter, loss in enumerate(losses, start=1):
        stopping.check(n_iter, np.atleast_1d(loss), coef_of(n_iter, np.size(loss)))
        factors.append(stopping.rate_factor)
    return factors


@pytest.mark.parametrize("threshold", [None, np.array([0.1])], ids=["tol=None", "tol"])
def test_steps_become_smaller_in_time_even_if_the_loss_has_not_ceased_to_improve(threshold):
    stopping = Stopping(threshold, n_iter_no_change=5, max_iter=200, n_reductions=4)
    factors = rate_factors(stopping, 1000 - np.arange(200))
    # epochs 60, 95, 130 and 165: 0.3, 0.475, 0.65 and 0.825 of max_iter
    stages = np.repeat(REDUCTION ** np.arange(5), [59, 35, 35, 35, 36])
    np.testing.assert_allclose(factors, stages)
    assert stopping.reason == "max_iter"


def test_few_evaluations_leave_reductions_over():
    """One at a time: what has had three epochs has not converged, however small the steps become in them."""
    stopping = Stopping(np.array([0.1]), n_iter_no_change=5, max_iter=3, n_reductions=4)
    np.testing.assert_allclose(rate_factors(stopping, [5.0, 5.0, 5.0]), REDUCTION ** np.arange(1, 4))
    assert stopping.reason == "max_iter"


def test_the_last_stage_tells_whether_a_fit_has_converged_at_the_limit():
    def reason(losses):
        stopping = Stopping(np.array([0.1]), n_iter_no_change=5, max_iter=20, n_reductions=2)
        run(stopping, losses)
        return stopping.reason

    falling = list(range(30, 17, -1))  # the second reduction is due at 0.65 of max_iter, epoch 13
    assert reason([*falling, *[18.0] * 7]) == "converged"
    assert reason([*falling, 17.95, 17.94, 17.95, 17.93, 17.95, 17.94, 17.95]) == "converged"
    assert reason([*falling, 17.5, *[17.5] * 4, 17.0, 17.0]) == "max_iter"
    # 0.05 an epoch are less than the threshold, and add up to more
    assert reason([*falling, *(18 - 0.05 * np.arange(1, 8))]) == "max_iter"


def test_the_steps_of_each_target_follow_its_unexplained_share():
    """From half of the null loss on, by 0.3 an evaluation at most, and never upwards."""
    stopping = Stopping(None, n_iter_no_change=5, max_iter=1000, n_reductions=4, null_loss=np.array([10.0, 1000.0]))
    factors = rate_factors(stopping, [[9.0, 400.0], [5.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    np.testing.assert_allclose(factors, [[1, 0.8], [1, 0.24], [0.3, 0.072], [0.3, 0.0216]])


def test_a_target_that_has_ceased_to_improve_waits_for_the_others():
    """Of many targets one has always just improved by chance; a reduction gives all of them a new chance."""
    losses = [[9, 9], [9, 8], [9, 7], [8, 6], [8, 6], [8, 6], [7, 6], [7, 6], [7, 5], [7, 5], [7, 5]]
    assert run(Stopping(np.array([0.1, 0.1]), n_iter_no_change=2, max_iter=99), losses) == 6
    assert run(Stopping(np.array([0.1, 0.1]), n_iter_no_change=2, max_iter=99, n_reductions=1), losses) == 9


@pytest.mark.parametrize(
    ("n_improving", "improvement", "is_ready"),
    [(1, 0.15, True), (2, 0.15, False), (1, 0.3, False)],
    ids=["one in four", "two in four", "one that improves fast"],
)
def test_steps_become_smaller_when_three_in_four_targets_have_ceased_to_improve(n_improving, improvement, is_ready):
    """The others improve at each second evaluation. The fit waits for them at the end."""
    losses = np.full((10, 4), 5.0)
    losses[:, :n_improving] -= improvement * (np.arange(10) // 2)[:, np.newaxis]
    stopping = Stopping(np.full(4, 0.1), n_iter_no_change=2, max_iter=99, n_reductions=1)
    factors = rate_factors(stopping, losses)
    np.testing.assert_allclose(factors, np.repeat([1, REDUCTION], [2, 8]) if is_ready else 1)
    assert stopping.reason is None


def test_the_reason_says_whether_it_was_the_score_of_held_out_rows():
    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=100, validating=True)
    assert run(stopping, [5.0] * 100) == 3
    assert stopping.reason == "validation"
    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=3, validating=True)
    assert run(stopping, [5.0, 4.0, 3.0]) == 3
    assert stopping.reason == "max_iter"


@pytest.mark.parametrize("fewest_inside", [1000, 32_000, np.inf])
@pytest.mark.parametrize("steps_per_epoch", [1, 14, 99, 100, 999, 1001, 31_250, 10**6])
def test_evaluations_are_some_steps_apart_and_at_most_an_epoch_or_two_hundred(steps_per_epoch, fewest_inside):
    n_done, intervals = 0, []
    while len(intervals) < 100:
        intervals.append(steps_to_next_evaluation(n_done, steps_per_epoch, fewest_inside))
        n_done += intervals[-1]
        for n_steps in (n_done - 1, n_done):
            assert count_evaluations(n_steps, steps_per_epoch, fewest_inside) == len(intervals)
    assert min(intervals) >= 100
    assert max(intervals) <= max(199, steps_per_epoch)
    assert (np.diff(intervals) >= 0).all()
    if steps_per_epoch <= fewest_inside:
        assert intervals[0] % steps_per_epoch == 0


# Where evaluations see a sample of the rows


def run_on_sample(losses, on_all_rows, **options):
    """Run the rule on these losses on a sample, where those on all rows are known at some evaluations.

    Return after how many evaluations it stops, at which of them it looks at all rows, and the rule.
    """
    looked_at = []

    def loss_on_more_rows(coef):
        looked_at.append(int(coef[0, 0]))
        return np.array([on_all_rows[looked_at[-1]]])

    stopping = Stopping(
        np.array([0.1]), n_iter_no_change=2, max_iter=100, loss_on_more_rows=loss_on_more_rows, **options
    )
    end = run(stopping, losses)
    # it looks at the best evaluation so far and at the current one
    return end, list(zip(looked_at[::2], looked_at[1::2], strict=True)), stopping


def test_all_rows_decide_once_the_sample_shows_no_improvement():
    n_iter, looked_at, stopping = run_on_sample([5, 4, 4, 4], {2: 4, 4: 4})
    assert (n_iter, looked_at, stopping.reason) == (4, [(2, 4)], "converged")


def test_an_improvement_on_all_rows_is_one():
    """Then the sample's loss, high or low, is the next one to beat, and that evaluation the one to compare with."""
    for low in (3.95, 4.5):
        losses, on_all_rows = [5, 4, 4, low, low, low], {2: 4, 4: 3.8, 6: 3.75}
        assert run_on_sample(losses, on_all_rows)[:2] == (6, [(2, 4), (4, 6)])


def test_nothing_left_on_the_sample_is_not_the_end():
    """All rows say whether anything is left; it may be that they show no improvement meanwhile."""
    looked_at = [(1, 1), (1, 2), (2, 3), (2, 4)]
    assert run_on_sample([0, 0, 0, 0], {1: 5, 2: 4, 3: 3.95, 4: 3.95})[:2] == (4, looked_at)
    n_iter, looked_at, stopping = run_on_sample([5, 0], {1: 5, 2: 0})
    assert (n_iter, looked_at, stopping.reason) == (2, [(1, 2)], "converged")


def test_all_rows_decide_on_smaller_steps_too():
    n_iter, looked_at, stopping = run_on_sample([5] * 100, {1: 5, 3: 4, 5: 4, 7: 4}, n_reductions=1)
    assert (n_iter, looked_at) == (7, [(1, 3), (3, 5), (3, 7)])
    assert stopping.rate_factor == pytest.approx(REDUCTION)


def test_each_target_has_its_own_best_evaluation():
    """The second goes on improving on the sample for a while, the first never does: its best one is the first."""
    compared = []

    def loss_on_more_rows(coef):
        compared.append(coef[0].tolist())
        # the first is worse than at its best: a better last evaluation than one of the second's is no improvement
        return np.where(coef[0] == 1, [5.0, 9.0], [5.5, 3.0])

    stopping = Stopping(np.array([0.1, 0.1]), n_iter_no_change=2, max_iter=100, loss_on_more_rows=loss_on_more_rows)
    assert run(stopping, [[5, 5], [6, 4], [6, 3], [6, 3], [5.5, 3]]) == 5
    assert compared == [[1, 3], [5, 5]]


def test_a_chance_improvement_on_the_sample_does_not_lower_the_bar():
    """All rows have lost 3.8 once: 4.5 is no progress, although the best one on the sample since then loses 5 there."""
    losses, on_all_rows = [5, 4, 4, 4, 3, 3, 3], {2: 4, 4: 3.8, 5: 5, 7: 4.5}
    assert run_on_sample(losses, on_all_rows)[:2] == (7, [(2, 4), (5, 7)])


def test_a_reduction_of_the_step_size_is_no_improvement():
    n_iter, looked_at, _ = run_on_sample([4, 5, 5, 5, 5], {1: 4, 3: 5, 5: 5}, n_reductions=1)
    assert (n_iter, looked_at) == (5, [(1, 3), (1, 5)])


def test_several_oscillating_targets_come_to_an_end():
    """Of many targets one has always just improved on some evaluation of another's."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(6000, 3))
    Y = X @ rng.normal(size=(3, 16)) / np.sqrt(3) + rng.normal(size=(6000, 16))
    oscillating = {"average": False, "schedule": "constant", "learning_rate": 0.03}
    assert RMSpropRegressor(**oscillating, max_iter=300, random_state=0).fit(X, Y).n_iter_ < 150


@pytest.mark.parametrize("n_rows", [MOST_EVALUATION_ROWS + 1, 5000, 53_940, 1_000_003])
def test_the_sample_is_spread_evenly(n_rows):
    order = np.arange(100, 100 + n_rows, dtype=np.uint32)
    sample = sample_evenly(order, MOST_EVALUATION_ROWS).astype(int) - 100
    assert len(sample) == MOST_EVALUATION_ROWS
    assert (np.diff(sample) > 0).all()
    assert sample[0] >= 0
    assert sample[-1] < n_rows
    counts = np.histogram(sample, bins=16, range=(0, n_rows))[0]
    np.testing.assert_allclose(counts, MOST_EVALUATION_ROWS / 16, atol=8)


def test_no_period_in_the_data_keeps_step_with_the_sample():
    """Hours of days, days of years, and the sample's own stretches: each place in the period has about its share."""
    n_rows = 1_000_000
    sample = sample_evenly(np.arange(n_rows, dtype=np.uint32), MOST_EVALUATION_ROWS)
    for period in (12, 24, 60, 168, 365, 1440, n_rows // 512):
        counts = np.histogram(sample % period, bins=12, range=(0, period))[0]
        # of 512 groups of eight rows some 43 fall into each bin: four standard deviations
        np.testing.assert_allclose(counts, counts.mean(), rtol=4 / np.sqrt(43))


def test_the_longer_the_rows_the_fewer_are_sampled():
    for length, n_rows in [(0, 4096), (1, 4096), (64, 4096), (100, 2621), (2000, 1024), (100_000, 1024)]:
        assert count_evaluation_rows(5000 * length, 5000) == n_rows


def test_few_rows_are_their_own_sample():
    order = np.array([3, 5, 8], np.uint32)
    assert sample_evenly(order, MOST_EVALUATION_ROWS) is order


@pytest.mark.parametrize(("container", "rate"), [(np.asarray, 0.001), (sparse.csr_array, 0.03)], ids=["dense", "CSR"])
def test_rows_that_the_sample_misses_count(container, rate):
    """What there is to learn is in a hundredth of them: for the sample there is never anything to gain."""
    n_rows = 100_000
    left_out = np.setdiff1d(np.arange(n_rows), sample_evenly(np.arange(n_rows, dtype=np.uint32), MOST_EVALUATION_ROWS))
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    X[:, 0] = 0
    X[left_out[::100], 0] = 1
    model = RMSpropRegressor(learning_rate=rate, random_state=0).fit(container(X), X[:, 0])
    assert model.n_iter_ > 2
    assert model.score(X, X[:, 0]) > 0.999


def test_a_fit_ends_when_all_rows_have_ceased_to_improve():
    """Wide data, where the sample's noise is several times tol: its word alone would end this at half the epochs."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 600))
    y = X @ rng.normal(size=600) / 20 + rng.normal(size=10_000)
    model = RMSpropRegressor(random_state=0).fit(X, y)

    def score_after(n_epochs):
        return RMSpropRegressor(random_state=0, tol=None, max_iter=n_epochs).fit(X, y).score(X, y)

    end = model.n_iter_
    assert score_after(end) == model.score(X, y)
    assert model.score(X, y) - score_after(end - model.n_iter_no_change) < 1.2 * model.tol
    assert score_after(end // 2) < model.score(X, y) - 2 * model.tol


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("weighted", [False, True], ids=["equal weights", "weights"])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.parametrize("n_features", [1, 6, 26])
def test_the_loss_is_measured_on_the_sample_and_changes_nothing(
    n_features, n_targets, weighted, container, monkeypatch
):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(300, n_features)), rng.normal(size=(300, n_targets))
    weight = rng.integers(0, 4, size=300).astype(float) if weighted else None
    parameters = {"loss": "huber", "penalty": "elasticnet", "alpha": 0.01, "tol": None, "max_iter": 3}
    of_all = RMSpropRegressor(**parameters, random_state=0).fit(container(X), Y, sample_weight=weight)
    monkeypatch.setattr(_problem, "MOST_EVALUATION_ROWS", 64)
    model = RMSpropRegressor(**parameters, random_state=0).fit(container(X), Y, sample_weight=weight)
    np.testing.assert_array_equal(model.coef_, of_all.coef_)
    np.testing.assert_array_equal(model.intercept_, of_all.intercept_)

    objective = {name: parameters[name] for name in ("loss", "penalty", "alpha")}
    weight = np.ones(300) if weight is None else weight
    rows = sample_evenly(np.flatnonzero(weight), 64)
    assert len(rows) == 64
    expected = [
        oracles.objective(
            X[rows], Y[rows, k], model.coef_[k], model.intercept_[k], sample_weight=weight[rows], **objective
        )
        for k in range(n_targets)
    ]
    assert model.loss_curve_[-1] == pytest.approx(np.mean(expected), rel=1e-9)


# Where the loss is evaluated inside epochs


def test_the_likely_improvement_is_the_earlier_excess_loss_unless_a_larger_one_is_certain():
    """Steps have doubled: a sag of (2e + e) / 4 stands for noise that causes the excess losses 2e and e."""
    value, sag = np.array([[3.0, 7.0, 3.0], [3.0, 3.0, 0.6]])
    every = np.ones(3, bool)

    def largest(sag, error):
        """The limits between which the answer changes, per target."""
        improvement, limits = Improvement(value, sag, lambda: np.full(3, error)), np.arange(0.5, 10)
        below = np.array([improvement.is_below(np.full(3, limit), 2.0, every) for limit in limits])
        return limits[below.argmax(axis=0)] - 0.5

    np.testing.assert_allclose(largest(sag, 1.0), [8, 8, 2])
    np.testing.assert_allclose(largest(sag / 3, 0.0), [3, 7, 3])


def test_the_error_of_an_improvement_is_measured_only_where_it_decides():
    def fail():
        raise AssertionError

    decided = Improvement(np.array([3.0, 9.0, 0.5]), np.array([0.0, 3.0, 0.1]), fail)
    limit = np.full(3, 2.0)
    assert decided.is_below(limit, 2.0, np.array([False, True, True])).tolist() == [False, False, True]
    with pytest.raises(AssertionError):
        decided.is_below(limit, 2.0, np.ones(3, bool))


def run_inside(improvements, on_more_rows, *, n_evaluations=30):
    """Run the rule with these improvements on some rows and on 1000 rows, by the later of the evaluations.

    The steps double from one evaluation to the next, and the evaluation rows show no end of improvement.
    """
    compared = []

    def compare(before, now, n_rows, targets):
        compared.append((int(before[0, 0]), int(now[0, 0]), n_rows))
        value = np.array([(on_more_rows if n_rows == 1000 else improvements)[compared[-1][1]]])
        return Improvement(value, 0 * value, lambda: 0 * value)

    inside = Inside(compare, rows_per_epoch=8, most_rows=1000)
    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=10**9, inside=inside)
    for n in range(1, n_evaluations):
        if stopping.check(2.0**n, np.array([10.0 - 0.2 * n]), coef_of(n)):
            return n, compared
    return None, compared


def test_a_fit_ends_when_the_improvement_over_several_evaluations_is_small(monkeypatch):
    monkeypatch.setattr(_stopping, "FEWEST_ROWS_COMPARED", 2)
    improvements = {3: 1.0, 4: 0.05, 5: 0.5, 6: 0.05}
    n, compared = run_inside(improvements, {4: 0.2, 6: 0.05})
    assert n == 6
    # a sixteenth of the rows since the last evaluation, and only if these show none, the largest sample
    assert compared == [(1, 3, 2), (2, 4, 4), (2, 4, 1000), (3, 5, 8), (4, 6, 16), (4, 6, 1000)]


def test_improvements_are_not_estimated_while_the_evaluation_rows_show_large_ones():
    def compare(before, now, n_rows, targets):
        raise AssertionError

    stopping = Stopping(np.array([0.1]), n_iter_no_change=2, max_iter=100, inside=Inside(compare, 1000, 1000))
    assert run(stopping, 1000 - 0.45 * np.arange(20)) is None


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_the_improvement_is_the_difference_of_the_losses(container):
    """And the sag that of the quadratic function, an eighth of the mean square of what predictions have changed."""
    rng = np.random.default_rng(0)
    X, Y, weight = rng.normal(size=(3000, 4)), rng.normal(size=(3000, 2)), rng.uniform(0.5, 2, size=3000)
    settings = settings_of(standardize=False, penalty="l2", alpha=0.1)
    problem = set_up(data_of(container(X), Y, weight), settings)[2]
    before, now = rng.normal(size=(2, 5, 2))
    before[-1], now[-1] = 0, 0
    improvement = problem.compare(before, now, 10**6)
    change = problem.evaluate(before, problem.data.rows) - problem.evaluate(now, problem.data.rows)
    np.testing.assert_allclose(improvement.value, change, rtol=1e-9)
    squares = np.average((X @ (before - now)[:-1]) ** 2, axis=0, weights=weight)
    squares += 0.1 * ((before - now) ** 2).sum(axis=0)
    np.testing.assert_allclose(improvement.sag, squares / 8, rtol=1e-9)
    np.testing.assert_array_equal(improvement.error(), 0)
    # of half of the rows, taken without replacement, half of the variance over their number
    residuals = np.array([X @ point[:-1] - Y for point in (before, now)])
    of_rows = weight[:, np.newaxis] * (residuals[0] ** 2 - residuals[1] ** 2) / 2
    expected = of_rows.std(axis=0) / np.sqrt(3000) / weight.mean()
    np.testing.assert_allclose(problem.compare(before, now, 1500).error(), expected, rtol=0.5)


def test_a_fit_of_many_rows_ends_in_time():
    """The noise of 4096 rows is several times tol: by the rule for few rows these fits take 8.7 epochs."""
    X, y = linear(0, n_rows=100_000, n_features=20)
    for seed in range(2):
        model = RMSpropRegressor(random_state=seed).fit(X, y)
        assert model.evaluation_epochs_[-1] < 5
        assert missed(model, X, y) < 1e-4
