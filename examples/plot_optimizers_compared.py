"""
SGD, AdaGrad, RMSprop and Adam compared
=======================================

Four optimizers on six small problems: which of them gets where, and how much depends on the learning rate. Each update
rule is a few lines of NumPy, and each optimizer is shown with *its* best learning rate of a grid from 0.0001 to 10.
Their other numbers are PyTorch's defaults.

Dividing by the size of the gradients, which SGD does not do and the others do, pays where coordinates differ in
steepness: in the valley along the axes, on the flat way out of the saddle, with rare features. Where a valley runs
across the axes it does not help, but Adam's momentum does. AdaGrad never forgets a gradient; that is best on a problem
that stays as it is and worst on one that changes. RMSprop forgets, and follows. No one of them is best everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np

# %%
# The optimizers
# --------------
# From the gradient to the direction of the step number ``t``; the learning rate multiplies it. ``state`` is what an
# optimizer remembers: so many numbers for each coordinate.


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
COLORS = {"SGD": "#666666", "AdaGrad": "#e69f00", "RMSprop": "#0072b2", "Adam": "#cc79a7"}


def run(optimizer, gradient, start, rates, n_steps):
    """Yield the weights, of shape (rates, *start.shape), before each step and after the last."""
    weights = np.broadcast_to(start, (len(rates), *start.shape))
    state = np.zeros((NUMBERS_KEPT[optimizer], *weights.shape))
    yield weights
    with np.errstate(over="ignore", invalid="ignore"):  # SGD with too large a rate goes to infinity
        for t in range(1, n_steps + 1):
            direction = OPTIMIZERS[optimizer](gradient(weights, t), state, t)
            weights = weights - rates[:, np.newaxis, np.newaxis] * direction
            yield weights


# %%
# The problems
# ------------
# Each of them comes in five versions, with other starts or other data, so that no result is mere luck. Arrays of
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
    return Problem(start, n_steps, lambda w, t: w @ hessian, lambda w, t: np.sum((w @ hessian) * w, axis=-1) / 2)


def rosenbrock(w, t=0):
    x, y = np.moveaxis(w, -1, 0)
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def rosenbrock_gradient(w, t):
    x, y = np.moveaxis(w, -1, 0)
    return np.stack([2 * (x - 1) - 400 * x * (y - x**2), 200 * (y - x**2)], axis=-1)


# A pass between two basins at y = 1 and y = -1. The ground falls a hundred times less steeply out of it than into it.
def saddle(w, t=0):
    x, y = np.moveaxis(w, -1, 0)
    return x**2 / 2 + 0.01 * (y**2 - 1) ** 2 / 4


def saddle_gradient(w, t):
    x, y = np.moveaxis(w, -1, 0)
    return np.stack([x, 0.01 * (y**3 - y)], axis=-1)


def regression(x, mean_square, target, **options):
    """Least squares on a new mini-batch in each step.

    `x` are the features, (steps, rows, versions, coordinates), with the mean squares `mean_square`; `target` are the
    weights to be found, (steps, versions, coordinates).
    """
    y = np.sum(x * target[:, np.newaxis], axis=-1) + 0.5 * rng.normal(size=x.shape[:-1])

    def gradient(w, t):
        residual = np.einsum("bvc,rvc->brv", x[t - 1], w) - y[t - 1][:, np.newaxis]
        return np.einsum("brv,bvc->rvc", residual, x[t - 1]) / x.shape[1]

    def error(w, t):
        return np.sum(mean_square * (w - target[min(t, len(target) - 1)]) ** 2, axis=-1)

    return Problem(np.zeros(target.shape[1:]), len(x), gradient, error, **options)


def rare_features(n_steps=3000, n_rows=8, n_features=20):
    """The commonest feature is in every second row, the rarest in one of 500; else they are 0."""
    frequency = np.geomspace(1 / 2, 1 / 500, n_features)
    shape = (n_steps, n_rows, N_VERSIONS, n_features)
    x = rng.choice([-1.0, 1.0], size=shape) * (rng.uniform(size=shape) < frequency)
    target = rng.normal(size=shape[2:])
    return regression(x, frequency, np.broadcast_to(target, (n_steps, *target.shape)))


def drifting_target(n_steps=6000, n_rows=4, n_features=5):
    """Features in different units; the weights to be found move a little in each step, at random."""
    scale = np.geomspace(1 / 2, 2, n_features)
    x = scale * rng.normal(size=(n_steps, n_rows, N_VERSIONS, n_features))
    target = np.cumsum(0.02 * rng.normal(size=(n_steps, N_VERSIONS, n_features)), axis=0)
    return regression(x, scale**2, target / scale, is_stream=True)


STEEP = np.diag([1.0, 100.0])
TURN = np.array([[1.0, 1.0], [-1.0, 1.0]]) / np.sqrt(2)  # by 45 degrees
PROBLEMS = {
    "valley along the axes": quadratic(starts(-3, 1, 0.3), STEEP, 100),
    "valley across the axes": quadratic(starts(-3, 1, 0.3) @ TURN, TURN.T @ STEEP @ TURN, 300),
    "Rosenbrock's function": Problem(starts(-1.5, 1.5, 0.1), 2000, rosenbrock_gradient, rosenbrock),
    "flat saddle": Problem(starts(1, 0, 0.01), 200, saddle_gradient, saddle),
    "rare features": rare_features(),
    "drifting target": drifting_target(),
}

# %%
# The runs
# --------
# All learning rates at once. An optimizer's best one has the smallest error over the last tenth of the steps, of those
# that never take the error above twice that of the start: without this condition one would choose huge leaps that
# happen to land well. A target that drifts is different. Nobody can choose a learning rate by the errors of the
# future; there the first tenth of the steps decides, and the last tenth shows how it went.

RATES = 10 ** np.arange(-4, 1.01, 0.25)
SMALLEST = 1e-12  # what is nearer to the optimum counts as there


def mean_error(error):
    """Mean over the steps, median over the versions."""
    return np.median(error.mean(axis=0), axis=-1)


def compare(problem):
    """Run all optimizers: the best rate, the errors over the steps with it, and the final errors with each rate."""
    best_rate, errors, final_errors = {}, {}, {}
    first, last = slice(problem.n_steps // 10), slice(-problem.n_steps // 10, None)
    for name in OPTIMIZERS:
        with np.errstate(over="ignore", invalid="ignore"):  # SGD with too large a rate goes to infinity
            path = run(name, problem.gradient, problem.start, RATES, problem.n_steps)
            error = np.array([problem.error(weights, t) for t, weights in enumerate(path)])
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
# The ways they take
# ------------------
# From the black dot, with each optimizer's best learning rate; the coloured dots are where they stand in the end.
# *Along the axes*, AdaGrad and RMSprop divide the difference in steepness away and go straight to the optimum, where
# SGD crawls, for its steps must be short enough for the steep direction. *Across the axes* both coordinates are
# equally steep. There is nothing to divide away, and only Adam, which has momentum, is quick; the same goes for
# *Rosenbrock's* bent valley. From the *saddle* the way out is flat, and SGD's steps are as small as the gradient.

VIEWS = {  # steps, and the part of the plane to show
    "valley along the axes": (20, (-3.5, 1.5, -1, 1.5)),
    "valley across the axes": (60, (-3, 0.5, -3, 0.5)),
    "Rosenbrock's function": (300, (-2, 1.5, -0.5, 2.5)),
    "flat saddle": (30, (-1, 1.5, -1.5, 1.5)),
}
WIDTHS = {"SGD": 1.5, "AdaGrad": 5, "RMSprop": 2, "Adam": 1.5}  # the widest is often hidden behind another

figure, axes = plt.subplots(2, 2, figsize=(11, 9), layout="constrained")
for ax, (title, (n_steps, area)) in zip(axes.flat, VIEWS.items(), strict=True):
    problem, (best_rate, _, _) = PROBLEMS[title], results[title]
    grid = np.stack(np.meshgrid(np.linspace(*area[:2], 200), np.linspace(*area[2:], 200)), axis=-1)
    height = problem.error(grid, 0)
    ax.contour(grid[..., 0], grid[..., 1], height, height.max() * np.geomspace(1e-4, 1, 11), colors="0.85")
    for name, color in COLORS.items():
        steps = run(name, problem.gradient, problem.start[:1], np.array([best_rate[name]]), n_steps)
        path = np.array([weights[0, 0] for weights in steps])
        ax.plot(*path.T, color=color, label=name, linewidth=WIDTHS[name])
        ax.plot(*path[-1], "o", color=color, markersize=5 + 2 * WIDTHS[name])
    ax.plot(*problem.start[0], "ko", markersize=6)
    ax.set(xlim=area[:2], ylim=area[2:], title=f"{title}, {n_steps} steps")
figure.suptitle("Dividing by the gradients' size straightens the way along the axes, not across them")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# Errors over the steps
# ---------------------
# Medians over the versions; for the two regressions, whose errors are noisy, means over 100 steps. Of the *rare
# features* AdaGrad makes the most, because each coordinate's steps shrink as it is met. On the *drifting target* this
# same memory makes it fall behind; RMSprop has forgotten the old gradients, and keeps up.


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


figure, axes = panels("No optimizer is best everywhere, each at its best rate", "steps", "error")
for ax, (title, (_, errors, _)) in zip(axes, results.items(), strict=True):
    block = 1 if PROBLEMS[title].start.shape[1] == 2 else 100
    for name, error in errors.items():
        means = error[1:].reshape(-1, block).mean(axis=1)
        ax.semilogy(block * (0.5 + np.arange(len(means))), means, color=COLORS[name], label=name)
ax.set_ylim(0.01, 0.3)  # of the drifting target
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# How much depends on the learning rate
# -------------------------------------
# The error at the end with each learning rate; the dots are the rates used above. SGD's range ends at a wall, beyond
# which it diverges. The others' steps are bounded and they do not diverge, which does not mean that every rate works.
# On the regressions RMSprop and Adam hover the wider, the longer their steps. AdaGrad's shrink by themselves, but from
# what size is hard to say in advance: on the drifting target the first tenth led to a rate that was too small for the
# rest.

figure, axes = panels(
    "SGD hits a wall, the others do not, yet no rate serves everywhere", "learning rate", "error at the end"
)
for ax, (best_rate, errors, final_errors) in zip(axes, results.values(), strict=True):
    for name, final in final_errors.items():
        ax.loglog(RATES, final, color=COLORS[name], label=name)
        ax.plot(best_rate[name], final[best_rate[name] == RATES], "o", color=COLORS[name])
    lowest = min(final.min() for final in final_errors.values())
    ax.set_ylim(lowest / 3, 10 * errors["SGD"].max())
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
plt.show()

# %%
# The same in numbers, and what they cost
# ---------------------------------------
# SGD keeps nothing but the weights, AdaGrad and RMSprop one more number for each coordinate, Adam two. The time is
# that of the rule alone, on a million coordinates.


def print_row(title, cells):
    print(f"{title:<26}" + "".join(f"{cell:>10}" for cell in cells))


def seconds_of_a_step(name, n_coordinates=1_000_000, n_steps=5):
    steps = run(name, lambda weights, t: weights, np.ones((1, n_coordinates)), np.array([0.1]), n_steps)
    next(steps)  # the start
    begin = perf_counter()
    for _ in steps:
        pass
    return (perf_counter() - begin) / n_steps


print_row("error at the end", OPTIMIZERS)
for title, (best_rate, _, final_errors) in results.items():
    final = [final_errors[name][best_rate[name] == RATES].item() for name in OPTIMIZERS]
    print_row(title, [f"{value:.0e}" if value > SMALLEST else f"< {SMALLEST:.0e}" for value in final])

print_row("\nbest learning rate", OPTIMIZERS)
for title, (best_rate, _, _) in results.items():
    print_row(title, [f"{rate:.2g}" for rate in best_rate.values()])

print_row("\nnumbers per coordinate", NUMBERS_KEPT.values())
print_row("milliseconds a step", [f"{1000 * seconds_of_a_step(name):.0f}" for name in OPTIMIZERS])
