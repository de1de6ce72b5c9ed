"""Pictures of a fit: ours, and those of scikit-learn that serve."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import PredictionErrorDisplay
from sklearn.model_selection import GridSearchCV, LearningCurveDisplay, ValidationCurveDisplay
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_rmsprop import (
    PathDisplay,
    RegressionLineDisplay,
    RMSpropRegressor,
    RMSpropRegressorCV,
    TrainingCurveDisplay,
)

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def problem(n_rows=500, n_features=4):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_features))
    return X, X @ np.arange(1.0, n_features + 1) + rng.normal(size=n_rows)


def regressor(**parameters):
    return RMSpropRegressor(**{"tol": None, "max_iter": 30, "batch_size": 32, "random_state": 0} | parameters)


def legend_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def epochs_of(model):
    """Return where the display draws the checks; it must draw all of the loss curve."""
    line = TrainingCurveDisplay.from_estimator(model).line_
    np.testing.assert_array_equal(line.get_ydata(), model.loss_curve_)
    return line.get_xdata().tolist()


def test_evaluations_are_drawn_at_their_epochs():
    assert epochs_of(regressor(max_iter=3).fit(*problem(500))) == [1, 2, 3]
    model = RMSpropRegressor(batch_size=32, random_state=0).fit(*problem(500))
    assert epochs_of(model)[:3] == [7, 14, 21]
    assert epochs_of(model)[-1] == model.n_iter_
    model = RMSpropRegressor(random_state=0).fit(*problem(50_000))
    assert 0 < epochs_of(model)[0] < 1
    assert epochs_of(model) == model.evaluation_epochs_


def test_each_call_of_partial_fit_is_an_epoch():
    X, y = problem()
    assert epochs_of(regressor().partial_fit(X, y).partial_fit(X, y)) == [1, 2]
    model = regressor(max_iter=3).fit(X, y).partial_fit(X, y)
    assert epochs_of(model.partial_fit(X[:10], y[:10])) == [1, 2, 3, 4, 5]


def test_a_new_fit_counts_anew():
    X, y = problem()
    model = regressor(warm_start=True, max_iter=3).fit(X, y).partial_fit(X, y)
    assert epochs_of(model.fit(X, y)) == [1, 2, 3]


def test_the_display_stores_what_it_draws():
    model = regressor(early_stopping=True).fit(*problem())
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.line_ in display.ax_.lines
    assert display.validation_line_ in display.validation_ax_.lines
    assert display.figure_ is display.ax_.figure is display.validation_ax_.figure
    assert display.loss == model.loss_curve_
    assert display.validation_scores == model.validation_scores_
    labels = display.ax_.get_xlabel(), display.ax_.get_ylabel(), display.validation_ax_.get_ylabel()
    assert labels == ("Epoch", "Training loss", "Validation score")
    assert legend_of(display.validation_ax_) == ["RMSpropRegressor", "RMSpropRegressor, validation"]
    without = TrainingCurveDisplay.from_estimator(regressor().fit(*problem()))
    assert without.validation_line_ is without.validation_ax_ is None
    assert len(without.figure_.axes) == 1


def test_the_best_of_the_validation_scores_is_marked():
    # a seed whose best check is not the first
    parameters = {"early_stopping": True, "schedule": "constant", "average": False, "max_iter": 60, "random_state": 5}
    model = regressor(**parameters).fit(*problem())
    line = TrainingCurveDisplay.from_estimator(model).validation_line_
    np.testing.assert_array_equal(line.get_ydata(), model.validation_scores_)
    assert line.get_markevery() == [np.argmax(model.validation_scores_)] != [0]
    assert line.get_marker() == "o"


def test_validation_scores_end_where_partial_fit_went_on():
    X, y = problem()
    model = regressor(early_stopping=True, max_iter=2).fit(X, y)
    model.set_params(early_stopping=False).partial_fit(X, y)
    display = TrainingCurveDisplay.from_estimator(model)
    assert display.line_.get_xdata().tolist() == [1, 2, 3]
    assert display.validation_line_.get_xdata().tolist() == [1, 2]


def test_several_models_on_the_same_axes():
    """They share the axes of the scores, even after the picture has been drawn, and one legend names them all."""
    X, y = problem()
    first = TrainingCurveDisplay.from_estimator(regressor().fit(X, y), name="first")
    assert legend_of(first.ax_) == ["first"]
    stopping = regressor(early_stopping=True).fit(X, y)
    second = TrainingCurveDisplay.from_estimator(stopping, name="second", ax=first.ax_)
    second.figure_.canvas.draw()
    third = TrainingCurveDisplay.from_estimator(stopping, name="third", ax=second.ax_)
    fourth = TrainingCurveDisplay.from_estimator(regressor().fit(X, y), name="fourth", ax=third.ax_)
    assert fourth.figure_.axes == [first.ax_, second.validation_ax_]
    assert third.validation_ax_ is second.validation_ax_
    assert first.ax_.get_legend() is None
    names = ["first", "second", "third", "fourth", "second, validation", "third, validation"]
    assert legend_of(second.validation_ax_) == names
    lines = [display.line_ for display in (first, second, third, fourth)]
    lines += [second.validation_line_, third.validation_line_]
    assert len({line.get_color() for line in lines}) == 6


def test_pictures_side_by_side_have_their_own_scores():
    model = regressor(early_stopping=True).fit(*problem())
    _, (left, right) = plt.subplots(1, 2, sharex=True)
    displays = [TrainingCurveDisplay.from_estimator(model, ax=ax) for ax in (left, right)]
    assert displays[0].validation_ax_ is not displays[1].validation_ax_
    assert len(displays[0].figure_.axes) == 4


def test_pipeline_and_search():
    X, y = problem()
    pipeline = make_pipeline(StandardScaler(), regressor()).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(pipeline)
    assert display.loss == pipeline[-1].loss_curve_
    assert legend_of(display.ax_) == ["Pipeline"]
    search = GridSearchCV(pipeline, {"rmspropregressor__learning_rate": [1e-3, 0.1]}, cv=2).fit(X, y)
    assert TrainingCurveDisplay.from_estimator(search).loss == search.best_estimator_[-1].loss_curve_


def test_what_cannot_be_drawn():
    X, y = problem()
    pipeline = make_pipeline(StandardScaler(), regressor())
    for unfitted in (regressor(), pipeline, GridSearchCV(pipeline, {})):
        with pytest.raises(NotFittedError):
            TrainingCurveDisplay.from_estimator(unfitted)
    other = LinearRegression()
    for fitted in (other, make_pipeline(other), GridSearchCV(other, {}), GridSearchCV(regressor(), {}, refit=False)):
        with pytest.raises(TypeError, match="estimator must be an RMSpropRegressor"):
            TrainingCurveDisplay.from_estimator(fitted.fit(X, y))


def test_the_users_style_goes_first():
    model = regressor(early_stopping=True).fit(*problem())
    display = TrainingCurveDisplay.from_estimator(
        model, line_kw={"c": "red", "marker": "s"}, validation_line_kw={"ls": ":", "label": "score"}
    )
    assert display.line_.get_color() == "red"
    assert display.validation_line_.get_color() not in ("red", None)
    assert display.line_.get_marker() == "s"
    assert display.validation_line_.get_linestyle() == ":"
    assert legend_of(display.validation_ax_) == ["RMSpropRegressor", "score"]
    X, y = problem(n_features=1)
    display = RegressionLineDisplay.from_estimator(
        regressor().fit(X, y), X, y, line_kw={"lw": 5}, scatter_kw={"color": "green"}
    )
    assert display.line_.get_linewidth() == 5
    np.testing.assert_array_equal(display.scatter_.get_facecolor(), [to_rgba("green")])
    again = display.plot(scatter_kw={"c": X.ravel()})
    np.testing.assert_array_equal(again.scatter_.get_array(), X.ravel())


def test_the_users_axes_are_respected():
    """His ticks, and his scale; whole epochs otherwise."""
    model = regressor(max_iter=3).fit(*problem(5000))
    plain, chosen, logarithmic = (plt.subplots()[1] for _ in range(3))
    chosen.set_xticks([1.5, 2.5])
    logarithmic.set_xscale("log")
    for ax in (plain, chosen, logarithmic):
        display = TrainingCurveDisplay.from_estimator(model, ax=ax)
        assert display.ax_ is ax
    assert all(tick == round(tick) for tick in plain.get_xticks())
    assert chosen.get_xticks().tolist() == [1.5, 2.5]
    assert logarithmic.get_xscale() == "log"


def test_axes_are_labelled_without_an_offset():
    """Values near each other: ticks such as 1000.0005 instead of 0.0005 with +1e3 above the axis."""
    values = 1000 + np.array([1e-3, 5e-4, 0.0])
    display = TrainingCurveDisplay(epochs=[1, 2, 3], loss=values, validation_scores=values[::-1]).plot()
    display.figure_.canvas.draw()
    for ax in (display.ax_, display.validation_ax_):
        assert ax.yaxis.get_major_formatter().get_offset() == ""
        assert any(text.get_text().startswith("1000.") for text in ax.get_yticklabels())
    _, logarithmic = plt.subplots()
    logarithmic.set_yscale("log")
    TrainingCurveDisplay(epochs=[1, 2, 3], loss=values).plot(logarithmic)


def test_the_legend_covers_no_line_of_either_axes():
    """The score leaves the upper left corner free, which the loss passes through, and the lower left one is free."""
    epochs = np.arange(101)
    loss = 50 + 50 * np.exp(-0.05 * epochs)
    loss[-1] = 0
    display = TrainingCurveDisplay(epochs=epochs, loss=loss, validation_scores=0.5 + 0.5 * (epochs > 60), name="model")
    for _ in range(2):  # drawn again on the same axes
        display.plot(getattr(display, "ax_", None))
    display.validation_ax_.set_ylim(0, 1.05)
    display.figure_.canvas.draw()
    box = display.validation_ax_.get_legend().get_window_extent()
    for line in (display.line_, display.validation_line_):
        assert not box.count_contains(line.get_transform().transform(line.get_xydata()))
    invisible = [line for line in display.validation_ax_.lines if line.get_linestyle() == "None"]
    assert len(invisible) == len(display.ax_.lines) == 2


def test_a_display_can_be_drawn_again_and_made_by_hand():
    display = TrainingCurveDisplay(epochs=[1, 2], loss=[3.0, 2.0])
    first = display.plot().ax_
    assert first.get_legend() is None
    again = display.plot(name="named")
    assert again is display
    assert again.ax_ is not first
    assert legend_of(again.ax_) == ["named"]
    by_hand = RegressionLineDisplay(x=[0, 1], y=[0, 2], x_line=[0, 1], y_line=[0, 1.5]).plot()
    assert by_hand.ax_.get_legend() is None


def as_is(X):
    return X


def frame(library):
    return lambda X: library.DataFrame({"size": X.ravel()})


class ArrowTable:
    """What matters here of pyarrow's tables: `columns` are no names, and the class makes none from a dictionary."""

    @classmethod
    def from_pydict(cls, columns):
        table = cls()
        table.column_names, table.columns = list(columns), list(columns.values())
        return table

    def __array__(self, dtype=None, copy=None):
        return np.column_stack(self.columns).astype(dtype or float)


