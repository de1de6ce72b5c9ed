"""Compiled code stays within the arrays that it is given; extreme numbers give a right fit or an error that says why.

What would crash the tests runs in a process of its own: the functions called `try_...`.
"""

import copy
import itertools
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklearn_rmsprop import RMSpropRegressor
from sklearn_rmsprop import _engine as engine
from sklearn_rmsprop._data import TrainingData

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:X has more columns"),  # with few rows that is so, and does not matter here
    pytest.mark.filterwarnings("ignore:The model is overfitted"),  # likewise
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6)) * (RNG.random((60, 6)) < 0.7)
Y = X @ RNG.normal(size=(6, 2)) + [1.0, -2.0] + 0.1 * RNG.normal(size=(60, 2))
WEIGHT = RNG.random(60) + 0.1
CONTAINERS = {"dense": np.asarray, "CSR": sparse.csr_matrix}
containers = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS.keys())


def test_no_crash():
    """One process for all four: most of its time goes by until scikit-learn is imported."""
    names = ["try_two_threads", "try_attributes_of_others", "try_states", "try_sparse_arrays"]
    command = f"import test_memory_safety as t\nfor name in {names}: print(name, flush=True); getattr(t, name)()"
    command = [sys.executable, "-W", "ignore", "-c", command]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"exit status {done.returncode} in {done.stdout.split()[-1:]}\n{done.stderr}"


def is_rejected(call, *args):
    """Whether a call raises ValueError or TypeError; any other exception is passed on."""
    try:
        call(*args)
    except (ValueError, TypeError):
        return True
    return False


def try_two_threads():
    """Two threads fit one estimator on tables of different shapes, and a third one goes on from what it finds."""
    narrow, wide = (X[:, :1], Y[:, 0]), (sparse.random_array((30, 3000), density=0.01, random_state=RNG), Y[:30])
    model, until = RMSpropRegressor(max_iter=1, tol=None).fit(*narrow), time.monotonic() + 1
    unexpected = []

    def repeat(*calls):
        while time.monotonic() < until and not unexpected:
            for call, data in calls:
                try:
                    is_rejected(call, *data)
                except Exception as error:
                    unexpected.append(error)

    threads = [
        threading.Thread(target=repeat, args=[(model.fit, narrow)]),
        threading.Thread(target=repeat, args=[(model.fit, wide)]),
        threading.Thread(target=repeat, args=[(model.partial_fit, narrow), (model.partial_fit, wide)]),
    ]
    for act in (threading.Thread.start, threading.Thread.join):
        for thread in threads:
            act(thread)
    if unexpected:
        raise unexpected[0]


def try_attributes_of_others():
    """What a model may look like between two threads: some of its attributes are those of a fit to another table."""
    tables = [
        (table, y)
        for table in (X, X[:, :2], sparse.csr_array((X[:, 0], (range(60), range(60))), shape=(60, 500)))
        for y in (Y[:, 0], Y)
    ]
    models = [RMSpropRegressor(max_iter=1, tol=None).fit(*table) for table in tables]
    names = ("_state", "_coordinates", "coef_", "intercept_", "n_features_in_", "_flat", "_set_coefficients")
    for model, other in itertools.permutations(models, 2):
        for taken in (*((name,) for name in names), *(("_state", name) for name in names[1:]), names[:5]):
            mixed = copy.copy(model)
            for name in taken:
                setattr(mixed, name, copy.copy(getattr(other, name)))
            for table in (tables[models.index(model)], tables[models.index(other)]):
                is_rejected(mixed.partial_fit, *table)


def misaligned(array):
    array = np.asarray(array)
    result = np.ndarray(array.shape, array.dtype, buffer=bytearray(array.nbytes + 1), offset=1)
    result[...] = array
    assert not result.flags.aligned
    return result


