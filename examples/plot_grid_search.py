"""
A grid search over learning_rate and decay_rate
===============================================

RMSprop has two main parameters: the length of a step (``learning_rate``), and the length of the memory for the
magnitude of gradients (``decay_rate``). ``RMSpropRegressor`` is an ordinary scikit-learn estimator, so ``GridSearchCV``
can search for the best pair. In this example, tuning improves little: most settings are about as good as the defaults.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle
from plotnine.data import diamonds
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_rmsprop import RMSpropRegressor

# %%
# The price of a diamond from all columns
# ---------------------------------------
# The table comes with the package plotnine. Cut, color and clarity are names; one-hot encoding makes 26 columns. Half
# of the rows are enough here, the other half is for the test.

X = pd.get_dummies(diamonds.drop(columns="price"), dtype=float).to_numpy()
y = diamonds["price"].to_numpy(dtype=float)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
print(f"{X_train.shape[0]} rows, {X_train.shape[1]} columns")

# %%
# The search
# ----------
# The fit standardises internally and does not need the ``StandardScaler``. It is here to show the names of parameters
# in a pipeline: the step, two underscores, the parameter. Five decay rates times six learning rates, three fits each.

decay_rates = [0.9, 0.97, 0.99, 0.999, "auto"]
learning_rates = [0.006, 0.02, 0.06, 0.2, 0.6, 2.0]

pipeline = make_pipeline(StandardScaler(), RMSpropRegressor(random_state=0))
grid = {
    "rmspropregressor__decay_rate": decay_rates,
    "rmspropregressor__learning_rate": learning_rates,
}
search = GridSearchCV(pipeline, grid, cv=3, return_train_score=True).fit(
    X_train, y_train
)

cross_validated = search.cv_results_["mean_test_score"]
print(f"best setting: {search.best_params_}")
print(f"cross-validated R2: {cross_validated.max():.4f} (best)", end=" ")
print(f"to {cross_validated.min():.4f} (worst)")
n_good = np.sum(cross_validated > cross_validated.max() - 0.001)
print(f"settings within 0.001 of the best: {n_good} of {cross_validated.size}")
print(f"test R2 of the best setting: {search.score(X_test, y_test):.4f}")
untuned = pipeline.fit(X_train, y_train)
print(f"test R2 of the defaults:     {untuned.score(X_test, y_test):.4f}")

# %%
# The excess loss of each setting
# -------------------------------
# Many settings have nearly the same R2. To see differences we compute the *excess loss* on the training rows: 1 - (R2
# of the model) / (R2 of least squares). No linear model has a higher R2 on these rows than least squares, so the excess
# loss is never negative, and can be shown on a logarithmic scale.

exact = cross_validate(
    LinearRegression(), X_train, y_train, cv=3, return_train_score=True
)["train_score"].mean()
# The search takes the parameters in the order of their names; the last varies fastest.
scores = search.cv_results_["mean_train_score"].reshape(
    len(decay_rates), len(learning_rates)
)
excess_loss = 1 - scores / exact

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
image = ax.imshow(
    excess_loss, cmap="cividis_r", norm=LogNorm(1e-5, 1e-2), aspect="auto"
)
for (row, column), value in np.ndenumerate(excess_loss):
    text = f"{value:.0e}".replace("e-0", "e-")
    ax.text(
        column,
        row,
        text,
        ha="center",
        va="center",
        color="white" if value > 5e-4 else "black",
    )

default = RMSpropRegressor()
column, row = (
    learning_rates.index(default.learning_rate),
    decay_rates.index(default.decay_rate),
)
ax.add_patch(
    Rectangle(
        (column - 0.47, row - 0.47),
        0.94,
        0.94,
        fill=False,
        edgecolor="black",
        linewidth=4,
    )
)
ax.text(column, row - 0.25, "default", ha="center", va="center", weight="bold")

ax.set_xticks(range(len(learning_rates)), learning_rates)
ax.set_yticks(range(len(decay_rates)), decay_rates)
ax.set(xlabel="learning_rate", ylabel="decay_rate")
ax.set_title("Excess loss of each setting: many are as good as the defaults")
figure.colorbar(image, label="excess loss", extend="both")
plt.show()

# %%
# Along a row: with steps that are too long, the iterates oscillate so widely that even their average is not at the
# minimum. With smaller rates, a factor of ten in ``learning_rate`` makes no noticeable difference on new rows.
#
# Down a column: with moderate learning rates the decay rate hardly matters from 0.97 on. (``"auto"``, a memory of all
# steps, is the default because of columns that are nonzero in few rows.) The textbook's 0.9 is worse there. Its memory
# is ten gradients, so a large gradient is divided by a root mean square of which it is a large part, which biases the
# model away from least squares.
