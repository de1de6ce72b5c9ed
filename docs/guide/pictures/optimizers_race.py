"""Five rules on four functions at 16 rates from 1e-4 to 10, all at once: at which rates they reach a value of 0.001."""

import numpy as np
from loops import RULES, run
from style import BLUE, GREEN, GREY, ORANGE, PINK, panels

COLORS = dict(zip(RULES, (GREY, PINK, ORANGE, BLUE, GREEN), strict=True))
SMALL = 1e-3  # the value to reach
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
    "valley along\nan axis": (*valley(0), (-5.0, -1.0)),
    "valley at 30°\nto the axes": (*valley(np.pi / 6), (-5.0, -1.0)),
    "Rosenbrock's\ncurved valley": (rosenbrock, rosenbrock_gradient, (-1.2, 1.0)),
    "saddle, from 1e-6\nbeside its ridge": (saddle, saddle_gradient, (0.7, 1e-6)),
}
n_constant, n_falling = 3000, 1000
figure, axes = panels(
    "Rates that reach 0.001: at a constant rate RMSprop needs a tiny one;\n"
    "if the rate falls to zero, RMSprop and Adam converge at the most rates",
    4, 2, height=8, sharex=True, sharey=True,
)  # fmt: skip
for row, (title, (value, gradient, start)) in zip(axes, problems.items(), strict=True):
    starts = np.tile(start, (len(rates), 1))
    for place, (name, rule) in enumerate(RULES.items()):
        with np.errstate(all="ignore"):  # too large a rate overflows, which is a result too
            arrived = np.ones(len(rates))
            for t, weights in enumerate(run(rule, gradient, starts, rates[:, np.newaxis], n_constant), start=2):
                arrived = np.where(value(weights) < SMALL, arrived, t)  # NaN is not below either
            *_, end = run(rule, gradient, starts, rates[:, np.newaxis], n_falling, falling=True)
            left = value(end)
        for ax, reached, best in (
            (row[0], arrived <= n_constant, f"{arrived.min():.0f} steps"),
            (
                row[1],
                left < SMALL,
                f"{np.nanmin(left):.0e}" if np.nanmin(left) > 1e-12 else "below 1e-12",
            ),
        ):
            ax.plot(rates, np.full(len(rates), place), ".", color="0.75", markersize=3)
            ax.plot(
                rates[reached],
                np.full(reached.sum(), place),
                "o",
                color=COLORS[name],
                markersize=7,
            )
            ax.annotate(
                best if reached.any() else "none",
                (1.03, place),
                xycoords=("axes fraction", "data"),
                color=COLORS[name],
                va="center",
                fontsize=9,
            )
    row[0].set_ylabel(title)
for ax in axes.flat:
    ax.set(
        xscale="log",
        yticks=range(len(RULES)),
        yticklabels=RULES,
        ylim=(len(RULES) - 0.4, -0.6),
    )
    ax.grid(axis="x", visible=False)
axes[0, 0].set_title(f"constant rate, up to {n_constant} steps\n(right: fewest steps)")
axes[0, 1].set_title(f"rate falling to zero in {n_falling} steps\n(right: smallest final value)")
for ax in axes[-1]:
    ax.set_xlabel("learning rate")
