"""RMSprop on the six points when the loss, and when x, is measured in another unit."""

import numpy as np
from loops import BEST, START, X, Y, rmsprop
from style import BLUE, GREY, RED, panels

figure, axes = panels(
    "A new unit for the loss changes nothing, a new unit for x changes everything", 1, 3, height=3.3, sharey=True
)
cases = (
    ("as it is", 1, 1),
    ("loss x 1000", 1000, 1),
    ("x / 1000 (m to km)", 1, 1000),
)
for ax, (title, factor, unit) in zip(axes, cases, strict=True):
    x = X / unit

    def gradient(weights, x=x, factor=factor):
        error = weights[0] * x + weights[1] - Y
        return factor * np.array([np.mean(error * x), np.mean(error)])

    path = rmsprop(gradient, START * [unit, 1], 5000, 0.001)
    ax.plot(path[:, 0] / unit, color=RED if unit > 1 else BLUE)
    ax.axhline(BEST[0], color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=title, xlabel="step", ylim=(0, 3.2), xticks=(0, 2500, 5000))
axes[0].set_ylabel("slope, in units of y per x")
axes[0].annotate(
    "least squares", (5000, BEST[0]), (0, -5), textcoords="offset points", color=GREY, ha="right", va="top"
)
