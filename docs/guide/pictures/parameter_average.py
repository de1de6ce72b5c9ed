"""average: the slope of the diamonds' line, in dollars per carat, as reported after each epoch."""

import numpy as np
from loops import carat_price
from plotnine.data import diamonds
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, dollars = carat_price()
unit = dollars / diamonds["carat"].std(ddof=0)
figure, axes = panels("average: the last and the averaged iterate of the same run", 1, 2, height=3.4, sharey=True)
for ax, average, color in zip(axes, (False, True), (RED, BLUE), strict=True):
    model = RMSpropRegressor(average=average, random_state=0)
    slopes = [model.partial_fit(x[:, np.newaxis], y).coef_[0] * unit for _ in range(60)]
    ax.plot(range(1, 61), slopes, ".-", color=color)
    ax.axhline(np.mean(x * y) * unit, color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=f"average={average}", xlabel="epochs")
axes[0].set_ylabel("dollars per carat")
axes[1].annotate("least squares", (60, np.mean(x * y) * unit), (0, -6), textcoords="offset points", color=GREY,
                 ha="right", va="top")  # fmt: skip
