"""scikit-learn's callbacks (1.9 and later): what they see of a fit, that they can stop it, and that they do no harm."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV

callback = pytest.importorskip("sklearn.callback")

HOOKS = ["setup", "begin fit", "begin evaluation", "end evaluation", "end fit", "teardown"]


class Recorder:
    """Notes the hooks called, the contexts that came with them, and what else `on_fit_task_end` received."""

    def __init__(self):
        self.calls, self.contexts, self.received = [], [], []

    def note(self, hook, context):
        self.calls.append(hook)
        self.contexts.append(context)

    def setup(self, estimator, context):
        self.note("setup", context)

    def on_fit_task_begin(self, estimator, context):
        self.note(f"begin {context.task_name}", context)

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        self.note(f"end {context.task_name}", context)
        self.received.append((X, y, metadata, fitted_estimator))

    def teardown(self, estimator, context):
        self.note("teardown", context)

    def models(self):
        """Return the models received at the evaluations."""
        return [received[3] for received in self.received[:-1]]


class Stopper(Recorder):
    """Asks to stop after so many evaluations."""

    def __init__(self, n_evaluations):
        super().__init__()
        self.n_evaluations = n_evaluations

    def on_fit_task_end(self, estimator, context, **arguments):
        # scikit-learn looks at the signature: without named arguments there is no model to make
        self.note(f"end {context.task_name}", context)
        return self.calls.count("end evaluation") == self.n_evaluations


class Failing(Recorder):
    """Raises when a hook is called for the n-th time."""

    def __init__(self, hook, error, n=1):
        super().__init__()
        self.hook, self.error, self.n = hook, error, n

    def note(self, hook, context):
        super().note(hook, context)
        if hook == self.hook and self.calls.count(hook) == self.n:
            raise self.error


def problem(n_rows=500, n_targets=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 4))
    y = X @ [1.0, -2.0, 3.0, 0.5] + rng.normal(size=n_rows)
    return X, (y if n_targets is None else np.outer(y, np.arange(1, n_targets + 1)))


def regressor(**parameters):
    return RMSpropRegressor(**{"tol": None, "max_iter": 30, "batch_size": 32, "random_state": 0} | parameters)


def assert_same_model(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    np.testing.assert_array_equal(one.intercept_, other.intercept_)
    assert (one.n_iter_, one.t_, one.loss_curve_) == (other.n_iter_, other.t_, other.loss_curve_)


def assert_nothing_left_behind(model):
    names = set(vars(model)) - {"_skl_callbacks"}
    assert not [name for name in names if "callback" in name or "ctx" in name]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("tol", [None, 1e-300])
@pytest.mark.parametrize(
    ("n_rows", "max_iter", "n_evaluations"), [(5000, 12, 12), (500, 12, 12), (500, 14, 14), (32, 7, 7)]
)
def test_a_task_for_the_fit_and_one_for_each_epoch(n_rows, max_iter, n_evaluations, tol):
    recorder = Recorder()
    parameters = {"max_iter": max_iter, "tol": tol, "n_iter_no_change": 100}
    model = regressor(**parameters).set_callbacks(recorder).fit(*problem(n_rows))
    evaluations = ["begin evaluation", "end evaluation"] * n_evaluations
    assert recorder.calls == ["setup", "begin fit", *evaluations, "end fit", "teardown"]
    assert recorder.contexts[0].max_subtasks == n_evaluations
    assert [each.task_id for each in recorder.contexts[3:-2:2]] == list(range(n_evaluations))
    assert [each.n_iter_ for each in recorder.models()] == list(range(1, n_evaluations + 1))
    assert_nothing_left_behind(model)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"loss": "quantile"}, {"early_stopping": True}, {"penalty": "l1", "alpha": 0.1, "momentum": 0.5}],
    ids=["default", "kink", "early stopping", "L1"],
)
def test_a_fit_is_the_same_whoever_watches(parameters, container):
    """Although the rule looks at the loss every seven epochs only, and pauses round sparse columns anew."""
    X, y = problem()
    X, recorder, other = container(X), Recorder(), regressor(tol=1e-4, max_iter=300, **parameters)
    model = clone(other).set_callbacks(recorder).fit(X, y)
    assert_same_model(model, other.fit(X, y))
    models = recorder.models()
    assert [each.n_iter_ for each in models] == list(range(1, model.n_iter_ + 1))
    # up to rounding of sparse columns, which a few steps amplify, the model of a fit that ends there
    with pytest.warns(ConvergenceWarning):
        ended = regressor(tol=1e-4, **parameters | {"max_iter": 4}).fit(X, y)
    if "loss" not in parameters:  # max_iter sets the stages of a loss with a kink
        np.testing.assert_allclose(models[3].coef_, ended.coef_, rtol=1e-9)
        np.testing.assert_allclose(models[3].loss_curve_, ended.loss_curve_, rtol=1e-9)


def test_of_many_rows_callbacks_see_each_evaluation_inside_epochs():
    X, y = problem(40_000)
    recorder = Recorder()
    model = RMSpropRegressor(random_state=0).set_callbacks(recorder).fit(X, y)
    assert recorder.calls.count("end evaluation") == len(model.loss_curve_)
    assert 0 < model.evaluation_epochs_[0] < 1
    seen = recorder.models()
    assert seen[1].loss_curve_ == model.loss_curve_[:2]
    assert recorder.contexts[0].max_subtasks >= 1000


def test_a_fit_may_take_fewer_checks_than_it_is_allowed():
    recorder = Recorder()
    model = RMSpropRegressor(random_state=0).set_callbacks(recorder).fit(*problem(5000))
    assert recorder.contexts[0].max_subtasks == 1000
    assert recorder.calls.count("end evaluation") == model.n_iter_ < 50


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize(
    "parameters",
    [{}, {"n_targets": 3}, {"average": False, "momentum": 0.9}, {"penalty": "l1", "alpha": 0.5}, {"dtype": np.float32}],
    ids=["default", "targets", "iterate", "L1", "float32"],
)
def test_the_model_at_a_check_is_that_of_a_fit_that_stops_there(parameters, container):
    """To the last bit, and still so after the fit has gone on; nor do callbacks change the fit."""
    parameters = parameters.copy()
    X, y = problem(n_targets=parameters.pop("n_targets", None))
    X = container(X.astype(parameters.pop("dtype", np.float64)))
    recorder = Recorder()
    model = regressor(**parameters).set_callbacks(recorder).fit(X, y)
    assert [each.n_iter_ for each in recorder.models()] == list(range(1, 31))
    for each in recorder.models()[::7]:
        assert_same_model(each, regressor(**parameters, max_iter=each.n_iter_).fit(X, y))
    assert_same_model(model, recorder.received[-1][3])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_with_rows_held_out_the_model_at_a_check_is_the_best_so_far(container):
    X, y = problem()
    recorder = Recorder()
    # a seed whose best check is neither the first nor the last
    parameters = {"early_stopping": True, "schedule": "constant", "average": False, "max_iter": 60, "random_state": 5}
    model = regressor(**parameters).set_callbacks(recorder).fit(container(X), y)
    best = [int(np.argmax(model.validation_scores_[: n + 1])) for n in range(len(model.validation_scores_))]
    assert 0 < best[-1] < len(best) - 1
    models = recorder.models()
    for n, each in enumerate(models):
        assert each.validation_scores_ == model.validation_scores_[: n + 1]
        np.testing.assert_array_equal(each.coef_, models[best[n]].coef_)
    np.testing.assert_array_equal(models[-1].coef_, model.coef_)


def test_the_model_at_a_check_can_go_on_by_itself():
    X, y = problem()
    recorder = Recorder()
    model = regressor().set_callbacks(recorder).fit(X, y)
    expected = pickle.dumps(model.coef_)
    first = pickle.loads(pickle.dumps(recorder.models()[0])).set_callbacks()
    first.partial_fit(X, y)
    assert_same_model(first, regressor(max_iter=1).fit(X, y).partial_fit(X, y))
    assert pickle.dumps(model.coef_) == expected


def test_scores_of_an_earlier_fit_are_not_those_of_a_model_at_a_check():
    X, y = problem()
    model = regressor(early_stopping=True).fit(X, y)
    recorder = Recorder()
    model.set_params(early_stopping=False).set_callbacks(recorder).fit(X, y)
    assert not any(hasattr(each, "validation_scores_") for each in recorder.models())


def test_a_model_is_made_only_if_asked_for(monkeypatch):
    made = []
    original = RMSpropRegressor._set_fitted

    def counted(*args, **kwargs):
        made.append(args)
        original(*args, **kwargs)

    monkeypatch.setattr(RMSpropRegressor, "_set_fitted", counted)
    regressor().set_callbacks(Stopper(1000)).fit(*problem())
    assert len(made) == 1


@pytest.mark.parametrize("weight", [None, np.arange(500.0)], ids=["equal", "weighted"])
def test_callbacks_receive_what_the_user_passed(weight):
    """The frame itself: what has been made of it has lost the names of its columns, and a prediction would warn."""
    X, y = problem()
    frame = pd.DataFrame(X, columns=list("abcd"))
    recorder = Recorder()
    regressor().set_callbacks(recorder).fit(frame, y, sample_weight=weight)
    for got_X, got_y, metadata, model in recorder.received:
        assert got_X is frame
        assert got_y is y
        assert metadata is None if weight is None else metadata["sample_weight"] is weight
        assert model.predict(got_X).shape == (500,)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("max_iter", "n_evaluations"), [(14, 14), (1000, 14), (1000, 5), (14, 9)])
def test_a_callback_stops_the_fit(max_iter, n_evaluations):
    """Where the rule looks at the loss, and between; without a warning, also with the last epoch allowed."""
    X, y = problem()
    stopper = Stopper(n_evaluations)
    model = regressor(tol=1e-9, max_iter=max_iter).set_callbacks(stopper).fit(X, y)
    assert stopper.calls[-3:] == ["end evaluation", "end fit", "teardown"]
    ended = regressor(max_iter=n_evaluations).fit(X, y)
    np.testing.assert_array_equal(model.coef_, ended.coef_)
    assert (model.n_iter_, model.t_) == (ended.n_iter_, ended.t_)


def test_without_a_callback_that_stops_the_same_fit_warns():
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        regressor(tol=1e-9, max_iter=14).set_callbacks(Stopper(15)).fit(*problem())


def test_a_fit_that_is_stopped_publishes_the_best_check():
    X, y = problem()
    parameters = {"early_stopping": True, "schedule": "constant", "average": False, "max_iter": 60}
    whole = regressor(**parameters).fit(X, y)
    best = int(np.argmax(whole.validation_scores_))
    model = regressor(**parameters).set_callbacks(Stopper(best + 2)).fit(X, y)
    assert len(model.validation_scores_) == best + 2 <= len(whole.validation_scores_)
    np.testing.assert_array_equal(model.coef_, whole.coef_)


def test_every_callback_sees_the_check_at_which_one_stops():
    first, second = Stopper(1), Recorder()
    regressor().set_callbacks(first, second).fit(*problem())
    assert first.calls == second.calls == HOOKS


def test_verbose_beside_callbacks(capsys):
    recorder = Recorder()
    regressor(verbose=1, tol=1e-9).set_callbacks(recorder, Stopper(3)).fit(*problem())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["epoch", "1", "2", "3", "Stopped"]
    assert lines[-1] == "Stopped after 3 epochs: a callback asked for it."
    assert recorder.calls.count("end evaluation") == 3


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("fitted", [True, False])
def test_a_callback_that_raises_leaves_the_estimator_as_it_was(fitted, hook, error):
    """And every callback that was set up is torn down."""
    X, y = problem()
    model = regressor(early_stopping=True)
    if fitted:
        model.fit(X[:100], y[:100])
    failing, other = Failing(hook, error), Recorder()
    model.set_callbacks(other, failing)
    before = vars(model).copy()
    with pytest.raises(type(error)):
        model.set_params(early_stopping=False).fit(X[:, :3], y)
    after = vars(model.set_params(early_stopping=True))
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert failing.calls[-1] == other.calls[-1] == "teardown"
    if fitted:
        assert_same_model(model, regressor(early_stopping=True).fit(X[:100], y[:100]))
    model.set_callbacks().fit(X, y)


def test_an_error_in_training_tears_down():
    recorder = Recorder()
    X, y = problem()
    model = regressor(schedule=lambda t: np.full(len(t), 1e300)).set_callbacks(recorder)
    with pytest.raises(ValueError, match="overflow"):
        model.fit(X, y)
    assert recorder.calls == ["setup", "begin fit", "begin evaluation", "teardown"]
    assert_nothing_left_behind(model)


def test_bad_data_does_not_reach_the_callbacks():
    recorder = Recorder()
    with pytest.raises(ValueError, match="NaN"):
        regressor().set_callbacks(recorder).fit([[np.nan]], [1.0])
    assert recorder.calls == []


def test_partial_fit_does_not_call_them():
    recorder = Recorder()
    X, y = problem()
    regressor().set_callbacks(recorder).partial_fit(X, y).partial_fit(X, y)
    assert recorder.calls == []


def test_a_search_has_a_task_for_each_pass():
    """The folds, and all rows."""
    X, y = problem(60)
    recorder = Recorder()
    search = RMSpropRegressorCV(alphas=[0.1], cv=3, random_state=0)
    model, same = clone(search).set_callbacks(recorder).fit(X, y), search.fit(X, y)
    np.testing.assert_array_equal(model.coef_, same.coef_)
    assert_nothing_left_behind(model)
    folds = ["begin fold", "end fold"] * 3
    assert recorder.calls == ["setup", "begin fit", *folds, "begin all rows", "end all rows", "end fit", "teardown"]
    assert recorder.received[-1][3].coef_ is model.coef_


def test_clones_share_callbacks_and_a_stored_model_has_its_own():
    recorder = Recorder()
    X, y = problem()
    model = regressor().set_callbacks(recorder)
    copy = clone(model).fit(X, y)
    assert recorder.calls[-1] == "teardown"
    stored = pickle.loads(pickle.dumps(copy))
    n_calls = len(recorder.calls)
    assert_same_model(stored.fit(X, y), copy)
    assert len(recorder.calls) == n_calls
    model.fit(X, y)
    assert len(recorder.calls) == 2 * n_calls


def test_callbacks_are_checked_and_can_be_taken_away():
    with pytest.raises(TypeError, match="callbacks must be instances"):
        regressor().set_callbacks("progress")
    model = regressor().set_callbacks(Recorder()).set_callbacks()
    assert vars(model) == model.get_params()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_checks_with_a_callback_set():
    stopper = Stopper(1000)
    check_estimator(RMSpropRegressor(max_iter=30, random_state=0).set_callbacks(stopper))
    assert "end evaluation" in stopper.calls


@pytest.mark.parametrize("weight", [None, np.repeat([1.0, 5.0], 250)], ids=["equal", "weighted"])
def test_scoring_monitor(weight):
    X, y = problem()
    monitor = callback.ScoringMonitor(scoring="r2")
    model = regressor().set_callbacks(monitor).fit(X, y, sample_weight=weight)
    scores = {row["task_id_path"]: row["r2"] for row in monitor.get_logs().data}
    assert list(scores) == [(0,)] + [(0, n) for n in range(30)]
    expected = [regressor(max_iter=n).fit(X, y, sample_weight=weight).predict(X) for n in range(1, 31)]
    expected = [r2_score(y, prediction, sample_weight=weight) for prediction in expected]
    assert list(scores.values()) == [model.score(X, y, weight), *expected]


def test_scoring_monitor_in_a_search_over_two_jobs():
    """The scores come back from the other processes."""
    X, y = problem()
    monitor = callback.ScoringMonitor(scoring="r2")
    pipeline = make_pipeline(StandardScaler(), regressor().set_callbacks(monitor))
    grid = {"rmspropregressor__learning_rate": [0.01, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    scores = monitor.get_logs().data_as_pandas
    # two candidates on two splits, and the refit; each fit counts once more
    assert len(scores) == 5 * (30 + 1)
    refit = scores[scores["task_id_path"] == (0, 1, 1)]
    assert refit["r2"].item() == pytest.approx(search.score(X, y), rel=1e-12)


@pytest.mark.parametrize(
    ("make", "n_bars"),
    [
        (regressor, 1),
        (lambda: make_pipeline(StandardScaler(), regressor()), 3),
        # the search, its two candidates on two splits and the refit, and what they consist of
        (lambda: GridSearchCV(regressor(), {"learning_rate": [0.01, 0.1]}, cv=2), 7),
    ],
    ids=["alone", "pipeline", "search"],
)
def test_progress_bar(make, n_bars, capsys):
    pytest.importorskip("rich")
    X, y = problem()
    model = make().set_callbacks(callback.ProgressBar(max_propagation_depth=None)).fit(X, y)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert len(lines) == n_bars
    assert any("RMSpropRegressor" in line for line in lines)
    assert all("100%" in line or "100" in line for line in lines)
    assert model.score(X, y) == pytest.approx(LinearRegression().fit(X, y).score(X, y), abs=1e-2)
