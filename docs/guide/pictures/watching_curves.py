"""TrainingCurveDisplay: three rates on the same axes, and a loss together with its validation score."""

from sklearn.datasets import load_diabetes
from style import BLUE, GREY, ORANGE, panels

from sklearn_rmsprop import RMSpropRegressor, TrainingCurveDisplay

X, y = load_diabetes(return_X_y=True)
figure, (rates, stopping) = panels("Is the loss still falling? Has the score begun to fall?", 1, 2, height=3.8)
for rate, color in ((0.2, BLUE), (0.003, ORANGE), (0.001, GREY)):
    model = RMSpropRegressor(learning_rate=rate, max_iter=200, tol=None, random_state=0).fit(X, y)
    TrainingCurveDisplay.from_estimator(model, name=f"learning_rate={rate:g}", ax=rates, line_kw={"color": color})
rates.set_title("0.001: the loss is still falling")
rates.legend(loc="upper right")

model = RMSpropRegressor(
    learning_rate=0.003,
    whiten=False,
    max_iter=200,
    tol=None,
    early_stopping=True,
    validation_fraction=0.25,
    random_state=0,
)
TrainingCurveDisplay.from_estimator(
    model.fit(X, y),
    name="0.003, whiten=False",
    ax=stopping,
    line_kw={"color": ORANGE},
    validation_line_kw={"color": BLUE},
)
stopping.set_title("early_stopping: the dot is the best score")
