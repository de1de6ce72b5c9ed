"""Five rules on four functions at 16 rates from 1e-4 to 10, all at once: the number of steps, and the final value."""

import numpy as np
from loops import RULES, run
from style import BLUE, GREEN, GREY, ORANGE, PINK, panels

COLORS = dict(zip(RULES, (GREY, PINK, ORANGE, BLUE, GREEN), strict=True))
MARKERS = dict(zip(RULES, "v^sod", strict=True))
rates = np.logspace(-4, 1, 16)


def valley(angle):
    """A quadratic with condition number 100, turned by an angle: value and gradient."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    curvature = turn @ np.diag([1.0, 100.0]) @ turn.T
    return (lambda w: np.sum((w @ curvature) * w, axis=1) / 2), (lambda w: w @ curvature)


def rosenbrock(w):
    a, b = w.T
    return 100 * (b - a**2) ** 2 + (1 - a) ** 2


def rosenbrock_gradient(w):
    a, b = w.T
    return np.stack([-400 * a * (b - a**2) - 2 * (1 - a), 200 * (b - a**2)], axis=1)


def saddle(w):
    a, b = w.T
    return a**2 - b**2 + b**4 / 2 + 0.5


def saddle_gradient(w):
    a, b = w.T
    return np.stack([2 * a, -2 * b + 2 * b**3], axis=1)


problems = {
    "valley along an axis": (*valley(0), (-5.0, -1.0)),
    "valley at 30 degrees to the axes": (*valley(np.pi / 6), (-5.0, -1.0)),
    "Rosenbrock's function, a curved valley": (rosenbrock, rosenbrock_gradient, (-1.2, 1.0)),
    "saddle, started 1e-6 off its ridge": (saddle, saddle_gradient, (0.7, 1e-6)),
}
n_constant, n_falling = 3000, 1000
figure, axes = panels(
    "At a constant rate RMSprop needs a tiny one;\nif rates fall to zero, it and Adam converge at the most rates",
    4, 2, height=10, sharex=True, sharey="col",
)  # fmt: skip
for (constant, falling), (title, (value, gradient, start)) in zip(axes, problems.items(), strict=True):
    starts = np.tile(start, (len(rates), 1))
    for name, rule in RULES.items():
        look = {"color": COLORS[name], "marker": MARKERS[name], "markersize": 5, "linewidth": 1.2, "label": name}
        with np.errstate(all="ignore"):  # too large a rate overflows, which is a result too
            arrived = np.ones(len(rates))
            for t, weights in enumerate(run(rule, gradient, starts, rates[:, np.newaxis], n_constant), start=2):
                arrived = np.where(value(weights) < 1e-3, arrived, t)  # NaN is not below either
            *_, end = run(rule, gradient, starts, rates[:, np.newaxis], n_falling, falling=True)
            left = np.maximum(value(end), 1e-12)
        constant.loglog(rates, np.where(arrived <= n_constant, arrived, np.nan), **look)
        falling.loglog(rates, np.where(left < 1e3, left, np.nan), **look)
    constant.set(title=title, ylabel="steps", ylim=(2, 5000))
    falling.set(title=title, ylabel="value", ylim=(3e-13, 100))
axes[-1, 0].set_xlabel("rate, constant:\nsteps until the value stays below 0.001")
axes[-1, 1].set_xlabel("rate, falling linearly to zero:\nfinal value after 1000 steps")
axes[2, 1].legend(loc="lower left", fontsize=8)
