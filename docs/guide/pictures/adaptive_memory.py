"""The root of the moving average behind a stream of gradients, with a short and a long memory."""

import numpy as np
from style import BLUE, GREY, RED, panels

rng = np.random.default_rng(0)
usual = np.where(np.arange(600) < 300, 10.0, 1.0)  # the ground becomes ten times flatter
gradients = usual * rng.normal(size=600)

figure, axes = panels(
    "A short memory adapts fast but varies a lot; a long one is smooth but slow", 1, 2, height=3.4, sharey=True
)
for ax, decay, color in zip(axes, (0.9, 0.99), (RED, BLUE), strict=True):
    square, root = 0.0, []
    for t, g in enumerate(gradients, start=1):
        square = decay * square + (1 - decay) * g**2
        root.append(np.sqrt(square / (1 - decay**t)))
    ax.plot(np.abs(gradients), ".", color="0.7", markersize=4, label="magnitude of each gradient")
    ax.plot(root, color=color, label="root of the moving average")
    ax.plot(usual, color=GREY, linestyle="--", linewidth=1.2, label="usual size (10, then 1)")
    ax.set(
        title=f"decay_rate={decay}: about {1 / (1 - decay):.0f} gradients",
        xlabel="step",
        yscale="log",
        ylim=(0.05, 300),
    )
axes[0].set_ylabel("size")
axes[1].legend(loc="upper right", markerscale=2)
