"""scikit-learn's own displays of predictions, of more rows, and of one parameter."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.metrics import PredictionErrorDisplay
from sklearn.model_selection import LearningCurveDisplay, ValidationCurveDisplay, cross_val_predict
from style import BLUE, panels

from sklearn_rmsprop import RMSpropRegressor

X, y = load_diabetes(return_X_y=True)
model = RMSpropRegressor(max_iter=100, tol=None, random_state=0)
figure, (errors, rows, rates) = panels("scikit-learn's displays: errors, more rows, learning rates", 1, 3, height=3.8)

predicted = cross_val_predict(model, X, y)
PredictionErrorDisplay.from_predictions(y, predicted, ax=errors, scatter_kwargs={"s": 8, "alpha": 0.5, "color": BLUE})
errors.set(title="PredictionErrorDisplay:\nerrors up to 150", xlabel="predicted", ylabel="true value - predicted")

shuffled = {"shuffle": True, "random_state": 0}
LearningCurveDisplay.from_estimator(
    model, X, y, train_sizes=np.linspace(0.1, 1, 8), score_name="R2", ax=rows, **shuffled
)
rows.set(title="LearningCurveDisplay:\n200 rows are enough", xlabel="training rows", ylim=(0.2, 0.8))

ValidationCurveDisplay.from_estimator(
    model, X, y, param_name="learning_rate", param_range=np.geomspace(1e-4, 10, 11), score_name="R2", ax=rates
)
rates.set(title="ValidationCurveDisplay:\nconstant from 0.003 on", ylim=(0, 0.6))
