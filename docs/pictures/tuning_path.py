"""The path of an L1 penalty on the diabetes data: scores and coefficients over alpha."""

from sklearn.datasets import load_diabetes

from sklearn_rmsprop import PathDisplay, RMSpropRegressorCV

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = RMSpropRegressorCV(penalty="l1", random_state=0).fit(X, y)
display = PathDisplay.from_estimator(model)
display.axes_[0].set_title("Cross-validated score and coefficients over alpha")
