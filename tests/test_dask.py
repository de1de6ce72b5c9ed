"""`DaskRMSpropRegressor` on a real cluster of two processes."""

import importlib
import os
import pickle
import signal
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_rmsprop import RMSpropRegressor

dask = pytest.importorskip("dask", reason="needs the extra dask")
distributed = pytest.importorskip("distributed", reason="needs the extra dask")
da = importlib.import_module("dask.array")
module = importlib.import_module("sklearn_rmsprop.dask")
DaskRMSpropRegressor, DaskCluster = module.DaskRMSpropRegressor, module.DaskCluster

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6000, 4))
Y = X @ [1.0, -2.0, 3.0, 0.5] + 4 + RNG.normal(size=6000)
WEIGHT = RNG.uniform(0.5, 2, size=6000)
COLUMNS = ["carat", "depth", "table", "price"]


@pytest.fixture(scope="module")
def client():
    """Two workers, each a process with one thread, that nobody else can reach."""
    options = dict.fromkeys(("dashboard_address", "worker_dashboard_address"), "127.0.0.1:0")
    with (
        dask.config.set({"distributed.worker.daemon": True}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit=0, host="127.0.0.1", **options
        ) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


def regressor(**parameters):
    return DaskRMSpropRegressor(**{"n_blocks": 2, "random_state": 0} | parameters)


def as_dask(array, n_rows=1500):
    return da.from_array(array, chunks=(n_rows, *array.shape[1:]))


def delayed_rows(array, n_rows=1500):
    return [dask.delayed(array[first : first + n_rows]) for first in range(0, len(array), n_rows)]


def frame_and_series():
    # imported here, because it takes seconds and only one of the processes that run tests needs it
    dd = importlib.import_module("dask.dataframe")
    frame = dd.from_pandas(pd.DataFrame(X, columns=COLUMNS), npartitions=4, sort=False)
    return frame, dd.from_pandas(pd.Series(Y, name="y"), npartitions=4, sort=False)


@pytest.fixture(scope="module")
def reference(client):
    """The model of dask arrays; other collections of the same partitions have the same."""
    return regressor().fit(as_dask(X), as_dask(Y), sample_weight=as_dask(WEIGHT))


def assert_same_model(model, other):
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.intercept_, other.intercept_)
    assert (model.n_iter_, model.t_, model.loss_curve_) == (other.n_iter_, other.t_, other.loss_curve_)


def test_an_ordinary_fitted_estimator(reference):
    local = RMSpropRegressor(random_state=0).fit(X, Y, sample_weight=WEIGHT)
    assert vars(reference).keys() - vars(local).keys() == {"n_blocks", "exchange"}
    assert type(reference.coef_) is np.ndarray
    np.testing.assert_allclose(reference.coef_, local.coef_, atol=0.02)
    assert reference.score(X, Y) == pytest.approx(local.score(X, Y), abs=1e-4)
    assert reference.n_features_in_ == 4
    assert len(reference.loss_curve_) >= 5
    went_on = pickle.loads(pickle.dumps(reference)).partial_fit(X[:100], Y[:100])
    assert went_on.t_ > reference.t_
    plain = reference.to_local()
    assert type(plain) is RMSpropRegressor
    assert plain.get_params() == {k: v for k, v in reference.get_params().items() if k not in ("n_blocks", "exchange")}
    np.testing.assert_array_equal(plain.predict(X), reference.predict(X))
    plain.partial_fit(X, Y)  # a model of its own
    assert plain.t_ > reference.t_


@pytest.mark.parametrize("kind", ["other chunks", "delayed", "futures", "repeated"])
def test_the_same_from_other_collections(client, reference, kind):
    arrays = (X, Y, WEIGHT)
    if kind == "delayed":
        passed = [delayed_rows(array) for array in arrays]
    elif kind == "futures":
        passed = [client.scatter([array[k : k + 1500] for k in range(0, 6000, 1500)]) for array in arrays]
    else:
        passed = [as_dask(array) for array in arrays]
        if kind == "other chunks":  # of columns, and of the rows of y
            passed[:2] = [passed[0].rechunk((1500, 3)), passed[1].rechunk(1000)]
    assert_same_model(regressor().fit(*passed), reference)


def test_data_frames_have_names(client):
    frame, series = frame_and_series()
    model = regressor().fit(frame, series)
    assert_same_model(model, regressor().fit(as_dask(X), as_dask(Y)))
    assert model.feature_names_in_.tolist() == COLUMNS
    prediction = model.predict(frame)
    assert isinstance(prediction, da.Array)
    np.testing.assert_array_equal(prediction.compute(), model.predict(pd.DataFrame(X, columns=COLUMNS)))
    assert model.score(frame, series) == pytest.approx(model.score(pd.DataFrame(X, columns=COLUMNS), Y), abs=1e-12)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"carat": "weight"})).compute()
    regressor().fit(as_dask(X), as_dask(Y))
    assert not hasattr(model.fit(as_dask(X), as_dask(Y)), "feature_names_in_")


