"""bias_correction: the slope of the diamonds' line during the first steps."""

import numpy as np
from loops import carat_price
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, _ = carat_price()
best = np.mean(x * y)
order = np.random.default_rng(0).permutation(len(x))  # the table is partly sorted by price
x, y = x[order], y[order]
figure, axes = panels(
    "bias_correction: without it, a fit with decay_rate=0.99 begins with a long step", 1, 2, height=3.4, sharey=True
)
for ax, corrected, color in zip(axes, (True, False), (BLUE, RED), strict=True):
    model = RMSpropRegressor(decay_rate=0.99, bias_correction=corrected, average=False, random_state=0)
    slopes = [0.0]
    for first in range(0, 60 * 32, 32):
        model.partial_fit(x[first : first + 32, np.newaxis], y[first : first + 32])
        slopes.append(model.coef_[0])
    ax.plot(slopes, ".-", color=color)
    ax.axhline(best, color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=f"bias_correction={corrected}", xlabel="step")
axes[0].set_ylabel("slope, last iterate")
axes[0].annotate("dotted: least squares", (0.97, 0.05), xycoords="axes fraction", color=GREY, ha="right")
