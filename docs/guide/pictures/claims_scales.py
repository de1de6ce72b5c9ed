"""The weight of a diamond in four units: the textbook's RMSprop, and the same with standardize=True."""

import numpy as np
from loops import carat_price, follow
from plotnine.data import diamonds
from style import BLUE, RED, panels

from sklearn_rmsprop import RMSpropRegressor

_, y, _ = carat_price()
carat = diamonds["carat"].to_numpy()[:, np.newaxis]
carat = carat - carat.mean()
units = {"milligrams": 200, "carats": 1, "grams": 0.2, "kilograms": 0.0002}
figure, axes = panels(
    "RMSprop does not make units irrelevant; standardising does", 2, 2, height=5.2, sharex=True, sharey=True
)
axes = axes.ravel()
for ax, (unit, factor) in zip(axes, units.items(), strict=True):
    for standardize, color, name in ((False, RED, "textbook's RMSprop"), (True, BLUE, "the same, standardize=True")):
        model = RMSpropRegressor(
            learning_rate=0.01, decay_rate=0.9, batch_size=512, bias_correction=False,
            schedule="constant", average=False, standardize=standardize, random_state=0,
        )  # fmt: skip
        ax.loglog(range(1, 101), follow(model, factor * carat, y, 100), color=color, label=name)
    ax.set(title=unit, ylim=(1e-8, 100))
for ax in axes[::2]:
    ax.set_ylabel("excess loss")
axes[0].legend(loc="lower left")
for ax in axes[2:]:
    ax.set_xlabel("epochs")
