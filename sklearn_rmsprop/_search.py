"""The estimator that chooses penalty and rates by cross-validation: parameters, `fit`, `score`."""

import warnings
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import Tags, check_random_state, column_or_1d
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sklearn_rmsprop._choice import LISTS, beyond_the_grid, one_standard_error, results_of_search, standard_error
from sklearn_rmsprop._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    fit_context,
    with_callbacks,
)
from sklearn_rmsprop._data import REALS, TrainingData, validate_training
from sklearn_rmsprop._diagnosis import distant_columns, missing_intercept, useless_delta
from sklearn_rmsprop._fitted import FittedModel
from sklearn_rmsprop._folds import Fold, FoldResult, Pass, Scorer, run_in_lockstep, split_rows, train_fold
from sklearn_rmsprop._grid import alpha_grid, checked_alphas, combinations, values_of
from sklearn_rmsprop._monitor import SearchMonitor
from sklearn_rmsprop._objective import Objective
from sklearn_rmsprop._optimality import stopped_short
from sklearn_rmsprop._parameters import CONSTRAINTS
from sklearn_rmsprop._schedules import Schedule
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import seed_generator
from sklearn_rmsprop._stopping import Reason
from sklearn_rmsprop._typing import LossName, PenaltyName, Rows, ScheduleName

# Parameters of RMSpropRegressor that a search does not have: alpha comes from `alphas`; folds take the place of rows
# held out; and a path of settings has no single model to start from.
NOT_HERE = ("alpha", "early_stopping", "validation_fraction", "warm_start")


