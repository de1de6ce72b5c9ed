"""
x / log(x): the last iterate in detail
======================================

The function x / log(x) of one variable has its minimum at e = 2.71828. We start far from it, at 364, with a learning
rate of 0.3: once with PyTorch's other settings (decay 0.99), once with Keras's (decay 0.9), each in 32-bit and in
64-bit numbers. All four runs reach the neighbourhood of e after some 1000 steps. Three of them converge to e. The
fourth comes as close as the others, but moves away again, and ends in a cycle of two points, 2.589 and 2.889. This
example explains why, and what helps.

Any function can be minimised in this way, by ``scipy.optimize.minimize`` with the method
:func:`~sklearn_rmsprop.rmsprop`.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize

from sklearn_rmsprop import rmsprop


def function(x):
    return np.sum(x / np.log(x))


def derivative(x):
    return (np.log(x) - 1) / np.log(x) ** 2


TEXTBOOK = {"schedule": "constant", "average": False, "bias_correction": False}
PYTORCH = {**TEXTBOOK, "decay_rate": 0.99, "epsilon": 1e-8}
KERAS = {**TEXTBOOK, "decay_rate": 0.9, "epsilon": 1e-7}


def path(dtype=np.float64, maxiter=1700, **options):
    """Return the iterates of a run that starts at 364."""
    points = []
    options = {"learning_rate": 0.3, "maxiter": maxiter, **options}
    start = np.array([364], dtype=dtype)
    minimize(
        function,
        start,
        jac=derivative,
        method=rmsprop,
        callback=points.append,
        options=options,
    )
    return np.concatenate(points)


# %%
# Four runs
# ---------

BLUE, ORANGE = "#0072b2", "#d55e00"
STYLES = {
    "decay 0.99, float32": {"color": BLUE, "linewidth": 5, "alpha": 0.35},
    "decay 0.99, float64": {"color": BLUE, "linewidth": 1.5},
    "decay 0.9, float32": {"color": ORANGE, "linewidth": 5, "alpha": 0.35},
    "decay 0.9, float64": {"color": ORANGE, "linewidth": 1.5},
}
paths = {
    "decay 0.99, float32": path(dtype=np.float32, **PYTORCH),
    "decay 0.99, float64": path(**PYTORCH),
    "decay 0.9, float32": path(dtype=np.float32, **KERAS),
    "decay 0.9, float64": path(**KERAS),
}
for name, x in paths.items():
    print(f"{name}: after 1000 steps {x[999]:8.4f}", end="; ")
    print(f"the last two {x[-2]:.8f} and {x[-1]:.8f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for name, x in paths.items():
    for ax in (left, right):
        ax.plot(np.arange(1, len(x) + 1), x, label=name, **STYLES[name])
left.set(
    xlim=(0, 1700),
    ylim=(0, 364),
    xlabel="steps",
    ylabel="x",
    title="All runs: 0.3 per step towards e",
)
left.legend()
right.set(
    xlim=(1180, 1360),
    ylim=(2.4, 3.05),
    xlabel="steps",
    title="Near e, one of them oscillates",
)
right.annotate("e", (1360, np.e), (5, 0), textcoords="offset points", va="center")
plt.show()

# %%
# Why one of them does not converge
# ---------------------------------
# On the way to e, successive gradients are nearly equal. Their moving mean square s is about the square of the last
# one, and each step is 0.3 long. Near e the gradient becomes small, s decays, and a step multiplies the distance from e
# by 1 - r, where r = 0.3 / (e * sqrt(s)) grows from step to step as s decays. While r is below 2, x comes closer. Once
# r is above 2, each step overshoots by more than it corrects, and x moves away, until gradient and sqrt(s) are equal
# again: steps of 0.3, alternately to both sides.
#
# A run converges if the gradient is exactly 0 before r reaches 2, because then all further steps are 0, however large r
# is. In 32 bits the logarithm of the number next to e is exactly 1, and 7 correct digits take few steps. In 64 bits 16
# digits are necessary. With a decay of 0.99, s decays slowly enough for that. With 0.9, r grows from 0.5 to 2 within
# some 25 steps. That is just too few here, where x jumps over the two numbers at which the gradient is 0. From other
# starts it may hit one of them. So the last digit decides between convergence and a cycle.

figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
for name, x in paths.items():
    arrival = np.argmax(np.abs(x - np.e) < 1)
    ax.semilogy(
        np.abs(x[arrival:].astype(np.float64) - np.e), label=name, **STYLES[name]
    )
ax.set(
    xlim=(0, 120), xlabel="steps since x came within 1 of e", ylabel="distance from e"
)
ax.set_title("In float64 with decay 0.9, x approaches e and moves away again")
ax.legend(loc="center right")
plt.show()

# %%
# A decaying step size, and averaging
# -----------------------------------
# Convergence should not depend on the last digit. The cycle is as wide as a step, so the remedy is to reduce the step
# size: ``schedule="linear"`` and ``"cosine"`` reduce it to 0 at the end of ``maxiter`` steps, ``"invsqrt"`` reduces it
# slowly and does not need to know the end. (They start with steps of 1 here, because the start is far from e.) The
# average is the middle of the cycle. For a wide cycle that is not quite e: x / log(x) is steeper on the left of e, so
# the left point of the cycle is closer to e (0.13 against 0.17). An average with a decaying step size is better than
# either alone. But the average needs many steps until the way from the start has little weight.

settings = {
    "constant": {},
    "constant, average": {"average": True},
    "invsqrt": {"schedule": "invsqrt", "learning_rate": 1},
    "invsqrt, average": {"schedule": "invsqrt", "learning_rate": 1, "average": True},
    "cosine": {"schedule": "cosine", "learning_rate": 1},
    "linear": {"schedule": "linear", "learning_rate": 1},
}
COLORS = [ORANGE, ORANGE, "#009e73", "#009e73", "#cc79a7", BLUE]
N_STEPS = 10_000

figure, ax = plt.subplots(figsize=(9, 5), layout="constrained")
for (name, options), color in zip(settings.items(), COLORS, strict=True):
    distance = np.abs(path(maxiter=N_STEPS, **{**KERAS, **options}) - np.e)
    if "average" in name:
        ax.semilogy(distance, "--", color=color, label=name, linewidth=2)
    else:
        # Of the two points of the cycle, take the one farther from e.
        ax.semilogy(
            np.maximum(distance[1:], distance[:-1]),
            color=color,
            label=name,
            linewidth=2,
        )
    print(f"{name:<18} {distance[-1]:.0e} from e")
ax.set(xlim=(1300, N_STEPS), ylim=(1e-3, 10), xlabel="steps", ylabel="distance from e")
ax.set_title("A decaying step size narrows the cycle, the average is its middle")
ax.legend(loc="upper right", ncols=2)
plt.show()
