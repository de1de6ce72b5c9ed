"""The loss and the validation score over the epochs of a fit, as one of scikit-learn's displays."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_rmsprop._compat import check_matplotlib_support
from sklearn_rmsprop._displays.drawing import new_axes, styled
from sklearn_rmsprop._regressor import RMSpropRegressor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The label by which the second axes are found again, to draw another model's scores on them.
SCORE_AXES = "validation score"

# The label of invisible copies of lines; one that begins with an underscore is in no legend.
COPY = "_copy"


class TrainingCurveDisplay:
    """The loss of an `RMSpropRegressor` over the epochs of its training, and its validation score.

    Make one with :meth:`from_estimator`. The parameters are stored as attributes.

    Parameters
    ----------
    epochs : array-like of shape (n_evaluations,)
        Epochs done at each evaluation of the loss.

    loss : array-like of shape (n_evaluations,)
        Training loss at each evaluation.

    validation_scores : array-like of shape (at most n_evaluations,), default=None
        Validation score at each evaluation, or at the first of them.

    name : str, default=None
        What the legend calls the model.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The loss.

    validation_line_ : matplotlib Line2D or None
        The validation score, with a circle at the best one (the first of several): the model is the one it belongs to.

    ax_ : matplotlib Axes
        Axes of the loss.

    validation_ax_ : matplotlib Axes or None
        Axes of the validation score, on the right; shared by all models drawn on `ax_`.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_rmsprop import RMSpropRegressor, TrainingCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RMSpropRegressor(random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(model, name="default")

    Another model beside it:

    >>> slow = RMSpropRegressor(learning_rate=0.01, random_state=0).fit(X, y)
    >>> display = TrainingCurveDisplay.from_estimator(
    ...     slow, name="learning_rate=0.01", ax=display.ax_
    ... )
    >>> print(display.ax_.get_xlabel())
    Epoch
    """

    def __init__(
        self,
        *,
        epochs: ArrayLike,
        loss: ArrayLike,
        validation_scores: ArrayLike | None = None,
        name: str | None = None,
    ):
        self.epochs = epochs
        self.loss = loss
        self.validation_scores = validation_scores
        self.name = name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        name: str | None = None,
        ax: "Axes | None" = None,
        line_kw: dict[str, Any] | None = None,
        validation_line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : RMSpropRegressor, Pipeline or search
            Fitted; a pipeline that ends with an `RMSpropRegressor`, or a search (such as `GridSearchCV`) for one or the
            other, whose best estimator is drawn.

        name : str, default=None
            What the legend calls it; None: the name of its class.

        ax : matplotlib Axes, default=None
            Axes to draw on, such as the `ax_` of another model's display. None makes a figure.

        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the loss.

        validation_line_kw : dict, default=None
            The same for the validation score.

        Returns
        -------
        display : TrainingCurveDisplay
            What was drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model = trained_regressor(estimator)
        display = cls(
            epochs=model.evaluation_epochs_[:],  # `partial_fit` lets the lists grow
            loss=model.loss_curve_[:],
            validation_scores=getattr(model, "validation_scores_", None),
            name=type(estimator).__name__ if name is None else name,
        )
        return display.plot(ax, line_kw=line_kw, validation_line_kw=validation_line_kw)

    def plot(
        self,
        ax: "Axes | None" = None,
        *,
        name: str | None = None,
        line_kw: dict[str, Any] | None = None,
        validation_line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure.

        name : str, default=None
            What the legend calls the model; None: `self.name`.

        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the loss.

        validation_line_kw : dict, default=None
            The same for the validation score.

        Returns
        -------
        display : TrainingCurveDisplay
            This object.
        """
        self.ax_ = new_axes(self, ax)
        self.figure_ = self.ax_.figure
        name = self.name if name is None else name
        epochs = np.asarray(self.epochs)
        # a point for each evaluation, unless there are too many to tell apart
        style = styled(line_kw, marker="." if len(epochs) <= 50 else None, label=name)
        (self.line_,) = self.ax_.plot(epochs, np.asarray(self.loss), **style)
        self.ax_.set(xlabel="Epoch", ylabel="Training loss")
        whole_numbers(self.ax_)
        without_offset(self.ax_)
        self.validation_ax_ = self.validation_line_ = None
        if self.validation_scores is not None:
            scores = np.asarray(self.validation_scores)
            self.validation_ax_ = score_axes(self.ax_) or add_score_axes(self.ax_)
            style = styled(
                validation_line_kw,
                color=next_color(self.ax_),
                linestyle="--",
                marker="o",
                markevery=[int(np.argmax(scores))],
                label=name and f"{name}, validation",
            )
            (self.validation_line_,) = self.validation_ax_.plot(epochs[: len(scores)], scores, **style)
        draw_legend(self.ax_)
        return self


def trained_regressor(estimator: BaseEstimator) -> RMSpropRegressor:
    """The fitted `RMSpropRegressor` within a pipeline or a search."""
    inner = estimator
    while not isinstance(inner, RMSpropRegressor):
        check_is_fitted(inner)
        if isinstance(inner, Pipeline):
            inner = inner[-1]
        elif hasattr(inner, "best_estimator_"):
            inner = inner.best_estimator_
        else:
            raise TypeError(
                "estimator must be an RMSpropRegressor, a Pipeline that ends with one, or a search that was refitted "
                f"with one; got {estimator!r}."
            )
    check_is_fitted(inner)
    return inner


def whole_numbers(ax: "Axes") -> None:
    """Label whole epochs only, unless the user has chosen the ticks or the scale of the axis."""
    from matplotlib.ticker import AutoLocator  # noqa: PLC0415

    locator = ax.xaxis.get_major_locator()
    if isinstance(locator, AutoLocator):
        locator.set_params(integer=True)


def without_offset(ax: "Axes") -> None:
    """Label the values themselves instead of differences from a number above the axis, which is easily overlooked."""
    from matplotlib.ticker import ScalarFormatter  # noqa: PLC0415

    formatter = ax.yaxis.get_major_formatter()
    if isinstance(formatter, ScalarFormatter):
        formatter.set_useOffset(False)


def next_color(ax: "Axes") -> Any:
    """The color that the next line on `ax` would have, which is then used up."""
    (line,) = ax.plot([], [])
    line.remove()
    return line.get_color()


def score_axes(ax: "Axes") -> "Axes | None":
    """The second axes that an earlier display has added to `ax`."""
    place = ax.get_position(original=True).bounds
    for other in ax.figure.axes:
        if other.get_label() == SCORE_AXES and other.get_position(original=True).bounds == place:
            return other
    return None


def add_score_axes(ax: "Axes") -> "Axes":
    """Add second axes to `ax`, with the same epochs."""
    twin = ax.twinx()
    twin.set(label=SCORE_AXES, ylabel="Validation score")
    without_offset(twin)
    return twin


def draw_legend(ax: "Axes") -> None:
    """Draw one legend for the lines of both axes, where it covers as little of them as possible."""
    from matplotlib.lines import Line2D  # noqa: PLC0415

    every = [ax] if (twin := score_axes(ax)) is None else [ax, twin]
    handles = [handle for each in every for handle in each.get_legend_handles_labels()[0]]
    for each in every:
        if (legend := each.get_legend()) is not None:
            legend.remove()
    if twin is not None:
        # matplotlib avoids the lines of the legend's own axes only: these get invisible copies of the others
        for copy in [line for line in twin.lines if line.get_label() == COPY]:
            copy.remove()
        for line in ax.lines:
            twin.add_artist(Line2D(*line.get_data(), transform=ax.transData, linestyle="none", label=COPY))
    if handles:
        every[-1].legend(handles=handles, loc="best")
