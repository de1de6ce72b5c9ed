"""centered: the slope on the six points, without noise, where the centred square vanishes."""

from loops import BEST, START, line_gradient, rmsprop
from style import BLUE, GREY, RED, panels

figure, axes = panels("centered: steps grow where successive gradients are nearly equal", 1, 2, height=3.4, sharey=True)
for ax, centered, color in zip(axes, (False, True), (BLUE, RED), strict=True):
    path = rmsprop(line_gradient, START, 3000, 0.001, decay=0.99, corrected=True, centered=centered)
    ax.plot(path[:, 0], color=color)
    ax.axhline(BEST[0], color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=f"centered={centered}", xlabel="step")
axes[0].set_ylabel("slope")
axes[0].annotate("least squares", (0, BEST[0]), (0, 3), textcoords="offset points", color=GREY)
