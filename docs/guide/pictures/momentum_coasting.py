"""A gradient that vanishes, and one that turns: RMSprop against RMSprop with momentum."""

import numpy as np
from loops import rmsprop
from style import BLUE, GREY, RED, panels

figure, axes = panels("Only momentum continues after the gradient has become 0", 1, 2, height=3.6, sharey=True)
cases = (("gradient 1, then 0 from step 50", 0.0), ("gradient 1, then -1 from step 50", -1.0))
for ax, (title, later) in zip(axes, cases, strict=True):
    runs = (
        ("RMSprop, decay_rate=0.9", 0.0, BLUE, "-"),
        ("RMSprop, momentum=0.9", 0.9, RED, "--"),
    )
    for name, momentum, color, line in runs:
        stream = iter(np.where(np.arange(100) < 50, 1.0, later))
        # The same speed for both while the gradient lasts.
        path = rmsprop(
            lambda _, stream=stream: next(stream), [0.0], 100, 1 - momentum, momentum=momentum, corrected=True
        )
        ax.plot(-path, color=color, linestyle=line, label=name)
    ax.axvline(50, color=GREY, linestyle=":", linewidth=1.2)
    ax.set(title=title, xlabel="step")
axes[0].set_ylabel("distance covered (steps)")
axes[0].annotate("continues", (66, 49.5), (80, 36), color=RED, arrowprops={"arrowstyle": "->", "color": RED})
axes[0].annotate("stops at once", (52, 53), color=BLUE)
axes[0].legend(loc="lower right")
axes[0].set_ylim(-3, 62)
