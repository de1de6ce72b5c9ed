"""whiten: the path of the iterates in the narrow valley that two correlated columns make."""

import numpy as np
from style import BLUE, RED, panels

from sklearn_rmsprop import RMSpropRegressor

N_STEPS, BATCH = 300, 128
rng = np.random.default_rng(0)
correlation = np.array([[1.0, 0.98], [0.98, 1.0]])  # condition number 99
X = rng.multivariate_normal([0.0, 0.0], correlation, size=N_STEPS * BATCH)
best = np.array([4.0, -2.0])
y = X @ best + 0.3 * rng.normal(size=len(X))

figure, axes = panels(
    f"whiten: iterates over {N_STEPS} steps, two columns with a correlation of 0.98",
    1, 2, height=3.9, sharex=True, sharey=True,
)  # fmt: skip
a, b = np.meshgrid(np.linspace(-0.7, 5, 200), np.linspace(-3, 1.7, 200))
off = np.stack([a - best[0], b - best[1]])
excess = np.einsum("iab,ij,jab->ab", off, correlation, off)
for ax, whiten, color in zip(axes, (False, True), (RED, BLUE), strict=True):
    model = RMSpropRegressor(whiten=whiten, learning_rate=0.04, average=False, batch_size=BATCH, shuffle=False)
    path = [np.zeros(2)]
    for first in range(0, len(X), BATCH):
        path.append(model.partial_fit(X[first : first + BATCH], y[first : first + BATCH]).coef_)
    path = np.array(path)
    ax.contour(a, b, np.sqrt(excess), levels=(0.1, 0.2, 0.3, 0.45, 0.6, 1, 1.5, 2, 3, 4), colors="0.7", linewidths=0.8)
    ax.plot(*path.T, color=color, linewidth=1.2)
    ax.plot(*path[-1], "o", color=color)
    ax.plot(*best, "k*", markersize=11)
    ax.set(title=f"whiten={whiten}", xlabel="coefficient of column 1", aspect="equal")
axes[0].set_ylabel("coefficient of column 2")
axes[0].annotate("start", (0, 0), (0, -14), textcoords="offset points", ha="center")
axes[0].annotate("least squares", best, (-8, -4), textcoords="offset points", ha="right", va="top")
