"""The same bowl, flat, middling and steep: gradient descent changes, RMSprop does not."""

import numpy as np
from loops import descend, rmsprop
from style import BLUE, GREY, RED, panels

figure, axes = panels(
    "Scaling the loss changes gradient descent, but not RMSprop",
    2,
    3,
    height=5.2,
    sharex=True,
)
w = np.linspace(-2.8, 2.8, 200)
for column, scale in enumerate((0.02, 1, 4)):

    def gradient(at, scale=scale):
        return 2 * scale * at

    walks = {
        "gradient descent": (descend(gradient, [-2.0], 8, 0.3), RED),
        "RMSprop": (rmsprop(gradient, [-2.0], 8, 0.25, corrected=True), BLUE),
    }
    for ax, (name, (path, color)) in zip(axes[:, column], walks.items(), strict=True):
        at = path[:, 0]
        ax.plot(w, scale * w**2, color=GREY, linewidth=1.2)
        ax.plot(at, scale * at**2, ".-", color=color, markersize=9, linewidth=1, clip_on=True)
        ax.set(ylim=(-0.6 * scale, 8.5 * scale), xlim=(-2.9, 2.9))
        if column == 0:
            ax.set_ylabel(f"{name}\nloss")
    axes[0, column].set_title(f"loss = {scale} w²" if scale != 1 else "loss = w²")
    axes[1, column].set_xlabel("weight w")
