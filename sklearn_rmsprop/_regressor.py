"""The estimator: its parameters, and `fit` and `partial_fit`, which validate, call the engine and set attributes."""

import warnings
from collections.abc import Callable
from copy import copy
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags, check_random_state

from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._compat import CallbackSupportMixin, fit_context, has_callbacks, with_callbacks
from sklearn_rmsprop._coordinates import Coordinates
from sklearn_rmsprop._data import REALS, TrainingData, checked_start, validate_training
from sklearn_rmsprop._diagnosis import (
    distant_columns,
    missing_intercept,
    useless_delta,
    useless_delta_of_stream,
)
from sklearn_rmsprop._fitted import FittedModel
from sklearn_rmsprop._monitor import CallbackMonitor, History, Monitor, Monitors, VerboseMonitor
from sklearn_rmsprop._optimality import stopped_short
from sklearn_rmsprop._overfitting import overfitted
from sklearn_rmsprop._parameters import CONSTRAINTS, check_for_partial_fit
from sklearn_rmsprop._problem import Problem
from sklearn_rmsprop._row_space import RowSpace
from sklearn_rmsprop._schedules import Schedule
from sklearn_rmsprop._settings import Settings
from sklearn_rmsprop._state import State, seed_generator
from sklearn_rmsprop._stopping import Reason
from sklearn_rmsprop._stream import first_coordinates, next_coordinates
from sklearn_rmsprop._training import train
from sklearn_rmsprop._typing import LossName, PenaltyName, Rows, ScheduleName
from sklearn_rmsprop._validation import HeldOut, hold_out, make_held_out, validate_own