def damaged(array):
    """What is not an aligned, C-contiguous array of the same type and shape."""
    yield from (array[:-1].copy(), np.concatenate((array, array)), array[:0], array[:1], np.array(1, array.dtype))
    yield from (array[np.newaxis], misaligned(array), np.repeat(array, 2, axis=0)[::2], array[::-1].copy()[::-1])
    other = np.float32 if array.dtype == np.float64 else np.float64
    yield from (array.astype(other), array.astype(np.int64), array.astype(array.dtype.newbyteorder()), array.tolist())
    if array.ndim > 1:
        yield from (array.ravel(), array[:, :1].copy(), np.hstack((array, array)), np.asfortranarray(array))


def try_states():
    """Each array of state and coordinates is damaged in each way."""
    parameters = {"momentum": 0.5, "centered": True, "penalty": "l1", "max_iter": 2}
    wide = sparse.random_array((60, 400), density=0.002, random_state=np.random.default_rng(0), format="csr")
    for table, model in (
        (X, RMSpropRegressor(**parameters).fit(X, Y)),
        (X.astype(np.float32), RMSpropRegressor(**parameters).fit(X.astype(np.float32), Y)),
        (sparse.csr_array(X), RMSpropRegressor(**parameters).fit(sparse.csr_array(X), Y)),
        (wide, RMSpropRegressor(max_iter=2).fit(wide, Y)),
    ):
        state, coordinates = model._state, model._coordinates
        data = TrainingData(table, Y, 1.0, np.arange(60, dtype=np.uint32), False)
        rows = engine.pose(data, coordinates, engine.Settings.of(vars(model))).rows
        assert len(state.arrays()) == (3 if table is wide else 8)
        for name, array in (*state.arrays().items(), ("generator", state.generator)):
            needed = name in ("coef", "scaled_square", "generator")
            for value in (*damaged(array), *([None] if needed else [])):
                twin = copy.copy(model)
                setattr(twin._state, name, value)
                assert is_rejected(twin.partial_fit, table, Y), (name, value)
                if not isinstance(value, list):
                    is_rejected(rows.load, twin._state)  # the kernel by itself
        for value in (np.array([2, 1], np.uint64), np.array([[1, 2]], np.uint64)):
            twin = copy.copy(model)
            twin._state.generator = value
            assert is_rejected(twin.partial_fit, table, Y), value
        for name in ("x_unit", "y_mean", "y_unit", "y_magnitude", *(["x_mean"] if table is X else [])):
            array = getattr(coordinates, name)
            for value in (array[:-1], np.append(array, 1.0), array[np.newaxis], 1.0, array.tolist()):
                twin = copy.copy(model)
                twin._coordinates = replace(coordinates, **{name: value})
                assert is_rejected(twin.partial_fit, table, Y), (name, value)
        model.partial_fit(table, Y)


def with_arrays(matrix, **arrays):
    """The matrix with other arrays, which SciPy does not look at."""
    matrix = matrix.copy()
    for name, array in arrays.items():
        setattr(matrix, name, array)
    return matrix


