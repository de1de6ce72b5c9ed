"""A narrow valley at an angle to the axes: the path of RMSprop without and with momentum, at the same rate."""

import numpy as np
from loops import rmsprop
from style import BLUE, RED, panels

# Condition number 400, the valley at 30 degrees to the axes.
turn = np.array([[np.cos(0.52), -np.sin(0.52)], [np.sin(0.52), np.cos(0.52)]])
curvature = turn @ np.diag([1.0, 400.0]) @ turn.T

figure, axes = panels(
    "A valley at an angle to the axes: momentum moves along it, RMSprop hardly",
    1, 2, height=3.6, sharex=True, sharey=True,
)  # fmt: skip
a, b = np.meshgrid(np.linspace(-6.5, 1.5, 200), np.linspace(-3.5, 1, 200))
points = np.stack([a, b])
height = np.einsum("iab,ij,jab->ab", points, curvature, points) / 2
for ax, momentum, color in zip(axes, (0.0, 0.9), (RED, BLUE), strict=True):
    path = rmsprop(lambda at: curvature @ at, [-5.5, -1.0], 400, 0.02, decay=0.99, momentum=momentum, corrected=True)
    ax.contour(a, b, np.sqrt(height), levels=12, colors="0.8", linewidths=0.8)
    ax.plot(*path.T, color=color, linewidth=1.4)
    ax.plot(*path[-1], "o", color=color)
    ax.plot(0, 0, "k*", markersize=10)
    ax.set(title=f"momentum={momentum}: 400 steps", xlabel="weight 1")
axes[0].set_ylabel("weight 2")
axes[0].annotate("start", (-5.5, -1), (-3, 6), textcoords="offset points", ha="right")
axes[0].annotate("minimum", (0, 0), (0, 8), textcoords="offset points", ha="center")
