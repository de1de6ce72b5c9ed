"""A prediction as a line through points, for a single feature, as one of scikit-learn's displays."""

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length, check_random_state, column_or_1d

from sklearn_rmsprop._compat import check_matplotlib_support
from sklearn_rmsprop._data import check_array_likes
from sklearn_rmsprop._displays.drawing import new_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class RegressionLineDisplay:
    """The prediction of a regressor as a line through the points that it was fitted to, for a single feature.

    Make one with :meth:`from_estimator`, from any fitted regressor. The parameters are stored as attributes.

    Parameters
    ----------
    x, y : array-like of shape (n_points,)
        Feature and target of the points to draw.

    x_line, y_line : array-like of shape (n_line,)
        Feature, in ascending order, and prediction.

    x_name, y_name : str, default="x", "y"
        Labels of the axes.

    name : str, default=None
        What the legend calls the line.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The prediction.

    scatter_ : matplotlib PathCollection or None
        The points.

    ax_ : matplotlib Axes
        The axes.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_rmsprop import RegressionLineDisplay, RMSpropRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> X = X[["bmi"]]
    >>> mean = RMSpropRegressor(random_state=0).fit(X, y)
    >>> display = RegressionLineDisplay.from_estimator(mean, X, y, name="mean")

    Another line through the same points:

    >>> top = RMSpropRegressor("quantile", quantile=0.9, random_state=0).fit(X, y)
    >>> display = RegressionLineDisplay.from_estimator(
    ...     top, X, y, name="0.9 quantile", ax=display.ax_, points=False
    ... )
    >>> print(display.ax_.get_xlabel(), display.ax_.get_ylabel())
    bmi target
    """

    def __init__(
        self,
        *,
        x: ArrayLike,
        y: ArrayLike,
        x_line: ArrayLike,
        y_line: ArrayLike,
        x_name: str = "x",
        y_name: str = "y",
        name: str | None = None,
    ):
        self.x = x
        self.y = y
        self.x_line = x_line
        self.y_line = y_line
        self.x_name = x_name
        self.y_name = y_name
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: ArrayLike,
        y: ArrayLike,
        *,
        name: str | None = None,
        points: bool = True,
        subsample: int | None = 1000,
        random_state: int | np.random.RandomState | None = None,
        ax: "Axes | None" = None,
        scatter_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw points and the prediction of a fitted regressor.

        Parameters
        ----------
        estimator : estimator instance
            A fitted regressor of one target, or a pipeline or search for one.

        X : {array-like, sparse matrix} of shape (n_samples, 1)
            The feature. The line reaches from its smallest to its largest value.

        y : array-like of shape (n_samples,)
            The target.

        name : str, default=None
            What the legend calls the line; None: the name of the estimator's class.

        points : bool, default=True
            Whether to draw the points; False for one more line on axes that have them.

        subsample : int or None, default=1000
            Draw a random choice of so many points, or of all if there are fewer; None draws all.

        random_state : int, RandomState instance or None, default=None
            Seeds the choice of the points.

        ax : matplotlib Axes, default=None
            Axes to draw on, such as the `ax_` of another display. None makes a figure.

        scatter_kw : dict, default=None
            Keyword arguments of matplotlib's `scatter` for the points.

        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the line.

        Returns
        -------
        display : RegressionLineDisplay
            What was drawn.

        Raises
        ------
        ValueError
            If `X` has more than one feature, or `y` or the prediction more than one column.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        check_array_likes(X=X, y=y)
        x = check_array(X, accept_sparse=True)
        if x.shape[1] != 1:
            raise ValueError(f"X must have exactly one feature for a line to be drawn; got {x.shape[1]}.")
        x = (x.toarray() if sparse.issparse(x) else x).ravel()
        target = column_or_1d(y)
        check_consistent_length(x, target)
        if subsample is not None and subsample < 1:
            raise ValueError(f"subsample must be an int of at least 1 or None; got {subsample}.")
        # so many that a curve, which a pipeline may predict, looks smooth
        x_line = np.linspace(x.min(), x.max(), 200)
        drawn = slice(None)
        if subsample is not None and subsample < len(x):
            drawn = check_random_state(random_state).choice(len(x), subsample, replace=False)
        display = cls(
            x=x[drawn],
            y=target[drawn],
            x_line=x_line,
            y_line=column_or_1d(predict_column(estimator, X, x_line)),
            x_name="x" if (x_name := column_name(X)) is None else str(x_name),
            y_name=str(y_name_of(y)),
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax, points=points, scatter_kw=scatter_kw, line_kw=line_kw)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        name: str | None = None,
        points: bool = True,
        scatter_kw: dict[str, Any] | None = None,
        line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        name : str, default=None
            What the legend calls the line; None: `self.name`.

        points : bool, default=True
            Whether to draw the points.

        scatter_kw : dict, default=None
            Keyword arguments of matplotlib's `scatter` for the points.

        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the line.

        Returns
        -------
        display : RegressionLineDisplay
            This object.
        """
        self.ax_ = new_axes(self, ax)
        self.figure_ = self.ax_.figure
        self.scatter_ = None
        if points:
            scatter_kw = {"s": 12} | (scatter_kw or {})
            if "c" not in scatter_kw:
                scatter_kw = {"color": "0.6"} | scatter_kw
            self.scatter_ = self.ax_.scatter(self.x, self.y, **scatter_kw)
        style = styled(line_kw, linewidth=2, label=self.name if name is None else name)
        (self.line_,) = self.ax_.plot(self.x_line, self.y_line, **style)
        self.ax_.set(xlabel=self.x_name, ylabel=self.y_name)
        if self.ax_.get_legend_handles_labels()[0]:
            self.ax_.legend()
        return self


def column_name(X: Any) -> Any:
    """The name of a table's first column, or None if X is no table."""
    # pyarrow's `columns` are the columns themselves
    names = getattr(X, "column_names", getattr(X, "columns", None))
    return None if names is None else next(iter(names))


def y_name_of(y: Any) -> Any:
    """The name of a series, or of the column of a table; else "y"."""
    name = column_name(y) if column_name(y) is not None else getattr(y, "name", None)
    return "y" if name is None or name == "" else name


def predict_column(estimator: Any, X: Any, values: np.ndarray) -> np.ndarray:
    """The prediction for these values of X's only column: as a table like X, since a model may expect the name."""
    name, rows = column_name(X), values[:, np.newaxis]
    if name is not None:
        make = getattr(type(X), "from_pydict", type(X))  # pyarrow's tables have no other constructor
        with suppress(TypeError, ValueError):  # else an array serves, which has the column, if not its name
            rows = make({name: values})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        return estimator.predict(rows)