def bad_sparse_arrays(matrix):
    """Arrays that do not describe a matrix of this shape, as keyword arguments of `with_arrays`."""
    indices, indptr, data = matrix.indices, matrix.indptr, matrix.data
    for kind in (np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64):
        limits = np.iinfo(kind)
        numbers, starts = indices.astype(kind), indptr.astype(kind)
        wrong = [limits.max, limits.max - 1, limits.max // 2, limits.max // 2 + 1, 5000]
        wrong += [-1, limits.min, limits.min + 1] if limits.min < 0 else []
        for value, place in itertools.product(wrong, (0, 20, -1)):
            changed = np.arange(len(starts)) == place % len(starts)
            yield {"indptr": np.where(changed, np.array(value, kind), starts)}
            changed = np.arange(len(numbers)) == place % len(numbers)
            yield {"indices": np.where(changed, np.array(value, kind), numbers)}
            yield {"indices": np.where(changed, np.array(value, kind), numbers), "indptr": indptr.astype(np.uint64)}
        yield {"indptr": starts[::-1].copy()}
        yield {"indptr": starts + kind(1)}
        yield {"indptr": starts * kind(2)}
        for lengths in (starts[:-1], starts[:1], starts[:0], np.append(starts, starts[-1]), starts[:, np.newaxis]):
            yield {"indptr": lengths}
        for fewer in (numbers[:-1], numbers[:0], numbers[:, np.newaxis]):
            yield {"indices": fewer}
    # differences of these are small and positive where they wrap around
    yield {"indptr": indptr.astype(np.uint64) + np.uint64(2**64 - 5)}
    yield {"indptr": indptr.astype(np.uint32) + np.uint32(2**32 - 5)}
    yield {"indptr": indptr.astype(np.uint64) + np.uint64(2**63) * (np.arange(len(indptr)) > 3).astype(np.uint64)}
    for kind in (np.int8, np.uint8):  # too small for the values: SciPy's own arrays wrap around
        yield {"indptr": indptr.astype(kind)}
    for kind in (np.float64, np.bool_, object):
        yield {"indptr": indptr.astype(kind)}
        yield {"indices": indices.astype(kind)}
    for fewer in (data[:-1], data[:0], data[:, np.newaxis], data[:-1].astype(np.float32)):
        yield {"data": fewer}


def try_sparse_arrays():
    """CSR matrices that point outside of their arrays; `partial_fit` trains all 50 columns, and few of 5000."""
    for width in (50, 5000):
        matrix = sparse.random(40, width, density=30 / (2 * width), random_state=0, format="csr")
        assert matrix.nnz > 255
        model = RMSpropRegressor(max_iter=1).fit(matrix, Y[:40])
        for arrays in bad_sparse_arrays(matrix):
            bad = with_arrays(matrix, **arrays)
            assert is_rejected(RMSpropRegressor(max_iter=1).fit, bad, Y[:40]), arrays
            assert is_rejected(copy.copy(model).partial_fit, bad, Y[:40]), arrays
            assert is_rejected(model.predict, bad), arrays


def learned(table, y, weight=None, **start):
    """All that a model computes from these arrays."""
    model = RMSpropRegressor(max_iter=2, random_state=0).fit(table, y, weight, **start).partial_fit(table, y, weight)
    return model.coef_, model.intercept_, model.predict(table), model.score(table, y, weight)


@pytest.mark.parametrize("width", [6, 5000])
def test_index_types_do_not_matter(width):
    matrix = sparse.random(60, width, density=2 / width, random_state=0, format="csr")
    expected = learned(matrix, Y)
    kinds = [np.uint16, np.int16, np.uint32, np.int64, np.uint64, ">i4", np.uint8 if width < 256 else np.uint16]
    for kind, pointer_kind in [*zip(kinds, [*kinds[:-1], np.int32], strict=True), (np.int32, np.uint64)]:
        same = with_arrays(matrix, indices=matrix.indices.astype(kind), indptr=matrix.indptr.astype(pointer_kind))
        for value, other in zip(learned(same, Y), expected, strict=True):
            # compiled for 64-bit indices, the same operations may be rounded differently
            np.testing.assert_allclose(value, other, rtol=1e-9, err_msg=f"{kind}, {pointer_kind}")
    # room for more entries than there are, as SciPy leaves where it removes some
    spare = np.append(matrix.indices, np.int32([-1, 2**31 - 1]))
    same = with_arrays(matrix, indices=spare, data=np.append(matrix.data, [7.0, 7.0]))
    np.testing.assert_array_equal(learned(same, Y)[0], expected[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("y", [Y, Y[:, 0]], ids=["two targets", "one target"])
@containers
def test_misaligned_arrays_give_the_same(container, y, dtype):
    table = container(X.astype(dtype))
    start = np.full((2, 6) if y.ndim == 2 else 6, 0.1)
    expected = learned(table, y, WEIGHT, coef_init=start)
    same = misaligned(table) if isinstance(table, np.ndarray) else table
    variants = [same]
    if sparse.issparse(table):
        names = ("data", "indices", "indptr")
        variants = [with_arrays(table, **{name: misaligned(getattr(table, name)) for name in names})]
        variants += [with_arrays(table, **{name: misaligned(getattr(table, name))}) for name in names]
    for variant in variants:
        found = learned(variant, misaligned(y), misaligned(WEIGHT), coef_init=misaligned(start))
        for value, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(value, other)
    model = RMSpropRegressor(max_iter=1).fit(table, y)
    moved = copy.deepcopy(model)
    moved.coef_ = misaligned(model.coef_)
    np.testing.assert_array_equal(moved.predict(table), model.predict(table))
    np.testing.assert_array_equal(moved.partial_fit(table, y).coef_, model.partial_fit(table, y).coef_)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
@containers
def test_rows_of_negligible_weight_do_not_count(container, loss, early_stopping):
    y = Y[:, 0] + 100 * (np.arange(60) < 30)
    model = RMSpropRegressor(loss, random_state=0, max_iter=100, early_stopping=early_stopping)
    expected = copy.copy(model).fit(container(X[30:]), y[30:]).predict(X)
    for small, large in [(1e-165, 1e165), (1e-300, 1e300), (5e-324, 1e-20), (1e-320, 1.0)]:
        weight = np.repeat([small, large], 30)
        for order in (np.arange(60), np.argsort(weight)[::-1]):  # the tiny ones first, the large ones first
            found = copy.copy(model).fit(container(X[order]), y[order], weight[order]).predict(X)
            if order[0] == 0:
                np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
            assert np.isfinite(found).all()
            assert np.abs(found - y)[30:].mean() < 1


@pytest.mark.parametrize("early_stopping", [False, True])
@containers
def test_only_ratios_of_weights_matter(container, early_stopping):
    model = RMSpropRegressor(random_state=0, early_stopping=early_stopping)
    weight = np.arange(1.0, 61.0)
    expected = model.fit(container(X), Y, weight).predict(X)
    for unit in (5e-324, 1e-310, 1e-300, 1e300, 2e306):
        found = model.fit(container(X), Y, unit * weight).predict(X)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)  # 1e-310 has some 13 digits


@containers
def test_weights_of_another_scale_than_the_first_call(container):
    for first, then in [
        *[(1e300, 1e-300), (1e-300, 1e300), (1e-150, 1e150), (1e-320, 1.0), (1.0, 1e-320)],
        *[(None, 1e300), (1e300, None), (None, 1e-300), (1e-300, None), (1.0, 1e170), (1.0, 1e-170)],
    ]:
        model = RMSpropRegressor().partial_fit(container(X), Y, first)
        with pytest.raises(ValueError, match="sample_weight must be on the scale of the first call's weights"):
            model.partial_fit(container(X), Y, then)
    for first, then in [(1e300, 1e299), (1e-320, 1e-319), (1.0, 1e-100), (1e-30, 1.0)]:
        model = RMSpropRegressor().partial_fit(container(X), Y, first).partial_fit(container(X), Y, then)
        assert np.isfinite(model.predict(X)).all()


def trained(method, table, y, **parameters):
    """A fitted model, or one that has learned the rows in two calls."""
    model = RMSpropRegressor(random_state=0, max_iter=20, tol=None, **parameters)
    return model.fit(table, y) if method == "fit" else model.partial_fit(table, y).partial_fit(table, y)


# a scale, and whether the coefficients have numbers: about 1 / scale, and twenty times that
SCALES = [
    *[(np.float64, scale, True) for scale in (1e-150, 1e-170, 1e-200, 1e-300, 1e-305, 1e150)],
    *[(np.float64, scale, False) for scale in (1e-310, 5e-324)],
    *[(np.float32, scale, True) for scale in (1e-20, 1e-30, 1e-36, 1e18, 1e34)],
    *[(np.float32, scale, False) for scale in (1e-40, 1.5e-45)],
]


@pytest.mark.parametrize("loss", ["squared_error", "huber"])
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@containers
def test_scale_of_the_columns(container, method, loss):
    y = X @ np.arange(1.0, 7.0)
    for (dtype, scale, representable), columns in itertools.product(SCALES, [slice(None), slice(2, 3)]):
        factor = np.ones(6)
        factor[columns] = scale
        table = (np.round(4 * X) * factor).astype(dtype)
        if representable:
            same = (table / factor).astype(dtype)
            expected = trained(method, container(same), y, loss=loss).predict(container(same))
            found = trained(method, container(table), y, loss=loss).predict(container(table))
            # rounding only: scales are no powers of two
            tolerance = 1e-6 if dtype == np.float64 else 1e-3
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance, err_msg=f"{scale}")
        else:
            column = "2" if columns != slice(None) else "[0-5]"
            with pytest.raises(ValueError, match=rf"X is too small.* of column {column} "):
                trained(method, container(table), y, loss=loss)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@containers
def test_columns_at_the_limit_are_fitted_or_named(container, method):
    """The inverse of the unit may have a number and the coefficient none, in training or only in the end."""
    y = 1e3 * (X @ np.arange(1.0, 7.0))
    scales = [(scale, np.float64) for scale in (1e-309, 1e-308, 2e-308, 6e-308, 1e-307, 1e-306)]
    scales += [(scale, np.float32) for scale in (1e-39, 3e-39, 1e-38, 1e-37)]
    errors = []
    for scale, dtype in scales:
        # subnormal numbers have fewer digits: whole numbers times a power of two
        factor = np.where(np.arange(6) == 4, 2.0 ** np.round(np.log2(scale)), 1)
        table = np.round(4 * X) * factor
        expected = trained(method, container((table / factor).astype(dtype)), y).predict(container(table / factor))
        try:
            found = trained(method, container(table.astype(dtype)), y).predict(container(table.astype(dtype)))
        except ValueError as error:
            errors.append(str(error))
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(y).max(), err_msg=f"{scale}")
    assert errors
    assert [error for error in errors if "X is too small" not in error or " column 4 " not in error] == []