class RMSpropRegressorCV(CallbackSupportMixin, FittedModel, RegressorMixin, BaseEstimator):
    r"""`RMSpropRegressor` whose penalty, and if wanted whose rates, are chosen by cross-validation in a few passes.

    Minimises the objective of :class:`RMSpropRegressor` for each setting: each combination of `alphas`, `l1_ratio`,
    `learning_rate` and `decay_rate`. The settings are trained together: each row is read once for all of them, and
    folds are selections of the rows of `X`, which is not copied. One more pass over all rows gives the coefficients of
    every setting, so that there is no refit. On dense data this takes a half to a fifth of the time of `GridSearchCV`;
    on sparse data with very many columns, `discard` saves more.

    Parameters
    ----------
    loss : str, default="squared_error"
        The loss, as in :class:`RMSpropRegressor`.

    penalty : {"l2", "l1", "elasticnet"} or None, default="l2"
        The penalty, as in :class:`RMSpropRegressor`. None: only rates are searched, and alpha is 0.

    alphas : int or array-like of shape (n_alphas,), default=32
        Strengths of the penalty to try, not negative, or how many: then they are evenly spaced on a logarithmic scale
        from `alpha_max` to `eps * alpha_max`. With L1, `alpha_max` is the smallest value with which all coefficients
        are zero; each value of `l1_ratio` then has a grid of its own. L2 alone has no such value: there the objective
        is, at its minimum, at most 10 % of the null loss below that of the best constant.

    eps : float or None, default=None
        Smallest over largest strength, in (0, 1), where `alphas` is a number. None: 1e-4, and 1e-6 with L2 alone, for
        which the best strengths of different data lie farther apart.

    l1_ratio : float or list of float, default=0.15
        Share of L1 in "elasticnet", in [0, 1]; several values are all tried.

    learning_rate : float or list of float, default=0.2
        As in :class:`RMSpropRegressor`; several values are all tried. This hardly ever pays.

    decay_rate : float, "auto" or list of these, default="auto"
        As in :class:`RMSpropRegressor`; several values are all tried, each in passes of its own.

    cv : int, cross-validation generator or iterable, default=None
        The folds: a number, an object with a method `split`, or an iterable of pairs of training and test row numbers.
        None: five folds.

    scoring : str, callable or None, default=None
        What to choose by, the larger the better: a name from `sklearn.metrics.get_scorer_names`, or a function of
        estimator, X and y. It gets the rows as arrays, and `sample_weight` if `fit` does. None: R2. Also what `score`
        returns.

    select : {"best", "one_se"}, default="best"
        "best": the setting with the best mean score. "one_se": the largest alpha whose mean score is at most one
        standard error (over the folds) worse, with the same other parameters [1]_: a sparser or smaller model that
        predicts about as well.

    discard : bool, default=False
        Stop training a setting once it is far behind in each fold: when its loss on the test rows exceeds that of the
        fold's best setting by three standard errors of the (paired) difference. Several times as fast on sparse data
        with many columns. The coefficients of discarded settings are missing from `coef_path_`.

    n_jobs : int or None, default=None
        How many folds to train at a time, in threads. None: one, unless a joblib context says otherwise.

    epsilon, momentum, centered, bias_correction, schedule, average : optional
        The steps, as in :class:`RMSpropRegressor`.

    batch_size, max_iter, tol, n_iter_no_change, shuffle, random_state : optional
        Batches, stopping and the order of rows, as in :class:`RMSpropRegressor`. An int as `random_state` gives each
        pass the order that a fit of its own has.

    standardize, whiten, fit_intercept : optional
        The coordinates of the fit, as in :class:`RMSpropRegressor`. When the columns are whitened, all strengths of an
        L2 penalty share the directions, and each has its own units.

    delta, quantile : optional
        Parameters of the loss, as in :class:`RMSpropRegressor`.

    verbose : int, default=0
        1 or more prints a line for each fold.

    Attributes
    ----------
    alpha_ : float
        The alpha that was chosen. `l1_ratio_`, `learning_rate_` and `decay_rate_` likewise.

    alphas_ : ndarray of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        The strengths tried, in descending order; two-dimensional if `l1_ratio` is a list.

    coef_ : ndarray of shape (n_features,)
        Coefficients of the chosen setting, fitted to all rows.

    intercept_ : float
        Intercept of the chosen setting.

    coef_path_ : ndarray of shape (n_settings, n_features)
        Coefficients of each setting, fitted to all rows, in the order of `cv_results_`. NaN where a setting was
        discarded.

    intercept_path_ : ndarray of shape (n_settings,)
        Intercepts likewise.

    cv_results_ : dict of str to array
        Scores and times of each setting, with the keys of `GridSearchCV`: `params`, `param_alpha` and the like,
        `split0_test_score` and the like, `mean_test_score`, `std_test_score`, `rank_test_score`, `mean_fit_time` and
        the like (of a pass, divided by the number of settings). `discarded` marks settings that were discarded; their
        scores are those of the moment when that happened, and their ranks come last.

    best_index_ : int
        The place in `cv_results_` of the chosen setting. With ``select="one_se"`` it is `one_se_index_`.

    best_params_ : dict
        The parameters of the chosen setting, ready for :class:`RMSpropRegressor`.

    best_score_ : float
        Its mean score.

    one_se_index_ : int
        The place in `cv_results_` of what ``select="one_se"`` chooses.

    n_iter_ : int
        Epochs of the chosen setting on all rows.

    n_splits_ : int
        Number of folds.

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    RMSpropRegressor : The regressor of one setting.
    PathDisplay : Draws coefficients and scores over alpha.
    sklearn.linear_model.RidgeCV, sklearn.linear_model.LassoCV, sklearn.linear_model.ElasticNetCV : For the squared
        error of dense data, and faster there.
    sklearn.model_selection.GridSearchCV : For all other parameters.

    Notes
    -----
    Scores are those of `GridSearchCV` over `RMSpropRegressor` with the same folds, where steps are equal: with an int
    as `random_state`, to rounding. There are two exceptions. Losses with a kink reduce their step sizes for all
    settings at the same time. And with whitened coordinates and an L2 penalty, `GridSearchCV` makes the coordinates
    anew for each alpha. In both, the optimum is the same.

    Rows of weight 0 are as if removed, before the rows are divided into folds, except where `cv` is an iterable.

    References
    ----------
    .. [1] Breiman, L., Friedman, J., Olshen, R. and Stone, C., "Classification and regression trees", 1984, section
       3.4.3.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_rmsprop import RMSpropRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RMSpropRegressorCV(penalty="l1", random_state=0).fit(X, y)
    >>> round(model.score(X, y), 2)
    0.51
    >>> model.coef_path_.shape
    (32, 10)

    The simplest model that predicts about as well, for the median:

    >>> model = RMSpropRegressorCV(
    ...     "absolute_error", penalty="l1", select="one_se", random_state=0
    ... ).fit(X, y)
    >>> int((model.coef_ != 0).sum()) < 8
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: [*accepted, "array-like"] if name in LISTS else accepted
        for name, accepted in CONSTRAINTS.items()
        if name not in NOT_HERE
    } | {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither"), None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "select": [StrOptions({"best", "one_se"})],
        "discard": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        loss: LossName = "squared_error",
        *,
        penalty: PenaltyName | None = "l2",
        alphas: int | ArrayLike = 32,
        eps: float | None = None,
        l1_ratio: float | ArrayLike = 0.15,
        learning_rate: float | ArrayLike = 0.2,
        decay_rate: float | Literal["auto"] | Iterable[float | Literal["auto"]] = "auto",
        cv: Any = None,
        scoring: str | Scorer | None = None,
        select: Literal["best", "one_se"] = "best",
        discard: bool = False,
        n_jobs: int | None = None,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        bias_correction: bool = True,
        schedule: ScheduleName | Schedule = "invsqrt",
        average: bool = True,
        batch_size: int | Literal["auto"] | None = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 5,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        standardize: bool = True,
        whiten: bool | Literal["auto"] = "auto",
        fit_intercept: bool = True,
        delta: float = 1.0,
        quantile: float = 0.5,
        verbose: int = 0,
    ):
        self.loss = loss
        self.penalty = penalty
        self.alphas = alphas
        self.eps = eps
        self.l1_ratio = l1_ratio
        self.learning_rate = learning_rate
        self.decay_rate = decay_rate
        self.cv = cv
        self.scoring = scoring
        self.select = select
        self.discard = discard
        self.n_jobs = n_jobs
        self.epsilon = epsilon
        self.momentum = momentum
        self.centered = centered
        self.bias_correction = bias_correction
        self.schedule = schedule
        self.average = average
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.shuffle = shuffle
        self.random_state = random_state
        self.standardize = standardize
        self.whiten = whiten
        self.fit_intercept = fit_intercept
        self.delta = delta
        self.quantile = quantile
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train all settings on each fold and on all rows, and choose one.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; never changed.

        y : array-like of shape (n_samples,)
            Target values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative and not all zero, in training and in scores; None weighs them equally.

        groups : array-like of shape (n_samples,), default=None
            Groups for a `cv` such as `GroupKFold`, which keeps each group on one side of a split.

        Returns
        -------
        self : RMSpropRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described here, if a fold has no training or no test rows (of positive
            weight), or if training overflows with every setting. The estimator is then left as it was before.

        Warns
        -----
        ConvergenceWarning
            If settings with scores at most one standard error below the best were still improving after `max_iter`
            epochs, or if the chosen one has stopped short of its optimum, as in :meth:`RMSpropRegressor.fit`.

        FitFailedWarning
            If numbers overflowed in training with some of the settings: their score is then NaN.

        UserWarning
            If the best alpha is the smallest of those tried (or the largest of a list), and scores rise towards it.
            If `delta` does not suit `y`, or columns lie too far from zero for a fit without an intercept, as in
            :meth:`RMSpropRegressor.fit`.
        """
        with self._unchanged_on_failure():
            problems = self._fit(X, y, sample_weight, groups)
        for problem, category in problems:
            warnings.warn(problem, category, stacklevel=2)
        return self

    def score(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The score of the predictions for these rows: that of `scoring`, or R2.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict.

        y : array-like of shape (n_samples,)
            Their target values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows; None weighs them equally.

        Returns
        -------
        float
            The score.
        """
        check_is_fitted(self)
        if self.scoring is None:
            return super().score(X, y, sample_weight)
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(get_scorer(self.scoring)(self, X, y, **weight))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = isinstance(self.whiten, str) or not self.whiten
        return tags

    # Not on `fit` itself: callbacks' teardown needs attributes that `_unchanged_on_failure` removes.
    @with_callbacks
    def _fit(
        self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | None
    ) -> list[tuple[str, type[Warning]]]:
        """`fit` without its error handling and warnings: returns what these say."""
        data = self._validated(X, y, sample_weight)
        grid, alphas = self._grid(data)
        settings = [Settings.of({**vars(self), **setting}) for setting in grid]
        splits = split_rows(self.cv, X, data, groups)
        fewest = min(len(test) for _, test in splits)
        if self.scoring is None and fewest < 2:
            raise ValueError(
                "cv must leave at least two test rows in each fold, as R2 is not defined on fewer; got a fold with "
                f"{fewest}. Use fewer folds, or a scoring that is defined on one row, such as 'neg_mean_squared_error'."
            )
        scorer = None if self.scoring is None else get_scorer(self.scoring)
        weight = {} if sample_weight is None else {"sample_weight": np.asarray(data.weight)}
        generators = [seed_generator(check_random_state(self.random_state)) for _ in range(len(splits) + 1)]
        folds = [(data, *split, settings, generator) for split, generator in zip(splits, generators, strict=False)]
        monitor = SearchMonitor(self, X, y, sample_weight)
        monitor.start(n_tasks=len(splits) + 1)
        parallel = Parallel(n_jobs=self.n_jobs, require="sharedmem", return_as="generator")
        if self.discard:
            ready = [Fold(*fold) for fold in folds]
            discarded = run_in_lockstep(ready, parallel)
            tasks = [delayed(fold.finish)(scorer, weight) for fold in ready]
        else:
            discarded = np.zeros(len(grid), bool)
            tasks = [delayed(train_fold)(fold, scorer, weight) for fold in folds]
        results = list(monitor.follow("fold", parallel(tasks), len(tasks)))
        kept = np.flatnonzero(~discarded)
        path = Pass(data, [settings[k] for k in kept], generators[-1])
        (path,) = monitor.follow("all rows", (task.run() for task in [path]), 1)
        self._set_fitted_path(grid, alphas, results, kept, path)
        monitor.finish()
        return self._problems(data, settings[self.best_index_], results, kept, path)

    def _validated(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None) -> TrainingData:
        """The data, which must have one target: the columns of a pass are settings."""
        data = validate_training(self, X, y, sample_weight, dtype=REALS, reset=True)
        if data.y.shape[1] > 1:
            raise ValueError(
                f"y must have one column; got {data.y.shape[1]}. RMSpropRegressorCV chooses the setting of one target: "
                "fit one for each, with sklearn.multioutput.MultiOutputRegressor."
            )
        if not data.flat:
            column_or_1d(np.asarray(y), warn=True)
        return data

    def _grid(self, data: TrainingData) -> tuple[list[dict[str, Any]], np.ndarray]:
        """The settings to try, and the strengths of the penalty in the shape of `alphas_`."""
        l1_ratios, learning_rates, decay_rates = (
            values_of(name, getattr(self, name), type(self).__name__) for name in LISTS
        )
        if self.penalty != "elasticnet" and len(l1_ratios) > 1:
            raise ValueError(
                f"l1_ratio must be a number with penalty={self.penalty!r}, which has no use for it; got {l1_ratios}."
            )
        if self.penalty is None:
            alphas = np.zeros((1, 1))
        elif isinstance(self.alphas, Integral):
            objective = Objective.of({**vars(self), "alpha": 0.0, "l1_ratio": 0.0})
            shares = {"l1": [1.0], "l2": [0.0]}.get(self.penalty, l1_ratios)
            alphas = alpha_grid(
                data, objective, shares, n_alphas=int(self.alphas), eps=self.eps, fit_intercept=self.fit_intercept
            )
        else:
            values = np.sort(checked_alphas(self.alphas))[::-1]
            alphas = np.tile(values, (len(l1_ratios), 1))
        grid = combinations(alphas, l1_ratios, learning_rates, decay_rates)
        return grid, alphas if np.ndim(self.l1_ratio) else alphas[0]

    def _set_fitted_path(
        self,
        grid: list[dict[str, Any]],
        alphas: np.ndarray,
        results: list[FoldResult],
        kept: np.ndarray,
        path: Pass,
    ) -> None:
        """Choose a setting, and set the fitted attributes; raises before any is set."""
        discarded = np.ones(len(grid), bool)
        discarded[kept] = False
        cv_results = results_of_search(grid, results, discarded)
        best = int(np.argmin(cv_results["rank_test_score"]))
        if not np.isfinite(cv_results["mean_test_score"][best]):
            raise ValueError(
                "Training overflowed, or the score was not finite, with every setting. Scale X and y, or pass float64, "
                "or lower learning_rate."
            )
        one_se = one_standard_error(cv_results, best)
        chosen = best if self.select == "best" else one_se
        coef_path = np.full((len(grid), path.each("coef").shape[0]), np.nan, path.each("coef").dtype)
        intercept_path = np.full(len(grid), np.nan, coef_path.dtype)
        coef_path[kept], intercept_path[kept] = path.each("coef").T, path.each("intercept")
        if not np.isfinite(intercept_path[chosen]):
            raise ValueError(
                f"Training on all rows overflowed with the chosen setting {grid[chosen]}. Scale X and y, or pass "
                "float64, or lower learning_rate."
            )
        n_iter = np.zeros(len(grid), int)
        n_iter[kept] = path.each("n_iter")
        self.cv_results_, self.one_se_index_, self.best_index_ = cv_results, one_se, chosen
        self.best_params_, self.best_score_ = grid[chosen], float(cv_results["mean_test_score"][chosen])
        for name, value in grid[chosen].items():
            setattr(self, f"{name}_", value)
        self.alphas_, self.n_splits_ = alphas, len(results)
        self.coef_path_, self.intercept_path_ = coef_path, intercept_path
        self.coef_, self.intercept_ = coef_path[chosen].copy(), intercept_path[chosen]
        self.n_iter_ = int(n_iter[chosen])

    def _problems(
        self, data: TrainingData, settings: Settings, results: list[FoldResult], kept: np.ndarray, path: Pass
    ) -> list[tuple[str, type[Warning]]]:
        """What `fit` should warn of, and the categories of the warnings."""
        problems: list[tuple[str, type[Warning]]] = []
        mean = self.cv_results_["mean_test_score"]
        best = int(np.argmin(self.cv_results_["rank_test_score"]))
        # others that are unfinished do not matter: they are those that overfit
        matters = mean >= mean[best] - standard_error(self.cv_results_, best)
        unfinished = np.logical_or.reduce([result.unfinished for result in results])
        unfinished[kept] |= ~path.each("converged")
        n_unfinished = int((unfinished & matters).sum())
        if n_unfinished > 0 and self.tol is not None:
            text = (
                f"max_iter={self.max_iter} was reached with {n_unfinished} of the {int(matters.sum())} settings whose "
                f"score is at most one standard error below the best, while the loss was still improving by more than "
                f"tol={self.tol} of the null loss. Increase max_iter, raise learning_rate, or raise tol."
            )
            problems.append((text, ConvergenceWarning))
        # the largest strength of a grid of ours allows for next to nothing
        is_null = isinstance(self.alphas, Integral) or not self.coef_path_[best].any()
        at_end = beyond_the_grid(self.cv_results_, best, is_null=is_null)
        if at_end is not None:
            problems.append((at_end, UserWarning))
        n_failed = int(np.isnan([result.scores for result in results]).any(axis=0).sum())
        if n_failed > 0:
            text = (
                f"Training overflowed, or the score was not finite, with {n_failed} of {len(results[0].scores)} "
                "settings, whose mean score is NaN. Scale X and y, or leave out the largest learning rates."
            )
            problems.append((text, FitFailedWarning))
        model = self.coef_[:, np.newaxis], np.atleast_1d(self.intercept_)
        found = [
            (useless_delta(data, settings.objective, *model), UserWarning),
            (distant_columns(data, settings), UserWarning),
            (missing_intercept(data, settings, model[0]), UserWarning),
        ]
        chosen = np.searchsorted(kept, self.best_index_)
        if not path.each("is_whitened")[chosen]:
            reason: Reason = "converged" if path.each("converged")[chosen] else "max_iter"
            short = stopped_short(data, settings, *model, reason=reason, n_rows=len(data.rows))
            found.append((short, ConvergenceWarning))
        return problems + [(text, category) for text, category in found if text is not None]
