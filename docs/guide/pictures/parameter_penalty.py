"""penalty, alpha, l1_ratio: the coefficients of the diabetes data as the penalty grows."""

import numpy as np
from sklearn.datasets import load_diabetes
from style import BLUE, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = load_diabetes(return_X_y=True)
X = X / X.std(axis=0)
strengths = np.logspace(-1, 2.2, 12)
figure, axes = panels(
    "penalty: L2 shrinks all coefficients, L1 sets them to zero one by one", 1, 3, height=3.5, sharey=True
)
for ax, penalty in zip(axes, ("l2", "elasticnet", "l1"), strict=True):
    coefs = []
    for alpha in strengths:
        model = RMSpropRegressor(penalty=penalty, alpha=alpha, l1_ratio=0.5, random_state=0)
        coefs.append(model.fit(X, y).coef_)
    coefs = np.array(coefs)
    ax.semilogx(strengths, coefs, color=BLUE, linewidth=1.2)
    ax.set(title=f'"{penalty}"' + (", l1_ratio=0.5" if penalty == "elasticnet" else ""), xlabel="alpha")
    for at in (3, 7, 11):
        zeros = np.sum(coefs[at] == 0)
        ax.annotate(f"{zeros} zero", (strengths[at], -36), ha="right" if at == 11 else "center", fontsize=9)
axes[0].set_ylabel("coefficients")
axes[0].set_ylim(-38, 38)
