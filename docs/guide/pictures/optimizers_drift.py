"""A target that jumps after a short, a longer and a long run: AdaGrad and RMSprop."""

import numpy as np
from loops import RULES, run
from style import BLUE, GREY, RED, panels

after = 1500
figure, axes = panels(
    "The longer AdaGrad has run, the slower it adapts; RMSprop does not slow down", 1, 3, height=3.4, sharey=True
)
for ax, jump in zip(axes, (500, 5_000, 50_000), strict=True):
    target = np.where(np.arange(jump + after) < jump, 1.0, 4.0)
    noise = np.random.default_rng(0).normal(size=len(target))
    for name, rate, color in (("AdaGrad", 0.5, RED), ("RMSprop", 0.01, BLUE)):
        stream = zip(target, noise, strict=True)

        def gradient(w, stream=stream):
            goal, error = next(stream)
            return w - goal - error

        path = list(run(RULES[name], gradient, 0.0, rate, len(target)))
        ax.plot(range(-300, after), path[jump - 300 :], color=color, linewidth=1.2, label=f"{name}, rate {rate}")
    ax.plot(range(-300, after), target[jump - 300 :], color=GREY, linestyle="--", linewidth=1.2, label="target")
    ax.set(title=f"jump at step {jump:,}", xlabel="steps after the jump")
axes[0].set_ylabel("weight")
axes[0].legend(loc="lower right")
