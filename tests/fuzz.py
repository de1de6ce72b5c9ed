"""A fuzzer: fits random configurations on random data, and checks properties that every fit must have.

``python tests/fuzz.py --seconds 30 --seed 0`` tries one seed after the other until the time is up. If a seed fails, the
script prints the seed and its configuration, and exits with status 1; ``python tests/fuzz.py --only SEED`` repeats it.

`make sanitize` runs this script with AddressSanitizer and UndefinedBehaviorSanitizer. The shapes and layouts are chosen
for these: numbers of rows and columns just below and above the lengths of vectors, arrays that are misaligned or not
contiguous, and sparse matrices whose indices have unusual types.
"""

import argparse
import pickle
import pprint
import re
import subprocess
import sys
import time
import traceback
import warnings

import numpy as np
from oracles import LOSSES
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sklearn_rmsprop import RMSpropRegressor

# Around the lengths of vectors, and around the widths at which another routine takes over.
N_ROWS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129, 257, 600, 1024, 1025]
N_FEATURES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129]
N_TARGETS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33]
LARGEST = 200_000  # rows * features * targets

DENSE_LAYOUTS = ["C", "F", "misaligned", "every second row", "every second column", "reversed", "read-only", "swapped"]
SPARSE_LAYOUTS = ["int32", "int64", "int64 indptr", "unsigned indptr", "spare room", "CSC", "COO", "read-only"]
TARGET_LAYOUTS = ["C", "F", "misaligned", "every second row", "reversed", "read-only"]
EXPECTED_WARNINGS = [
    "X has more columns",
    "The model is overfitted",
    "delta=",
    "Column .* of X lies",
    "Predictions miss",
]
WEIGHTS = ["none", "uniform", "zeros", "one row", "integers", "float32", "wide range", "misaligned"]

# Messages of the errors that a random configuration may get: the arithmetic overflows, or the parameters contradict
# each other or the data.
EXPECTED = re.compile(
    r"too large|too small|overflow|must be small enough"
    r"|early_stopping=True with validation_fraction=.* needs at least"
    r"|partial_fit cannot use|delta must be larger than 0|valid sparse matrix|indptr must|sample_weight must"
)


def shrinking(steps):
    """A schedule as a function."""
    return 0.05 / np.sqrt(steps)


def draw_parameters(rng):
    """Parameters of the estimator."""
    return {
        "loss": str(rng.choice(LOSSES)),
        "learning_rate": float(10 ** rng.uniform(-3, 0)),
        "decay_rate": "auto" if rng.random() < 0.5 else float(rng.choice([0.0, 0.5, 0.9, 0.99, 0.9999])),
        "epsilon": float(rng.choice([1e-8, 1e-300, 1e-2])),
        "momentum": float(rng.choice([0.0, 0.0, 0.5, 0.9, 0.99])),
        "centered": bool(rng.random() < 0.4),
        "bias_correction": bool(rng.random() < 0.7),
        "schedule": [shrinking, "invsqrt", "constant", "linear", "cosine"][rng.integers(5)],
        "average": bool(rng.random() < 0.7),
        "batch_size": [None, 1, 2, 7, 32, 64, 100, 5000][rng.integers(8)],
        "max_iter": int(rng.choice([1, 2, 3, 10, 30])),
        "tol": [None, 0.0, 1e-4, 1e-1][rng.integers(4)],
        "n_iter_no_change": int(rng.choice([1, 2, 5])),
        "standardize": bool(rng.random() < 0.7),
        "delta": float(rng.choice([1.0, 0.1, 10.0, 0.0], p=[0.4, 0.25, 0.25, 0.1])),
        "quantile": float(rng.choice([0.5, 0.05, 0.9])),
        "penalty": [None, None, "l1", "l2", "elasticnet"][rng.integers(5)],
        "alpha": float(rng.choice([0.0, 1e-6, 1e-2, 1.0])),
        "l1_ratio": float(rng.choice([0.0, 0.15, 1.0])),
        "fit_intercept": bool(rng.random() < 0.8),
        "shuffle": bool(rng.random() < 0.7),
        "random_state": int(rng.integers(2**31)),
        "early_stopping": bool(rng.random() < 0.15),
        "validation_fraction": float(rng.choice([0.1, 0.5])),
        "warm_start": bool(rng.random() < 0.3),
    }


