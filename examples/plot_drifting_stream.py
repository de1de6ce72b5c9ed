"""
A stream with concept drift: when averaging is wrong
====================================================

``partial_fit`` trains a model on a stream chunk by chunk. By default the reported coefficients are an average over most
of the steps so far, which makes them accurate when the relationship between columns and target stays the same. When the
relationship changes (concept drift), the average describes the past. The example is the housing market in Texas before,
in and after the crisis of 2008: with the same number of houses on offer there were more sales in 2006, fewer in 2010,
and more again in 2014.
"""

import matplotlib.pyplot as plt
import numpy as np
from plotnine.data import txhousing
from sklearn.linear_model import SGDRegressor

from sklearn_rmsprop import RMSpropRegressor

# %%
# The stream
# ----------
# The table (from the package plotnine) has one row for each month and city, 2000 to 2015. We predict the number of
# sales from the number of houses on offer, and the season. Cities differ in size, so each is compared with its own
# first year. Logarithms have the base 2: an increase of 1 is a factor of 2.

table = txhousing.dropna(subset=["sales", "listings"]).query(
    "sales > 0 and listings > 0"
)
logs = np.log2(table[["sales", "listings"]])
since_start = table["date"] - table.groupby("city")["date"].transform("min")
first_year = logs.where(since_start < 0.99).groupby(table["city"]).transform("mean")
growth = (logs - first_year)[since_start >= 0.99]
table = table.loc[growth.index]

season = 2 * np.pi * table["month"] / 12
X = np.column_stack([growth["listings"], np.sin(season), np.cos(season)])
y = growth["sales"].to_numpy()
month = (12 * table["year"] + table["month"] - 1).to_numpy()  # counted from the year 0
chunks = [np.flatnonzero(month == m) for m in np.unique(month)]
print(f"{len(y)} rows in {len(chunks)} months, {table['city'].nunique()} cities")

# %%
# Predict, then train
# -------------------
# Each month is predicted before the model is trained on it, so the errors are those on new data. The first year is for
# training only. ``RMSpropRegressor`` takes the means and scales for standardising from the first call, so the first
# call should contain typical rows.

WARM_UP = 12


def errors_of(model):
    """Prediction minus truth for each row, before the model was trained on the row.

    The errors of the first year are NaN.
    """
    errors = np.full(len(y), np.nan)
    start = np.concatenate(chunks[:WARM_UP])
    model.partial_fit(X[start], y[start])
    for rows in chunks[WARM_UP:]:
        errors[rows] = model.predict(X[rows]) - y[rows]
        model.partial_fit(X[rows], y[rows])
    return errors


def rmse(errors):
    """Root mean square of the errors after the first year."""
    return np.sqrt(np.nanmean(errors**2))


# %%
# A model with a short memory has a constant step size (``schedule="constant"``), reports the last iterate instead of
# the average, and divides by the root mean square of recent gradients only (``decay_rate=0.99``). ``learning_rate``
# then determines how fast it adapts: with long steps it adapts quickly, but the iterates oscillate widely. A chunk has
# one row for each of at most 46 cities; with batches of 8 there are several steps per chunk. The corresponding
# parameters of ``SGDRegressor`` are ``learning_rate="constant"`` and ``eta0``. Both models get the best of ten rates,
# chosen by the errors on the whole stream.

rates = np.geomspace(0.001, 1, 10)


def short_memory(rate):
    """RMSprop with constant steps, no average, and a memory of a hundred gradients."""
    options = {
        "schedule": "constant",
        "average": False,
        "decay_rate": 0.99,
        "batch_size": 8,
    }
    return RMSpropRegressor(learning_rate=rate, **options, random_state=0)


def constant_sgd(rate):
    """Plain stochastic gradient descent with constant steps."""
    return SGDRegressor(
        learning_rate="constant", eta0=rate, penalty=None, random_state=0
    )


rmse_by_rate = {
    make_model.__name__: [rmse(errors_of(make_model(rate))) for rate in rates]
    for make_model in (short_memory, constant_sgd)
}
best_rate = {name: rates[np.argmin(found)] for name, found in rmse_by_rate.items()}
models = {
    "RMSpropRegressor(), averages": RMSpropRegressor(random_state=0),
    "RMSpropRegressor, short memory": short_memory(best_rate["short_memory"]),
    "SGDRegressor()": SGDRegressor(random_state=0),
    "SGDRegressor, best constant step": constant_sgd(best_rate["constant_sgd"]),
}
errors = {name: errors_of(model) for name, model in models.items()}
for name, error in errors.items():
    print(f"{name:<34} RMSE {rmse(error):.3f}")

# %%
# The picture
# -----------
# Left: the mean error of the predictions over a year and over the cities. The default predicts too many sales in the
# crisis, and too few before and after it. With a short memory both algorithms adapt much better. Right: the effect of
# the step size. With short steps the models adapt too slowly, with long ones they oscillate too widely. The best rates
# of both are about equally good. (Beyond the right edge SGD diverges; RMSprop, whose steps are bounded, only gets
# worse.)

BLUE, ORANGE = "#0072b2", "#d55e00"
figure, (left, right) = plt.subplots(
    1, 2, figsize=(12, 5), width_ratios=(1.5, 1), layout="constrained"
)

middle = np.array([np.mean(month[rows]) for rows in chunks[WARM_UP:]]) / 12
for (name, error), color, style in zip(
    errors.items(), (BLUE, BLUE, ORANGE, ORANGE), (":", "-", ":", "-"), strict=True
):
    monthly = np.array([np.mean(error[rows]) for rows in chunks[WARM_UP:]])
    yearly = np.convolve(monthly, np.ones(12) / 12, mode="valid")
    left.plot(
        middle[11:],
        100 * (2**yearly - 1),
        style,
        color=color,
        linewidth=2.5,
        label=name,
    )
left.axhline(0, color="0.6", linewidth=1)
left.set(
    xlabel="end of the averaged year", ylabel="predicted sales above the true ones (%)"
)
left.set_title("The average of all steps lags behind the crisis")
left.legend(loc="upper left")

for make_model, label, color in (
    (short_memory, "RMSpropRegressor", BLUE),
    (constant_sgd, "SGDRegressor", ORANGE),
):
    right.semilogx(
        rates,
        rmse_by_rate[make_model.__name__],
        "o-",
        color=color,
        label=f"{label}, constant step",
    )
right.axhline(
    rmse(errors["RMSpropRegressor(), averages"]),
    color=BLUE,
    linestyle=":",
    label="RMSpropRegressor(), averages",
)
right.set(
    xlim=(0.0008, 0.4),
    ylim=(0.4, 0.6),
    xlabel="learning_rate or eta0",
    ylabel="RMSE (1: off by a factor of 2)",
)
right.set_title("Short steps adapt slowly, long ones oscillate")
right.legend(loc="upper center")
plt.show()
