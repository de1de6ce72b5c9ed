"""The algorithm in plain NumPy: slow, obvious, and the thing the compiled kernel is compared with.

Shared with the package is the plain update alone, its `_update`, which test_torch_and_tutorial.py
holds to PyTorch and the tutorial. `follow` is one loop over steps that keeps every iterate;
`follow_standardized` standardises the data, calls `follow` and converts back. The two loops at the
end are those of the RMSprop tutorial behind this project, as published.
"""

import math
from dataclasses import dataclass

import numpy as np

from sklearn_rmsprop._update import Moments, UpdateRule


@dataclass
class Path:
    """Every published iterate of a run, the start first.

    `coef[k]` and `intercept[k]` have the shapes of the estimator's `coef_` and `intercept_` after k
    steps.
    """

    coef: np.ndarray
    intercept: np.ndarray


def step_sizes(schedule, learning_rate, n_steps):
    """Return the step sizes of a named or callable schedule for steps 1, 2, ..., n_steps."""
    t = np.arange(1, n_steps + 1)
    if schedule == "constant":
        return np.full(n_steps, learning_rate)
    if schedule == "invsqrt":
        return learning_rate / np.sqrt(1 + t / 100)
    if schedule == "linear":
        return learning_rate * (1 - (t - 1) / n_steps)
    if schedule == "cosine":
        return learning_rate * (1 + np.cos(np.pi * (t - 1) / n_steps)) / 2
    return schedule(t)


def derivative_and_loss(error, loss, delta=1.0, quantile=0.5):
    """Return dloss/dprediction and the loss for error = prediction - y."""
    size, sign = np.abs(error), np.sign(error)
    excess = np.maximum(size - delta, 0)
    if loss == "squared_error":
        return error, error**2 / 2
    if loss == "absolute_error":
        return sign, size
    if loss == "huber":
        return np.clip(error, -delta, delta), np.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
    if loss == "quantile":
        slope = np.where(error > 0, 1 - quantile, np.where(error < 0, -quantile, 0.0))
        return slope, slope * error
    if loss == "epsilon_insensitive":
        return np.where(excess > 0, sign, 0.0), excess
    if loss == "squared_epsilon_insensitive":
        return sign * excess, excess**2 / 2
    raise ValueError(loss)


def penalty_parts(penalty=None, alpha=1e-4, l1_ratio=0.15):
    """Return the factors of |w|_1 and of |w|^2 / 2 in the objective."""
    l1_ratio = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": l1_ratio}[penalty]
    return (0.0, 0.0) if penalty is None else (alpha * l1_ratio, alpha * (1 - l1_ratio))