class NamedRows:
    """A table of which nobody knows how to make another one."""

    def __init__(self, rows, names):
        self.rows, self.columns = rows, names

    def __array__(self, dtype=None, copy=None):
        return self.rows.astype(dtype or float)


def named_rows(X):
    return NamedRows(X, ("size",))


def arrow(X):
    return ArrowTable.from_pydict({"size": X.ravel()})


def real_arrow(X):
    pa = pytest.importorskip("pyarrow")
    return pa.table({"size": X.ravel()})


@pytest.mark.parametrize(
    "container",
    [as_is, np.ndarray.tolist, sparse.csr_array, frame(pd), frame(pl), arrow, real_arrow, named_rows],
    ids=["array", "list", "CSR", "pandas", "polars", "like pyarrow", "pyarrow", "other table"],
)
def test_the_line_is_that_of_the_model(container):
    """From the smallest to the largest value, through all points."""
    X, y = problem(n_features=1)
    X, table = X + 5, container(X + 5)
    model = regressor().fit(table, y)
    display = RegressionLineDisplay.from_estimator(model, table, y)
    x_line, y_line = display.line_.get_data()
    assert (x_line[0], x_line[-1]) == (X.min(), X.max())
    np.testing.assert_allclose(y_line, model.coef_[0] * x_line + model.intercept_, rtol=1e-12)
    np.testing.assert_array_equal(display.scatter_.get_offsets(), np.column_stack((X, y)))
    assert display.figure_ is display.ax_.figure
    assert display.ax_.get_xlabel() == ("size" if hasattr(table, "columns") else "x")
    assert display.ax_.get_ylabel() == "y"
    assert legend_of(display.ax_) == ["RMSpropRegressor"]


