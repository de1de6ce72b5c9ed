"""x / log(x) from 364 at rate 0.3: four runs of the same method, from step 1000 on."""

import numpy as np
from scipy.optimize import minimize
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import rmsprop


def gradient(x):
    return (np.log(x) - 1) / np.log(x) ** 2


N_STEPS = 20_000
TEXTBOOK = {
    "learning_rate": 0.3,
    "bias_correction": False,
    "schedule": "constant",
    "average": False,
    "maxiter": N_STEPS,
}
runs = {
    "float32, decay_rate 0.99": (np.float32, {"decay_rate": 0.99}),
    "float64, decay_rate 0.9": (np.float64, {"decay_rate": 0.9}),
    "float64, 0.9, averaged": (np.float64, {"decay_rate": 0.9, "average": True}),
    "float64, 0.9, linear schedule": (
        np.float64,
        {"decay_rate": 0.9, "schedule": "linear"},
    ),
}
figure, axes = panels(
    "x / log(x): converged, in a cycle, averaged with a bias, with a linear schedule",
    2, 2, height=5.8, sharex=True, sharey=True,
)  # fmt: skip
for ax, (title, (dtype, options)) in zip(axes.flat, runs.items(), strict=True):
    path = []
    minimize(
        lambda x: (x / np.log(x)).item(), np.array([364], dtype=dtype), jac=gradient, method=rmsprop,
        callback=lambda x, path=path: path.append(x.item()), options=TEXTBOOK | options,
    )  # fmt: skip
    end = path[-100:]
    settled = max(np.abs(np.array(end) - np.e)) < 0.01
    ax.plot(path, color=BLUE if settled else RED, linewidth=1)
    ax.axhline(np.e, color=GREY, linestyle=":", linewidth=1.4)
    ends = f"{end[-1]:.4f}" if np.ptp(end) < 0.01 else f"{min(end):.2f} and {max(end):.2f}"
    ax.set(
        title=f"{title}\nends at {ends}",
        ylim=(2.5, 3),
        xlim=(1000, N_STEPS),
        xscale="log",
    )
    ax.set_xticks((1000, 2000, 5000, 10_000), ("1000", "2000", "5000", "10,000"))
    ax.minorticks_off()
for ax in axes[:, 0]:
    ax.set_ylabel("x (dotted: e)")
for ax in axes[1]:
    ax.set_xlabel("step")
