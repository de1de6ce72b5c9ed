"""tol and n_iter_no_change: where fits of the diabetes data stop, along iterates that they share (batches of 32)."""

from loops import follow
from sklearn.datasets import load_diabetes
from style import BLUE, GREY, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = load_diabetes(return_X_y=True)
excess = follow(RMSpropRegressor(batch_size=32, random_state=0), X, y, 500)
figure, axes = panels(
    "Smaller tol, larger n_iter_no_change: more epochs, less excess loss", 2, 2, height=6, sharex=True, sharey=True
)
axes = axes.ravel()
for ax, tol, patience in zip(axes, (1e-3, 1e-4, 1e-5, 1e-4), (2, 5, 5, 20), strict=True):
    epochs = RMSpropRegressor(batch_size=32, tol=tol, n_iter_no_change=patience, random_state=0).fit(X, y).n_iter_
    ax.semilogy(range(1, 501), excess, color=GREY, linewidth=1)
    ax.plot(epochs, excess[epochs - 1], "o", color=BLUE, markersize=9)
    ax.annotate(f"stops after {epochs} epochs\nat {excess[epochs - 1]:.0e}", (0.25, 0.8), xycoords="axes fraction")
    ax.set(title=f"tol={tol:g}\nn_iter_no_change={patience}" + (" (defaults)" if (tol, patience) == (1e-4, 5) else ""))
for ax in axes[::2]:
    ax.set_ylabel("excess loss")
for ax in axes[2:]:
    ax.set_xlabel("epochs")
