"""The landing page's picture: the excess loss after each epoch, on the diamonds with all columns.

The README shows it too, from a file that this makes: python docs/pictures/landing.py docs/images/landing.png
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
from plotnine.data import diamonds
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, SGDRegressor
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_rmsprop import RMSpropRegressor

N_EPOCHS = 20
CATEGORIES = ["cut", "color", "clarity"]
encoder = make_column_transformer(
    (OneHotEncoder(sparse_output=False), CATEGORIES), remainder=StandardScaler(), sparse_threshold=0
)
X = encoder.fit_transform(diamonds.drop(columns="price"))
y = StandardScaler().fit_transform(diamonds[["price"]]).ravel()
best = LinearRegression().fit(X, y).score(X, y)


def excess_losses(model):
    """Return the excess loss after each epoch: 0 for least squares, 1 for the mean of the target."""
    excess = []
    for epoch in range(N_EPOCHS):
        # SGDRegressor shuffles alike in each call of partial_fit.
        order = np.random.default_rng(epoch).permutation(len(X))
        model.partial_fit(X[order], y[order])
        excess.append(1 - model.score(X, y) / best)
    return excess


textbook = RMSpropRegressor(
    learning_rate=0.01,
    decay_rate=0.9,
    schedule="constant",
    average=False,
    bias_correction=False,
    standardize=False,
    random_state=0,
)
curves = [
    ("RMSprop as in textbooks", textbook, "#d55e00", "--"),
    ("SGDRegressor()", SGDRegressor(random_state=0), "#7f7f7f", "-."),
    ("RMSpropRegressor()", RMSpropRegressor(random_state=0), "#0072b2", "-"),
]
figure, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
epochs = np.arange(1, N_EPOCHS + 1)
for name, model, color, style in curves:
    excess = excess_losses(model)
    ax.semilogy(epochs, excess, style, color=color, linewidth=2, marker=".")
    ax.annotate(name, (N_EPOCHS + 0.3, np.median(excess[-5:])), color=color, va="center", annotation_clip=False)
ax.set(
    xlim=(0.5, N_EPOCHS + 6.5),
    xticks=[1, 5, 10, 15, 20],
    xlabel="epoch (pass over the data)",
    ylabel="excess loss\n(0: least squares, 1: mean price)",
)
ax.set_title("Excess loss of untuned fits: price of 53,940 diamonds from 26 columns", loc="left", fontsize=11)
ax.grid(alpha=0.3)
ax.spines[["top", "right"]].set_visible(False)
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=90, pil_kwargs={"optimize": True})
