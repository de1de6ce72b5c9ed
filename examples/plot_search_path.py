"""
Choosing alpha for a robust fit, in one pass
============================================

Which columns matter? An L1 penalty sets the coefficients of the others to zero, if ``alpha`` is well chosen. With
outliers in the target, least squares and cross-validated R2 choose badly. ``RMSpropRegressorCV`` searches with any of
the losses, and trains all values of alpha in one pass over the rows for each fold.
"""

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LassoCV
from sklearn.model_selection import GridSearchCV

from sklearn_rmsprop import PathDisplay, RMSpropRegressor, RMSpropRegressorCV

# %%
# Five columns of thirty, and noise with outliers
# -----------------------------------------------
# The noise has Student's t distribution with 1.5 degrees of freedom, which has no finite variance: a few of the 5000
# targets are hundreds of times farther from the line than the others.

rng = np.random.default_rng(0)
X = rng.normal(size=(5000, 30))
effects = np.zeros(30)
effects[:5] = [2.0, -1.5, 1.0, 0.5, -0.3]
noise = rng.standard_t(1.5, size=5000)
y = X @ effects + noise
print(f"half of the errors are below {np.median(np.abs(noise)):.1f},", end=" ")
print(f"the largest is {np.abs(noise).max():.0f}")

# %%
# Least squares chooses badly
# ---------------------------
# A few rows have nearly all of the squared error that ``LassoCV`` minimises.


def describe(name, model):
    """Print which columns a model uses, and how wrong its coefficients are."""
    used = np.flatnonzero(model.coef_)
    wrong = np.abs(model.coef_ - effects).max()
    print(f"{name}: alpha {model.alpha_:.2g}, {len(used)} columns,", end=" ")
    print(f"largest error of a coefficient {wrong:.2f}")


describe("LassoCV", LassoCV(cv=5).fit(X, y))

# %%
# The Huber loss, and a robust score
# ----------------------------------
# The Huber loss is linear beyond ``delta``, here the size of an ordinary error. The score must be robust, too, or the
# outliers of the test rows choose alpha: the median of the absolute errors is. ``select="one_se"`` takes the simplest
# model whose score is within one standard error of the best one.

search = RMSpropRegressorCV(
    "huber",
    penalty="l1",
    scoring="neg_median_absolute_error",
    select="one_se",
    random_state=0,
)
began = process_time()
search.fit(X, y)
seconds = process_time() - began
describe("RMSpropRegressorCV", search)

display = PathDisplay.from_estimator(search)
display.figure_.suptitle("The five columns with an effect get coefficients first")
plt.show()

# %%
# Above: the score over alpha, with a band of one standard error. Below: the coefficients. From right to left the
# penalty becomes weaker, and one column after the other gets a coefficient. At the chosen alpha (dotted line), all five
# have one, and a few of the others have coefficients close to zero. Farther left the rest of them follow, and the score
# falls.
#
# How long it takes
# -----------------
# The same search with ``GridSearchCV`` fits each value of alpha on its own, with the same scores.

grid = GridSearchCV(
    RMSpropRegressor("huber", penalty="l1", random_state=0),
    {"alpha": search.alphas_},
    scoring="neg_median_absolute_error",
)
began = process_time()
grid.fit(X, y)
grid_seconds = process_time() - began
difference = grid.cv_results_["mean_test_score"] - search.cv_results_["mean_test_score"]
print(f"32 values of alpha, five folds: {seconds:.2f} s,", end=" ")
print(f"with GridSearchCV {grid_seconds:.2f} s")
print(f"largest difference of a mean score: {np.abs(difference).max():.0e}")
