"""The algorithm in plain NumPy: slow, obvious, and the thing the compiled kernel is compared with.

Nothing here is shared with the package. `follow` is one loop over steps that keeps every iterate;
`follow_standardized` standardises the data, calls `follow` and converts back. The two loops at the
end are those of the RMSprop tutorial behind this project, as published.
"""

from dataclasses import dataclass

import numpy as np


@dataclass
class Path:
    """Every published iterate of a run, the start first, and the progressive loss of each epoch.

    `coef[k]` and `intercept[k]` have the shapes of the estimator's `coef_` and `intercept_` after k
    steps. `epoch_losses[e]` holds one value a target: the weighted mean over the rows of epoch e of
    half the squared error that the published iterate made on a row before it was trained on.
    """

    coef: np.ndarray
    intercept: np.ndarray
    epoch_losses: np.ndarray


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


def follow(
    X,
    y,
    *,
    rates,
    decay_rate,
    epochs,
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
    """Run mini-batch RMSprop on half the mean squared error and keep every iterate.

    `rates` is one step size, or an array with one per step; `orders` one permutation of the rows
    (those of positive weight) per epoch, by default always first to last.
    """
    X, y, weight = _positive_weight_rows(X, y, sample_weight)
    n_rows, n_features = X.shape
    targets = y.reshape(n_rows, -1)
    n_targets = targets.shape[1]
    if batch_size is None:
        batch_size = n_rows

    # The intercept is the coefficient of one more column, of ones.
    columns = np.column_stack([X, np.ones(n_rows)]) if fit_intercept else X
    w = np.zeros((columns.shape[1], n_targets))
    if coef_init is not None:
        w[:n_features] = np.reshape(coef_init, (n_targets, n_features)).T
    if intercept_init is not None:
        w[n_features] = intercept_init

    square = np.zeros_like(w)  # moving average of g ** 2
    mean = np.zeros_like(w)  # moving average of g
    velocity = np.zeros_like(w)
    averaged = w
    missing = 1.0  # the part of the moving averages' weight that still lies on their zero start
    steps_per_epoch = -(-n_rows // batch_size)
    rates = np.broadcast_to(rates, epochs * steps_per_epoch)

    t = 0
    published = [w]
    losses = np.zeros((epochs, n_targets))
    for epoch in range(epochs):
        order = np.arange(n_rows) if orders is None else orders[epoch]
        for start in range(0, n_rows, batch_size):
            batch = order[start : start + batch_size]
            x, v = columns[batch], weight[batch, np.newaxis]
            t += 1
            decay = 1 - 0.9 / t if decay_rate == "auto" else decay_rate

            seen = x @ published[-1] - targets[batch]
            losses[epoch] += np.sum(v * seen**2 / 2, axis=0) / n_rows

            residual = x @ w - targets[batch]
            g = x.T @ (v * residual) / len(batch)
            square = decay * square + (1 - decay) * g**2
            mean = decay * mean + (1 - decay) * g
            missing *= decay
            spread = np.maximum(square - mean**2, 0) if centered else square
            if bias_correction:
                spread = spread / (1 - missing)
            velocity = momentum * velocity + g / (np.sqrt(spread) + epsilon)
            w = w - rates[t - 1] * velocity

            averaged = averaged + 4 / (t + 3) * (w - averaged)
            published.append(averaged if average else w)

    return _path(np.array(published), n_features, losses, np.ndim(y))


def follow_standardized(
    X,
    y,
    *,
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
    units are the root mean squares of their nonzero entries.
    """
    X, y, weight = _positive_weight_rows(X, y, sample_weight)
    y_mean, y_unit = _origin_and_unit(y, weight, fit_intercept)
    if sparse:
        x_mean = np.zeros(X.shape[1])
        x_unit = np.array([_nonzero_root_mean_square(column, weight) for column in X.T])
    else:
        x_mean, x_unit = _origin_and_unit(X, weight, fit_intercept)

    if coef_init is not None:
        coef_init = np.asarray(coef_init)
        if intercept_init is not None:
            intercept_init = (intercept_init + coef_init @ x_mean - y_mean) / y_unit
        coef_init = coef_init * x_unit / y_unit[..., np.newaxis]
    path = follow(
        (X - x_mean) / x_unit,
        (y - y_mean) / y_unit,
        sample_weight=weight,
        fit_intercept=fit_intercept,
        coef_init=coef_init,
        intercept_init=intercept_init,
        **options,
    )
    coef = path.coef * y_unit[..., np.newaxis] / x_unit
    intercept = y_mean + y_unit * path.intercept - coef @ x_mean
    return Path(coef, intercept, path.epoch_losses * y_unit**2)


def _origin_and_unit(a, weight, centred):
    """Return what is taken off the columns of `a`, and what they are then divided by."""
    if centred:
        # The mean of equal numbers is that number, whatever rounding makes of it.
        mean = np.where(np.ptp(a, axis=0) == 0, a[0], np.average(a, axis=0, weights=weight))
    else:
        mean = np.zeros(a.shape[1:])
    unit = np.sqrt(np.average((a - mean) ** 2, axis=0, weights=weight))
    return mean, np.where(unit > 0, unit, np.where(mean != 0, np.abs(mean), 1.0))


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


def _path(published, n_features, losses, y_ndim):
    """Split iterates (steps, coordinates, targets) into the estimator's coef_ and intercept_."""
    coef = published[:, :n_features].swapaxes(1, 2)
    fitted = published.shape[1] > n_features
    intercept = published[:, n_features] if fitted else np.zeros(coef.shape[:2])
    if y_ndim == 1:
        coef, intercept = coef[:, 0], intercept[:, 0]
    return Path(coef, intercept, losses)


def follow_epochs(X, y, params, epochs, sample_weight=None, **options):
    """Follow an estimator with these parameters and unshuffled rows; the path has ends of epochs.

    `options` are others of `follow` or `follow_standardized`.
    """
    n_rows = len(X) if sample_weight is None else np.count_nonzero(sample_weight)
    steps_per_epoch = -(-n_rows // (params["batch_size"] or n_rows))
    n_steps = epochs * steps_per_epoch
    shared = {"decay_rate", "epsilon", "momentum", "centered", "bias_correction", "average"}
    shared |= {"batch_size", "fit_intercept"}
    path = (follow_standardized if params["standardize"] else follow)(
        X,
        y,
        rates=step_sizes(params["schedule"], params["learning_rate"], n_steps),
        epochs=epochs,
        sample_weight=sample_weight,
        **{name: value for name, value in params.items() if name in shared},
        **options,
    )
    coef, intercept = path.coef[::steps_per_epoch], path.intercept[::steps_per_epoch]
    return Path(coef, intercept, path.epoch_losses)


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
