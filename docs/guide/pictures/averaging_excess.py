"""How far above least squares each kind of iterate is, over the epochs, on the diamonds."""

import numpy as np
from loops import carat_price, follow
from style import BLUE, GREEN, ORANGE, RED, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, _ = carat_price()
figure, ax = panels("Averaging reduces the excess loss more than ten-thousandfold", height=4.4)
kinds = (
    ("constant", False, RED, "-"),
    ("invsqrt", False, ORANGE, "-"),
    ("constant", True, GREEN, "--"),
    ("invsqrt", True, BLUE, "-"),
)
epochs = np.arange(1, 101)
for schedule, average, color, line in kinds:
    model = RMSpropRegressor(schedule=schedule, average=average, random_state=0)
    missed = follow(model, x[:, np.newaxis], y, len(epochs))
    name = f"{'average' if average else 'last iterate'}, {schedule}"
    ax.loglog(epochs, missed, color=color, linestyle=line, label=name)
ax.set(xlabel="epochs", ylabel="excess loss: (loss - optimal loss)\n/ (null loss - optimal loss)", ylim=(3e-12, 1))
ax.legend(loc="lower left")
