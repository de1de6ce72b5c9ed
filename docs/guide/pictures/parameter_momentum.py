"""momentum: on the diabetes data, whose columns are correlated, not whitened, with full and with small batches."""

from loops import follow
from sklearn.datasets import load_diabetes
from style import BLUE, ORANGE, RED, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = load_diabetes(return_X_y=True)
figure, axes = panels(
    "momentum: faster in a narrow valley without noise, less accurate with noise", 1, 2, height=3.5, sharey=True
)
for ax, batch_size, where in zip(axes, (None, 8), ("all rows in each step", "8 rows in each step"), strict=True):
    for momentum, color in ((0, BLUE), (0.5, ORANGE), (0.9, RED)):
        model = RMSpropRegressor(whiten=False, momentum=momentum, batch_size=batch_size, random_state=0)
        ax.loglog(range(1, 251), follow(model, X, y, 250), color=color, label=f"momentum={momentum}")
    ax.set(title=where, xlabel="epochs", ylim=(1e-12, 2))
axes[0].set_ylabel("excess loss")
axes[0].legend(loc="lower left")
