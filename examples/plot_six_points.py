"""
Six points, one line: RMSprop in a dozen lines
==============================================

We look for the line ``y = slope * x + intercept`` with the smallest mean squared error on six points. Imagine standing
blindfolded on the surface that the error draws over (slope, intercept): the gradient tells, at the place where we
stand, in which direction the ground rises and how steeply. Gradient descent steps the other way, by a length
proportional to the steepness. Here the ground is about forty times steeper along the slope than along the intercept,
so no single factor suits both. RMSprop divides each coordinate's gradient by a running estimate of its own size; the
result is a step of about ``learning_rate`` in each coordinate, however steep it is.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_rmsprop import RMSpropRegressor

X = np.array([5.0, 15.0, 25.0, 35.0, 45.0, 55.0])
Y = np.array([5.0, 20.0, 14.0, 32.0, 22.0, 38.0])
START = np.array([3.0, 5.0])  # slope, intercept: far too steep

# %%
# The loop
# --------
# Each step uses all six points. ``mean_square`` is the only number that RMSprop stores for each coordinate.


def rmsprop_loop(
    x, y, start, *, n_steps=5000, learning_rate=0.001, decay_rate=0.9, epsilon=1e-8
):
    """Full-batch RMSprop for a line: (slope, intercept) before and after each step."""
    weights = np.array(start, dtype=float)
    mean_square = np.zeros(2)
    path = [weights.copy()]
    for _ in range(n_steps):
        # The error of the line at each point, and the gradient for slope and intercept.
        residual = weights[0] * x + weights[1] - y
        gradient = np.array([np.mean(residual * x), np.mean(residual)])
        # The moving average of the squared gradients of each coordinate.
        mean_square = decay_rate * mean_square + (1 - decay_rate) * gradient**2
        # One step downhill, with the gradient divided by the root of this average.
        weights = weights - learning_rate * gradient / (np.sqrt(mean_square) + epsilon)
        path.append(weights.copy())
    return np.array(path)


path = rmsprop_loop(X, Y, START)
least_squares = np.polyfit(X, Y, 1)

# %%
# The line moves towards the points
# ---------------------------------

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
ends = np.array([0.0, 60.0])
ax.plot(
    ends,
    np.polyval(least_squares, ends),
    color="#d55e00",
    linewidth=6,
    alpha=0.5,
    label="least squares",
)
for step in (0, 500, 1000, 1500, 2000, 5000):
    ax.plot(
        ends,
        np.polyval(path[step], ends),
        color=plt.get_cmap("viridis_r")(0.2 + 0.8 * step / 5000),
        linewidth=2,
    )
    angle = np.degrees(np.arctan(path[step, 0]))
    height = np.polyval(path[step], 22) + 2
    ax.text(
        22,
        height,
        f"step {step}",
        rotation=angle,
        rotation_mode="anchor",
        transform_rotates_text=True,
    )
ax.plot(X, Y, "o", color="black", markersize=9, label="the six points")
ax.set(
    xlim=ends,
    ylim=(0, 100),
    xlabel="x",
    ylabel="y",
    title="The line after 0 to 5000 steps",
)
ax.legend(loc="upper left")
plt.show()

# %%
# The path over the surface of the error
# --------------------------------------
# Each curve connects lines with the same error. The error falls steeply to the left and hardly at all along the floor
# of the valley. But at first slope and intercept change equally fast, by ``learning_rate`` per step: the path does not
# start in the direction of steepest descent. So the intercept first moves away from its best value: as long as the line
# is far too steep, a lower intercept reduces the error. On the floor of the valley, where the slope is about right, the
# intercept moves back.


def rmse(slope, intercept):
    """Root mean squared error of a line on the six points."""
    return np.sqrt(np.mean((slope * X + intercept - Y) ** 2))


BOX = {
    "facecolor": "white",
    "edgecolor": "none",
    "pad": 1,
}  # so that no contour crosses the text

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
slopes, intercepts = np.meshgrid(np.linspace(-0.3, 3.3, 100), np.linspace(1, 8, 100))
contours = ax.contour(
    slopes,
    intercepts,
    np.vectorize(rmse)(slopes, intercepts),
    levels=[6, 8, 12, 20, 40, 60, 80],
    colors="0.6",
)
ax.clabel(contours, contours.levels[1:], fmt="RMSE %g")  # the path hides the innermost
ax.plot(*path.T, color="#0072b2", linewidth=3)
for step in [0, 1000, 2000, 5000]:
    ax.plot(*path[step], "o", color="#0072b2", markersize=8)
    ax.annotate(
        f"step {step}",
        path[step],
        (10, -14),
        textcoords="offset points",
        color="#0072b2",
        bbox=BOX,
    )
ax.plot(*least_squares, "*", color="#d55e00", markersize=18)
ax.annotate(
    "least squares",
    least_squares,
    (14, 2),
    textcoords="offset points",
    color="#d55e00",
    bbox=BOX,
)
ax.set(
    xlabel="slope",
    ylabel="intercept",
    title="Slope and intercept change equally fast, whatever the steepness",
)
plt.show()

# %%
# The same with the estimator
# ---------------------------
# :class:`~sklearn_rmsprop.RMSpropRegressor` takes the same steps when everything is turned off that the loop does
# not have. With its defaults it converges to least squares, and the stopping rule ends the fit.


def textbook_regressor(n_steps=5000):
    """Return the estimator with everything switched off that the loop does not have."""
    return RMSpropRegressor(
        learning_rate=0.001,
        decay_rate=0.9,
        epsilon=1e-8,
        batch_size=None,  # all six points in each step
        max_iter=n_steps,
        tol=None,  # no stopping rule: exactly n_steps
        bias_correction=False,
        schedule="constant",
        average=False,
        standardize=False,
        shuffle=False,
    )


textbook = textbook_regressor().fit(
    X[:, np.newaxis], Y, coef_init=START[:1], intercept_init=START[1]
)
default = RMSpropRegressor(random_state=0).fit(X[:, np.newaxis], Y)
rows = {
    **{f"loop, after {step} steps": path[step] for step in (0, 1, 1000, 2000, 5000)},
    "RMSpropRegressor, textbook mode": (textbook.coef_[0], textbook.intercept_),
    f"RMSpropRegressor(), {default.t_} steps": (default.coef_[0], default.intercept_),
    "least squares": least_squares,
}
print(f"{'':<34}{'slope':>11}{'intercept':>12}{'RMSE':>12}")
for name, line in rows.items():
    print(f"{name:<34}{line[0]:>11.6f}{line[1]:>12.6f}{rmse(*line):>12.6f}")
