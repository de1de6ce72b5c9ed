"""standardize: dollars per carat over the epochs, from data in dollars and carats."""

import numpy as np
from plotnine.data import diamonds
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = diamonds[["carat"]].to_numpy(), diamonds["price"].to_numpy(dtype=float)
best = np.polyfit(X[:, 0], y, 1)[0]
figure, axes = panels(
    "standardize: without it, steps of 0.2 dollars are too short for 7756", 1, 2, height=3.4, sharey=True
)
for ax, standardize, color in zip(axes, (True, False), (BLUE, RED), strict=True):
    model = RMSpropRegressor(standardize=standardize, random_state=0)
    slopes = [0.0] + [model.partial_fit(X, y).coef_[0] for _ in range(50)]
    ax.plot(slopes, color=color)
    ax.axhline(best, color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=f"standardize={standardize}", xlabel="epochs")
axes[0].set_ylabel("dollars per carat")
axes[1].annotate("least squares", (0, best), (0, -4), textcoords="offset points", color=GREY, va="top")
