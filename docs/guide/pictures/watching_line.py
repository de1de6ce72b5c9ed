"""RegressionLineDisplay: a line for the mean and one for a quantile through the same points."""

from sklearn.datasets import load_diabetes
from style import BLUE, RED, panels

from sklearn_rmsprop import RegressionLineDisplay, RMSpropRegressor

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X[["bmi"]]
figure, ax = panels("The mean, and the line below which nine of ten patients lie")
mean = RMSpropRegressor(random_state=0).fit(X, y)
RegressionLineDisplay.from_estimator(mean, X, y, name="mean", ax=ax, line_kw={"color": BLUE})
top = RMSpropRegressor("quantile", quantile=0.9, random_state=0).fit(X, y)
RegressionLineDisplay.from_estimator(
    top, X, y, name="0.9 quantile", ax=ax, points=False, line_kw={"color": RED, "linestyle": "--"}
)
ax.set(xlabel="body mass index (kg / m²)", ylabel="progression of the disease\nafter a year")
