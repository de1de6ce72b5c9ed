"""`rmsprop` as a method of `scipy.optimize.minimize`: its options, and SciPy's conventions.

That its steps are RMSprop's is tested in test_torch_and_tutorial.py, against PyTorch.
"""

import numpy as np
import pytest
from scipy.optimize import (
    Bounds,
    LinearConstraint,
    OptimizeResult,
    OptimizeWarning,
    basinhopping,
    minimize,
    rosen,
    rosen_der,
    rosen_hess,
)

from sklearn_rmsprop import rmsprop

TEXTBOOK = {"schedule": "constant", "average": False, "bias_correction": False}
SCALES = np.array([1.0, 100.0])


def bowl(x):
    """Have the minimum 1 at (1, 1)."""
    return 1 + np.sum(SCALES * (x - 1) ** 2) / 2


def bowl_der(x):
    return SCALES * (x - 1)


def run(fun=bowl, x0=(0.0, 3.0), jac=bowl_der, **options):
    """Run `minimize`, whose own parameters are among the options too."""
    own = {name: options.pop(name) for name in ("args", "tol", "callback") if name in options}
    return minimize(fun, x0, jac=jac, method=rmsprop, options={"maxiter": 300, **options}, **own)


class Counted:
    """A function that counts its calls, and keeps what it was called with."""

    def __init__(self, function):
        self.function, self.points = function, []

    def __call__(self, x, *args):
        self.points.append(np.array(x))
        return self.function(x, *args)

    @property
    def calls(self):
        return len(self.points)


def test_average_is_that_of_the_iterates_late_ones_above_all():
    points = Counted(lambda x: None)
    run(callback=points, average=False, learning_rate=0.3)
    t = np.arange(1, 301)
    weights = t * (t + 1) * (t + 2)  # A <- A + 4 / (t + 3) * (w - A), multiplied out
    result = run(learning_rate=0.3)
    np.testing.assert_allclose(result.x, np.average(points.points, axis=0, weights=weights), rtol=1e-12)
    # The value and the gradient are those there, and not those of the last iterate.
    assert result.fun == bowl(result.x)
    np.testing.assert_array_equal(result.jac, bowl_der(result.x))


def test_average_of_float32_iterates_does_not_gather_rounding():
    points = Counted(lambda x: None)
    options = {"x0": np.array([0, 3], dtype=np.float32), "schedule": "constant", "maxiter": 2000}
    run(callback=points, average=False, **options)
    t = np.arange(1, 2001)
    average = np.average(np.array(points.points, dtype=float), axis=0, weights=t * (t + 1) * (t + 2))
    np.testing.assert_array_equal(run(**options).x, average.astype(np.float32))


@pytest.mark.parametrize(
    ("schedule", "sizes"),
    [
        ("constant", [0.2, 0.2, 0.2, 0.2]),
        ("invsqrt", [0.2 / np.sqrt(1 + t / 100) for t in (1, 2, 3, 4)]),
        ("linear", [0.2, 0.15, 0.1, 0.05]),
        ("cosine", [0.2, 0.1 + 0.1 * np.sqrt(0.5), 0.1, 0.1 - 0.1 * np.sqrt(0.5)]),
        (lambda t: 1.0 / t**2, [1, 1 / 4, 1 / 9, 1 / 16]),
    ],
)
def test_schedules_set_the_length_of_steps(schedule, sizes):
    # Where the gradient is always the same, corrected steps are as long as the rate.
    points = Counted(lambda x: None)
    options = {"learning_rate": 0.2, "schedule": schedule, "average": False, "maxiter": 4}
    run(lambda x: 5 * x[0], [0.0], lambda x: np.array([5.0]), callback=points, **options)
    np.testing.assert_allclose(np.diff([0.0, *np.ravel(points.points)]), np.negative(sizes), rtol=1e-7)


@pytest.mark.parametrize(
    ("decay_rate", "lengths"),
    [
        # 1 / sqrt(1 - decay_rate ** t), and for "auto" the same with the product of 1 - 0.9 / t
        (0.99, [10, 1 / np.sqrt(1 - 0.99**2)]),
        ("auto", [1 / np.sqrt(0.9), 1 / np.sqrt(1 - 0.1 * 0.55)]),
    ],
)
def test_first_steps_without_bias_correction(decay_rate, lengths):
    points = Counted(lambda x: None)
    options = {**TEXTBOOK, "decay_rate": decay_rate, "learning_rate": 1.0, "maxiter": 2}
    run(lambda x: 5 * x[0], [0.0], lambda x: np.array([5.0]), callback=points, **options)
    np.testing.assert_allclose(np.diff([0.0, *np.ravel(points.points)]), np.negative(lengths), rtol=1e-7)


