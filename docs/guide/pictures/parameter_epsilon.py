"""epsilon: paths on the six points, from RMSprop to plain gradient descent."""

import numpy as np
from loops import BEST, START, half_mse, line_gradient, rmsprop
from style import BLUE, ORANGE, RED, panels

figure, axes = panels(
    "epsilon: from the path of RMSprop to that of gradient descent",
    1,
    3,
    height=3.5,
    sharex=True,
    sharey=True,
)
slopes, intercepts = np.meshgrid(np.linspace(0, 3.2, 150), np.linspace(2, 6.2, 150))
height = half_mse(slopes, intercepts)
for ax, epsilon, color in zip(axes, (1e-8, 50, 1e4), (BLUE, ORANGE, RED), strict=True):
    path = rmsprop(line_gradient, START, 2000, 0.005, epsilon=epsilon)
    ax.contour(slopes, intercepts, np.sqrt(height), levels=14, colors="0.8", linewidths=0.8)
    ax.plot(*path.T, color=color)
    ax.plot(*path[-1], "o", color=color)
    ax.plot(*BEST, "k*", markersize=11)
    ax.set(title=f"epsilon={epsilon:g}", xlabel="slope")
axes[0].set_ylabel("intercept")
axes[0].annotate("start", START, (-4, 8), textcoords="offset points", ha="right")
axes[0].annotate("least squares", BEST, (8, 2), textcoords="offset points")