@pytest.mark.parametrize(
    "container",
    [
        lambda y: pd.Series(y, name="price"),
        lambda y: pl.Series("price", y),
        lambda y: pd.DataFrame({"price": y}),
        lambda y: ArrowTable.from_pydict({"price": y}),
    ],
    ids=["pandas", "polars", "frame", "like pyarrow"],
)
def test_the_target_gives_its_name(container):
    X, y = problem(n_features=1)
    display = RegressionLineDisplay.from_estimator(regressor().fit(X, y), X, container(y))
    assert display.ax_.get_ylabel() == "price"


def test_a_curve_is_followed():
    X = np.linspace(-1, 1, 5).reshape(-1, 1)
    model = make_pipeline(PolynomialFeatures(2), LinearRegression()).fit(X, X.ravel() ** 2)
    x_line, y_line = RegressionLineDisplay.from_estimator(model, X, X.ravel() ** 2).line_.get_data()
    assert len(x_line) > 100
    np.testing.assert_allclose(y_line, x_line**2, atol=1e-12)


def test_several_lines_through_the_same_points():
    X, y = problem(n_features=1)
    first = RegressionLineDisplay.from_estimator(regressor().fit(X, y), X, y, name="mean")
    above = regressor(loss="quantile", quantile=0.9).fit(X, y)
    second = RegressionLineDisplay.from_estimator(above, X, y, name="above", ax=first.ax_, points=False)
    assert second.scatter_ is None
    assert len(first.ax_.collections) == 1
    assert legend_of(first.ax_) == ["mean", "above"]
    assert first.line_.get_color() != second.line_.get_color()


