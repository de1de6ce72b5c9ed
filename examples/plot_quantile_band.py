"""
Quantile regression: a band with four of five prices
====================================================

Least squares predicts the mean. With ``loss="quantile"`` the model predicts a quantile instead, such as the price below
which one diamond in ten lies. Two quantiles form a prediction band. Held-out rows show whether the share of rows within
the band is the expected one.
"""

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from plotnine.data import diamonds
from sklearn.linear_model import QuantileRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split

from sklearn_rmsprop import RMSpropRegressor

# %%
# Three fits
# ----------
# The price of 53,940 diamonds (the table comes with the package plotnine) grows like a power of their weight, so we
# take logarithms of both. Quantiles, unlike means, are not affected by this: the median of the logarithm is the
# logarithm of the median. A quarter of the rows is held out. The *coverage* of a line is the share of new rows that lie
# below it.

X = np.log10(diamonds[["carat"]].to_numpy())
y = np.log10(diamonds["price"].to_numpy(dtype=float))
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

quantiles = (0.1, 0.5, 0.9)
models = {}
for quantile in quantiles:
    models[quantile] = RMSpropRegressor(
        "quantile", quantile=quantile, random_state=0
    ).fit(X_train, y_train)
    coverage = np.mean(y_test <= models[quantile].predict(X_test))
    print(f"quantile {quantile}: {coverage:.1%} of the new prices are below the line")

inside = (models[0.1].predict(X_test) < y_test) & (
    y_test <= models[0.9].predict(X_test)
)
print(f"between the outer two: {inside.mean():.1%}, 80 % expected")

# %%
# The coverage is right for all diamonds together, but not for each range of weights: the relationship is not exactly
# linear.

for lightest, heaviest in ((0.2, 0.5), (0.5, 1), (1, 1.5), (1.5, 6)):
    part = (X_test[:, 0] >= np.log10(lightest)) & (X_test[:, 0] < np.log10(heaviest))
    print(f"{lightest:>4} to {heaviest:<4} carat: {inside[part].mean():.1%}")

# %%
# The three lines are separate fits. So they may cross where there are few data, and a "90 %" line may then be below the
# "50 %" line. Sorting the predictions of each row, with ``np.sort(predictions, axis=1)``, repairs that, and never makes
# them worse (Chernozhukov, Fernández-Val and Galichon, Econometrica 78, 2010).

# %%
# The same by linear programming
# ------------------------------
# ``QuantileRegressor`` of scikit-learn finds the exact optimum with a general solver, whose time grows faster than the
# number of rows. Both models are fitted to an increasing number of rows. A quantile minimises the *pinball loss*; the
# table has this loss on the held-out rows. The time is that of the processor, and the shortest of several fits counts:
# a fit of a hundredth of a second takes several times as long when the computer does something else meanwhile.

N_EXACT = 4000  # rows beyond which the solver takes too long for this page


def seconds_of_a_fit(model, X, y):
    """The CPU time of the fastest of five fits, or of as many as take half a second."""
    seconds = []
    while len(seconds) < 5 and sum(seconds) < 0.5:
        start = process_time()
        model.fit(X, y)
        seconds.append(process_time() - start)
    return min(seconds)


sizes = [500, 1000, 2000, N_EXACT, len(X_train)]
candidates = {
    "QuantileRegressor": QuantileRegressor(quantile=0.9, alpha=0),
    "RMSpropRegressor": RMSpropRegressor("quantile", quantile=0.9, random_state=0),
}
times = {name: [] for name in candidates}
print(f"{'rows':>6}{'':<20}{'CPU s':>8}{'pinball loss':>14}")
for n_rows in sizes:
    for name, model in candidates.items():
        if name == "QuantileRegressor" and n_rows > N_EXACT:
            continue
        times[name].append(seconds_of_a_fit(model, X_train[:n_rows], y_train[:n_rows]))
        loss = mean_pinball_loss(y_test, model.predict(X_test), alpha=0.9)
        print(f"{n_rows:>6}  {name:<18}{times[name][-1]:>8.3f}{loss:>14.5f}")

# %%
# With the same rows, the two are equally good. ``RMSpropRegressor`` fits all rows in the time that
# ``QuantileRegressor`` needs for a small part of them.
#
# The picture
# -----------
# Left: the band and the held-out rows. Right: the times above.

BLUE, ORANGE = "#0072b2", "#d55e00"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 5), width_ratios=(1.5, 1), layout="constrained"
)

for rows, color, alpha, word in (
    (inside, "0.6", 0.3, "inside"),
    (~inside, ORANGE, 0.5, "outside"),
):
    carat, price = 10 ** X_test[rows, 0], 10 ** y_test[rows]
    left.scatter(
        carat,
        price,
        s=5,
        alpha=alpha,
        color=color,
        linewidths=0,
        label=f"{word}: {rows.mean():.1%}",
    )
ends = np.array([0.2, 2.6])
lines = {
    quantile: 10 ** model.predict(np.log10(ends[:, np.newaxis]))
    for quantile, model in models.items()
}
left.fill_between(ends, lines[0.1], lines[0.9], color=BLUE, alpha=0.15, linewidth=0)
for quantile, line in lines.items():
    left.plot(ends, line, color=BLUE, linewidth=2)
    left.annotate(
        f" {quantile}", (ends[1], line[1]), color=BLUE, weight="bold", va="center"
    )
left.set(xscale="log", yscale="log", xlim=(0.19, 3.1), ylim=(200, 50_000))
left.set_xticks([0.2, 0.5, 1, 2, 3], ["0.2", "0.5", "1", "2", "3"])
left.set_yticks([200, 1000, 5000, 20_000], ["200", "1,000", "5,000", "20,000"])
left.minorticks_off()
left.set(xlabel="weight (carat)", ylabel="price (dollars)")
left.set_title(
    "Between the outer lines: 80 % expected, "
    f"{inside.mean():.1%} of the held-out diamonds"
)
legend = left.legend(loc="upper left", markerscale=4, title="held-out diamonds")
for dot in legend.legend_handles:
    dot.set_alpha(1)

for (name, seconds), color, marker in zip(
    times.items(), (ORANGE, BLUE), "so", strict=True
):
    right.loglog(
        sizes[: len(seconds)],
        seconds,
        marker=marker,
        color=color,
        linewidth=2,
        label=name,
    )
right.set(xlabel="rows fitted", ylabel="CPU seconds for one quantile")
right.set_title("Time of a fit: linear programming scales badly")
right.legend()
right.grid(alpha=0.3)
plt.show()
