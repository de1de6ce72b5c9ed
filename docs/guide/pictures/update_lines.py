"""What each line of the program computes, along the walk on the six points."""

import numpy as np
from loops import BEST, START, line_gradient, rmsprop
from style import BLUE, GREY, ORANGE, panels

path = rmsprop(line_gradient, START, 5000, 0.001)
gradients = np.array([line_gradient(weights) for weights in path[:-1]])
square, roots = np.zeros(2), []
for g in gradients:
    square = 0.9 * square + 0.1 * g**2
    roots.append(np.sqrt(square))
roots = np.array(roots)

figure, axes = panels(
    "Gradients that differ by a factor of forty give steps of the same length", 2, 2, height=5.4, sharex=True
)
axes = axes.ravel()
rows = (
    (np.abs(gradients), "1. gradient: magnitude", "log"),
    (roots, "2. root of the moving average", "log"),
    (gradients / roots, "3. gradient / root: the step", "linear"),
    (path[1:], "4. weights", "linear"),
)
steps = np.arange(1, 5001)
for ax, (values, title, scale) in zip(axes, rows, strict=True):
    for column, (name, color) in enumerate((("slope", BLUE), ("intercept", ORANGE))):
        ax.plot(steps, values[:, column], color=color, label=name, linewidth=1.6)
        if title.endswith("weights"):
            ax.axhline(BEST[column], color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=title, yscale=scale, xticks=(0, 2500, 5000))
axes[2].set_ylim(-1.6, 3.4)
axes[3].annotate("best", (0, BEST[1]), (2, 2), textcoords="offset points", color=GREY)
axes[0].legend(loc="lower left")
for ax in axes[2:]:
    ax.set_xlabel("step")
