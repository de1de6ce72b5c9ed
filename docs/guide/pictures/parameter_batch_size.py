"""batch_size: the average over the epochs, and how many steps an epoch has."""

import numpy as np
from loops import carat_price, follow
from style import BLUE, GREY, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, _ = carat_price()
sizes = (8, 32, 512, 8192, None)
figure, axes = panels("batch_size: large batches make few steps per epoch", 1, 5, height=3.1, sharey=True)
for ax, size in zip(axes, sizes, strict=True):
    model = RMSpropRegressor(batch_size=size, random_state=0)
    ax.semilogy(range(1, 31), follow(model, x[:, np.newaxis], y, 30), color=BLUE)
    steps = int(np.ceil(len(x) / (size or len(x))))
    ax.set(title=f"{size}{' (default)' if size == 32 else ''}", xlabel="epochs", ylim=(1e-12, 3))
    ax.annotate(
        f"{steps:,} step{'s' * (steps > 1)}\nper epoch", (0.5, 0.05), xycoords="axes fraction", ha="center", color=GREY
    )
axes[0].set_ylabel("excess loss")
