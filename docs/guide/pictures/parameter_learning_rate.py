"""learning_rate: the last iterate and the average over the epochs, from too small to too large."""

from loops import carat_price, follow
from style import BLUE, ORANGE, panels

from sklearn_rmsprop import RMSpropRegressor

x, y, _ = carat_price()
figure, axes = panels(
    "learning_rate: too small, no convergence; too large, only the last iterate suffers",
    2,
    2,
    height=5,
    sharex=True,
    sharey=True,
)
axes = axes.ravel()
for ax, rate in zip(axes, (1e-4, 0.01, 0.2, 1), strict=True):
    for average, color, name in ((False, ORANGE, "last iterate"), (True, BLUE, "average")):
        model = RMSpropRegressor(learning_rate=rate, average=average, random_state=0)
        ax.semilogy(range(1, 31), follow(model, x[:, None], y, 30), color=color, label=name)
    ax.set(title=f"{rate:g}{' (default)' if rate == 0.2 else ''}", ylim=(1e-10, 3))
for ax in axes[::2]:
    ax.set_ylabel("excess loss")
axes[0].legend(loc="lower left")
for ax in axes[2:]:
    ax.set_xlabel("epochs")
