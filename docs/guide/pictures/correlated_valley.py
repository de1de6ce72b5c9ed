"""Two columns that nearly agree: the path of the coefficients in their own coordinates and in whitened ones."""

import numpy as np
from sklearn.linear_model import LinearRegression
from style import BLUE, RED, panels

from sklearn_rmsprop import RMSpropRegressor

rng = np.random.default_rng(0)
first = rng.normal(size=13_000)
X = np.column_stack((first, first + 0.03 * rng.normal(size=len(first))))
y = X @ [4.0, -3.0] + 0.1 * rng.normal(size=len(X))
exact = LinearRegression().fit(X, y).coef_

figure, axes = panels(
    "Two columns with a correlation of 0.9996: 400 steps along a narrow valley",
    1, 2, height=3.8, sharex=True, sharey=True,
)  # fmt: skip
grid = np.stack(np.meshgrid(np.linspace(-1.5, 5.5, 200), np.linspace(-4.5, 2.5, 200)))
covariance = np.cov(X.T)
away = grid - exact[:, np.newaxis, np.newaxis]
height = np.einsum("iab,ij,jab->ab", away, covariance, away)
for ax, whiten, color in zip(axes, (False, "auto"), (RED, BLUE), strict=True):
    model = RMSpropRegressor(batch_size=32, whiten=whiten, random_state=0)
    path = [(0.0, 0.0)]
    for start in range(0, 400 * 32, 32):
        path.append(model.partial_fit(X[start : start + 32], y[start : start + 32]).coef_)
    ax.contour(*grid, np.sqrt(height), levels=12, colors="0.8", linewidths=0.8)
    ax.plot(*np.array(path).T, color=color, linewidth=1.2)
    ax.plot(*path[-1], "o", color=color)
    ax.plot(*exact, "k*", markersize=11)
    ax.set(title=f"whiten={whiten!r}", xlabel="coefficient of column 1")
axes[0].set_ylabel("coefficient of column 2")
axes[0].annotate("start", (0, 0), (-6, -12), textcoords="offset points", ha="right")
axes[0].annotate("least squares", exact, (-8, -4), textcoords="offset points", ha="right")
