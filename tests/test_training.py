"""What a fit reports, how its steps shrink, and that it lets other threads run."""

import pickle
import threading
import time
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._monitor import History, Monitor, Monitors
from sklearn_rmsprop._schedules import SCHEDULES, make_schedule


def problem(n_rows=500, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4))
    return X, X @ [1.0, -2.0, 3.0, 0.5] + rng.normal(size=n_rows)


@pytest.mark.parametrize("n_rows", [10, 500, 5000])
def test_tol_none_runs_exactly_max_iter_epochs(n_rows):
    X, y = problem(n_rows)
    model = RMSpropRegressor(tol=None, batch_size=32, max_iter=23).fit(X, y)
    assert model.n_iter_ == 23
    assert model.t_ == 23 * -(-n_rows // 32)


def test_the_loss_is_evaluated_after_epochs_or_a_hundred_steps_or_inside_epochs():
    """5000 rows are 157 steps, 500 rows 16, 32 rows one, and 200,000 rows 6250."""
    for n_rows, epochs in [(5000, range(1, 13)), (500, [7, 12]), (32, [12])]:
        model = RMSpropRegressor(tol=1e-300, batch_size=32, max_iter=12, n_iter_no_change=100)
        with pytest.warns(ConvergenceWarning):
            model.fit(*problem(n_rows))
        assert model.evaluation_epochs_ == list(epochs)
    model = RMSpropRegressor(random_state=0).fit(*problem(200_000))
    steps = np.multiply(model.evaluation_epochs_, 6250)
    np.testing.assert_allclose(steps[:6], [1000, 2000, 3000, 4000, 5000, 6000], rtol=1e-12)
    growth = np.diff(steps) / steps[:-1]
    assert (growth[6:] < 0.2 + 1e-12).all()
    assert model.n_iter_ == np.ceil(model.evaluation_epochs_[-1])
    assert model.t_ == pytest.approx(steps[-1])


@pytest.mark.parametrize("n_rows", [5000, 500, 32])
def test_without_tol_the_loss_is_evaluated_after_each_epoch(n_rows):
    model = RMSpropRegressor(tol=None, max_iter=12).fit(*problem(n_rows))
    assert model.evaluation_epochs_ == list(range(1, 13))
    assert len(model.loss_curve_) == 12


def test_tol_is_a_fraction_of_what_there_is_to_gain():
    """In no unit of y, and whether it is standardised or not: the same path stops after the same epoch."""
    X, y = problem(5000)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (y - y.mean()) / y.std()
    for tol in (1e-2, 1e-3, 1e-5):
        n_iter = RMSpropRegressor(tol=tol, random_state=0).fit(X, y).n_iter_
        assert RMSpropRegressor(tol=tol, random_state=0).fit(X, 1024 * y).n_iter_ == n_iter
        assert RMSpropRegressor(tol=tol, random_state=0, standardize=False).fit(X, y).n_iter_ == n_iter


def test_loss_curve_is_half_the_mean_squared_error_of_the_published_model():
    """In the target's units; of more than 4096 rows, of some."""
    X, y = problem(4096)
    model = RMSpropRegressor(random_state=0).fit(X, 100 * y + 7)
    mse = np.mean((model.predict(X) - 100 * y - 7) ** 2)
    assert model.loss_curve_[-1] == pytest.approx(mse / 2, rel=1e-9)
    assert model.loss_curve_[0] > model.loss_curve_[-1]
    still = RMSpropRegressor(learning_rate=1e-12, max_iter=1, tol=None).fit(X, y)
    assert still.loss_curve_ == [pytest.approx(y.var() / 2)]


class Asking(Monitor):
    """Asks to stop at every evaluation."""

    n_evaluations = 0

    def end_evaluation(self, history, reached):
        self.n_evaluations += 1
        return True


def test_every_monitor_sees_an_evaluation_at_which_one_asks_to_stop():
    monitors = [Asking(), Monitor(), Asking()]
    assert Monitors(monitors).end_evaluation(History(), reached=None)
    assert [monitors[0].n_evaluations, monitors[2].n_evaluations] == [1, 1]
    assert not Monitors([]).end_evaluation(History(), reached=None)


def table(printed):
    """Return the header, the columns as numbers, and what follows the table."""
    header, *lines = printed.splitlines()
    rows = [line for line in lines if line.split()[0].isdigit()]
    assert lines[: len(rows)] == rows
    assert len({len(line) for line in [header, *rows]}) == 1
    return header.split(), np.array([line.split() for line in rows], dtype=float).T, lines[len(rows) :]


def test_verbose_prints_a_line_for_each_evaluation(capsys):
    X, y = problem(4000)
    model = RMSpropRegressor(verbose=1, max_iter=3, tol=None, random_state=0).fit(X, y)
    header, (epoch, loss, explained, seconds), end = table(capsys.readouterr().out)
    assert header == ["epoch", "loss", "explained", "seconds"]
    assert epoch.tolist() == [1, 2, 3]
    np.testing.assert_allclose(loss, model.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(explained, 1 - np.array(model.loss_curve_) / (y.var() / 2), atol=1e-5)
    assert (np.diff(seconds, prepend=0) >= 0).all()
    assert end == ["Stopped after 3 epochs: max_iter is reached."]
    RMSpropRegressor(max_iter=3, tol=None).fit(X, y)
    assert capsys.readouterr().out == ""


def test_of_many_rows_verbose_explains_a_sample(capsys):
    """Loss and best constant are of the same rows: their ratio varies by less than either."""
    X, y = problem(20_000)
    y = y + 100
    model = RMSpropRegressor(verbose=1, random_state=0).fit(X, y)
    _, (_, _, explained, _), _ = table(capsys.readouterr().out)
    # of 4096 squared errors, a fifteenth of y's variance, the mean has a standard error of 0.0015 of that variance
    assert explained[-1] == pytest.approx(model.score(X, y), abs=0.005)


def test_verbose_prints_the_mean_over_targets(capsys):
    X, y = problem(500)
    model = RMSpropRegressor(verbose=1, random_state=0).fit(X, np.column_stack((y, 3 * y)))
    _, (epoch, loss, explained, _), end = table(capsys.readouterr().out)
    assert epoch.tolist() == list(range(1, model.n_iter_ + 1))
    at = np.array(model.evaluation_epochs_, int) - 1
    np.testing.assert_allclose(loss[at], model.loss_curve_, rtol=1e-5)
    np.testing.assert_allclose(explained[at], 1 - np.array(model.loss_curve_) / (5 * y.var() / 2), atol=1e-5)
    assert end == [f"Stopped after {model.n_iter_} epochs: the loss no longer falls by tol."]


def test_verbose_prints_the_validation_score(capsys):
    X, y = problem(5000)
    model = RMSpropRegressor(verbose=1, early_stopping=True, random_state=0).fit(X, y)
    header, columns, end = table(capsys.readouterr().out)
    assert header == ["epoch", "loss", "explained", "validation", "seconds"]
    np.testing.assert_allclose(columns[3], model.validation_scores_, atol=1e-5)
    assert end == [f"Stopped after {model.n_iter_} epochs: the validation score no longer rises by tol."]


def test_verbose_prints_one_table_for_many_calls_of_partial_fit(capsys):
    X, y = problem(500)
    model = RMSpropRegressor(verbose=1, random_state=0)
    for _ in range(3):
        model.partial_fit(X, y)
    _, (epoch, loss, _, _), end = table(capsys.readouterr().out)
    assert epoch.tolist() == [1, 2, 3]
    np.testing.assert_allclose(loss, model.loss_curve_, rtol=1e-5)
    assert end == []


def test_verbose_of_a_target_whose_square_underflows(capsys):
    X, y = problem(500)
    RMSpropRegressor(verbose=1, max_iter=7, tol=None).fit(X, 1e-170 * y)
    _, (_, loss, explained, _), _ = table(capsys.readouterr().out)
    assert loss.tolist() == [0] * 7
    assert np.isnan(explained).all()


def test_callbacks_can_be_set_if_scikit_learn_has_them():
    assert hasattr(RMSpropRegressor, "set_callbacks") == (find_spec("sklearn.callback") is not None)


def test_schedules():
    t = np.array([1, 50, 100, 101, 200])
    sizes = {name: make_schedule(name, 2.0, 100)(t) for name in SCHEDULES}
    np.testing.assert_allclose(sizes["constant"], [2, 2, 2, 2, 2])
    np.testing.assert_allclose(sizes["invsqrt"], 2 / np.sqrt([1.01, 1.5, 2, 2.01, 3]))
    np.testing.assert_allclose(sizes["linear"], [2, 1.02, 0.02, 0, 0], atol=1e-15)
    np.testing.assert_allclose(sizes["cosine"], [2, 1 + np.cos(0.49 * np.pi), 1 + np.cos(0.99 * np.pi), 0, 0])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_callable_schedule_is_the_named_one(name, container):
    X, y = problem()
    n_steps = 3 * 16
    asked = []

    def schedule(t):
        asked.extend(t)
        return make_schedule(name, 0.2, n_steps)(t)

    parameters = {"batch_size": 32, "max_iter": 3, "tol": None, "random_state": 0, "momentum": 0.5}
    called = RMSpropRegressor(schedule=schedule, **parameters).fit(container(X), y)
    named = RMSpropRegressor(schedule=name, **parameters).fit(container(X), y)
    np.testing.assert_array_equal(called.coef_, named.coef_)
    assert asked == list(range(1, n_steps + 1))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_schedules_that_end_in_zero_settle_the_last_iterate(schedule):
    X, y = problem(5000)
    exact = np.linalg.lstsq(np.column_stack((X, np.ones(5000))), y, rcond=None)[0]
    parameters = {"average": False, "max_iter": 10, "tol": None, "random_state": 0}
    settled = RMSpropRegressor(schedule=schedule, **parameters).fit(X, y)
    hovering = RMSpropRegressor(schedule="constant", **parameters).fit(X, y)
    # hovering shrinks with the step; a third leaves room for luck
    assert np.linalg.norm(settled.coef_ - exact[:4]) < np.linalg.norm(hovering.coef_ - exact[:4]) / 3


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_other_threads_run_during_a_fit(container):
    """A call of the kernel lasts some tenths of a second here. Were the GIL held, it would be one gap in the count."""
    X, y = problem(300_000)
    X, model = container(X), RMSpropRegressor(max_iter=100, tol=None, batch_size=None)
    moments = []
    fit = threading.Thread(target=model.fit, args=(X, y))
    fit.start()
    while fit.is_alive():
        moments.append(time.perf_counter())
        time.sleep(0.001)
    longest = np.diff(moments).max()
    assert longest < 0.5 * (moments[-1] - moments[0])
    assert len(moments) > 20


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
@pytest.mark.parametrize("option", [{"momentum": 0.9}, {"centered": True}, {"momentum": 0.9, "centered": True}])
def test_an_option_switched_off_leaves_nothing_behind(container, option):
    """Switched off for one call of partial_fit, all of them begin anew, with or without a past of their own."""
    X, y = problem(200)
    off = {"momentum": 0.0, "centered": False}
    coefs = []
    for first in (off, off | option):
        model = RMSpropRegressor(random_state=0, **first).partial_fit(container(X), y)
        point, state = np.full(model._state.coef.shape, 0.1), model._state
        model._state = replace(state.at_point(point), scaled_square=np.ones_like(point))
        for then in (off, {"momentum": 0.9, "centered": True}):
            model.set_params(**then).partial_fit(container(X), y)
        coefs.append(model.coef_)
    np.testing.assert_array_equal(coefs[0], coefs[1])


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_centering_leaves_no_velocity_behind(container):
    """A column that no row has stands still once momentum is on, if it had none before."""
    X, y = np.array([[1.0, 2.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]), np.array([1.0, 2.0, 0.5, 1.5])
    model = RMSpropRegressor(centered=True, standardize=False, average=False, batch_size=1, random_state=0)
    before = model.partial_fit(container(X), y).coef_[1]
    X[:, 1] = 0
    after = model.set_params(centered=False, momentum=0.9).partial_fit(container(X), y).coef_[1]
    assert after == before


@pytest.mark.parametrize("n_targets", [None, 3])
@pytest.mark.parametrize("n_features", [1, 5, 20])
def test_losses_of_a_start_that_is_not_zero(n_features, n_targets):
    """The first batch of a call is judged by the model that came in, in float32 too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(64, n_features))
    y = X @ rng.normal(size=(n_features, n_targets or 1)) + 0.1 * rng.normal(size=(64, n_targets or 1))
    y = y if n_targets else y.ravel()
    curves = []
    for dtype in (np.float64, np.float32):
        model = RMSpropRegressor(random_state=0, shuffle=False).fit(X.astype(dtype), y)
        for _ in range(3):
            model.partial_fit(X[:32].astype(dtype), y[:32])
        curves.append(model.loss_curve_[-3:])
    # both fits end somewhere near the same optimum
    np.testing.assert_allclose(curves[1], curves[0], rtol=0.05)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array], ids=["dense", "CSR"])
def test_fits_in_two_threads_do_not_meet(container):
    problems = [problem(20_000, seed) for seed in range(2)]
    alone = [RMSpropRegressor(random_state=0).fit(container(X), y).coef_ for X, y in problems]
    models = [RMSpropRegressor(random_state=0) for _ in problems]
    threads = [
        threading.Thread(target=model.fit, args=(container(X), y))
        for model, (X, y) in zip(models, problems, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for model, coef in zip(models, alone, strict=True):
        np.testing.assert_array_equal(model.coef_, coef)


def wide_rows(rng, columns, n_rows=40, n_features=500):
    """Rows that have entries in some columns only, fewer than there are columns."""
    X = np.zeros((n_rows, n_features))
    X[np.arange(n_rows)[:, np.newaxis], rng.choice(columns, size=(n_rows, 3))] = rng.normal(size=(n_rows, 3))
    return sparse.csr_array(X), np.column_stack((X[:, columns[0]], X @ np.ones(n_features))) + 1


def wide_stream(**parameters):
    """A fit and a stream in which columns come and go, one call with an entry in most; models along the way."""
    rng = np.random.default_rng(0)
    model = RMSpropRegressor(random_state=0, batch_size=8, **{"max_iter": 4, "tol": None} | parameters)
    calls = [wide_rows(rng, np.sort(rng.choice(500, 20))) for _ in range(4)]
    calls.append((sparse.csr_array(rng.normal(size=(8, 500))), rng.normal(size=(8, 2))))
    for i, (X, y) in enumerate([*calls, *calls[:3], *calls[:1]]):
        model = model.fit(X, y) if i == 0 else model.set_params(early_stopping=False).partial_fit(X, y)
        yield model


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"average": False},
        {"centered": True},
        {"decay_rate": 0.9},
        {"loss": "absolute_error", "tol": 1e-3, "max_iter": 1000},
        {"momentum": 0.9, "average": False},
        {"penalty": "l1", "alpha": 1e-2},
        {"penalty": "elasticnet", "alpha": 1e-2},
        {"early_stopping": True},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:X has more columns")  # 500 columns, of which few have entries
def test_leaving_out_columns_without_entries_changes_nothing(parameters, monkeypatch):
    """Not by more than roundings, some 1e-15 a call, of the averages of coefficients that stand still."""
    left_out, all_columns = [], []
    for model in wide_stream(**parameters):
        left_out.append((model.coef_, model.intercept_, model.loss_curve_[:]))
    monkeypatch.setattr("sklearn_rmsprop._engine.only_columns_with_entries", lambda data: (data, None))
    for model in wide_stream(**parameters):
        all_columns.append((model.coef_, model.intercept_, model.loss_curve_[:]))
    for (coef, intercept, losses), (same_coef, same_intercept, same_losses) in zip(left_out, all_columns, strict=True):
        np.testing.assert_allclose(coef, same_coef, rtol=0, atol=1e-13 * np.abs(same_coef).max())
        np.testing.assert_allclose(intercept, same_intercept, rtol=1e-13)
        # a sum of penalties over more coefficients is rounded elsewhere
        np.testing.assert_allclose(losses, same_losses, rtol=1e-12)


@pytest.mark.parametrize(("name", "on", "off"), [("momentum", 0.9, 0.0), ("centered", True, False)])
@pytest.mark.filterwarnings("ignore:X has more columns")  # 500 columns, of which few have entries
def test_what_is_switched_off_and_on_again_begins_anew_in_all_columns(name, on, off, monkeypatch):
    """Also in those that had no entries meanwhile."""

    def stream():
        *_, model = wide_stream(**{name: on})
        rng = np.random.default_rng(1)
        for value in (off, on):
            model.set_params(**{name: value}).partial_fit(*wide_rows(rng, np.arange(20)))
        return model.partial_fit(sparse.csr_array(rng.normal(size=(40, 500))), rng.normal(size=(40, 2)))

    left_out = stream()
    monkeypatch.setattr("sklearn_rmsprop._engine.only_columns_with_entries", lambda data: (data, None))
    coef = stream().coef_
    np.testing.assert_allclose(left_out.coef_, coef, rtol=0, atol=1e-13 * np.abs(coef).max())


def test_few_columns_of_many_met_before_take_what_they_take_alone(monkeypatch):
    """The kernel is given the columns with entries, however many others have been met."""
    *_, model = wide_stream()
    sizes, pose = [], engine.pose

    def spy(data, *args, **kwargs):
        sizes.append(data.X.shape[1])
        return pose(data, *args, **kwargs)

    monkeypatch.setattr(engine, "pose", spy)
    model.partial_fit(*wide_rows(np.random.default_rng(1), np.arange(20)))
    assert sizes == [20]


def test_a_failed_call_with_few_of_many_columns_leaves_the_state_as_it_was():
    *_, model = wide_stream()
    before = pickle.dumps(model)
    X, y = wide_rows(np.random.default_rng(1), np.arange(20))
    with pytest.raises(ValueError, match="overflow"):
        model.partial_fit(X, y * 1e300)
    assert pickle.dumps(model) == before


def test_an_error_names_the_column_as_the_user_counts_it():
    X = sparse.csr_array(([1.0, 1e200], ([0, 1], [7, 30])), shape=(5, 40))
    with pytest.raises(ValueError, match="X is too large: the mean square of column 30 overflows"):
        RMSpropRegressor().fit(X, np.arange(5.0))
