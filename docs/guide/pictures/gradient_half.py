"""Squared errors of a line on the six points, and the curve of their mean with and without the factor 2."""

import numpy as np
from loops import BEST, X, Y, half_mse
from style import BLUE, GREY, ORANGE, RED, panels

slope, intercept = 0.9, BEST[1]
figure, (points, curve) = panels("The loss and half of it have the same minimum", 1, 2, height=3.8)

ends = np.array([0, 60])
points.plot(ends, slope * ends + intercept, color=BLUE)
for x, y in zip(X, Y, strict=True):
    points.plot([x, x], [y, slope * x + intercept], color=RED, linewidth=1.4)
points.plot(X, Y, "o", color="black", markersize=6)
points.annotate("error", (45.6, 34), (51, 22), color=RED, arrowprops={"arrowstyle": "->", "color": RED})
points.set(title=f"six points and the line with slope {slope}", xlabel="x", ylabel="y", xlim=(0, 60), ylim=(0, 62))

slopes = np.linspace(0.1, 1.0, 200)
half = half_mse(slopes, np.full_like(slopes, intercept))
curve.plot(slopes, 2 * half, color=ORANGE, label="mean squared error")
curve.plot(slopes, half, color=BLUE, label="half of it")
curve.axvline(BEST[0], color=GREY, linestyle=":", linewidth=1.2)
for factor, color in ((2, ORANGE), (1, BLUE)):
    at = factor * half_mse(np.array([slope]), np.array([intercept]))[0]
    steepness = factor * np.mean((slope * X + intercept - Y) * X)
    reach = np.array([-0.12, 0.13])
    curve.plot(slope + reach, at + steepness * reach, color=color, linestyle="--", linewidth=1.2)
    curve.plot(slope, at, "o", color=color)
    curve.annotate(f"steepness {steepness:.0f}", (slope, at), (10, -4), textcoords="offset points",
                   va="top", color=color)  # fmt: skip
curve.annotate(f"minimum of both: {BEST[0]:.2f}", (BEST[0], 2), (4, 0), textcoords="offset points", color=GREY)
curve.set(
    title="loss when only the slope changes", xlabel="slope of the line", ylabel="loss", xlim=(0.1, 1.5), ylim=(0, 300)
)
curve.legend(loc="upper left", bbox_to_anchor=(0.1, 1))