@pytest.mark.parametrize(("subsample", "n_points"), [(1000, 1000), (10, 10), (None, 5000), (6000, 5000)])
def test_only_some_of_many_points_are_drawn(subsample, n_points):
    X, y = problem(5000, n_features=1)
    display = RegressionLineDisplay.from_estimator(regressor().fit(X, y), X, y, subsample=subsample, random_state=0)
    x, drawn_y = display.scatter_.get_offsets().T
    assert len(set(x)) == n_points
    rows = np.searchsorted(np.sort(X.ravel()), x)
    np.testing.assert_array_equal(drawn_y, y[np.argsort(X.ravel())][rows])
    assert display.x_line[-1] == X.max()


def test_what_is_no_line():
    X, y = problem()
    with pytest.raises(ValueError, match="X must have exactly one feature for a line to be drawn; got 4"):
        RegressionLineDisplay.from_estimator(regressor().fit(X, y), X, y)
    X, y = problem(n_features=1)
    model = regressor().fit(X, y)
    with pytest.raises(ValueError, match="shape"):
        RegressionLineDisplay.from_estimator(model, X, np.column_stack((y, y)))
    with pytest.raises(ValueError, match="shape"):
        RegressionLineDisplay.from_estimator(regressor().fit(X, np.column_stack((y, y))), X, y)
    with pytest.raises(ValueError, match="inconsistent"):
        RegressionLineDisplay.from_estimator(model, X, y[1:])
    with pytest.raises(ValueError, match="subsample must be an int of at least 1 or None; got 0"):
        RegressionLineDisplay.from_estimator(model, X, y, subsample=0)
    with pytest.raises(TypeError, match="X must be an array, a list or a table; got generator"):
        RegressionLineDisplay.from_estimator(model, (row for row in X), y)
    with pytest.raises(NotFittedError):
        RegressionLineDisplay.from_estimator(regressor(), X, y)