def test_the_column_is_named_where_few_columns_are_trained():
    wide = sparse.random_array((60, 400), density=0.002, random_state=np.random.default_rng(0), format="csr")
    model = RMSpropRegressor(learning_rate=1e3).partial_fit(wide, Y[:, 0])
    column = wide.indices[7]
    model._coordinates.x_unit[column] = 6e-309
    wide.data[wide.indices == column] = 1e-308
    with pytest.raises(ValueError, match=rf"X is too small.* column {column} overflows"):
        model.partial_fit(wide, Y[:, 0])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@containers
def test_huge_columns(container, method):
    with pytest.raises(ValueError, match="X is too large: the mean square of column 2 overflows"):
        trained(method, container(X * np.where(np.arange(6) == 2, 1e200, 1)), Y)


TARGETS = {
    "squared error": lambda unit: {},
    "absolute error": lambda unit: {"loss": "absolute_error"},
    "huber": lambda unit: {"loss": "huber", "delta": unit},
    "L1": lambda unit: {"penalty": "l1", "alpha": 1e-2 * unit},
    "L2": lambda unit: {"penalty": "l2", "alpha": 1e-2},
    "early stopping": lambda unit: {"early_stopping": True},
}


@pytest.mark.parametrize("name", TARGETS)
@containers
def test_scale_of_the_targets(container, name):
    expected = trained("fit", container(X), Y, **TARGETS[name](1.0)).predict(X)
    for scale in (1e-150, 1e-170, 1e-200, 1e-300, 1e150):
        found = trained("fit", container(X), scale * Y, **TARGETS[name](scale)).predict(X) / scale
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6, err_msg=f"{scale}")


@pytest.mark.parametrize("value", [None, np.nan, pd.NA, pd.NaT], ids=str)
@pytest.mark.parametrize("kind", [list, np.array, pd.DataFrame])
def test_missing_targets(kind, value):
    targets = [[[1.0, value]] * 60, [[1, 2]] * 59 + [[value, 1]], [[value, value]] * 60]
    targets += [[row[0] for row in each] for each in targets[1:]] if kind is not pd.DataFrame else []
    for each in targets:
        y = kind(each) if kind is list else kind(each, dtype=object)
        for model in (RMSpropRegressor(), RMSpropRegressor().fit(X, np.zeros(np.shape(y)))):
            for method in ("fit", "partial_fit"):
                with pytest.raises(ValueError, match=r"Input y contains NaN"):
                    getattr(model, method)(X, y)
