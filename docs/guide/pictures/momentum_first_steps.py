"""The first steps with and without bias correction, under a gradient that stays the same."""

import numpy as np
from loops import rmsprop
from style import BLUE, RED, panels

figure, axes = panels("Without bias correction the first steps are too long", 1, 3, height=3.3, sharey=True)
for ax, decay in zip(axes, (0.9, 0.99, 0.999), strict=True):
    for corrected, color in ((False, RED), (True, BLUE)):
        path = rmsprop(lambda _: np.ones(1), [0.0], 300, 1.0, decay=decay, corrected=corrected)
        ax.plot(np.arange(1, 301), -np.diff(path[:, 0]), color=color, label=f"bias_correction={corrected}")
    ax.set(title=f"decay_rate={decay}", xlabel="step", yscale="log")
axes[0].set_ylabel("length / learning_rate")
axes[0].legend()
