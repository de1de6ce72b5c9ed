"""Models leave Python: converted to ONNX, stored by skops."""

import sys

import numpy as np
import pytest
from configurations import CONFIGURATIONS
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_rmsprop import RMSpropRegressor, RMSpropRegressorCV
from sklearn_rmsprop.onnx import register_converter

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Predictions miss the mean"),  # without an intercept
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) * [1.0, 10.0, 0.1, 1.0] + [0.0, 2000.0, 0.0, 1.0]
Y = X @ RNG.normal(size=(4, 2)) + [1.0, -2.0] + 0.1 * RNG.normal(size=(200, 2))


@pytest.fixture
def run():
    """Convert a fitted model, and predict with onnxruntime."""
    skl2onnx = pytest.importorskip("skl2onnx")
    runtime = pytest.importorskip("onnxruntime")
    register_converter()

    def run(model, rows):
        converted = skl2onnx.to_onnx(model, rows[:1])
        session = runtime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
        (prediction,) = session.run(None, {session.get_inputs()[0].name: rows})
        return prediction

    return run


@pytest.mark.parametrize("in_pipeline", [False, True], ids=["alone", "in a pipeline"])
@pytest.mark.parametrize("trained_on", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("targets", [0, [0], [0, 1]], ids=["one target", "one column of targets", "two targets"])
def test_onnx_predicts_the_same(run, targets, dtype, trained_on, in_pipeline):
    model = RMSpropRegressor(random_state=0)
    model = make_pipeline(StandardScaler(), model) if in_pipeline else model
    model.fit(X.astype(trained_on), Y[:, targets])
    rows = X.astype(dtype)
    expected, prediction = model.predict(rows), run(model, rows)
    assert prediction.dtype == dtype
    assert prediction.shape == (200, np.size(targets))
    np.testing.assert_allclose(prediction, expected.reshape(prediction.shape), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_])
def test_onnx_takes_whole_numbers_and_booleans(run, dtype):
    rows = RNG.integers(0, 2, size=(200, 4)).astype(dtype)
    model = RMSpropRegressor(random_state=0).fit(rows, rows @ [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(run(model, rows)[:, 0], model.predict(rows), rtol=1e-5, atol=1e-5)


def test_onnx_predicts_what_a_search_does(run):
    model = RMSpropRegressorCV(alphas=[0.1], cv=2, random_state=0).fit(X, Y[:, 0])
    np.testing.assert_allclose(run(model, X)[:, 0], model.predict(X), rtol=1e-6)


def test_onnx_takes_tables_of_columns_of_different_types():
    """A pipeline that encodes categories; the model gets sparse rows when fitted."""
    skl2onnx, runtime = pytest.importorskip("skl2onnx"), pytest.importorskip("onnxruntime")
    pd = pytest.importorskip("pandas")
    register_converter()
    table = pd.DataFrame({"size": X[:, 0].astype(np.float32), "color": RNG.choice(["red", "blue"], size=200)})
    encode = make_column_transformer((OneHotEncoder(), ["color"]), remainder="passthrough", sparse_threshold=1)
    model = make_pipeline(encode, RMSpropRegressor(random_state=0)).fit(table, Y[:, 0])
    session = runtime.InferenceSession(
        skl2onnx.to_onnx(model, table[:1]).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (prediction,) = session.run(None, {name: table[[name]].to_numpy() for name in table})
    np.testing.assert_allclose(prediction[:, 0], model.predict(table), rtol=1e-5, atol=1e-5)


def test_onnx_uses_coefficients_that_the_user_has_assigned(run):
    model = RMSpropRegressor(random_state=0).fit(X, Y[:, 0])
    model.coef_, model.intercept_ = np.array([[1, 2, 3, 4]]), 5
    np.testing.assert_allclose(run(model, X)[:, 0], X @ [1.0, 2.0, 3.0, 4.0] + 5, rtol=1e-12)


def test_without_skl2onnx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn-rmsprop\[onnx\]"'):
        register_converter()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_skops_needs_to_trust_the_estimator_only(name):
    """It goes on training like the model that was stored."""
    skops = pytest.importorskip("skops.io")
    model = RMSpropRegressor(random_state=0, **CONFIGURATIONS[name]).set_params(max_iter=3)
    model.fit(X[:100], Y[:100]).partial_fit(X[100:150], Y[100:150])
    stored = skops.dumps(model)
    trusted = ["sklearn_rmsprop._regressor.RMSpropRegressor"]
    assert skops.get_untrusted_types(data=stored) == trusted
    loaded = skops.loads(stored, trusted=trusted)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    for each in (model, loaded):
        each.partial_fit(X[150:], Y[150:])
    np.testing.assert_array_equal(loaded.coef_, model.coef_)


def test_skops_stores_a_stream_that_waits_for_its_basis():
    """The statistics of the rows so far are stored as well."""
    skops = pytest.importorskip("skops.io")
    model = RMSpropRegressor(random_state=0).partial_fit(X[:5], Y[:5])
    assert model._statistics is not None, "the premise"
    loaded = skops.loads(skops.dumps(model), trusted=["sklearn_rmsprop._regressor.RMSpropRegressor"])
    for each in (model, loaded):
        each.partial_fit(X, Y)
    np.testing.assert_array_equal(loaded.coef_, model.coef_)