def test_sparse_blocks(client):
    S = sparse.random_array((6000, 300), density=0.02, rng=np.random.default_rng(0), format="csr")
    S = sparse.csr_matrix(S)
    y = S @ np.random.default_rng(1).normal(size=300) + 0.1 * Y
    whole, target = da.from_array(S, chunks=(1500, 300), asarray=False), as_dask(y)
    model = regressor().fit(whole, target)
    local = RMSpropRegressor(random_state=0).fit(S, y)
    assert model.score(S, y) == pytest.approx(local.score(S, y), abs=1e-3)
    np.testing.assert_array_equal(model.predict(whole).compute(), model.predict(S))


def test_several_targets(client):
    targets = np.column_stack((Y, 2 * Y + X[:, 0], X[:, 1]))
    model = regressor().fit(as_dask(X), da.from_array(targets, chunks=(1000, 2)))
    prediction = model.predict(as_dask(X))
    assert prediction.shape == (6000, 3)
    assert prediction.chunks == ((1500,) * 4, (3,))
    np.testing.assert_array_equal(prediction.compute(), model.predict(X))
    assert model.score(as_dask(X), as_dask(targets)) == pytest.approx(model.score(X, targets), abs=1e-12)


def test_predict_is_lazy_and_score_weighted(reference, tmp_path):
    rows, made = X[:1500], tmp_path / "made"

    def make_rows():
        made.touch()
        return rows

    prediction = reference.predict([dask.delayed(make_rows, pure=False)(), dask.delayed(X[:0])])
    assert not made.exists()
    np.testing.assert_array_equal(prediction.compute(), reference.predict(X[:1500]))
    assert made.exists()
    found = reference.score(as_dask(X), as_dask(Y), as_dask(WEIGHT))
    assert found == pytest.approx(reference.score(X, Y, WEIGHT), abs=1e-12)
    assert reference.predict(as_dask(X).astype(int)).dtype == np.float64
    with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 4\), as in fit; got \(6000, 3\)"):
        reference.predict(as_dask(X[:, :3]))
    float32 = RMSpropRegressor.fit(regressor(), X.astype(np.float32), Y)
    lazy = float32.predict(as_dask(X.astype(np.float32)))
    assert lazy.dtype == lazy.compute().dtype == np.float32


def test_score_of_a_constant_target(reference):
    zeros = np.zeros_like(Y)
    assert reference.score(as_dask(X), as_dask(zeros)) == reference.score(X, zeros) == 0


# Parameters, and what is refused


def test_partial_fit_takes_one_block_at_a_time():
    model = regressor()
    with pytest.raises(TypeError, match=r"X must be an array in partial_fit; got a list of 4 delayed blocks.*compute"):
        model.partial_fit(delayed_rows(X), delayed_rows(Y))
    with pytest.raises(TypeError, match="y must be an array"):
        model.partial_fit(X, delayed_rows(Y))
    for rows, targets in zip(delayed_rows(X), delayed_rows(Y), strict=True):
        model.partial_fit(rows.compute(), targets.compute())
    assert model.partial_fit(as_dask(X), as_dask(Y)).score(X, Y) > 0.9


def test_parameters_are_those_of_the_parent():
    ours, theirs = DaskRMSpropRegressor().get_params(), RMSpropRegressor().get_params()
    assert ours == theirs | {"n_blocks": None, "exchange": True}
    assert clone(DaskRMSpropRegressor("huber", n_blocks=3, delta=2.0)).get_params()["n_blocks"] == 3
    with pytest.raises(TypeError, match="unexpected keyword argument 'blocks'"):
        DaskRMSpropRegressor(blocks=3)
    for wrong in ({"n_blocks": 0}, {"exchange": "no"}):
        with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter"):
            DaskRMSpropRegressor(**wrong).fit(X, Y)


def test_the_client_belongs_to_the_object_only(client):
    model = regressor()
    model.client = client
    for copied in (clone(model), pickle.loads(pickle.dumps(model)), model.to_local()):
        assert "client" not in vars(copied)
    assert "client" not in model.get_params()
    model.fit(as_dask(X), as_dask(Y))
    assert model.client is client
    assert pickle.loads(pickle.dumps(model)).client is None


def test_the_number_of_workers_is_the_number_of_blocks(client):
    found = regressor(n_blocks=None).fit(as_dask(X), as_dask(Y))
    assert_same_model(found, regressor().fit(as_dask(X), as_dask(Y)))


def test_start_points_weights_and_warm_starts(client):
    dX, dy = as_dask(X), as_dask(Y)
    model = regressor(max_iter=1, tol=None, learning_rate=1e-6)
    model.fit(dX, dy, coef_init=[4.0, 3.0, 2.0, 1.0], intercept_init=7.0)
    np.testing.assert_allclose(model.coef_, [4.0, 3.0, 2.0, 1.0], atol=1e-3)
    assert model.set_params(warm_start=True).fit(dX, dy).intercept_ == pytest.approx(7.0, abs=1e-3)


