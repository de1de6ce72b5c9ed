"""
Robust losses: three wrong records change the sign of a slope
=============================================================

With the squared error, the influence of a single row is unlimited. In this real table three wrong records among 2,892
change the slope of a line from negative to positive. The losses ``"huber"`` and ``"absolute_error"`` limit the
influence of each row, and the slope stays negative.
"""

import matplotlib.pyplot as plt
import numpy as np
from plotnine.data import diamonds
from sklearn.linear_model import LinearRegression

from sklearn_rmsprop import RMSpropRegressor

# %%
# Diamonds of one weight
# ----------------------
# These diamonds weigh from 1.5 to 1.6 carat (the table comes with the package plotnine). All have about the same
# volume, so a wider one (``x``, in mm) must be flatter (``z``): the slope is negative. Three records cannot be true.
# Zeros stand for missing measures, and a diamond 7 mm wide and 1.5 mm high would not weigh that much. We mark
# them for the comparison; the models do not use the mark.

stones = diamonds[diamonds["carat"].between(1.5, 1.6, inclusive="left")]
X = stones[["x"]].to_numpy()
y = stones["z"].to_numpy()
wrong = y < 3
print(stones.loc[wrong, ["carat", "x", "y", "z"]])

# %%
# The influence of a row
# ----------------------
# The influence of a row on the line is the derivative of its loss. For the squared error that is the error itself, for
# the absolute error only its sign. Huber's loss is in between: the error, limited to ``delta``. So ``delta`` is the
# error beyond which the influence of a row does not grow. The error of a good record is about 0.07 mm. With
# ``delta=0.1`` the wrong records, with errors of 3 to 4.5 mm, have the same influence as a record with an error of 0.1
# mm.

models = {
    "squared error": RMSpropRegressor(random_state=0),
    "huber, delta=0.1": RMSpropRegressor("huber", delta=0.1, random_state=0),
    "absolute error": RMSpropRegressor("absolute_error", random_state=0),
}
slopes = {}
print(f"{'slope (mm per mm)':<22}{'all rows':>9}{'without the three':>19}")
for name, model in {**models, "exact least squares": LinearRegression()}.items():
    clean = model.fit(X[~wrong], y[~wrong]).coef_[0]
    slopes[name] = model.fit(X, y).coef_[0]
    print(f"{name:<22}{slopes[name]:>9.3f}{clean:>19.3f}")

# %%
# (The squared error's slope is that of exact least squares, although three rows have gradients a hundred times those of
# others: the default ``batch_size="auto"`` puts such rows into every batch.)
#
# What delta does
# ---------------
# A small ``delta`` turns Huber's loss into the absolute error, a large one into the squared error. ``delta`` is in the
# units of ``y``, here mm, whether or not the fit standardises.

deltas = np.geomspace(0.01, 10, 13)
slope_by_delta = [
    RMSpropRegressor("huber", delta=delta, random_state=0).fit(X, y).coef_[0]
    for delta in deltas
]

colors = dict(zip(models, ("#d55e00", "#0072b2", "#000000"), strict=True))
styles = dict(zip(models, ("-", "-", "--"), strict=True))
figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 5), width_ratios=(1.4, 1), layout="constrained"
)

left.scatter(X[~wrong], y[~wrong], s=8, color="0.4", alpha=0.25, linewidths=0)
ends = np.array([[6.8], [7.9]])
for name, model in models.items():
    left.plot(
        ends[:, 0],
        model.predict(ends),
        styles[name],
        color=colors[name],
        linewidth=3,
        label=name,
    )
for width, height in zip(X[wrong, 0], y[wrong], strict=True):
    at = max(width, 6.815), 3.83  # all three are below the picture, one also left of it
    left.plot(*at, "v" if width > 0 else "<", color="#d55e00", markersize=10)
    left.annotate(f"x={width:g}, z={height:g}", at, (9, -3), textcoords="offset points")
left.set(
    xlim=(6.8, 7.9), ylim=(3.8, 5.0), xlabel="width x (mm)", ylabel="height z (mm)"
)
left.set_title("Three wrong records (below the axes) change the sign of the slope")
left.legend(loc="upper right")

right.axhline(0, color="0.7", linewidth=1)
right.axhline(
    slopes["squared error"],
    color=colors["squared error"],
    linewidth=2,
    label="squared error",
)
right.semilogx(
    deltas,
    slope_by_delta,
    "o-",
    color=colors["huber, delta=0.1"],
    linewidth=2,
    label="huber",
)
right.axhline(
    slopes["absolute error"],
    linestyle="--",
    color=colors["absolute error"],
    linewidth=2,
    label="absolute error",
)
right.set(xlabel="delta (mm)", ylabel="slope (mm per mm)", ylim=(-0.3, 0.3))
right.set_title("Slope of huber against delta")
right.legend(loc="center left")
plt.show()

# %%
# Below 0.3 mm the choice of ``delta`` hardly matters. Above 1 mm the wrong records have enough influence to change the
# sign of the slope. A good ``delta`` is somewhat larger than the errors of good rows: for those the loss is the squared
# error, which uses more information than the signs of the errors alone.
