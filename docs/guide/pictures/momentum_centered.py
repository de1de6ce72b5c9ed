"""The length of a step against the ratio of the mean gradient to its standard deviation."""

import numpy as np
from style import BLUE, ORANGE, panels

rng = np.random.default_rng(0)
noise = rng.normal(size=4000)
ratios = np.logspace(-1, 1.3, 25)


def step_lengths(direction):
    """Mean length of a step of either kind, in units of the rate, over a stream of noisy gradients."""
    square = mean = 0.0
    lengths = []
    for t, g in enumerate(direction + noise, start=1):
        square, mean = 0.99 * square + 0.01 * g**2, 0.99 * mean + 0.01 * g
        if t > 500:
            lengths.append((g / np.sqrt(square), g / np.sqrt(square - mean**2)))
    return np.mean(lengths, axis=0)


plain, centered = np.array([step_lengths(ratio) for ratio in ratios]).T
figure, ax = panels("centered: the less noise in the gradient, the longer the step", height=3.8)
ax.loglog(ratios, centered, color=ORANGE, label="centered=True: divide by the standard deviation")
ax.loglog(ratios, plain, color=BLUE, label="centered=False: divide by the root mean square")
ax.set(xlabel="mean gradient / its standard deviation", ylabel="mean step / learning_rate")
ax.legend(loc="upper left")
