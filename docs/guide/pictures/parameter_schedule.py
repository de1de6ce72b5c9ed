"""schedule: the step size, and how widely the last iterate oscillates."""

import numpy as np
from loops import carat_price
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, _ = carat_price()
best = np.mean(x * y)
order = np.random.default_rng(0).permutation(len(x))  # the table is partly sorted by price
n_steps = 3360
shapes = {
    "constant": lambda t: 0.1 + 0 * t,
    "invsqrt": lambda t: 0.1 / np.sqrt(1 + t / 100),
    "linear": lambda t: 0.1 * np.maximum(0, 1 - (t - 1) / n_steps),
    "cosine": lambda t: 0.05 * (1 + np.cos(np.pi * np.minimum(1, (t - 1) / n_steps))),
}
figure, axes = panels(
    "schedule: the longer the steps, the wider the last iterate oscillates", 2, 4, height=4.6, sharex=True, sharey="row"
)
steps = np.arange(1, n_steps + 1)
for column, (name, shape) in zip(axes.T, shapes.items(), strict=True):
    column[0].plot(steps, shape(steps), color=BLUE)
    column[0].set(title=f'"{name}"', ylim=(0, 0.11))
    model = RMSpropRegressor(schedule=shape, average=False, random_state=0)
    slopes = []
    for first in range(0, 32 * n_steps, 160):  # five batches at a time, for two epochs
        rows = order[np.arange(first, first + 160) % len(order)]
        slopes.append(model.partial_fit(x[rows, np.newaxis], y[rows]).coef_[0] - best)
    column[1].plot(steps[4::5], slopes, color=RED, linewidth=0.8)
    column[1].axhline(0, color=GREY, linestyle=":", linewidth=1.2)
    column[1].set(xlabel="step", ylim=(-0.5, 0.5), xticks=(0, 1500, 3000))
axes[0, 0].set_ylabel("step size")
axes[1, 0].set_ylabel("slope - best slope")
