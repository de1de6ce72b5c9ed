"""The test RMSE of the mini-batch recipe on the diamonds, after each of many epochs of several runs."""

import numpy as np
from loops import carat_price
from sklearn.model_selection import train_test_split
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, dollars = carat_price()
x_train, x_test, y_train, y_test = train_test_split(x[:, np.newaxis], y, test_size=0.2, random_state=42)
draws = []
for seed in range(10):
    model = RMSpropRegressor(
        learning_rate=0.01, decay_rate=0.9, batch_size=512, bias_correction=False,
        schedule="constant", average=False, standardize=False, random_state=seed,
    )  # fmt: skip
    for epoch in range(200):
        model.partial_fit(x_train, y_train)
        if epoch >= 20:
            draws.append(dollars * np.sqrt(np.mean((model.predict(x_test) - y_test) ** 2)))
low, middle, high = np.quantile(draws, (0.25, 0.5, 0.75))
figure, ax = panels("The test RMSE after an epoch is random; 1550.76 is one draw", height=3.8)
ax.hist(draws, bins=np.arange(1549, 1565, 0.25), color="0.75")
ax.axvspan(low, high, color=GREY, alpha=0.2, linewidth=0, label=f"middle half: {low:.1f} to {high:.1f}")
ax.axvline(1549.6415, color=BLUE, linestyle="--", label="least squares: 1549.64")
ax.axvline(1550.76, color=RED, label="the tutorial's: 1550.76")
ax.set(xlabel="test RMSE (dollars) after an epoch", ylabel=f"epochs, of {len(draws):,}", xlim=(1549, 1562))
ax.legend()
