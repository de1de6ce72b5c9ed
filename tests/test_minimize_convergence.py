"""Where `rmsprop` arrives: at rest, on a circle around the minimum, or near it with the defaults."""

import numpy as np
import pytest
from scipy.optimize import minimize, rosen

from sklearn_rmsprop import rmsprop

TEXTBOOK = {"schedule": "constant", "average": False, "bias_correction": False}


def run(fun, x0, jac, callback=None, **options):
    return minimize(fun, x0, jac=jac, method=rmsprop, callback=callback, options=options)


# x / log(x) has its minimum at e. What becomes of steps of 0.3 is decided in the last dozens of them. Up to there
# successive gradients are alike, and each step is about 0.3 long. Near the minimum the gradient is f''(e) (x - e),
# where f''(e) is 1 / e, and a step multiplies the distance by 1 - r with r = 0.3 f''(e) / sqrt(s). On arrival r is
# about 0.5. The gradients now are small against sqrt(s), which therefore merely decays, so that r grows, by 1 /
# sqrt(decay_rate) a step. While r is between 0 and 2 the distance shrinks, the faster the nearer r is to 1: with a
# decay of 0.9 for some 25 steps, with 0.99 for some 270. Beyond 2 each step overshoots by more than it corrects.
#
# If the gradient has become exactly 0 until then, the iterate rests for ever, for 0 / (sqrt(s) + epsilon) is 0,
# however large r. In float32 that is soon so: the logarithm of the number next to e is 1. In float64 the distance
# must come down to 4e-16. With 0.99 there is time enough. With 0.9 there is not always: from 364 the iterate jumps to
# and fro over the two numbers where the gradient is 0, until r exceeds 2 and what rounding has left grows up again,
# by a factor r - 1 a step, until the gradient is as large as sqrt(s). Then s is about g ** 2, and each step is 0.3 *
# sign(g): a circle of two points 0.3 apart, on which gradients are equal but for the sign, 2.589 and 2.889.


def x_over_log(x):
    return np.sum(x / np.log(x))


def x_over_log_der(x):
    logarithm = np.log(x)
    return (logarithm - 1) / logarithm**2


def iterates_from_364(dtype, **options):
    points = []

    def keep(x):
        points.append(x[0])

    start = np.array([364], dtype=dtype)
    run(x_over_log, start, x_over_log_der, callback=keep, **{**TEXTBOOK, "learning_rate": 0.3, **options})
    path = np.array(points)
    assert path.dtype == dtype
    return path


@pytest.mark.parametrize(
    ("decay_rate", "epsilon", "expected", "atol"),
    [
        # PyTorch's defaults, by PyTorch; it rounds a little differently.
        (
            0.99,
            1e-8,
            [361.0000, 302.5840, 268.0156, 236.2579, 205.2928, 174.5349, 143.7643, 112.8619, 81.7036, 50.0471, 17.0591],
            1e-3,
        ),
        # Keras's defaults, by Keras, where epsilon is inside the root: there it makes each step a little shorter.
        (
            0.9,
            1e-7,
            [
                *(363.0513, 330.9281, 300.8931, 270.8544, 240.8105, 210.7600),
                *(180.7007, 150.6295, 120.5406, 90.4234, 60.2539, 29.9579),
            ],
            3e-3,
        ),
    ],
)
def test_float32_follows_other_libraries_and_comes_to_rest(decay_rate, epsilon, expected, atol):
    path = iterates_from_364(np.float32, decay_rate=decay_rate, epsilon=epsilon, maxiter=1600)
    n = len(expected)
    np.testing.assert_allclose(path[: 100 * n : 100], expected, rtol=0, atol=atol)
    rest = path[100 * n + 10 :]
    assert (rest == rest[0]).all()
    assert x_over_log_der(rest[:1]) == 0
    np.testing.assert_allclose(rest, np.e, rtol=1e-7)


def test_float64_circles_around_the_minimum():
    # e - 0.13 and e + 0.17: the gradient is steeper on the left.
    path = iterates_from_364(np.float64, decay_rate=0.9, epsilon=1e-7, maxiter=1700)
    low, high = np.sort(path[-2:])
    np.testing.assert_allclose([low, high], [2.5886, 2.8886], atol=1e-4)
    np.testing.assert_allclose(path[-300:-2], path[-298:], rtol=1e-4)
    np.testing.assert_allclose(high - low, 0.3, rtol=1e-5)  # but for epsilon
    np.testing.assert_allclose(x_over_log_der(high), -x_over_log_der(low), rtol=1e-4)
    # It had been there: the distance shrinks to rounding, and grows again.
    distance = np.abs(path - np.e)
    assert distance.min() < 1e-14
    assert distance[np.argmin(distance) + 20 :].max() > 0.15