def follow(
    X,
    y,
    *,
    rates,
    decay_rate,
    epochs,
    loss="squared_error",
    delta=1.0,
    quantile=0.5,
    l1=0.0,
    l2=0.0,
    sparse=False,
    epsilon=1e-8,
    momentum=0.0,
    centered=False,
    bias_correction=False,
    average=False,
    batch_size=None,
    orders=None,
    sample_weight=None,
    fit_intercept=True,
    coef_init=None,
    intercept_init=None,
):
    """Run mini-batch RMSprop on the mean loss + l1 |w|_1 + l2 / 2 |w|^2 and keep every iterate.

    `rates` is one step size, or an array with one per step; `orders` one permutation of the rows
    (those of positive weight) per epoch, by default always first to last. `l1`, `l2` and `delta`
    are numbers or arrays that broadcast to (n_features, n_targets) and (n_targets,). `sparse`: a
    batch penalises the columns alone in which it has an entry, and those the more, the fewer do.

    The L2 penalty is implicit: it is the new coefficient that it pulls at, not the old one. The L1
    penalty is dual averaging: the steps are summed up, of the sum what its accumulated steps,
    the threshold, amount to is taken off towards zero, and the rest is the coefficient. A threshold
    that is more than 10 sqrt(1 + t / 100) steps beyond the sum is cut to that; with momentum, of
    steps that are 1 / (1 - momentum) times as long.
    """
    X, y, weight = _positive_weight_rows(X, y, sample_weight)
    n_rows, n_features = X.shape
    targets = y.reshape(n_rows, -1)
    n_targets = targets.shape[1]
    if batch_size is None:
        batch_size = n_rows

    l1, l2 = (np.broadcast_to(factor, (n_features, n_targets)) for factor in (l1, l2))
    if sparse and (np.any(l1) or np.any(l2)):
        probability = _touch_probability(X, batch_size)[:, np.newaxis]
        l1, l2 = l1 / probability, l2 / probability
    # The intercept is the coefficient of one more column, of ones, and not penalised.
    columns = X
    if fit_intercept:
        columns = np.column_stack([X, np.ones(n_rows)])
        l1, l2 = (np.vstack([factor, np.zeros(n_targets)]) for factor in (l1, l2))
    start = np.zeros((columns.shape[1], n_targets))
    if coef_init is not None:
        start[:n_features] = np.reshape(coef_init, (n_targets, n_features)).T
    if intercept_init is not None:
        start[n_features] = intercept_init

    coordinates = _Coordinates(
        start,
        decay_rate=decay_rate,
        epsilon=epsilon,
        momentum=momentum,
        centered=centered,
        bias_correction=bias_correction,
        average=average,
    )
    steps_per_epoch = -(-n_rows // batch_size)
    rates = np.broadcast_to(rates, epochs * steps_per_epoch)
    published = [start]
    for epoch in range(epochs):
        order = np.arange(n_rows) if orders is None else orders[epoch]
        for first in range(0, n_rows, batch_size):
            batch = order[first : first + batch_size]
            x, v = columns[batch], weight[batch, np.newaxis]

            slope, _ = derivative_and_loss(x @ coordinates.w - targets[batch], loss, delta, quantile)
            met = (x != 0).any(axis=0)[:, np.newaxis] if sparse else np.True_
            coordinates.step(x.T @ (v * slope) / len(batch), rates[coordinates.t], l1 * met, l2 * met, met)
            published.append(coordinates.published())

    return _path(np.array(published), n_features, np.ndim(y))


class _Coordinates:
    """The coefficients, of shape (n_features + 1, n_targets), and what RMSprop keeps about each of them."""

    def __init__(self, w, *, decay_rate, epsilon, momentum, centered, bias_correction, average):
        self.rule = UpdateRule(
            learning_rate=None,  # the step sizes come from outside
            decay_rate=decay_rate,
            epsilon=epsilon,
            momentum=momentum,
            centered=centered,
            bias_correction=bias_correction,
            schedule=None,
            average=average,
        )
        self.decay_rate, self.average = decay_rate, average
        self.t = 0
        self.w = self.averaged = w
        self.moments = Moments.at_start(w)
        self.velocity = np.zeros_like(w)
        self.threshold = np.zeros_like(w)  # accumulated steps of the L1 penalty
        self.offset = np.zeros_like(w)  # what it takes off the accumulated other steps
        self.active = np.zeros_like(w)  # the last step before or after which the coefficient was not 0

    def step(self, g, rate, l1, l2, met):
        """Go a step, from the gradient of the loss; `met` says for which of them L1 gathers steps."""
        self.t += 1
        before = self.w
        decay = 1 - 0.9 / self.t if self.decay_rate == "auto" else self.decay_rate
        g = g + l2 * before
        self.moments = self.moments.observe(g + l1 * np.sign(before), decay)
        metric = self.rule.divisor(self.moments) + rate * l2
        momentum = self.rule.momentum
        self.velocity = momentum * self.velocity + g / metric

        total = before + self.offset - rate * self.velocity
        gathered = self.threshold + rate / (1 - momentum) * l1 / metric
        slack = 10 * np.sqrt(1 + self.t / 100) / (1 - momentum) * rate
        self.threshold = np.where(met, np.minimum(gathered, np.abs(total) + slack), self.threshold)
        self.offset = np.clip(total, -self.threshold, self.threshold)
        self.w = total - self.offset
        self.active = np.where((before != 0) | (self.w != 0), self.t, self.active)
        self.averaged = self.averaged + 4 / (self.t + 3) * (self.w - self.averaged) if self.average else self.w

    def published(self):
        """Return the average; an average is never 0, but a coefficient that has been for a fifth of all steps is."""
        at_rest = (self.threshold > 0) & (self.w == 0) & (self.t - self.active >= 0.2 * self.t)
        return np.where(at_rest, 0, self.averaged)


def follow_standardized(
    X,
    y,
    *,
    loss="squared_error",
    delta=1.0,
    quantile=0.5,
    l1=0.0,
    l2=0.0,
    sparse=False,
    sample_weight=None,
    fit_intercept=True,
    coef_init=None,
    intercept_init=None,
    **options,
):
    """Standardise X and y, follow the plain algorithm there, and convert the path back.

    Weighted means are taken off and weighted population standard deviations are the units. Without
    an intercept nothing is taken off and the units are root mean squares. `sparse` treats X, still
    a dense array, as the estimator treats a sparse one: nothing is taken off its columns, and their
    units are the root mean squares of their nonzero entries. All units of columns are multiplied by
    the root mean square norm of a row in these units (`sparse`: twice that), if it is above 1. With a robust loss, the
    target's origin is its median, or the quantile, and its unit the median distance from the median.
    """
    X, y, weight = _positive_weight_rows(X, y, sample_weight)
    if loss in ("squared_error", "squared_epsilon_insensitive"):
        y_mean, y_unit = _origin_and_unit(y, weight, fit_intercept)
    else:
        y_mean, y_unit = _quantile_and_unit(y, weight, fit_intercept, quantile if loss == "quantile" else 0.5)
    if sparse:
        x_mean = np.zeros(X.shape[1])
        x_unit = np.array([_nonzero_root_mean_square(column, weight) for column in X.T])
        row_norm = 2 * np.sqrt(np.average(np.count_nonzero(X, axis=1), weights=weight))
    else:
        x_mean, x_unit = _origin_and_unit(X, weight, fit_intercept)
        row_norm = np.sqrt(np.count_nonzero(np.ptp(X, axis=0) if fit_intercept else X.any(axis=0)))
    x_unit = x_unit * max(1.0, row_norm)

    if coef_init is not None:
        coef_init = np.asarray(coef_init)
        if intercept_init is not None:
            intercept_init = (intercept_init + coef_init @ x_mean - y_mean) / y_unit
        coef_init = coef_init * x_unit / y_unit[..., np.newaxis]
    loss_unit = y_unit ** (1 if loss in ("absolute_error", "quantile", "epsilon_insensitive") else 2)
    path = follow(
        (X - x_mean) / x_unit,
        (y - y_mean) / y_unit,
        loss=loss,
        delta=delta / y_unit,
        quantile=quantile,
        l1=l1 / x_unit[:, np.newaxis] * (y_unit / loss_unit),
        l2=l2 / x_unit[:, np.newaxis] ** 2 * (y_unit**2 / loss_unit),
        sparse=sparse,
        sample_weight=weight,
        fit_intercept=fit_intercept,
        coef_init=coef_init,
        intercept_init=intercept_init,
        **options,
    )
    coef = path.coef * y_unit[..., np.newaxis] / x_unit
    intercept = y_mean + y_unit * path.intercept - coef @ x_mean
    return Path(coef, intercept)


def _origin_and_unit(a, weight, centred):
    """Return what is taken off the columns of `a`, and what they are then divided by."""
    if centred:
        # The mean of equal numbers is that number, whatever rounding makes of it.
        mean = np.where(np.ptp(a, axis=0) == 0, a[0], np.average(a, axis=0, weights=weight))
    else:
        mean = np.zeros(a.shape[1:])
    unit = np.sqrt(np.average((a - mean) ** 2, axis=0, weights=weight))
    return mean, np.where(unit > 0, unit, np.where(mean != 0, np.abs(mean), 1.0))


def _quantile_and_unit(y, weight, centred, level):
    """Return what is taken off the targets for a robust loss, and what they are then divided by."""

    def weighted_quantile(values, level):
        by_size = np.argsort(values)
        share = np.cumsum(weight[by_size]) / np.sum(weight)
        return values[by_size[share > level + 1e-12][0]]

    origin, unit = np.zeros(y.shape[1:]), np.ones(y.shape[1:])
    for k in np.ndindex(y.shape[1:]):
        column = y[(slice(None), *k)]
        middle = 0.0
        if centred:
            origin[k], middle = weighted_quantile(column, level), weighted_quantile(column, 0.5)
        # A normal distribution's standard deviation is that many times its median deviation.
        unit[k] = 1.4826 * weighted_quantile(np.abs(column - middle), 0.5)
    assert (unit > 0).all(), "the reference knows nothing of targets that are mostly one number"
    return origin, unit


def _touch_probability(X, batch_size):
    """Return the mean over an epoch's batches of the probability to have an entry of each column."""
    n_rows, count = len(X), np.count_nonzero(X, axis=0)
    sizes = [min(batch_size, n_rows - start) for start in range(0, n_rows, batch_size)]
    missed = [[math.comb(n_rows - n, size) / math.comb(n_rows, size) for size in sizes] for n in count.tolist()]
    return np.where(count > 0, 1 - np.mean(missed, axis=1), 1.0)


def _nonzero_root_mean_square(column, weight):
    nonzero = column != 0
    if not nonzero.any():
        return 1.0
    return np.sqrt(np.average(column[nonzero] ** 2, weights=weight[nonzero]))


def _positive_weight_rows(X, y, sample_weight):
    """Drop rows of weight 0 and scale the other weights to mean 1."""
    X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if sample_weight is None:
        return X, y, np.ones(len(X))
    weight = np.asarray(sample_weight, dtype=np.float64)
    kept = weight > 0
    return X[kept], y[kept], weight[kept] / weight[kept].mean()


def _path(published, n_features, y_ndim):
    """Split iterates (steps, coordinates, targets) into the estimator's coef_ and intercept_."""
    coef = published[:, :n_features].swapaxes(1, 2)
    fitted = published.shape[1] > n_features
    intercept = published[:, n_features] if fitted else np.zeros(coef.shape[:2])
    if y_ndim == 1:
        coef, intercept = coef[:, 0], intercept[:, 0]
    return Path(coef, intercept)


def follow_epochs(X, y, params, epochs, sample_weight=None, **options):
    """Follow an estimator with these parameters and unshuffled rows; the path has ends of epochs.

    `options` are others of `follow` or `follow_standardized`.
    """
    n_rows = len(X) if sample_weight is None else np.count_nonzero(sample_weight)
    steps_per_epoch = -(-n_rows // (params["batch_size"] or n_rows))
    n_steps = epochs * steps_per_epoch
    shared = {"decay_rate", "epsilon", "momentum", "centered", "bias_correction", "average"}
    shared |= {"batch_size", "fit_intercept", "loss", "delta", "quantile"}
    penalty = {name: params[name] for name in ("penalty", "alpha", "l1_ratio") if name in params}
    l1, l2 = penalty_parts(**penalty)
    path = (follow_standardized if params["standardize"] else follow)(
        X,
        y,
        rates=step_sizes(params["schedule"], params["learning_rate"], n_steps),
        epochs=epochs,
        sample_weight=sample_weight,
        l1=l1,
        l2=l2,
        **{name: value for name, value in params.items() if name in shared},
        **options,
    )
    coef, intercept = path.coef[::steps_per_epoch], path.intercept[::steps_per_epoch]
    return Path(coef, intercept)


def assert_model(model, coef, intercept, rtol=1e-10):
    """Compare a fitted model; the largest number is the yardstick, as 0s among them are rounded."""
    __tracebackhide__ = True
    scale = np.abs(coef).max()
    assert np.shape(model.coef_) == np.shape(coef)
    np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=rtol * scale)
    scale = max(scale, np.abs(intercept).max())
    np.testing.assert_allclose(model.intercept_, intercept, rtol=0, atol=rtol * scale)


def tutorial_full_batch(x, y, start, *, learning_rate=0.001, decay_rate=0.9, epsilon=1e-8, n_iter=5000):
    """Fit a line as the tutorial's first loop does: all points in each step."""
    params = np.array(start, dtype=float)
    square = np.zeros(2)
    for _ in range(n_iter):
        grad = _tutorial_gradient(x, y, params)
        square = decay_rate * square + (1 - decay_rate) * grad**2
        params -= learning_rate * grad / (np.sqrt(square) + epsilon)
    return params


def tutorial_mini_batch(
    x,
    y,
    start,
    *,
    learning_rate=0.01,
    decay_rate=0.9,
    epsilon=1e-8,
    n_iter=5000,
    batch_size=512,
    rng=None,
):
    """Fit a line as the tutorial's second loop does: `n_iter` shuffled passes in mini-batches.

    Without `rng` the rows keep their order.
    """
    params = np.array(start, dtype=float)
    square = np.zeros(2)
    for _ in range(n_iter):
        order = np.arange(len(x)) if rng is None else rng.permutation(len(x))
        for i in range(0, len(x), batch_size):
            batch = order[i : i + batch_size]
            grad = _tutorial_gradient(x[batch], y[batch], params)
            square = decay_rate * square + (1 - decay_rate) * grad**2
            params -= learning_rate * grad / (np.sqrt(square) + epsilon)
    return params


def _tutorial_gradient(x, y, params):
    error = params[0] * x + params[1] - y
    return np.array([np.mean(error * x), np.mean(error)])