VARIANTS = [
    {},
    TEXTBOOK,
    {"momentum": 0.9},
    {"centered": True},
    {"decay_rate": "auto", "momentum": np.float64(0.5), "epsilon": np.float64(1e-6)},
    {"schedule": lambda t: 0.1 / t**0.5},
]


@pytest.mark.parametrize("options", VARIANTS)
def test_float32_stays_float32(options):
    gradient = Counted(bowl_der)

    def bowl_der_32(x):
        assert x.dtype == np.float32
        return gradient(x).astype(np.float32)

    start = np.array([0, 3], dtype=np.float32)
    result = run(x0=start, jac=bowl_der_32, **options)
    assert result.x.dtype == result.jac.dtype == np.float32
    assert gradient.points[-1].dtype == np.float32
    # A few operations a step, in steps of up to 1; the approach does not amplify rounding.
    near = run(x0=start.astype(float), maxiter=10, **options)
    np.testing.assert_allclose(run(x0=start, maxiter=10, **options).x, near.x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("x0", [[0, 3], (0.0, 3.0), np.array([0, 3], dtype=np.float16), np.array([0, 3])])
def test_other_starts_become_float64_and_are_not_changed(x0):
    before = np.array(x0)
    result = run(x0=x0)
    assert result.x.dtype == np.float64
    np.testing.assert_array_equal(result.x, run(x0=[0.0, 3.0]).x)
    np.testing.assert_array_equal(x0, before)


def test_functions_may_write_to_what_they_get():
    def vandal(function):
        def called(x):
            value = function(x)
            x[:] = np.nan
            return value

        return called

    start = np.array([0.0, 3.0])
    result = run(vandal(bowl), start, vandal(bowl_der), callback=vandal(lambda x: None))
    np.testing.assert_array_equal(result.x, run().x)
    np.testing.assert_array_equal(start, [0.0, 3.0])


def test_args_reach_function_and_gradient():
    def fun(x, shift, scale):
        return scale * np.sum((x - shift) ** 2)

    def jac(x, shift, scale):
        return 2 * scale * (x - shift)

    result = run(fun, [0.0], jac, args=(0.5, 7.0))
    np.testing.assert_allclose(result.x, 0.5, atol=1e-4)
    single = rmsprop(lambda x, shift: np.sum((x - shift) ** 2), [0.0], args=0.5, maxiter=300)
    np.testing.assert_allclose(single.x, 0.5, atol=1e-4)


@pytest.mark.parametrize("jac", [None, False, "2-point", "3-point", "cs"])
def test_numerical_gradient(jac):
    fun = Counted(bowl)
    result = run(fun, jac=jac)
    np.testing.assert_allclose(result.x, run().x, rtol=0, atol=1e-6)
    assert result.njev == 301  # one a step, and one at the end
    assert result.nfev == fun.calls == 301 * 3 + 1  # each at three points, and the value
    # Differences of float32 numbers would be noise.
    result = run(x0=np.array([0, 3], dtype=np.float32), jac=jac)
    assert result.x.dtype == np.float32
    np.testing.assert_allclose(result.x, run().x, rtol=0, atol=1e-5)


def test_gradient_returned_by_the_function():
    result = run(lambda x: (bowl(x), bowl_der(x)), jac=True)
    np.testing.assert_array_equal(result.x, run().x)
    assert (result.nit, result.nfev, result.njev) == (300, 1, 301)


@pytest.mark.parametrize("options", [{}, {"average": False}, {"tol": 1e-3}, {"tol": 0.0}])
def test_calls_are_counted(options):
    fun, jac, steps = Counted(bowl), Counted(bowl_der), Counted(lambda x: None)
    result = run(fun, jac=jac, callback=steps, learning_rate=0.01, **options)
    assert (result.nit, result.nfev, result.njev) == (steps.calls, fun.calls, jac.calls)
    assert result.nfev == 1
    # One a step and one at the end; with `tol` one at the start and after every hundredth step, of which the last is
    # not computed twice.
    assert (result.nit, result.njev) == (300, 304 if "tol" in options else 301)


@pytest.mark.parametrize("average", [False, True])
def test_callbacks_see_what_would_be_returned(average):
    fun, results, points = Counted(bowl), [], Counted(lambda x: None)

    def keep(intermediate_result):
        results.append(intermediate_result)

    result = run(fun, callback=keep, average=average, maxiter=7)
    run(callback=points, average=average, maxiter=7)
    assert len(results) == 7
    for n, seen in enumerate(results, start=1):
        assert isinstance(seen, OptimizeResult)
        expected = run(maxiter=n, average=average)
        np.testing.assert_array_equal(seen.x, expected.x)
        np.testing.assert_array_equal(points.points[n - 1], expected.x)
        assert seen.fun == expected.fun
    assert result.nfev == fun.calls == 7  # the last one is not computed twice


@pytest.mark.parametrize("kind", ["x", "intermediate_result"])
def test_callback_stops_the_run(kind):
    calls = Counted(lambda x: None)

    def stop(x):
        calls(x)
        if calls.calls == 5:
            raise StopIteration

    callbacks = {"x": stop, "intermediate_result": lambda intermediate_result: stop(intermediate_result.x)}
    result = run(callback=callbacks[kind])
    # As SciPy's own methods have it.
    theirs = minimize(rosen, [-1.2, 1], method="BFGS", callback=lambda x: next(iter([])))
    assert (result.status, result.success, result.message) == (theirs.status, False, theirs.message)
    assert result.status == 99
    assert result.nit == 5
    np.testing.assert_array_equal(result.x, run(maxiter=5).x)


def test_without_tol_all_steps_are_made():
    result = run(maxiter=17)
    assert (result.nit, result.status, result.success) == (17, 0, True)
    assert "maxiter" in result.message
    assert run(x0=[1.0, 1.0]).nit == 300


@pytest.mark.parametrize(("average", "tol"), [(False, 1e-2), (False, 1e-4), (True, 1e-2)])
def test_tol_bounds_the_gradient(average, tol):
    options = {"average": average, "learning_rate": 0.02}
    result = run(tol=tol, maxiter=5000, **options)
    assert (result.status, result.success) == (0, True)
    assert "tol" in result.message
    assert np.abs(result.jac).max() <= tol
    assert result.nit % 100 == 0
    # Not a check later than needed.
    assert np.abs(run(maxiter=result.nit - 100, **options).jac).max() > tol


def test_too_few_steps_for_tol():
    result = run(tol=1e-12, maxiter=7)
    # As SciPy's own methods have it.
    theirs = minimize(rosen, [-1.2, 1], method="BFGS", options={"maxiter": 1})
    assert (result.nit, result.status, result.success) == (7, 1, False)
    assert (result.status, result.message) == (theirs.status, theirs.message)


def test_tol_is_looked_at_before_the_first_and_after_the_last_step():
    assert run(x0=[1.0, 1.0], tol=0.0).nit == 0
    last = np.abs(run(maxiter=150).jac).max()
    result = run(tol=last, maxiter=150)
    assert (result.nit, result.success) == (150, True)


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradient_that_is_not_finite(bad, average):
    def jac(x):
        return np.where(x > 0.5, bad, -1.0)

    result = run(lambda x: -x[0], [0.0], jac, schedule="constant", average=average, tol=1e-3)
    assert (result.status, result.success) == (3, False)
    assert "NaN or infinity" in result.message
    # Six steps of 0.1 lead there; x is the point before.
    assert result.nit == 6
    path = -np.cumsum(np.full(5, -0.1))
    weights = np.arange(1, 6) * np.arange(2, 7) * np.arange(3, 8) if average else [0, 0, 0, 0, 1]
    np.testing.assert_allclose(result.x, [np.average(path, weights=weights)], rtol=1e-6)
    assert np.isfinite(result.fun)
    assert np.isfinite(result.jac).all()


@pytest.mark.parametrize("tol", [None, 1e-3])
def test_nothing_finite_at_the_start(tol):
    result = run(lambda x: np.nan, [0.0, 1.0], lambda x: x * np.nan, tol=tol)
    assert (result.nit, result.status, result.success) == (0, 3, False)
    np.testing.assert_array_equal(result.x, [0.0, 1.0])


def test_last_point_is_not_finite():
    # The gradient there is asked for only at the end.
    result = run(lambda x: -x[0], [0.0], lambda x: np.where(x > 0.35, np.nan, -1.0), average=False, maxiter=4)
    assert result.status == 3
    assert 0.2 < result.x[0] < 0.35
    assert np.isfinite(result.jac).all()
    result = run(lambda x: np.nan if x[0] > 0.35 else 0.0, [0.0], lambda x: -np.ones(1), average=False, maxiter=4)
    assert (result.status, result.fun) == (3, 0.0)
    assert 0.2 < result.x[0] < 0.35


@pytest.mark.parametrize("gradient", [1e30, 1e300])
def test_overflow_is_reported_not_hidden(gradient):
    # The square overflows; unnoticed, every step would be 0 from then on.
    start = np.ones(1, dtype=np.float32)
    result = run(lambda x: 0.0, start, lambda x: np.array([gradient]), learning_rate=1.0)
    assert (result.nit, result.status) == (0, 3)
    np.testing.assert_array_equal(result.x, start)


@pytest.mark.parametrize("bounds", [[(0, 1), (0, 1)], Bounds(0, 1)])
def test_bounds_are_rejected(bounds):
    with pytest.raises(ValueError, match="cannot handle bounds"):
        minimize(bowl, [0.0, 3.0], jac=bowl_der, method=rmsprop, bounds=bounds)


@pytest.mark.parametrize(
    "constraints",
    [{"type": "eq", "fun": sum}, [{"type": "eq", "fun": sum}], LinearConstraint([[1, 1]], 0, 1)],
)
def test_constraints_are_rejected(constraints):
    with pytest.raises(ValueError, match="cannot handle constraints"):
        minimize(bowl, [0.0, 3.0], jac=bowl_der, method=rmsprop, constraints=constraints)


@pytest.mark.parametrize("name", ["hess", "hessp"])
def test_second_derivatives_are_not_used(name):
    with pytest.warns(RuntimeWarning, match=f"does not use '{name}'") as caught:
        result = minimize(rosen, [-1.2, 1], jac=rosen_der, method=rmsprop, options={"maxiter": 5}, **{name: rosen_hess})
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(result.x, run(rosen, [-1.2, 1], rosen_der, maxiter=5).x)


def test_unknown_options_get_a_warning():
    with pytest.warns(OptimizeWarning, match="Unknown solver options: gtol, disp") as caught:
        run(gtol=1e-3, disp=True)
    assert caught[0].filename == __file__
    # SciPy may grow parameters, and passes None for those not set.
    assert run(something_new=None).success


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("learning_rate", 0.0, r"a float in the range \(0\.0, inf\)"),
        ("decay_rate", 1.0, r"a float in the range \[0\.0, 1\.0\) or a str among {'auto'}"),
        ("epsilon", 0, r"a float in the range \(0\.0, inf\)"),
        ("momentum", 1.0, r"a float in the range \[0\.0, 1\.0\)"),
        ("centered", "yes", "an instance of 'bool'"),
        ("bias_correction", None, "an instance of 'bool'"),
        ("schedule", "step", "a str among"),
        ("average", 3, "an instance of 'bool'"),
        ("maxiter", 0, r"an int in the range \[1, inf\)"),
        ("maxiter", 10.0, r"an int in the range \[1, inf\)"),
        ("tol", -1e-3, r"a float in the range \[0\.0, inf\) or None"),
    ],
)
def test_options_are_checked(option, value, accepted):
    with pytest.raises(ValueError, match=f"The '{option}' parameter of rmsprop must be {accepted}.* Got {value!r}"):
        run(**{option: value})


