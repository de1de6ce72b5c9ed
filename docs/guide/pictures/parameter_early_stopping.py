"""early_stopping: loss on the training rows and score on the held-out rows, with too many columns."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures
from style import BLUE, GREEN, ORANGE, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = load_diabetes(return_X_y=True)
X = PolynomialFeatures(3, include_bias=False).fit_transform(X / X.std(axis=0))
model = RMSpropRegressor(
    learning_rate=2e-3, early_stopping=True, validation_fraction=0.3, tol=0, n_iter_no_change=15, random_state=0
)
model.fit(X, y)
epochs = model.n_iter_ / len(model.loss_curve_) * np.arange(1, len(model.loss_curve_) + 1)
best = np.argmax(model.validation_scores_)
figure, axes = panels("early_stopping: report the model with the best validation score", 1, 2, height=3.5, sharex=True)
axes[0].plot(epochs, 2 * np.array(model.loss_curve_) / np.var(y), color=ORANGE)
axes[0].set(title="training rows: the loss always falls", xlabel="epochs", ylabel="loss (variance of y = 1)")
axes[1].plot(epochs, model.validation_scores_, color=BLUE)
axes[1].plot(epochs[best], model.validation_scores_[best], "o", color=GREEN, markersize=9)
axes[1].annotate(
    "reported", (epochs[best], model.validation_scores_[best]), (0, 8), textcoords="offset points", ha="center"
)
axes[1].set(title="held-out rows: the score rises, then falls", xlabel="epochs", ylabel="R2")
axes[1].margins(y=0.15)
