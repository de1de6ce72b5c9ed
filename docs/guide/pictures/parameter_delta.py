"""delta: lines on the six points, the last of them mistyped as 380, for huber losses of several widths."""

import numpy as np
from loops import BEST, X, Y
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

wrong = np.where(X == 55, 380, Y)
figure, axes = panels("delta: the smaller, the less one wrong point counts", 2, 2, height=5.2, sharex=True, sharey=True)
axes = axes.ravel()
ends = np.array([0.0, 60.0])
for ax, delta in zip(axes, (1000, 100, 10, 1), strict=True):
    model = RMSpropRegressor("huber", delta=delta, batch_size=None, tol=None, max_iter=3000, random_state=0)
    model.fit(X[:, np.newaxis], wrong)
    ax.plot(X, wrong, "o", color="black", markersize=4)
    ax.plot(ends, np.polyval(BEST, ends), color=GREY, linestyle=":", linewidth=1.4, label="without the mistake")
    ax.plot(ends, model.predict(ends[:, np.newaxis]), color=RED if delta > 50 else BLUE)
    ax.set(title=f'"huber", delta={delta}', ylim=(-60, 400))
for ax in axes[::2]:
    ax.set_ylabel("y")
axes[0].legend(loc="upper left")
for ax in axes[2:]:
    ax.set_xlabel("x")