def test_float64_rests_where_it_meets_a_gradient_of_zero():
    starts = np.linspace(30.0, 40.0, 200)
    options = {**TEXTBOOK, "learning_rate": 0.3, "maxiter": 400}
    ends = {rate: run(x_over_log, starts, x_over_log_der, decay_rate=rate, **options).x for rate in (0.9, 0.99)}
    assert (x_over_log_der(ends[0.99]) == 0).all()
    resting = x_over_log_der(ends[0.9]) == 0
    # Chance decides: two of three rest.
    assert 0.2 < resting.mean() < 0.9
    assert (np.abs(ends[0.9][~resting] - np.e) > 0.12).all()
    float32 = run(x_over_log, starts.astype(np.float32), x_over_log_der, decay_rate=0.9, **options)
    assert (float32.jac == 0).all()


@pytest.mark.parametrize(
    ("options", "smallest", "largest"),
    [
        ({}, 0.12, 0.18),
        # The middle of the circle, which is not the minimum: the function is steeper on the left.
        ({"average": True}, 0.01, 0.03),
        # The last of 1000 steps is 0.09 long, and no circle is wider. Here all come to rest.
        ({"schedule": "invsqrt"}, 0, 0.06),
        # What is left is the way to the minimum, which the average has not quite forgotten.
        ({"schedule": "invsqrt", "average": True}, 0, 1e-3),
        ({"schedule": "linear"}, 0, 1e-3),
        ({"schedule": "cosine"}, 0, 1e-3),
    ],
)
def test_what_schedule_and_average_make_of_the_circle(options, smallest, largest):
    # From 30 starts, because each comes to rest by chance.
    starts = np.linspace(15.0, 25.0, 30)
    options = {**TEXTBOOK, "learning_rate": 0.3, "decay_rate": 0.9, "maxiter": 1000, **options}
    distance = np.abs(run(x_over_log, starts, x_over_log_der, **options).x - np.e)
    assert smallest <= distance.max() <= largest


@pytest.mark.parametrize(
    ("options", "smallest", "largest"),
    [({}, 0, 1e-7), ({"schedule": "constant", "average": False}, 0.01, 0.04)],
)
def test_rosenbrock(options, smallest, largest):
    def jac(point):
        """Do what rosen_der does, in a tenth of the time."""
        x, y = point.tolist()
        return np.array([-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x)])

    result = run(rosen, [-1.2, 1], jac, learning_rate=0.01, maxiter=20_000, **options)
    assert smallest < result.fun < largest


def quadratic(condition, distance, *, rotated, n=5):
    """Return gradient and minimum of a quadratic function; curvatures from 1 / condition to 1."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(n, n)))[0] if rotated else np.eye(n)
    curvature = axes * np.geomspace(1 / condition, 1, n) @ axes.T
    minimum = rng.normal(size=n)
    minimum *= distance / np.linalg.norm(minimum)
    return curvature, minimum


@pytest.mark.parametrize(
    ("condition", "distance", "rotated"),
    [(1, 1, False), (10, 50, True), (1e3, 10, True), (1e6, 10, False)],
)
def test_defaults_solve_convex_problems(condition, distance, rotated):
    curvature, minimum = quadratic(condition, distance, rotated=rotated)

    def fun(x):
        return (x - minimum) @ curvature @ (x - minimum) / 2

    def jac(x):
        return curvature @ (x - minimum)

    result = minimize(fun, np.zeros(len(minimum)), jac=jac, method=rmsprop)
    assert result.nit == 10_000
    np.testing.assert_allclose(result.x, minimum, rtol=0, atol=1e-2)
    assert result.fun < 1e-4


def test_logistic_regression_without_gradient():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 2)) * [1, 10]
    y = np.sign(X @ [1.0, 0.1] + rng.normal(size=50))

    def fun(w):
        return np.mean(np.logaddexp(0, -y * (X @ w))) + 0.01 * w @ w

    result = minimize(fun, [0, 0], method=rmsprop, options={"maxiter": 600})
    np.testing.assert_allclose(result.x, minimize(fun, [0, 0]).x, rtol=0, atol=1e-2)
