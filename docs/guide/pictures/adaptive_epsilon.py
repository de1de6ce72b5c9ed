"""The length of a step against the magnitude of the gradients, with a small and with large epsilon."""

import numpy as np
from style import BLUE, GREY, ORANGE, RED, panels

size = np.logspace(-6, 4, 200)
figure, ax = panels("Gradients well above epsilon: full steps. Well below: tiny steps", height=3.8)
for epsilon, color in ((1e-8, BLUE), (1e-2, ORANGE), (1e2, RED)):
    ax.loglog(size, size / (size + epsilon), color=color, label=f"epsilon={epsilon:g}")
    ax.plot(epsilon, 0.5, "o", color=color)
ax.axhspan(0.5, 1, color=GREY, alpha=0.12, linewidth=0)
ax.annotate("shaded: at least half a step", (2e-6, 1.2), color=GREY, va="bottom")
ax.set(xlabel="usual size of the gradients", ylabel="step / learning_rate", ylim=(1e-6, 6), xlim=(1e-6, 1e4))
ax.legend(loc="lower right")