class RMSpropRegressor(CallbackSupportMixin, FittedModel, MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Linear regression fitted by mini-batch RMSprop.

    Minimises over the coefficients :math:`w` and the intercept :math:`c`

    .. math::
        \frac{1}{\sum_i v_i} \sum_i v_i \, \ell(y_i, x_i \cdot w + c)
        + \text{alpha} \left( \text{l1\_ratio} \, \|w\|_1 + \frac{1 - \text{l1\_ratio}}{2} \|w\|_2^2 \right)

    with the loss :math:`\ell` and the sample weights :math:`v_i`, by steps with the gradient :math:`g` of a mini-batch:

    .. math::
        s &\leftarrow \text{decay\_rate} \cdot s + (1 - \text{decay\_rate}) \cdot g^2 \\
        w &\leftarrow w - \text{rate}_t \cdot g / (\sqrt{s} + \text{epsilon})

    The defaults fit well without tuning or scaling: the fit works in the coordinates of standardised data (without a
    copy of `X`), the step size decays, and the coefficients are an average of the iterates, which converges where the
    last iterate oscillates around the optimum. The target may have several columns.

    Parameters
    ----------
    loss : str, default="squared_error"
        The loss of one row with error e = prediction - y:

        - "squared_error": e^2 / 2; the half makes the derivative the error itself;
        - "absolute_error": \|e\|, for medians;
        - "huber": e^2 / 2 up to \|e\| = `delta` and the straight line `delta` (\|e\| - `delta` / 2) beyond;
        - "quantile": (1 - `quantile`) e above y and -`quantile` e below, for a quantile;
        - "epsilon_insensitive": by how much \|e\| exceeds `delta`, or 0;
        - "squared_epsilon_insensitive": half the square of that.

        The losses that grow linearly are robust: the derivative at one row is at most 1 ("huber": `delta`). Losses with
        a kink ("absolute_error", "quantile", "epsilon_insensitive") need more epochs: `fit` multiplies the step size by
        0.3, four times, before it stops. It does so when the objective no longer improves, and at 0.3, 0.475, 0.65 and
        0.825 of `max_iter` at the latest. The step size also follows the objective's share of the null loss (the loss
        of the best constant) where that is below a half. With ``tol=None`` both hold for "invsqrt" as `schedule` only.

    learning_rate : float, default=0.2
        Length of a step, in (0, inf). With `standardize`, the first steps change the prediction of a typical row by
        about this many standard deviations of the target, whatever the number of columns and their units. Without, they
        change each coefficient by about this much. Larger values converge faster at first and oscillate more widely.
        Ignored where `schedule` is a callable, whose step sizes are in the same units.

    decay_rate : float or "auto", default="auto"
        Decay of the moving average of squared gradients. "auto" is 1 - 0.9 / t in step t [3]_: an average over all
        steps so far. A number in [0, 1) averages over about the last `1 / (1 - decay_rate)` steps. With a short memory,
        a large gradient is divided mainly by itself, and the average of a rare column decays between its rows; both
        bias the solution from the mean towards the median. Choose a number to follow the textbook (0.9) or PyTorch
        (0.99), and, with `schedule="constant"`, for streams in which the scale of errors changes or there are outliers.

    epsilon : float, default=1e-8
        Added to the root of the moving average, in (0, inf). It matters only if it is larger than typical gradients
        (with `standardize` about 1 over the root of the number of columns): then RMSprop becomes gradient descent with
        rate `learning_rate / epsilon`.

    momentum : float, default=0.0
        In [0, 1). The step becomes `rate * u` with `u <- momentum * u + g / (sqrt(s) + epsilon)`; steps grow by up to
        `1 / (1 - momentum)`.

    centered : bool, default=False
        Divide by the root of the gradient's moving variance, `s - m^2` with `m` the moving average of `g`, instead of
        its moving mean square [2]_. Negative values, which rounding can cause, count as zero.

    bias_correction : bool, default=True
        Divide the moving average by `1 - decay_rate^t` ("auto": 1 minus the product of all decays so far), as Adam
        does, because it starts at zero. Without it the first step is `1 / sqrt(1 - decay_rate)` times too large: ten
        times with 0.99, 1.05 times with "auto".

    schedule : {"invsqrt", "constant", "linear", "cosine"} or callable, default="invsqrt"
        Size of step t = 1, 2, ...: "invsqrt" is `learning_rate / sqrt(1 + t / 100)`; "constant" is `learning_rate`;
        "linear" and "cosine" decrease from it to zero over `max_iter` epochs (combine them with `tol=None`;
        `partial_fit` does not accept them). A callable receives an array of step numbers and returns as many step
        sizes.

    average : bool, default=True
        Report the polynomial-decay average [4]_ of the iterates, `A <- A + 4 / (t + 3) * (w - A)`. False reports the
        last iterate.

    batch_size : int, "auto" or None, default="auto"
        Rows per step, at least 1; the last batch of an epoch may be smaller. None: all rows in each step (with the
        squared error, a dense float64 `X` and up to 200 columns such a step takes no longer, the more rows there are).
        "auto": in `fit` all rows, if there are at most 64 and no fewer than columns (or components, see `whiten`), or
        of dense data at most 500, if the loss is not robust, `whiten="auto"` may whiten, and `max_iter` such steps can
        reach the optimum. Also, with an L1 penalty and the squared error, of dense float64 data up to
        `1e7 / (n_features + 1) ** 2` rows (at least 500) whose columns are not strongly correlated: then no noise
        decides which coefficients are zero. Otherwise 32, or with more than 50 whitened columns a power of two up to
        256, if that leaves 16 batches. At most 32 rows of outlying norm (more than 4 times the root mean square, times
        the root of the weight) are then in every batch, weighted so that the gradient stays unbiased: in one batch per
        epoch only, the gradient of such a row would be too large for a step.

    max_iter : int, default=1000
        Largest number of epochs, at least 1.

    tol : float or None, default=1e-4
        The fit stops when the training objective of the reported coefficients has not fallen by `tol` times the null
        loss (the loss of the best constant, so by about `tol` in R2) in `n_iter_no_change` successive evaluations, or
        is itself below that. In [0, inf). None: exactly `max_iter` epochs. With several targets, the fit stops when
        this has happened to each of them.

    n_iter_no_change : int, default=5
        Number of successive evaluations without improvement after which the fit stops, at least 1. The loss is
        evaluated after each epoch. If an epoch has fewer than 100 steps, it is evaluated after as many epochs as have
        100 steps. If an epoch has more than 1000 steps (and at least 32,000 rows), it is evaluated after 1000 steps,
        and then each time that the number of steps has grown by a fifth. It is evaluated on at most 4096 rows (1024 if
        rows are long or targets many). If these show no improvement, the loss of up to 65,536 rows decides. During an
        epoch, the noise of these rows would hide small improvements. There, the fit stops when the excess loss of
        `n_iter_no_change` evaluations ago was below `tol` times the null loss (half of that for a loss with a kink).
        The difference between the coefficients then and now shows that excess loss.

    standardize : bool, default=True
        Work in the coordinates of standardised data: steps and `epsilon` are scaled by the (weighted) standard
        deviations of target and columns, and dense columns are centred on the fly. This changes the path, not the
        solution: `coef_` is in the units of the data. `X` is neither changed nor copied (exceptions: a sparse `X` with
        columns far from zero, and float32 data with too few digits, see the Notes). A sparse `X` is not centred, and
        the units of its columns are the root mean squares of their nonzero entries; but columns with a mean beyond two
        standard deviations are centred in a copy, which stores all their entries. Without intercept
        nothing is centred, and root mean squares are the units. With a robust loss the target's origin is its median
        (or the `quantile`) and its unit 1.48 times the median distance from the median, which outliers do not change.

    whiten : bool or "auto", default="auto"
        Work in coordinates in which the columns are uncorrelated (the eigenbasis of their correlation, measured on a
        sample of the rows). Correlated columns make a narrow valley, in which steps along the axes make little
        progress. Whitening takes `4 n_features^2` operations per batch. "auto" whitens if it is worth this cost: dense
        `X` of up to 512 columns and at least three times as many rows, no L1 penalty, `standardize`, and a condition
        number of the correlation matrix above 200. It changes the path, not the solution. `partial_fit` computes the
        basis once it has had three rows for each column. If a dense `X` has more columns than rows (up to 2048 rows, no
        L1 penalty, `standardize`), `fit` works in the principal components of the rows, unless `whiten` is False or
        coefficients to start from are given. Of the many models that fit the rows equally well it then comes to that
        of least norm, as `LinearRegression` does, or with an L2 penalty to that of `Ridge`. This takes the memory of
        three copies of `X` in float64.

    delta : float, default=1.0
        The error from which on "huber" is linear, in (0, inf), and the largest error without a cost in the
        "epsilon_insensitive" losses, in [0, inf). scikit-learn calls both `epsilon`. It is in the units of `y`,
        whatever `standardize` is. A smaller value makes "huber" more robust; with a larger one, more rows have no
        influence in the others. The default is suitable for targets with a standard deviation of about 1 to 10. For
        others, set it to the largest error that is not an outlier ("huber"), or that does not matter. `fit` warns if
        `delta` does not suit `y`.

    quantile : float, default=0.5
        The quantile that "quantile" predicts, in (0, 1). If the predictions of several quantiles cross, sort those of
        each row.

    penalty : {"l2", "l1", "elasticnet"} or None, default=None
        What is added to the loss, never for the intercept: "l2" is `l1_ratio` 0, "l1" is `l1_ratio` 1, "elasticnet"
        takes `l1_ratio`. L1 gives coefficients that are exactly zero. L2 is applied as a proximal step scaled by the
        same per-coordinate step size as the gradient; L1 by dual averaging [5]_. In a sparse `X` they act on a column
        when a batch has an entry of it, divided by the probability of that.

    alpha : float, default=1e-4
        Strength of the penalty, in [0, inf), relative to the mean (not the sum) of the losses, in the units of the data
        whatever `standardize` is. As in `SGDRegressor` and `ElasticNet`.

    l1_ratio : float, default=0.15
        Share of L1 in "elasticnet", in [0, 1].

    fit_intercept : bool, default=True
        Whether to fit an intercept; otherwise it is 0.

    shuffle : bool, default=True
        Go through the rows in a new random order in each epoch; False goes through them as they come. In data of more
        than 16 MB, which the caches may not hold, four neighbouring rows stay within 2048 places of each other.

    random_state : int, RandomState instance or None, default=None
        Seeds the order of the rows. An int gives the same fit each time.

    early_stopping : bool, default=False
        Hold out a random `validation_fraction` of the rows, train on the others, and stop if the score on the held-out
        rows has not risen by `tol` in `n_iter_no_change` evaluations. The model is that of the evaluation with the best
        score. `partial_fit` does not accept it. The held-out rows are copied. If `X_val` and `y_val` are passed to
        `fit`, these rows are scored instead, and all of `X` is trained on.

    validation_fraction : float, default=0.1
        Share of the rows (of positive weight) that `early_stopping` holds out, in (0, 1); at least two rows. Ignored
        where `fit` gets `X_val`.

    warm_start : bool, default=False
        Let `fit` start from the coefficients of the last fit instead of zero. Step count and moving averages start
        anew; to continue with those, use `partial_fit`.

    verbose : int, default=0
        1 or more prints a table with a line for each evaluation, and at least one for each epoch, and why the fit
        stopped: the epochs so far, the loss (as in `loss_curve_`), the share of the null loss that is explained, with
        `early_stopping` the validation score, and the seconds so far.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients; two-dimensional if `y` was. May be assigned, like `intercept_`: `partial_fit` continues from
        there.

    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.

    n_iter_ : int
        Epochs begun, each call of `partial_fit` counting as one.

    batch_size_ : int
        Rows drawn for each batch of the last call, as `batch_size` and the data have determined it.

    t_ : int
        Update steps done; with `early_stopping` up to the evaluation with the best score.

    loss_curve_ : list of float
        Training objective at each evaluation, a mean over the targets: the weighted mean loss of the reported
        coefficients, and the penalty; after a call of `partial_fit`, on its rows. Of more than 4096 rows (1024 if rows
        are long or targets many) the loss is that of a sample. In the units of the loss: those of `y`, squared with the
        squared losses and "huber".

    evaluation_epochs_ : list of float
        Epochs done at each evaluation. With more than 32,000 rows (in batches of 32) the loss is first evaluated inside
        the first epoch; with fewer than 3200 only after several epochs, unless ``tol=None``.

    validation_scores_ : list of float
        With `early_stopping`, the share of the null loss of the validation rows that is explained at each evaluation:
        1 - loss / null loss, weighted, a mean over the targets. R2 for "squared_error".

    n_features_in_ : int
        Number of features seen during fit.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    RMSpropRegressorCV : Chooses `alpha` by cross-validation, in a few times the time of one fit.
    sklearn.linear_model.SGDRegressor : One row per step with a common step size; needs scaled data and a tuned `eta0`.
    sklearn.linear_model.ElasticNet : Coordinate descent for the squared error with L1 and L2.
    sklearn.linear_model.HuberRegressor, sklearn.linear_model.QuantileRegressor : Robust losses by general solvers.
    sklearn.linear_model.Ridge : Direct solvers; for up to a few hundred features as fast or faster.

    Notes
    -----
    float32 and float64 data in C order or CSR are used as they are; everything else is converted. float32 data gives a
    float32 model, unless float32 has too few digits for its predictions. Then `X` is converted to float64, which takes
    a copy, and the model is of float64, too. That is so, with `standardize`, where dense columns have means beyond
    about 1000 standard deviations (of d such columns: 1000 over the root of d), where the target has a mean beyond
    65,000 of its standard deviations, and where correlated columns, once whitened, have coefficients as large as that.

    `epsilon` stands outside the root, as in PyTorch; Keras and optax put it inside. With ``standardize=False,
    average=False, bias_correction=False, schedule="constant", tol=None, shuffle=False`` and a number as `decay_rate`
    this is the textbook algorithm, and agrees with ``torch.optim.RMSprop(lr=learning_rate, alpha=decay_rate)`` on half
    the mean squared error to rounding.

    Rows with an integer weight are equivalent to repeated rows, and rows of weight 0 to removed ones. Where a batch
    holds all rows the path is the same but for rounding; otherwise the solution is the same, and the path is in
    expectation: other rows share a batch, and a weighted gradient is noisier than that of as many repeated rows.

    An average of iterates is hardly ever exactly zero. With L1, a coefficient is reported as zero if it was zero in the
    last fifth of all steps: one whose optimum is zero stays there eventually, others keep leaving it.

    With collinear columns the result is one of the minimisers, not the one of least norm.

    From scikit-learn 1.9 on, `set_callbacks` lets callbacks watch each evaluation of `fit` (not of `partial_fit`) and
    stop it: a progress bar, scores, or your own. They get the model that `fit` would end with if it stopped there.

    References
    ----------
    .. [1] Tieleman, T. and Hinton, G., "Lecture 6.5 - RMSprop", COURSERA: Neural Networks for Machine Learning, 2012.
    .. [2] Graves, A., "Generating sequences with recurrent neural networks", arXiv:1308.0850, 2013.
    .. [3] Mukkamala, M. C. and Hein, M., "Variants of RMSProp and Adagrad with logarithmic regret bounds", ICML 2017.
    .. [4] Shamir, O. and Zhang, T., "Stochastic gradient descent for non-smooth optimization", ICML 2013.
    .. [5] Xiao, L., "Dual averaging methods for regularized stochastic learning and online optimization", JMLR, 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_rmsprop import RMSpropRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RMSpropRegressor(random_state=0).fit(X, y)
    >>> round(model.score(X, y), 3)
    0.518

    Robust, sparse, or both:

    >>> model = RMSpropRegressor(
    ...     "huber", delta=20, penalty="l1", alpha=0.2, random_state=0
    ... ).fit(X, y)
    >>> np.flatnonzero(model.coef_)
    array([2, 3, 6, 8])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = CONSTRAINTS

    def __init__(
        self,
        loss: LossName = "squared_error",
        *,
        learning_rate: float = 0.2,
        decay_rate: float | Literal["auto"] = "auto",
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
        standardize: bool = True,
        whiten: bool | Literal["auto"] = "auto",
        delta: float = 1.0,
        quantile: float = 0.5,
        penalty: PenaltyName | None = None,
        alpha: float = 1e-4,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        verbose: int = 0,
    ):
        self.loss = loss
        self.learning_rate = learning_rate
        self.decay_rate = decay_rate
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
        self.standardize = standardize
        self.whiten = whiten
        self.delta = delta
        self.quantile = quantile
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.verbose = verbose

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        *,
        X_val: Rows | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the model, from zero or with `warm_start` from the last fit's coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data; never changed.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target values, which must be numbers. To predict classes use a classifier, such as `SGDClassifier`.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative and not all zero; None weighs them equally. Only their ratios matter.

        coef_init : array-like of the shape of `coef_`, default=None
            Coefficients to start from; None starts from zero.

        intercept_init : float or array-like of shape (n_targets,), default=None
            Intercept to start from; None starts where the mean of `y` is predicted at the mean of `X` (with
            `standardize`) or from zero. Ignored without `fit_intercept`.

        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Validation data for `early_stopping`, instead of a random share of `X`; never changed. In a `Pipeline` with
            metadata routing, ``Pipeline(..., transform_input=["X_val"])`` transforms it like `X`.

        y_val : array-like of shape (n_val,) or (n_val, n_targets), default=None
            Target values of `X_val`.

        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the rows of `X_val`; None weighs them equally.

        Returns
        -------
        self : RMSpropRegressor
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described here, or if training overflows. The estimator is then left as
            it was before.

        Warns
        -----
        ConvergenceWarning
            If the loss was still falling after `max_iter` epochs, or in the last of the stages of a loss with a kink.
            If columns are strongly correlated and were not whitened (see `whiten`), and the fit has stopped short of
            its optimum, by more than `10 * tol` and 1e-3 of the null loss.

        UserWarning
            If there are fewer rows than columns, and the coefficients are so large that predictions for new rows vary
            more than the target: the model has learned the noise of these rows. If a sparse `X` has more than a tenth
            as many columns as rows, there is no penalty or `early_stopping`, and the model has fitted much of the
            noise. If a dense `X` has more than 2048 rows and even more columns, and there is neither.

            If `delta` does not suit `y`: so large that nearly no error has a cost and the model has learned little;
            with "huber" also so large that outliers have their full weight, or so small that it is the absolute error.
            If there is no intercept, and a column lies more than 20 standard deviations from zero in sparse data, or
            10,000 in dense data, or predictions miss the mean of `y` by more than ten of its standard deviations.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_rmsprop import RMSpropRegressor
        >>> X = np.arange(10.0).reshape(-1, 1)
        >>> model = RMSpropRegressor(random_state=0).fit(X, 3 * X.ravel() + 1)
        >>> bool(abs(model.coef_[0] - 3) < 0.05)
        True
        """
        with self._unchanged_on_failure():
            validation = (X_val, y_val, sample_weight_val)
            problems = self._fit(X, y, sample_weight, coef_init, intercept_init, validation=validation)
        for text, category in problems:
            warnings.warn(text, category, stacklevel=2)
        return self

    def partial_fit(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on these rows in one pass, and continue from the state after the last call.

        The optimizer's state, the step count and the average carry over from call to call, and from `fit`. The first
        call (or `fit`) also sets the units of `standardize` and of the weights, so it should have many typical rows.
        Columns and targets that are constant in it get their units from the first call in which they vary.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; never changed. Converted to the type of the first call's `X`.

        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Target values.

        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, not negative and not all zero, on the scale of the first call's; None weighs each 1.

        Returns
        -------
        self : RMSpropRegressor
            The estimator, having learned these rows.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not as described here, if `schedule` is "linear" or "cosine", if
            `early_stopping` is set, or if training overflows. The estimator is then left as it was before.

        Warns
        -----
        UserWarning
            Once, if no row of the first calls has an error larger than `delta`, so that an epsilon-insensitive loss
            learns nothing, or if `delta` is so small relative to the targets of the first call that "huber" is the
            absolute error.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn_rmsprop import RMSpropRegressor
        >>> rng = np.random.default_rng(0)
        >>> model = RMSpropRegressor(random_state=0)
        >>> for _ in range(50):
        ...     X = rng.normal(size=(100, 3))
        ...     model = model.partial_fit(X, X @ [1.0, 2.0, 3.0])
        >>> model.coef_.round(2)
        array([1., 2., 3.])
        """
        self._validate_params()  # scikit-learn's decorator leaves it out once the model is fitted
        check_for_partial_fit(vars(self))
        with self._unchanged_on_failure():
            delta_problem = self._partial_fit(X, y, sample_weight)
        if delta_problem is not None:
            warnings.warn(delta_problem, stacklevel=2)
        return self

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = isinstance(self.whiten, str) or not self.whiten
        return tags

    # Not on `fit` itself: callbacks' teardown needs attributes that `_unchanged_on_failure` removes.
    @with_callbacks
    def _fit(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        coef_init: ArrayLike | None,
        intercept_init: ArrayLike | None,
        *,
        validation: tuple[Rows | None, ArrayLike | None, ArrayLike | None],
    ) -> list[tuple[str, type[Warning]]]:
        """`fit` without its error handling and warnings: returns what these depend on."""
        self.__dict__.pop("validation_scores_", None)  # of an earlier fit
        self._statistics = None
        settings = Settings.of(vars(self))
        data = validate_training(self, X, y, sample_weight, dtype=REALS, reset=True)
        random_state, held_out = check_random_state(self.random_state), None
        validation_data = validate_own(self, *validation, n_targets=data.y.shape[1])
        if self.early_stopping and validation_data is None:
            data, validation_data = hold_out(data, self.validation_fraction, random_state)
        is_given = coef_init is not None or intercept_init is not None or (self.warm_start and hasattr(self, "coef_"))
        prepared = engine.prepare(data, settings, from_zero=not is_given)
        if validation_data is not None:
            held_out = make_held_out(prepared.of_rows(validation_data), settings.objective, prepared.coordinates)
        generator = seed_generator(random_state)
        state = self._start(
            prepared.data,
            prepared.coordinates,
            settings,
            generator,
            coef_init=coef_init,
            intercept_init=intercept_init,
        )
        problem = prepared.pose(settings)
        passed = X, y, sample_weight
        reason = self._train(problem, state, settings, held_out, passed, of_columns=prepared.of_columns)
        return self._diagnose(data, settings, reason, n_rows=len(data.rows), space=prepared.space)

    def _start(
        self,
        data: TrainingData,
        coordinates: Coordinates,
        settings: Settings,
        generator: np.ndarray,
        *,
        coef_init: ArrayLike | None,
        intercept_init: ArrayLike | None,
    ) -> State:
        """The state before the first step of `fit`; only the shapes and the type of the data matter."""
        if self.warm_start and hasattr(self, "coef_"):
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        coef, intercept = checked_start(data, coef_init, intercept_init)
        return engine.start(data, coordinates, settings, generator, coef=coef, intercept=intercept)

    def _train(
        self,
        problem: Problem,
        state: State,
        settings: Settings,
        held_out: HeldOut | None,
        passed: tuple[ArrayLike, ArrayLike, ArrayLike | None],
        *,
        of_columns: Callable[[State], tuple[Coordinates, State]] | None = None,
    ) -> Reason | None:
        """Train, watched by whoever asked for it, and set the fitted attributes. `passed`: the arguments of `fit`.

        `of_columns`: from a state to the coordinates of the columns of X and the state in them; None where the
        problem's coordinates are those.
        """

        def set_fitted(model: Self, state: State, history: History) -> None:
            coordinates, state = (problem.coordinates, state) if of_columns is None else of_columns(state)
            model._set_fitted(coordinates, state, history, flat=problem.data.flat)

        def reconstruct(state: State, history: History) -> dict[str, Any]:
            model = copy(self)
            set_fitted(model, state.copy(), history)
            return model.__dict__

        monitors: list[Monitor] = [VerboseMonitor()] if self.verbose else []
        if has_callbacks(self):
            monitors.append(CallbackMonitor(self, *passed, reconstruct))
        monitor = Monitors(monitors)
        state, history, reason = train(problem, state, settings, monitor, held_out)
        set_fitted(self, state, history)
        monitor.finish(history, reason)
        return reason

    def _diagnose(
        self,
        data: TrainingData,
        settings: Settings,
        reason: Reason | None,
        *,
        n_rows: int,
        space: RowSpace | None = None,
    ) -> list[tuple[str, type[Warning]]]:
        """What `fit` should warn of, with categories of warnings.

        `data` may be a sample of the `n_rows` rows that the model was fitted to. `space`: where this took place in it.
        """
        coef = self.coef_.reshape(data.y.shape[1], -1).T
        model = settings.objective, coef, np.atleast_1d(self.intercept_)
        short = None
        if reason in ("converged", "max_iter") and self._coordinates.basis is None:
            short = stopped_short(data, settings, *model[1:], reason=reason, n_rows=n_rows)
        if short is None and reason == "max_iter" and self.tol is not None:
            short = (
                f"max_iter={self.max_iter} epochs were made, and the loss was still falling by more than "
                f"tol={self.tol} times the null loss (the loss of the best constant). Increase max_iter, learning_rate "
                "or tol."
            )
            if space is not None and not settings.objective.is_penalized:
                short += " But with more columns than rows, what is learned so late is often noise: rather set "
                short += 'penalty="l2".'
            elif self._coordinates.basis is None and space is None and settings.may_whiten(data):
                short += " If columns are correlated, set whiten=True."
        noise = overfitted(
            data, *model, self._coordinates, n_rows=n_rows, space=space, early_stopping=self.early_stopping
        )
        problems = [
            (noise, UserWarning),
            (short, ConvergenceWarning),
            (useless_delta(data, *model), UserWarning),
            (distant_columns(data, settings), UserWarning),
            (missing_intercept(data, settings, coef), UserWarning),
        ]
        return [(text, category) for text, category in problems if text is not None]

    def _partial_fit(self, X: Rows, y: ArrayLike, sample_weight: ArrayLike | None) -> str | None:
        """`partial_fit` without its error handling and its warning: returns what this says."""
        settings = Settings.of(vars(self))
        first = not hasattr(self, "_state")
        state, coordinates = (None, None) if first else self._to_go_on_from()
        dtype = REALS if state is None else state.coef.dtype
        data = validate_training(self, X, y, sample_weight, dtype=dtype, reset=first)
        if state is None or coordinates is None:
            coordinates, self._statistics = first_coordinates(data, settings)
            generator = seed_generator(check_random_state(self.random_state))
            state, before = engine.start(data, coordinates, settings, generator), History()
        else:
            before = History(self.evaluation_epochs_, self.loss_curve_)
            for name, n, columns, unit in (
                ("X", data.X.shape[1], "features", coordinates.x_unit),
                ("y", data.y.shape[1], "targets", coordinates.y_unit),
            ):
                if n != len(unit):
                    raise ValueError(f"{name} must have {len(unit)} {columns}, as in the first call; got {n}.")
            coordinates, state, self._statistics = next_coordinates(
                data, settings, coordinates, state, self._statistics, n_calls=len(before.epochs)
            )
        monitor = VerboseMonitor(before.n_epochs) if self.verbose else Monitor()
        n_steps = state.t
        state, history = engine.train_one_pass(data, coordinates, settings, state, monitor)
        self._set_fitted(coordinates, state, history, flat=data.flat, before=before)
        return useless_delta_of_stream(n_steps, state, data, settings.objective, coordinates)
