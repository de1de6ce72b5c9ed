"""Six points, one line: RMSprop in a dozen lines of Python.

We look for the line ``y = slope * x + intercept`` with the smallest mean squared error on six
points. Imagine standing blindfolded on the surface that the error draws over (slope, intercept):
the gradient tells, at the place where we stand, in which direction the ground rises and how
steeply. Gradient descent steps the other way, by a length proportional to the steepness. Here the
ground is about forty times steeper along the slope than along the intercept, so no single
factor suits both. RMSprop divides each coordinate's gradient by a running estimate of its own
size; what is left is a step of about ``learning_rate`` in each coordinate, however steep it is.

The script runs that loop, then the estimator set to do exactly the same, then the estimator with
its defaults.
"""

import numpy as np

from sklearn_rmsprop import RMSpropRegressor

X = np.array([5.0, 15.0, 25.0, 35.0, 45.0, 55.0])
Y = np.array([5.0, 20.0, 14.0, 32.0, 22.0, 38.0])
START = np.array([3.0, 5.0])  # slope, intercept: far too steep


def rmsprop_loop(x, y, start, *, n_steps=5000, learning_rate=0.001, decay_rate=0.9, epsilon=1e-8):
    """Full-batch RMSprop for a line: return (slope, intercept) before and after each step."""
    weights = np.array(start, dtype=float)
    mean_square = np.zeros(2)
    path = [weights.copy()]
    for _ in range(n_steps):
        # How far the line is above each point, and what that says about slope and intercept.
        residual = weights[0] * x + weights[1] - y
        gradient = np.array([np.mean(residual * x), np.mean(residual)])
        # How large this coordinate's gradients have been lately.
        mean_square = decay_rate * mean_square + (1 - decay_rate) * gradient**2
        # One step downhill, with the gradient measured in its own usual size.
        weights = weights - learning_rate * gradient / (np.sqrt(mean_square) + epsilon)
        path.append(weights.copy())
    return np.array(path)


def textbook_regressor(n_steps=5000):
    """Return the estimator with everything switched off that the loop does not have."""
    return RMSpropRegressor(
        learning_rate=0.001,
        decay_rate=0.9,
        epsilon=1e-8,
        batch_size=None,  # all six points in each step
        max_iter=n_steps,
        tol=None,  # no stopping rule: exactly n_steps
        bias_correction=False,
        schedule="constant",
        average=False,
        standardize=False,
        shuffle=False,
    )


def rmse(slope, intercept):
    """Root mean squared error of a line on the six points."""
    return np.sqrt(np.mean((slope * X + intercept - Y) ** 2))


def show(name, slope, intercept):
    """Print one line of the table."""
    print(f"{name:<34}{slope:>10.6f}{intercept:>11.6f}{rmse(slope, intercept):>11.6f}")


def main():
    """Print the three fits beside the least-squares line."""
    print(f"{'':<34}{'slope':>10}{'intercept':>11}{'RMSE':>11}")
    path = rmsprop_loop(X, Y, START)
    for step in (0, 1, 1000, 2000, 5000):
        show(f"loop, after {step} steps", *path[step])

    textbook = textbook_regressor().fit(X[:, np.newaxis], Y, coef_init=START[:1], intercept_init=START[1])
    show("RMSpropRegressor, textbook mode", textbook.coef_[0], textbook.intercept_)

    default = RMSpropRegressor(random_state=0).fit(X[:, np.newaxis], Y)
    show(f"RMSpropRegressor(), {default.t_} steps", default.coef_[0], default.intercept_)

    show("least squares", *np.polyfit(X, Y, 1))


if __name__ == "__main__":
    main()