def test_verbose_and_callbacks_see_each_round(client, capsys):
    pytest.importorskip("sklearn.callback", reason="scikit-learn has no callbacks before 1.9")
    seen = []

    class Recorder:
        max_propagation_depth = 0

        def setup(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            seen.append(fitted_estimator)
            return len(seen) == 3

        def teardown(self, estimator, context):
            pass

    model = regressor(batch_size=16, verbose=1)
    model.set_callbacks(Recorder()).fit(as_dask(X), as_dask(Y))
    lines = capsys.readouterr().out.splitlines()
    assert len(model.loss_curve_) == 3
    assert len(lines) == 5
    assert [len(fitted.loss_curve_) for fitted in seen[:3]] == [1, 2, 3]
    np.testing.assert_array_equal(seen[2].coef_, model.coef_)
    assert "a callback asked for it" in lines[-1]


def test_no_client_is_an_error_with_the_line_to_type(monkeypatch):
    def no_client():
        raise ValueError("No global client found and no address provided")

    monkeypatch.setattr("sklearn_rmsprop.dask.get_client", no_client)
    with pytest.raises(ValueError, match=r"from distributed import Client; client = Client\(\)"):
        regressor().fit(as_dask(X), as_dask(Y))


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "sklearn_rmsprop.dask")
    with pytest.raises(ImportError, match=r'pip install "sklearn-rmsprop\[dask\]"'):
        importlib.import_module("sklearn_rmsprop.dask")


def test_a_bad_partition_is_named(client):
    wrong = X.copy()
    wrong[4000, 1] = np.nan
    model = regressor().fit(X, Y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=r"In partition 2 \(counted from 0\): Input X contains NaN"):
        model.fit(as_dask(wrong), as_dask(Y))
    np.testing.assert_array_equal(model.coef_, before)
    frame, series = frame_and_series()  # wrong in all partitions: the first is named
    with pytest.raises(ValueError, match=r"In partition 0 .*could not convert string to float"):
        regressor().fit(frame.assign(cut="good"), series)


def test_what_does_not_fit_together_is_refused(client):
    with pytest.raises(TypeError, match=r"y must be a dask array, .* got ndarray"):
        regressor().fit(as_dask(X), Y)
    with pytest.raises(TypeError, match="X must be a dask array"):
        regressor().fit(X, as_dask(Y))
    with pytest.raises(ValueError, match=r"X, y must have the same number of partitions, .* got 4, 3"):
        regressor().fit(delayed_rows(X), delayed_rows(Y, 2000))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        regressor().fit(as_dask(X), as_dask(Y[:-1], 1500))
    with pytest.raises(ValueError, match="early_stopping must be False"):
        regressor(early_stopping=True).fit(as_dask(X), as_dask(Y))
    with pytest.raises(ValueError, match="schedule must be"):
        regressor(schedule="cosine").fit(as_dask(X), as_dask(Y))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:X has more columns")
@parametrize_with_checks([DaskRMSpropRegressor()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


# Beside the class


def test_a_large_model_is_sent_without_a_warning(client):
    cluster = DaskCluster(client)
    model = np.ones(2_000_000)
    assert cluster.gather([cluster.submit(np.sum, model)]) == [2_000_000]


def test_a_plain_model_predicts_blocks(reference):
    """As docs/large_data.md shows it."""
    local = reference.to_local()
    prediction = as_dask(X).map_blocks(local.predict, drop_axis=1, dtype=np.float64)
    np.testing.assert_array_equal(prediction.compute(), local.predict(X))


def test_a_grid_search_on_the_workers(client):
    search = GridSearchCV(RMSpropRegressor(random_state=0), {"learning_rate": [0.1, 0.3]}, cv=3)
    here = clone(search).fit(X, Y)
    with client.as_current(), joblib.parallel_config("dask"):
        search.fit(X, Y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])


# Last, because a test after this one would have to wait until the cluster has started another worker.
def test_a_lost_worker_changes_nothing(client, reference):
    """Killed in the midst of the rounds: what was there is computed again."""
    killed = []

    class Killer(DaskRMSpropRegressor):
        def _train(self, problem, *arguments):
            advance = type(problem).advance

            class Fragile(type(problem)):
                def advance(self, *arguments):
                    if not killed:
                        killed.append(client.submit(os.getpid, pure=False).result())
                        os.kill(killed[0], signal.SIGKILL)
                    return advance(self, *arguments)

            fragile = Fragile(**{name: getattr(problem, name) for name in problem.__dataclass_fields__})
            return super()._train(fragile, *arguments)

    model = Killer(n_blocks=2, random_state=0).fit(as_dask(X), as_dask(Y), sample_weight=as_dask(WEIGHT))
    assert killed
    assert_same_model(model, reference)