def draw_table(rng, n_features, n_targets, flat):
    """Description of a data set: its shape and layout, and the seed of its values."""
    n_rows = int(rng.choice(N_ROWS))
    if rng.random() < 0.03:  # more than 1 MiB, and more rows than one evaluation of the loss looks at
        n_rows = 150_000 // n_features
    is_sparse = bool(rng.random() < 0.5)
    return {
        "seed": int(rng.integers(2**31)),
        "shape": (max(1, min(n_rows, LARGEST // (n_features * n_targets))), n_features),
        "n_targets": None if flat else n_targets,
        "dtype": str(rng.choice(["float32", "float64", "int32"], p=[0.45, 0.45, 0.1])),
        "sparse": is_sparse,
        "layout": str(rng.choice(SPARSE_LAYOUTS if is_sparse else DENSE_LAYOUTS)),
        "density": float(rng.choice([0.0, 0.01, 0.1, 0.5, 1.0], p=[0.05, 0.25, 0.3, 0.2, 0.2])) if is_sparse else 1.0,
        "duplicates": bool(is_sparse and rng.random() < 0.2),
        "container": str(rng.choice(["matrix", "array"])),
        "scale": float(rng.choice([1.0, 1e-5, 1e6, 1e30], p=[0.8, 0.08, 0.08, 0.04])),
        "y_dtype": str(rng.choice(["float64", "float32", "int64"])),
        "y_layout": str(rng.choice(TARGET_LAYOUTS)),
        "y_scale": float(rng.choice([1.0, 0.0, 1e-5, 1e6, 1e100], p=[0.8, 0.05, 0.05, 0.05, 0.05])),
        "weight": str(rng.choice(WEIGHTS, p=[0.4, 0.15, 0.1, 0.05, 0.1, 0.1, 0.05, 0.05])),
    }


def draw(seed, without=()):
    """The configuration of a seed: the parameters, and the methods to call, each with a data set.

    Layouts and weights named in `without` are replaced by the simplest, and all else stays the same.
    """
    rng = np.random.default_rng(seed)
    parameters = draw_parameters(rng)
    n_features, flat = int(rng.choice(N_FEATURES)), bool(rng.random() < 0.5)
    n_targets = 1 if flat else int(rng.choice(N_TARGETS))
    if rng.random() < 0.05:
        n_features = int(rng.choice([1000, 3000]))
    calls = [str(rng.choice(["fit", "partial_fit"], p=[0.8, 0.2]))]
    calls += [str(rng.choice(["fit", "partial_fit"], p=[0.15, 0.85])) for _ in range(rng.integers(4))]
    if "partial_fit" in calls and rng.random() < 0.9:  # the other tenth is refused
        parameters["early_stopping"] = False
        if parameters["schedule"] in ("linear", "cosine"):
            parameters["schedule"] = "constant"
    tables = [draw_table(rng, n_features, n_targets, flat) for _ in calls]
    for table in tables:
        simplest = {"layout": "int32" if table["sparse"] else "C", "y_layout": "C", "weight": "none"}
        table.update({key: value for key, value in simplest.items() if table[key] in without})
    return {"parameters": parameters, "calls": list(zip(calls, tables, strict=True))}


def laid_out(array, layout):
    """A copy of the array with the given memory layout."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "misaligned":
        buffer = np.empty(array.nbytes + 1, np.uint8)
        result = buffer[1:].view(array.dtype).reshape(array.shape)
    elif layout == "every second row":
        result = np.full((2 * len(array), *array.shape[1:]), 77, array.dtype)[::2]
    elif layout == "every second column":
        result = np.full((len(array), 2 * array.shape[1]), 77, array.dtype)[:, ::2]
    elif layout == "reversed":
        result = np.empty_like(array)[::-1]
    elif layout == "swapped":
        result = np.empty(array.shape, array.dtype.newbyteorder())
    else:
        result = np.empty(array.shape, array.dtype)
    result[...] = array
    result.flags.writeable = layout != "read-only"
    return result


def make_sparse(rng, table):
    """A sparse matrix of the given layout, with empty rows and columns."""
    (n_rows, n_features), layout = table["shape"], table["layout"]
    filled = rng.random((n_rows, n_features)) < table["density"]
    filled[rng.random(n_rows) < 0.1] = False
    filled[:, rng.random(n_features) < 0.1] = False
    row, column = np.nonzero(filled)
    if table["duplicates"]:
        row, column = np.repeat(row, 2), np.repeat(column, 2)
    values = rng.normal(size=len(row)) * table["scale"]
    values[rng.random(len(row)) < 0.05] = 0  # stored zeros
    if table["dtype"] == "int32":
        values = np.clip(values * 4, -1e9, 1e9)
    index = np.int64 if layout == "int64" else np.int32
    indptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=n_rows)))).astype(index)
    kind = getattr(sparse, f"csr_{table['container']}")
    X = kind((n_rows, n_features), dtype=table["dtype"])
    # set one by one: SciPy's constructor would choose the type of the indices itself
    X.data, X.indices, X.indptr = values.astype(table["dtype"]), column.astype(index), indptr
    if layout == "int64 indptr":
        X.indptr = indptr.astype(np.int64)
    elif layout == "spare room":
        X.data = np.append(X.data, np.full(2, 77, X.data.dtype))
        X.indices = np.append(X.indices, np.zeros(2, index))
    elif layout in ("CSC", "COO"):
        X = X.asformat(layout.lower())
    elif layout == "read-only":
        for array in (X.data, X.indices, X.indptr):
            array.flags.writeable = False
    return X


def make_weight(rng, kind, n_rows):
    """Weights of the rows, at least one of which is not zero."""
    if kind == "none":
        return None
    weight = rng.uniform(0.1, 2, size=n_rows)
    if kind == "zeros":
        weight[rng.random(n_rows) < 0.5] = 0
        weight[rng.integers(n_rows)] = 1
    elif kind == "one row":
        weight[...] = 0
        weight[rng.integers(n_rows)] = 3
    elif kind == "integers":
        weight = rng.integers(1, 4, size=n_rows)
    elif kind == "wide range":
        weight = 10.0 ** rng.integers(-165, 165, size=n_rows)
    return laid_out(weight.astype(np.float32) if kind == "float32" else weight, kind)


def make_data(table):
    """X, y and weights of a data set."""
    rng = np.random.default_rng(table["seed"])
    n_rows, n_features = table["shape"]
    if table["sparse"]:
        X = make_sparse(rng, table)
    else:
        values = (rng.normal(size=table["shape"]) + rng.normal(size=n_features)) * table["scale"]
        values[:, rng.random(n_features) < 0.1] = table["scale"]  # constant columns
        if table["dtype"] == "int32":
            values = np.clip(values * 4, -1e9, 1e9)
        X = laid_out(values.astype(table["dtype"]), table["layout"])
    sums = X @ np.ones(n_features)
    if table["layout"] == "unsigned indptr":
        X.indptr = X.indptr.astype(np.uint64 if n_rows % 2 else np.uint32)
    shape = n_rows if table["n_targets"] is None else (n_rows, table["n_targets"])
    y = rng.normal(size=shape) + 3
    y += np.reshape(sums, (n_rows, *[1] * (y.ndim - 1))) / table["scale"]
    y = (y * table["y_scale"]).clip(-1e30, 1e30) if table["y_dtype"] != "float64" else y * table["y_scale"]
    if table["y_dtype"] == "int64":
        y = y.clip(-1e15, 1e15)
    y = laid_out(y.astype(table["y_dtype"]), table["y_layout"])
    return X, y, make_weight(rng, table["weight"], n_rows)


def arrays_of(X, y, weight):
    """The arrays that a fit must leave alone."""
    if not sparse.issparse(X):
        parts = [X]
    elif X.format == "coo":
        parts = [X.data, X.row, X.col]
    else:
        parts = [X.data, X.indices, X.indptr]
    return [*parts, y] if weight is None else [*parts, y, weight]


def loss_of(parameters, error):
    """The loss of each error, prediction - y."""
    size, delta, quantile = np.abs(error), parameters["delta"], parameters["quantile"]
    return {
        "squared_error": lambda: error**2 / 2,
        "absolute_error": lambda: size,
        "huber": lambda: np.where(size <= delta, error**2 / 2, delta * (size - delta / 2)),
        "quantile": lambda: np.where(error > 0, (1 - quantile) * error, -quantile * error),
        "epsilon_insensitive": lambda: np.maximum(size - delta, 0),
        "squared_epsilon_insensitive": lambda: np.maximum(size - delta, 0) ** 2 / 2,
    }[parameters["loss"]]()


def as_dense(X):
    """The values of X as float64, also where SciPy does not accept its indices."""
    if not sparse.issparse(X):
        return X.astype(np.float64)
    if X.format == "csr":
        n_stored = int(X.indptr[-1])
        X = sparse.csr_matrix((X.data[:n_stored], X.indices[:n_stored], X.indptr.astype(np.int64)), X.shape)
    return X.toarray().astype(np.float64)


def check_objective(model, parameters, X, y, weight):
    """The last entry of `loss_curve_` is the objective of the model, up to rounding and 1e-6."""
    X = as_dense(X)
    y = np.reshape(y, (len(y), -1)).astype(np.float64)
    coef, intercept = np.atleast_2d(model.coef_).astype(np.float64), np.atleast_1d(model.intercept_).astype(np.float64)
    used = np.ones(len(y), bool) if weight is None else weight > 0
    weight = np.ones(len(y)) if weight is None else weight.astype(np.float64) / weight.max()
    X, y, weight = X[used], y[used], weight[used]
    error = X @ coef.T + intercept - y
    # the coefficients are rounded to the type of X, after the loss was computed with sums over the columns in this type
    n_roundings = 8 + X.shape[1] / 8
    magnitude = np.abs(X) @ np.abs(coef).T + np.abs(intercept) + np.abs(y)
    rounding = n_roundings * np.finfo(model.coef_.dtype).eps * magnitude
    losses, above, below = (loss_of(parameters, error + shift) for shift in (0, rounding, -rounding))
    change = np.maximum(np.abs(above - losses), np.abs(below - losses))
    l1_ratio = {None: 0.0, "l2": 0.0, "l1": 1.0, "elasticnet": parameters["l1_ratio"]}[parameters["penalty"]]
    alpha = 0.0 if parameters["penalty"] is None else parameters["alpha"]
    penalty = alpha * (l1_ratio * np.abs(coef).sum(axis=1) + (1 - l1_ratio) / 2 * (coef**2).sum(axis=1))
    objective = np.mean(np.average(losses, axis=0, weights=weight) + penalty)
    tolerance = 1e-6 * objective + np.mean(np.average(change, axis=0, weights=weight))
    assert not abs(model.loss_curve_[-1] - objective) > tolerance, (
        f"loss_curve_[-1] is {model.loss_curve_[-1]!r}, the objective is {objective!r} +- {tolerance:.1e}"
    )


def predict(model, X):
    """The predictions; NumPy may warn that they overflow float32 if they do: they are of the size of earlier rows."""
    columns = np.abs(as_dense(X))
    coef = np.abs(model.coef_.astype(np.float64))
    with np.errstate(over="ignore"):
        magnitude = columns @ coef.T + np.abs(model.intercept_.astype(np.float64))
    if magnitude.max() < np.finfo(model.coef_.dtype).max:
        return model.predict(X)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.nan_to_num(model.predict(X))


def call(model, method, data, *, check):
    """Call `fit` or `partial_fit`, then `predict`, and check the results; return these, or the message of the error."""
    X, y, weight = data
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ConvergenceWarning)
        for text in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", text)
        try:
            getattr(model, method)(X, y, sample_weight=weight)
            results = [model.coef_, model.intercept_, np.array(model.loss_curve_), predict(model, X)]
        except ValueError as error:
            # NumPy may have warned of the same overflow before: these warnings are not checked
            if EXPECTED.search(str(error)):
                return [np.array(str(error))]
            raise
    assert not caught, f"{method} warned: {caught[0].message}"
    assert all(np.isfinite(result).all() for result in results), f"{method} led to infinity or NaN"
    assert results[-1].shape == y.shape, f"predict has shape {results[-1].shape} instead of {y.shape}"
    # with more rows the loss is that of a sample; with early stopping the model is not that of the last evaluation
    if check and len(y) <= 1024 and not model.early_stopping:
        with np.errstate(over="ignore", invalid="ignore"):
            check_objective(model, model.get_params(), X, y, weight)
    return results


def run_once(configuration, *, check):
    """Call the methods of a configuration one after the other; return their results."""
    model, results = RMSpropRegressor(**configuration["parameters"]), []
    for method, table in configuration["calls"]:
        data = make_data(table)
        before = [array.copy() for array in arrays_of(*data)]
        results += call(model, method, data, check=check)
        unchanged = zip(before, arrays_of(*data), strict=True)
        assert all(np.array_equal(old, new) for old, new in unchanged), f"{method} changed its input"
        if check:
            model = pickle.loads(pickle.dumps(model))
    return results


def run(configuration):
    """Run a configuration twice, the second time without pickling; raise an exception if any check fails."""
    first, again = run_once(configuration, check=True), run_once(configuration, check=False)
    same = len(first) == len(again) and all(map(np.array_equal, first, again))
    assert same, "a second run, without pickling between the calls, had another result"


def work(seed, seconds, only, without):
    """Try seed after seed, printing each before it is tried. Return the exit status."""
    stop = time.monotonic() + seconds
    while True:
        print(seed, flush=True)
        try:
            run(draw(seed, without))
        except Exception:
            traceback.print_exc()
            return 1
        seed += 1
        if only or time.monotonic() >= stop:
            return 0


def main():
    """Run `work` in another process, so that the seed can be reported even after a crash."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long to go on (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--only", type=int, metavar="SEED", help="run this seed alone")
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="layouts and weights to leave out")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.only is None else arguments.only
    if arguments.worker:
        return work(seed, arguments.seconds, arguments.only is not None, arguments.without)
    started, seeds = time.monotonic(), []
    command = [sys.executable, __file__, "--worker", *sys.argv[1:]]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        seeds.extend(int(line) for line in worker.stdout)
    if worker.returncode == 0 and seeds:
        print(f"{len(seeds)} configurations in {time.monotonic() - started:.0f} s, no failures.")
        return 0
    if seeds:
        pprint.pp(draw(seeds[-1], arguments.without), width=120, compact=True)
        print(f"Seed {seeds[-1]} failed; exit status {worker.returncode}. To repeat: tests/fuzz.py --only {seeds[-1]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