def test_schedules_are_checked():
    with pytest.raises(ValueError, match="'schedule' must return finite step sizes"):
        run(schedule=lambda t: -1.0 / t)


@pytest.mark.parametrize(
    ("x0", "message"),
    [
        ([[0.0, 3.0]], "one-dimensional"),
        ([], "not empty"),
        ([0j, 1j], "real"),
        (["a"], "real"),
        ([0.0, np.nan], "finite"),
        ([np.inf], "finite"),
    ],
)
def test_starts_are_checked(x0, message):
    with pytest.raises(ValueError, match=f"'x0' must be .*{message}"):
        rmsprop(bowl, x0, jac=bowl_der)


def test_a_number_is_a_start():
    result = rmsprop(lambda x: (x[0] - 1) ** 2, 0, maxiter=300)
    assert result.x.shape == (1,)


def test_what_functions_return_is_checked():
    with pytest.raises(ValueError, match=r"'fun' must return one number\. Got an array of shape \(2,\)"):
        run(fun=lambda x: x)
    with pytest.raises(ValueError, match=r"'jac' must return an array of shape \(2,\)\. Got shape \(1,\)"):
        run(jac=lambda x: 1.0)
    with pytest.raises(TypeError, match=r"'jac' must be a callable or None\. Got '3-point'"):
        rmsprop(bowl, [0.0, 3.0], jac="3-point")


def test_errors_of_functions_are_not_swallowed():
    # Above all not that one which a callback uses for ending the run.
    def fails(x):
        raise StopIteration

    with pytest.raises(StopIteration):
        run(jac=fails)


def test_inside_a_global_optimizer():
    def wavy(x):
        return x[0] ** 2 / 20 + np.cos(3 * x[0])

    def wavy_der(x):
        return x / 10 - 3 * np.sin(3 * x)

    minimizer = {"method": rmsprop, "jac": wavy_der, "options": {"maxiter": 200}}
    result = basinhopping(wavy, [3.0], niter=3, minimizer_kwargs=minimizer)
    np.testing.assert_allclose(wavy_der(result.x), 0, atol=1e-3)
    assert result.fun <= run(wavy, [3.0], wavy_der, maxiter=200).fun
