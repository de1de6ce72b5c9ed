"""The data and the loops that several pictures share."""

import numpy as np
from plotnine.data import diamonds

from sklearn_rmsprop._update import Iterate, UpdateRule

# The six points, and the line from which the walk starts: slope and intercept.
X = np.array([5.0, 15.0, 25.0, 35.0, 45.0, 55.0])
Y = np.array([5.0, 20.0, 14.0, 32.0, 22.0, 38.0])
START = np.array([3.0, 5.0])
BEST = np.polyfit(X, Y, 1)


def half_mse(slope, intercept):
    """Half the mean squared error on the six points; takes arrays of any equal shape."""
    error = np.multiply.outer(slope, X) + np.asarray(intercept)[..., np.newaxis] - Y
    return np.mean(error**2, axis=-1) / 2


def line_gradient(weights):
    """The gradient of `half_mse`."""
    error = weights[0] * X + weights[1] - Y
    return np.array([np.mean(error * X), np.mean(error)])


def descend(gradient, start, n_steps, rate):
    """Gradient descent: every point on the way."""
    path = [np.array(start, dtype=float)]
    for _ in range(n_steps):
        path.append(path[-1] - rate * gradient(path[-1]))
    return np.array(path)


def rmsprop(gradient, start, n_steps, rate, *, decay=0.9, epsilon=1e-8, momentum=0.0, centered=False, corrected=False):
    """RMSprop: every point on the way. `rate` is a number, or a function of the step's number."""
    rule = UpdateRule(rate, decay, epsilon, momentum, centered, corrected, schedule="constant", average=False)
    iterate = Iterate.at_start(np.array(start, dtype=float))
    path = [iterate.x]
    for t in range(1, n_steps + 1):
        iterate = rule.step(iterate, gradient(iterate.x), rate(t) if callable(rate) else rate, decay)
        path.append(iterate.x)
    return np.array(path)


def average(path):
    """The polynomial-decay average of a path, at each of its points."""
    averaged = [path[0]]
    for t, weights in enumerate(path[1:], start=1):
        averaged.append(averaged[-1] + 4 / (t + 3) * (weights - averaged[-1]))
    return np.array(averaged)


def carat_price():
    """Weight and price of the diamonds, in units of their standard deviations, and that of the price in dollars."""
    carat, price = diamonds["carat"].to_numpy(dtype=float), diamonds["price"].to_numpy(dtype=float)
    return (carat - carat.mean()) / carat.std(), (price - price.mean()) / price.std(), price.std()


def follow(model, X, y, n_epochs):
    """The excess loss of a model after each of `n_epochs` epochs: 0 for least squares, 1 for the mean of the target."""
    coef = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean(), rcond=1e-10)[0]
    best = np.var(y - X @ coef)
    excess_loss = []
    for _ in range(n_epochs):
        model.partial_fit(X, y)
        excess_loss.append((np.mean((y - model.predict(X)) ** 2) - best) / (np.var(y) - best))
    return np.maximum(excess_loss, 1e-12)


def sgd(g, memory, rate):
    return rate * g


def sgd_momentum(g, memory, rate):
    memory["u"] = 0.9 * memory.get("u", 0) + g
    return rate * memory["u"]


def adagrad(g, memory, rate):
    memory["s"] = memory.get("s", 0) + g**2
    return rate * g / (np.sqrt(memory["s"]) + 1e-8)


def rmsprop_step(g, memory, rate):
    memory["s"] = 0.9 * memory.get("s", 0) + 0.1 * g**2
    return rate * g / (np.sqrt(memory["s"]) + 1e-8)


def adam(g, memory, rate):
    memory["t"] = t = memory.get("t", 0) + 1
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["s"] = 0.999 * memory.get("s", 0) + 0.001 * g**2
    return rate * (memory["m"] / (1 - 0.9**t)) / (np.sqrt(memory["s"] / (1 - 0.999**t)) + 1e-8)


# Each returns one step, and keeps what it has to remember in a dictionary.
RULES = {
    "SGD": sgd,
    "SGD, momentum 0.9": sgd_momentum,
    "AdaGrad": adagrad,
    "RMSprop": rmsprop_step,
    "Adam": adam,
}


def run(rule, gradient, start, rate, n_steps, *, falling=False):
    """Yield the weights after each step of a rule, at a constant rate or one that falls linearly to zero."""
    weights, memory = np.array(start, dtype=float), {}
    for t in range(n_steps):
        weights = weights - rule(gradient(weights), memory, rate * (1 - t / n_steps if falling else 1))
        yield weights
