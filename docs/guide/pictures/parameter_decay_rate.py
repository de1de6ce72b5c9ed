"""decay_rate: the mean error of the predicted price, for batches of several sizes."""

import numpy as np
from loops import carat_price
from style import BLUE, RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, dollars = carat_price()
figure, axes = panels(
    "decay_rate: a short memory predicts prices too low, most with small batches",
    1,
    3,
    height=3.2,
    sharey=True,
)
for ax, batch_size in zip(axes, (1, 8, 32), strict=True):
    for place, decay in enumerate(("0.9", "0.99", "0.999", "auto")):
        model = RMSpropRegressor(
            decay_rate=decay if decay == "auto" else float(decay),
            batch_size=batch_size,
            random_state=0,
        )
        off = np.mean(model.fit(x[:, np.newaxis], y).predict(x[:, np.newaxis])) * dollars
        ax.bar(place, off, color=RED if off < -10 else BLUE)
        label = {
            "text": f"{round(off)}",
            "textcoords": "offset points",
            "ha": "center",
        }  # no "-0"
        if off < 0:
            ax.annotate(xy=(place, off), xytext=(0, -3), va="top", **label)
        else:
            ax.annotate(xy=(place, off), xytext=(0, 3), va="bottom", **label)
    ax.set(
        title=f"batch_size={batch_size}",
        xticks=range(4),
        xticklabels=("0.9", "0.99", "0.999", '"auto"'),
    )
    ax.set_xlabel("decay_rate")
axes[0].set_ylabel("mean error of the\nprediction (dollars)")
axes[0].margins(y=0.2)
