"""One row far from all others: the slope over the epochs, with that row in one batch an epoch, and in every batch."""

import numpy as np
from sklearn.linear_model import LinearRegression
from style import BLUE, ORANGE, RED, SKY, panels

from sklearn_rmsprop import RMSpropRegressor

rng = np.random.default_rng(0)
x = rng.normal(size=3200)
y = x + 0.5 * rng.normal(size=len(x))
x[1600], y[1600] = 200.0, 40.0
X = x[:, np.newaxis]

figure, ax = panels("One of 3200 rows lies 200 standard deviations off", height=3.6)
epochs = np.arange(1, 21)
for batch_size, average, color in ((32, False, ORANGE), (32, True, RED), ("auto", False, SKY), ("auto", True, BLUE)):
    model = RMSpropRegressor(batch_size=batch_size, average=average, tol=None, random_state=0)
    slopes = [model.set_params(max_iter=int(n)).fit(X, y).coef_[0] for n in epochs]
    where = "in one batch an epoch" if batch_size == 32 else "in every batch"
    ax.plot(epochs, slopes, color=color, label=f"{'average' if average else 'last iterate'}, the row {where}")
ax.axhline(LinearRegression().fit(X, y).coef_[0], color="k", linewidth=1, linestyle="--", label="least squares")
ax.set(xlabel="epochs", ylabel="slope", xticks=range(0, 21, 4))
ax.legend()
