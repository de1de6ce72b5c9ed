"""loss, delta, quantile: the loss of one row over its error."""

import numpy as np
from style import BLUE, GREY, ORANGE, panels

error = np.linspace(-4, 4, 401)
size = np.abs(error)
beyond = np.maximum(size - 1, 0)
losses = {
    "squared_error": error**2 / 2,
    "huber, delta=1": np.where(size <= 1, error**2 / 2, size - 0.5),
    "absolute_error": size,
    "quantile, quantile=0.9": np.where(error > 0, 0.1 * error, -0.9 * error),
    "epsilon_insensitive, delta=1": beyond,
    "squared_epsilon_insensitive, delta=1": beyond**2 / 2,
}
figure, axes = panels(
    "loss: the cost of an error (blue) and its derivative (orange)", 2, 3, height=5, sharex=True, sharey=True
)
for ax, (name, values) in zip(axes.flat, losses.items(), strict=True):
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.plot(error, values, color=BLUE, label="loss")
    ax.plot(error, np.gradient(values, error), color=ORANGE, linestyle="--", label="its derivative: the pull")
    ax.set(title=name.replace(", ", "\n"), ylim=(-4, 8))
for ax in axes[1]:
    ax.set_xlabel("error: prediction - y")
axes[0, 1].legend(loc="upper center")
