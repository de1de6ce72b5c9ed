"""
SGD, AdaGrad, RMSprop and Adam compared
=======================================

This example compares four optimizers on six small problems: the error they reach, and its dependence on the learning
rate. Each update rule is a few lines of NumPy, and each optimizer is shown with *its* best learning rate of a grid from
0.0001 to 10. Their other parameters are PyTorch's defaults.

AdaGrad, RMSprop and Adam divide gradients by a measure of their magnitude, SGD does not. This helps where coordinates
differ in steepness: in the valley along the axes, on the flat descent from the saddle, with rare features. In a valley
at an angle to the axes it does not help, but Adam's momentum does. AdaGrad uses the sum of all squared gradients, which
is best on a problem that does not change and worst on one that changes over time. RMSprop uses recent gradients, and
adapts. None of the four is best on all problems.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

# %%
# The optimizers
# --------------
# Each function returns the direction of step ``t``, which is then multiplied by the learning rate. ``state`` is the
# memory of an optimizer, with one or more numbers for each coordinate.


def sgd(gradient, state, t):
    return gradient


def adagrad(gradient, state, t):
    state[0] += gradient**2
    return gradient / (np.sqrt(state[0]) + 1e-10)


def rmsprop(gradient, state, t):
    state[0] = 0.99 * state[0] + 0.01 * gradient**2
    return gradient / (np.sqrt(state[0]) + 1e-8)


def adam(gradient, state, t):
    state[0] = 0.9 * state[0] + 0.1 * gradient
    state[1] = 0.999 * state[1] + 0.001 * gradient**2
    return state[0] / (1 - 0.9**t) / (np.sqrt(state[1] / (1 - 0.999**t)) + 1e-8)


OPTIMIZERS = {"SGD": sgd, "AdaGrad": adagrad, "RMSprop": rmsprop, "Adam": adam}
NUMBERS_KEPT = {"SGD": 0, "AdaGrad": 1, "RMSprop": 1, "Adam": 2}
COLORS = {
    "SGD": "#666666",
    "AdaGrad": "#e69f00",
    "RMSprop": "#0072b2",
    "Adam": "#cc79a7",
}


def run(optimizer, gradient, start, rates, n_steps):
    """Yield the weights, (rates, *start.shape), before each step and after the last."""
    weights = np.broadcast_to(start, (len(rates), *start.shape))
    state = np.zeros((NUMBERS_KEPT[optimizer], *weights.shape))
    yield weights
    # SGD with too large a rate goes to infinity.
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(1, n_steps + 1):
            direction = OPTIMIZERS[optimizer](gradient(weights, t), state, t)
            weights = weights - rates[:, np.newaxis, np.newaxis] * direction
            yield weights


# %%
# The problems
# ------------
# Each problem has five versions, with different starts or data, so that results do not depend on chance. Arrays of
# weights have the shape (learning rates, versions, coordinates).

N_VERSIONS = 5
rng = np.random.default_rng(0)


@dataclass(frozen=True)
class Problem:
    """What to minimise."""

    start: np.ndarray  # (versions, coordinates)
    n_steps: int
    gradient: Callable  # of the weights and the number of the step
    error: Callable  # of the weights and the number of steps done; 0 at the optimum
    is_stream: bool = False  # the optimum moves


def starts(x, y, spread):
    """Starting points around (x, y)."""
    return [x, y] + spread * rng.uniform(-1, 1, size=(N_VERSIONS, 2))


def quadratic(start, hessian, n_steps):
    """A valley with elliptic contours."""
    return Problem(
        start,
        n_steps,
        lambda w, t: w @ hessian,
        lambda w, t: np.sum((w @ hessian) * w, axis=-1) / 2,
    )


def rosenbrock(w, t=0):
    x, y = np.moveaxis(w, -1, 0)
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rosenbrock_gradient(w, t):
    x, y = np.moveaxis(w, -1, 0)
    return np.stack([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=-1)


# A saddle between two minima at y = 1 and y = -1. It is a hundred times less steep along
# y than along x.
def saddle(w, t=0):
    x, y = np.moveaxis(w, -1, 0)
    return x**2 / 2 + 0.01 * (y**2 - 1) ** 2 / 4


def saddle_gradient(w, t):
    x, y = np.moveaxis(w, -1, 0)
    return np.stack([x, 0.01 * (y**3 - y)], axis=-1)


def regression(x, mean_square, target, **options):
    """Least squares on a new mini-batch in each step.

    `x` are the features, (steps, rows, versions, coordinates), with the mean squares
    `mean_square`; `target` are the weights to be found, (steps, versions, coordinates).
    """
    y = np.sum(x * target[:, np.newaxis], axis=-1) + 0.5 * rng.normal(size=x.shape[:-1])

    def gradient(w, t):
        residual = np.einsum("bvc,rvc->brv", x[t - 1], w) - y[t - 1][:, np.newaxis]
        return np.einsum("brv,bvc->rvc", residual, x[t - 1]) / x.shape[1]

    def error(w, t):
        return np.sum(mean_square * (w - target[min(t, len(target) - 1)]) ** 2, axis=-1)

    return Problem(np.zeros(target.shape[1:]), len(x), gradient, error, **options)


def rare_features(n_steps=3000, n_rows=8, n_features=20):
    """The commonest feature is in every second row, the rarest in one of 500 rows."""
    frequency = np.geomspace(1 / 2, 1 / 500, n_features)
    shape = (n_steps, n_rows, N_VERSIONS, n_features)
    x = rng.choice([-1.0, 1.0], size=shape) * (rng.uniform(size=shape) < frequency)
    target = rng.normal(size=shape[2:])
    return regression(x, frequency, np.broadcast_to(target, (n_steps, *target.shape)))


def drifting_target(n_steps=6000, n_rows=4, n_features=5):
    """Features in different units; the target moves a little in each step."""
    scale = np.geomspace(1 / 2, 2, n_features)
    x = scale * rng.normal(size=(n_steps, n_rows, N_VERSIONS, n_features))
    target = np.cumsum(
        0.02 * rng.normal(size=(n_steps, N_VERSIONS, n_features)), axis=0
    )
    return regression(x, scale**2, target / scale, is_stream=True)


STEEP = np.diag([1.0, 100.0])
TURN = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)  # by 45 degrees
PROBLEMS = {
    "valley along the axes": quadratic(starts(-3, 1, 0.3), STEEP, 100),
    "valley across the axes": quadratic(
        starts(-3, 1, 0.3) @ TURN, TURN.T @ STEEP @ TURN, 300
    ),
    "Rosenbrock's function": Problem(
        starts(-1.5, 1.5, 0.1), 2000, rosenbrock_gradient, rosenbrock
    ),
    "flat saddle": Problem(starts(1, 0, 0.01), 200, saddle_gradient, saddle),
    "rare features": rare_features(),
    "drifting target": drifting_target(),
}

# %%
# The runs
# --------
# All learning rates run at once. The best learning rate of an optimizer has the smallest error over the last tenth of
# the steps, of those rates with which the error is never above twice that of the start. Without this condition a rate
# with huge steps could be chosen that ends near the optimum by chance. For the drifting target the rate must be chosen
# without knowledge of the future: the first tenth of the steps determines it, and the error is that of the last tenth.

RATES = 10 ** np.arange(-4, 1.01, 0.25)
SMALLEST = 1e-12  # smaller errors count as this


def mean_error(error):
    """Mean over the steps, median over the versions."""
    return np.median(error.mean(axis=0), axis=-1)


def compare(problem):
    """Run all optimizers.

    Return the best rates, the errors over the steps with these, and the final errors
    with all rates.
    """
    best_rate, errors, final_errors = {}, {}, {}
    first, last = slice(problem.n_steps // 10), slice(-problem.n_steps // 10, None)
    for name in OPTIMIZERS:
        with np.errstate(over="ignore", invalid="ignore"):
            path = run(name, problem.gradient, problem.start, RATES, problem.n_steps)
            error = np.array(
                [problem.error(weights, t) for t, weights in enumerate(path)]
            )
        error = np.where(error < 1e100, np.maximum(error, SMALLEST), np.inf)
        if problem.is_stream:
            best = np.argmin(mean_error(error[first]))
        else:
            tame = np.all(error.max(axis=0) <= 2 * error[0], axis=-1)
            best = np.argmin(np.where(tame, mean_error(error[last]), np.inf))
        best_rate[name] = RATES[best]
        errors[name] = np.median(error[:, best], axis=-1)
        final_errors[name] = mean_error(error[last])
    return best_rate, errors, final_errors


results = {title: compare(problem) for title, problem in PROBLEMS.items()}

# %%
# The paths
# ---------
# A row for each problem, a column for each optimizer. The paths start at the black dot and have the optimizer's best
# learning rate; a small dot is one step, the large one the end. In the valley *along the axes*, AdaGrad and RMSprop
# normalise the difference in steepness and go straight to the optimum. SGD is slow, because its steps must be short
# enough for the steep direction. In the valley *across the axes* both coordinates are equally steep. Normalising does
# not help, and only Adam, which has momentum, is fast. The same is true for the curved valley of *Rosenbrock's
# function*. From the *saddle* the descent is flat, and SGD's steps are as small as the gradient.

VIEWS = {  # steps, and the part of the plane to show
    "valley along the axes": (20, (-3.5, 1.5, -1, 1.5)),
    "valley across the axes": (60, (-3, 0.5, -3, 0.5)),
    "Rosenbrock's function": (300, (-2, 1.5, -0.5, 2.5)),
    "flat saddle": (30, (-1, 1.5, -1.5, 1.5)),
}

figure, axes = plt.subplots(
    4, 4, figsize=(11, 11), sharex="row", sharey="row", layout="constrained"
)
for row, (title, (n_steps, area)) in zip(axes, VIEWS.items(), strict=True):
    problem, (best_rate, _, _) = PROBLEMS[title], results[title]
    grid = np.stack(
        np.meshgrid(np.linspace(*area[:2], 200), np.linspace(*area[2:], 200)), axis=-1
    )
    height = problem.error(grid, 0)
    for ax, (name, color) in zip(row, COLORS.items(), strict=True):
        ax.contour(
            grid[..., 0],
            grid[..., 1],
            height,
            height.max() * np.geomspace(1e-4, 1, 11),
            colors="0.85",
        )
        steps = run(
            name,
            problem.gradient,
            problem.start[:1],
            np.array([best_rate[name]]),
            n_steps,
        )
        path = np.array([weights[0, 0] for weights in steps])
        ax.plot(*path.T, ".-", color=color, linewidth=1.2, markersize=4)
        ax.plot(*path[-1], "o", color=color, markersize=9)
        ax.plot(*problem.start[0], "ko", markersize=6)
        ax.set(xlim=area[:2], ylim=area[2:])
        ax.set_title(f"{name}, rate {best_rate[name]:.2g}", color=color)
    row[0].set_ylabel(f"{title}\n{n_steps} steps\n\nsecond weight")
for ax in axes[-1]:
    ax.set_xlabel("first weight")
figure.suptitle(
    "Paths: normalising gradients helps in a valley along the axes, not across them"
)
plt.show()

# %%
# Errors over the steps
# ---------------------
# Medians over the versions; for the two regressions, whose errors are noisy, means over 100 steps. With *rare
# features* AdaGrad is best, because the step size of each coordinate falls with the number of its nonzero gradients. On
# the *drifting target* the same memory makes it too slow; RMSprop uses recent gradients only, and adapts.

# Curves that lie upon each other can be told apart: AdaGrad's is wide and below the
# others, Adam's is dashed.
WIDTHS = {"SGD": 1.5, "AdaGrad": 4, "RMSprop": 1.5, "Adam": 1.5}
LINES = {"SGD": "-", "AdaGrad": "-", "RMSprop": "-", "Adam": "--"}


def panels(message, x_label, y_label):
    """One panel for each problem."""
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    figure.suptitle(message)
    for ax, title in zip(axes.flat, PROBLEMS, strict=True):
        ax.set_title(title)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel(x_label)
    for ax in axes[:, 0]:
        ax.set_ylabel(y_label)
    return figure, axes.flat


figure, axes = panels(
    "Error over the steps, each optimizer at its best learning rate", "steps", "error"
)
for ax, (title, (_, errors, _)) in zip(axes, results.items(), strict=True):
    block = 1 if PROBLEMS[title].start.shape[1] == 2 else 100
    for name, error in errors.items():
        means = error[1:].reshape(-1, block).mean(axis=1)
        steps = block * (0.5 + np.arange(len(means)))
        ax.semilogy(
            steps,
            means,
            LINES[name],
            color=COLORS[name],
            linewidth=WIDTHS[name],
            label=name,
        )
ax.set_ylim(0.01, 0.3)  # of the drifting target
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# The dependence on the learning rate
# -----------------------------------
# The figure has the final error for each learning rate; the dots are the rates used above. Above a certain rate SGD
# diverges. The steps of the others are bounded and they do not diverge, but not every rate works. On the regressions,
# RMSprop and Adam oscillate more widely with longer steps. AdaGrad's steps become shorter by themselves, but their
# initial length is hard to choose in advance: on the drifting target the first tenth of the steps led to a rate that
# was too small for the rest.

figure, axes = panels(
    "Final error against learning rate: only SGD diverges, no rate is always good",
    "learning rate",
    "error at the end",
)
for ax, (best_rate, errors, final_errors) in zip(axes, results.values(), strict=True):
    for name, final in final_errors.items():
        ax.loglog(
            RATES,
            final,
            LINES[name],
            color=COLORS[name],
            linewidth=WIDTHS[name],
            label=name,
        )
        ax.plot(
            best_rate[name], final[best_rate[name] == RATES], "o", color=COLORS[name]
        )
    lowest = min(final.min() for final in final_errors.values())
    ax.set_ylim(lowest / 3, 10 * errors["SGD"].max())
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# Final errors, memory and time
# -----------------------------
# SGD stores only the weights, AdaGrad and RMSprop one more number for each coordinate, Adam two. The time is that of
# the update rule alone, on a million coordinates.


def print_row(title, cells):
    print(f"{title:<26}" + "".join(f"{cell:>10}" for cell in cells))


def seconds_of_a_step(name, n_coordinates=1_000_000, n_steps=5):
    steps = run(
        name,
        lambda weights, t: weights,
        np.ones((1, n_coordinates)),
        np.array([0.1]),
        n_steps,
    )
    next(steps)  # the start
    begin = perf_counter()
    for _ in steps:
        pass
    return (perf_counter() - begin) / n_steps


print_row("error at the end", OPTIMIZERS)
for title, (best_rate, _, final_errors) in results.items():
    final = [final_errors[name][best_rate[name] == RATES].item() for name in OPTIMIZERS]
    print_row(
        title,
        [
            f"{value:.0e}" if value > SMALLEST else f"< {SMALLEST:.0e}"
            for value in final
        ],
    )

print_row("\nbest learning rate", OPTIMIZERS)
for title, (best_rate, _, _) in results.items():
    print_row(title, [f"{rate:.2g}" for rate in best_rate.values()])

print_row("\nnumbers per coordinate", NUMBERS_KEPT.values())
print_row(
    "milliseconds a step",
    [f"{1000 * seconds_of_a_step(name):.0f}" for name in OPTIMIZERS],
)
