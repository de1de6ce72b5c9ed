"""One bowl, three rates of gradient descent: too short, right, too long."""

import numpy as np
from loops import descend
from style import BLUE, GREY, RED, panels

figure, axes = panels("A rate too small, a good rate, and a rate too large", 1, 3, height=3.2, sharex=True, sharey=True)
w = np.linspace(-3.2, 3.2, 200)
for ax, rate, verdict in zip(axes, (0.02, 0.3, 1.06), ("slow", "converges", "diverges"), strict=True):
    path = descend(lambda at: 2 * at, [-2.0], 8, rate)[:, 0]
    ax.plot(w, w**2, color=GREY, linewidth=1.2)
    ax.plot(path, path**2, ".-", color=RED if verdict == "diverges" else BLUE, markersize=9, linewidth=1)
    ax.annotate("start", (-2, 4), (-3.5, 2), arrowprops={"arrowstyle": "->", "color": GREY})
    ax.set(title=f"rate {rate}: {verdict}", xlabel="weight w", xlim=(-3.6, 3.6), ylim=(-0.6, 11))
axes[0].set_ylabel("loss w²")