def test_without_matplotlib_the_error_says_so(monkeypatch):
    X, y = problem(n_features=1)
    model = regressor().fit(X, y)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"TrainingCurveDisplay\.from_estimator requires matplotlib"):
        TrainingCurveDisplay.from_estimator(model)
    with pytest.raises(ImportError, match=r"RegressionLineDisplay\.from_estimator requires matplotlib"):
        RegressionLineDisplay.from_estimator(model, X, y)
    with pytest.raises(ImportError, match=r"TrainingCurveDisplay\.plot requires matplotlib"):
        TrainingCurveDisplay(epochs=[1], loss=[1.0]).plot()


def test_the_package_imports_no_optional_package():
    code = """import sys, sklearn_rmsprop.onnx
assert not {'matplotlib', 'onnx', 'skl2onnx'} & set(sys.modules)"""
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_scikit_learns_prediction_errors():
    X, y = problem()
    model = regressor().fit(X, y)
    display = PredictionErrorDisplay.from_estimator(model, X, y, subsample=None)
    prediction = model.predict(X)
    np.testing.assert_array_equal(display.scatter_.get_offsets(), np.column_stack((prediction, y - prediction)))


@pytest.mark.parametrize("incremental", [False, True], ids=["fit", "partial_fit"])
def test_scikit_learns_learning_curve(incremental):
    X, y = problem()
    display = LearningCurveDisplay.from_estimator(regressor(), X, y, cv=3, exploit_incremental_learning=incremental)
    train, test = (line.get_ydata() for line in display.lines_)
    # many rows for four columns: both end near the score of the truth
    assert abs(train[-1] - test[-1]) < 0.02
    assert test[-1] > 0.95


def test_scikit_learns_validation_curve():
    X, y = problem()
    rates = [1e-4, 1e-2]
    display = ValidationCurveDisplay.from_estimator(
        regressor(), X, y, param_name="learning_rate", param_range=rates, cv=3
    )
    low, high = display.lines_[1].get_ydata()
    assert low < high - 0.5


# The path


def search(**parameters):
    X, y = problem(60)
    return RMSpropRegressorCV(**{"alphas": 5, "cv": 2, "penalty": "l1", "random_state": 0} | parameters).fit(X, y)


def test_path_shows_scores_coefficients_and_what_was_chosen():
    model = search()
    display = PathDisplay.from_estimator(make_pipeline(StandardScaler(), model))
    scores, coefficients = display.axes_
    np.testing.assert_array_equal(display.score_line_.get_xdata(), model.alphas_)
    np.testing.assert_array_equal(display.score_line_.get_ydata(), model.cv_results_["mean_test_score"])
    drawn = np.array([line.get_ydata() for line in display.coef_lines_])
    np.testing.assert_array_equal(drawn, model.coef_path_.T)
    best, one_se = (line.get_xdata()[0] for line in display.alpha_lines_[:2])
    assert (best, one_se) == (model.alpha_, model.alphas_[model.one_se_index_])
    assert scores.get_xscale() == coefficients.get_xscale() == "log"
    assert legend_of(coefficients) == ["x0", "x1", "x2", "x3"]
    assert display.figure_ is scores.figure
    again = display.plot(display.axes_, coef_line_kw={"c": "red"})
    assert again.coef_lines_[0].get_color() == "red"


def test_path_of_several_settings_is_that_of_the_chosen_ones():
    model = search(penalty="elasticnet", l1_ratio=[0.1, 0.9], alphas=[1.0, 0.1, 0.0])
    display = PathDisplay.from_estimator(model)
    assert display.score_line_.get_xdata().tolist() == [1.0, 0.1]  # a logarithmic axis has no zero
    of_best = [s["l1_ratio"] == model.l1_ratio_ and s["alpha"] > 0 for s in model.cv_results_["params"]]
    np.testing.assert_array_equal(display.score_line_.get_ydata(), model.cv_results_["mean_test_score"][of_best])


def test_path_asks_for_a_search():
    X, y = problem(60)
    with pytest.raises(TypeError, match="must be an RMSpropRegressorCV"):
        PathDisplay.from_estimator(RMSpropRegressor().fit(X, y))
    with pytest.raises(NotFittedError):
        PathDisplay.from_estimator(RMSpropRegressorCV())
    with pytest.raises(ValueError, match="a positive alpha"):
        PathDisplay.from_estimator(search(penalty=None))
    with pytest.raises(ValueError, match="ax must have two axes"):
        PathDisplay.from_estimator(search(), ax=[plt.subplots()[1]])
