"""quantile: lines that leave a tenth, a half and nine tenths of the diamonds below them."""

import numpy as np
from plotnine.data import diamonds
from style import BLUE, GREEN, RED, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = diamonds[["carat"]].to_numpy(), diamonds["price"].to_numpy(dtype=float)
figure, axes = panels("quantile: the share of rows below the line", 1, 3, height=3.4, sharey=True)
ends = np.array([[0.2], [2.6]])
for ax, quantile, color in zip(axes, (0.1, 0.5, 0.9), (GREEN, BLUE, RED), strict=True):
    model = RMSpropRegressor("quantile", quantile=quantile, random_state=0).fit(X, y)
    ax.plot(X[::20, 0], y[::20], ".", color="0.75", markersize=3)
    ax.plot(ends[:, 0], model.predict(ends), color=color, linewidth=2.4)
    below = np.mean(y < model.predict(X))
    ax.set(title=f"quantile={quantile}: {below:.0%} below", xlabel="weight (carat)", xlim=(0.1, 2.7), ylim=(0, 19_500))
axes[0].set_ylabel("price (dollars)")
