"""Where the last iterate is, once an epoch, for small and large batches of diamonds."""

import numpy as np
from loops import carat_price
from style import RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, _ = carat_price()
best = np.mean(x * y)
figure, axes = panels(
    "At a constant rate the last iterate does not converge, at any batch size",
    1, 3, height=3.8, sharex=True, sharey=True,
)  # fmt: skip
for ax, batch_size in zip(axes, (32, 512, 4096), strict=True):
    model = RMSpropRegressor(
        learning_rate=0.01, decay_rate=0.9, batch_size=batch_size, schedule="constant", average=False, random_state=0
    )
    cloud = []
    for _ in range(210):
        model.partial_fit(x[:, np.newaxis], y)
        cloud.append((model.coef_[0], model.intercept_))
    slope, intercept = np.array(cloud[10:]).T
    ax.plot(slope - best, intercept, ".", color=RED, markersize=5, alpha=0.7)
    ax.plot(0, 0, "k*", markersize=12, label="least squares")
    distance = np.sqrt(np.mean((slope - best) ** 2 + intercept**2))
    ax.set(
        title=f"batch_size={batch_size}\ndistance {distance:.3f}",
        xlabel="slope - best slope",
        xticks=(-0.05, 0, 0.05),
    )
axes[0].set_ylabel("intercept")
axes[0].legend(loc="upper left")
