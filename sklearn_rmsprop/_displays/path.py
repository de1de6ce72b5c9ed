"""Coefficients and scores of a search over alpha, as one of scikit-learn's displays."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_rmsprop._choice import on_path_of, standard_error
from sklearn_rmsprop._compat import check_matplotlib_support
from sklearn_rmsprop._displays.drawing import styled
from sklearn_rmsprop._search import RMSpropRegressorCV

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More lines than these cannot be told apart: then they have no names.
MOST_NAMES = 12

# The scores' axis ends so many standard errors below the best score.
SHOWN_ERRORS = 6


class PathDisplay:
    """The path of a search over alpha: above the mean score with a band of one standard error, below the coefficients.

    Vertical lines are at the alpha with the best score and at the largest one within one standard error of it. Make one
    with :meth:`from_estimator`. The parameters are stored as attributes.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths of the penalty.

    coef_path : array-like of shape (n_alphas, n_features)
        Coefficients of each.

    mean_score : array-like of shape (n_alphas,)
        Mean of the scores of the folds.

    standard_error : array-like of shape (n_alphas,)
        Their standard error.

    best_alpha, one_se_alpha : float
        Where the vertical lines are.

    feature_names : list of str, default=None
        What the legend calls the coefficients; None: no legend.

    score_name : str, default="R2"
        Label of the scores' axis.

    Attributes
    ----------
    axes_ : tuple of two matplotlib Axes
        Those of the scores and of the coefficients.

    score_line_ : matplotlib Line2D
        The mean score.

    band_ : matplotlib PolyCollection
        One standard error around it.

    coef_lines_ : list of matplotlib Line2D
        A line for each coefficient that is drawn.

    alpha_lines_ : list of matplotlib Line2D
        The vertical lines: best and one standard error, on the scores' axes and then on the others.

    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_rmsprop import PathDisplay, RMSpropRegressorCV
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = RMSpropRegressorCV(penalty="l1", random_state=0).fit(X, y)
    >>> display = PathDisplay.from_estimator(model)
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['R2', 'Coefficient']
    """

    def __init__(
        self,
        *,
        alphas: ArrayLike,
        coef_path: ArrayLike,
        mean_score: ArrayLike,
        standard_error: ArrayLike,
        best_alpha: float,
        one_se_alpha: float,
        feature_names: Sequence[str] | None = None,
        score_name: str = "R2",
    ):
        self.alphas = alphas
        self.coef_path = coef_path
        self.mean_score = mean_score
        self.standard_error = standard_error
        self.best_alpha = best_alpha
        self.one_se_alpha = one_se_alpha
        self.feature_names = feature_names
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        *,
        ax: "Sequence[Axes] | None" = None,
        line_kw: dict[str, Any] | None = None,
        coef_line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the path of a fitted search.

        Where the search has several values of other parameters, the path is that of the chosen ones.

        Parameters
        ----------
        estimator : RMSpropRegressorCV or Pipeline
            Fitted; a pipeline must end with an `RMSpropRegressorCV`.

        ax : sequence of two matplotlib Axes, default=None
            Axes for the scores and for the coefficients. None makes a figure.

        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the mean score.

        coef_line_kw : dict, default=None
            The same for the coefficients.

        Returns
        -------
        display : PathDisplay
            What was drawn.
        """
        check_matplotlib_support(f"{cls.__name__}.from_estimator")
        model = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        check_is_fitted(model)
        if not isinstance(model, RMSpropRegressorCV):
            raise TypeError(
                "estimator must be an RMSpropRegressorCV, or a Pipeline that ends with one; got "
                f"{type(model).__name__}."
            )
        results = model.cv_results_
        alphas = results["param_alpha"].data
        shown = on_path_of(results, model.best_index_) & np.isfinite(results["mean_test_score"])
        shown &= alphas > 0  # the axis is logarithmic
        if not shown.any():
            raise ValueError("The search must have tried a positive alpha: there is no path to draw.")
        best = int(np.flatnonzero(shown)[np.argmax(results["mean_test_score"][shown])])
        names = getattr(model, "feature_names_in_", [f"x{j}" for j in range(model.n_features_in_)])
        display = cls(
            alphas=alphas[shown],
            coef_path=model.coef_path_[shown],
            mean_score=results["mean_test_score"][shown],
            standard_error=standard_error(results)[shown],
            best_alpha=float(alphas[best]),
            one_se_alpha=float(alphas[model.one_se_index_]),
            feature_names=[str(name) for name in names] if len(names) <= MOST_NAMES else None,
            score_name="R2" if model.scoring is None else str(getattr(model.scoring, "__name__", model.scoring)),
        )
        return display.plot(ax, line_kw=line_kw, coef_line_kw=coef_line_kw)

    def plot(
        self,
        ax: "Sequence[Axes] | None" = None,
        *,
        line_kw: dict[str, Any] | None = None,
        coef_line_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw.

        Parameters
        ----------
        ax : sequence of two matplotlib Axes, default=None
            Axes for the scores and for the coefficients. None makes a figure.

        line_kw : dict, default=None
            Keyword arguments of matplotlib's `plot` for the mean score.

        coef_line_kw : dict, default=None
            The same for the coefficients.

        Returns
        -------
        display : PathDisplay
            This object.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        from matplotlib import pyplot as plt  # noqa: PLC0415

        if ax is None:
            _, ax = plt.subplots(2, 1, sharex=True, layout="constrained", figsize=(6.4, 6.4))
        if np.size(np.asarray(ax, dtype=object)) != 2:
            raise ValueError(f"ax must have two axes, for the scores and the coefficients; got {ax}.")
        above, below = np.ravel(np.asarray(ax, dtype=object))
        self.axes_, self.figure_ = (above, below), above.figure
        alphas, mean = np.asarray(self.alphas), np.asarray(self.mean_score)
        error, coef_path = np.asarray(self.standard_error), np.asarray(self.coef_path)
        (self.score_line_,) = above.plot(alphas, mean, **styled(line_kw, marker=".", label="mean over the folds"))
        self.band_ = above.fill_between(
            alphas, mean - error, mean + error, alpha=0.25, linewidth=0, color=self.score_line_.get_color(),
            label="one standard error",
        )  # fmt: skip
        names = [None] * coef_path.shape[1] if self.feature_names is None else self.feature_names
        self.coef_lines_ = []
        for values, name in zip(coef_path.T, names, strict=True):
            self.coef_lines_ += below.plot(alphas, values, **styled(coef_line_kw, linewidth=1.2, label=name))
        self.alpha_lines_ = [
            axes.axvline(alpha, color="0.5", linestyle=style, linewidth=1, label=label if axes is above else None)
            for axes in self.axes_
            for alpha, style, label in (
                (self.best_alpha, "--", "best score"),
                (self.one_se_alpha, ":", "largest within one standard error"),
            )
        ]
        above.set(ylabel=self.score_name, xscale="log")
        below.set(xlabel="alpha", ylabel="Coefficient", xscale="log")
        # null models far below the others would leave no room for what is to be compared
        best = int(np.argmax(mean))
        lowest = mean[best] - SHOWN_ERRORS * error[best]
        if error[best] > 0 and (mean - error).min() < lowest:
            above.set_ylim(bottom=lowest)
        above.legend(fontsize="small")
        if self.feature_names is not None:
            below.legend(fontsize="small", ncols=2)
        return self
